import Model
import Resources

/// One route, ready to be merged into the tables of the Service ports that it claims. Made anew when the route or a
/// Service that it names changes; identity says that nothing changed.
final class CompiledRoute: Sendable {
    let key: ObjectKey
    let kind: RouteKind
    let name: ObjectName
    let generation: Int64
    let creationTimestamp: String?
    let attachments: [Attachment]
    let entries: [RouteTableEntry]
    /// Why the route as a whole is not accepted; nil when at least one rule is in force.
    let refusal: Verdict?
    /// True when its rules claim ports although it is refused: a request that matches a rule with a filter that cannot
    /// be honoured is answered 500 rather than served without the filter (HTTPRouteFilter), and that holds when no
    /// other rule is left. Were such a route to claim nothing, its traffic would pass unfiltered.
    let claimsThoughRefused: Bool
    /// The references that do not resolve.
    let unresolved: Verdict?
    /// The message of PartiallyInvalid; nil when the whole route is in force.
    let partiallyInvalid: String?
    let problems: [Problem]
    /// Services that its rules lead to; its parents concern its attachments alone.
    let backendServices: Set<ObjectName>
    /// The status entries that the object came with, for their transition times.
    let written: [RouteParentStatus]
    /// nil for kinds that are not served.
    private let spec: Spec?

    private enum Spec: Hashable {
        case http(HTTPRouteSpec)
        case grpc(GRPCRouteSpec)
    }

    /// Services whose changes concern it.
    var services: Set<ObjectName> { backendServices.union(attachments.map(\.service)) }

    var claims: Bool { refusal == nil || claimsThoughRefused }
    /// Whether it takes part when kinds compete for a port: one whose content is refused does not; one of a kind that
    /// this version does not serve does, as GEP-1294 orders kinds without regard to that.
    var contends: Bool { kind.isServed ? claims : true }

    /// Makes sense of a route of any kind; nil when it has no parent of ours.
    ///
    /// `unchanged` is its previous form when no Service that its rules lead to has changed since: if its spec is the same too,
    /// as after a change of its status alone, its rules keep their identity.
    static func make(
        _ key: ObjectKey, unchanged: CompiledRoute?, inventory: Inventory, backends: BackendTable
    ) -> CompiledRoute? {
        let route: CompiledRoute? =
            switch key.kind {
            case .httpRoute:
                inventory.httpRoutes[key.name].map { route in
                    CompiledRoute(
                        route, .http, .http(route.spec), key, unchanged: unchanged, inventory: inventory
                    ) { RouteRules(route, key, inventory: inventory, backends: backends) }
                }
            case .grpcRoute:
                inventory.grpcRoutes[key.name].map { route in
                    CompiledRoute(
                        route, .grpc, .grpc(route.spec), key, unchanged: unchanged, inventory: inventory
                    ) { RouteRules(route, key, inventory: inventory, backends: backends) }
                }
            case .tlsRoute:
                inventory.tlsRoutes[key.name].map {
                    CompiledRoute(stream: $0, .tls, $0.spec.rules, key, inventory: inventory, backends: backends)
                }
            case .tcpRoute:
                inventory.tcpRoutes[key.name].map {
                    CompiledRoute(stream: $0, .tcp, $0.spec.rules, key, inventory: inventory, backends: backends)
                }
            case .udpRoute:
                inventory.udpRoutes[key.name].map {
                    CompiledRoute(stream: $0, .udp, $0.spec.rules, key, inventory: inventory, backends: backends)
                }
            default: nil
            }
        guard let route, !route.attachments.isEmpty else { return nil }
        return route
    }

    /// A route of a kind that is served; `rules` makes its rules when those of `unchanged` are not its own.
    private init(
        _ route: some RouteObject, _ kind: RouteKind, _ spec: Spec, _ key: ObjectKey, unchanged: CompiledRoute?,
        inventory: Inventory, rules: () -> RouteRules
    ) {
        self.key = key
        self.kind = kind
        self.spec = spec
        name = ObjectName(key.name)
        generation = route.metadata.generation ?? 1
        creationTimestamp = route.metadata.creationTimestamp
        attachments = Self.attachments(of: route, kind, key, inventory)
        written = Self.written(route)
        if let unchanged, unchanged.spec == spec, unchanged.creationTimestamp == creationTimestamp {
            entries = unchanged.entries
            refusal = unchanged.refusal
            claimsThoughRefused = unchanged.claimsThoughRefused
            unresolved = unchanged.unresolved
            partiallyInvalid = unchanged.partiallyInvalid
            problems = unchanged.problems
            backendServices = unchanged.backendServices
            return
        }
        let rules = rules()
        entries = rules.entries
        refusal = rules.refusal
        claimsThoughRefused = rules.claimsThoughRefused
        unresolved = rules.unresolved.verdict
        partiallyInvalid = rules.partiallyInvalid
        problems = rules.problems
        backendServices = rules.backendServices
    }

    private convenience init(
        stream route: some RouteObject, _ kind: RouteKind, _ rules: [StreamRouteRule], _ key: ObjectKey,
        inventory: Inventory, backends: BackendTable
    ) {
        self.init(
            unserved: route, kind, key, inventory: inventory, backends: backends,
            references: rules.map { ($0.backendRefs ?? []).map { BackendReference($0, of: ObjectName(key.name)) } })
    }

    /// A route of a kind that this version does not serve: its references are checked, its rules are in force nowhere.
    /// `references` are by rule.
    private init(
        unserved route: some RouteObject, _ kind: RouteKind, _ key: ObjectKey, inventory: Inventory,
        backends: BackendTable, references: [[BackendReference]]
    ) {
        self.key = key
        self.kind = kind
        name = ObjectName(key.name)
        generation = route.metadata.generation ?? 1
        creationTimestamp = route.metadata.creationTimestamp
        attachments = Self.attachments(of: route, kind, key, inventory)
        spec = nil
        entries = []
        let message = "\(kind.rawValue) is not served yet by this version of Weir"
        refusal = Verdict(.unsupportedValue, message)
        claimsThoughRefused = false
        partiallyInvalid = nil
        var unresolved = UnresolvedReferences()
        var problems = [Problem(object: key, field: nil, message: message)]
        for (rule, refs) in references.enumerated() {
            for (position, ref) in refs.enumerated() {
                let resolved = ResolvedBackend(ref, in: kind, inventory: inventory, backends: backends)
                guard case .invalid(_, let verdict) = resolved else { continue }
                let field = "spec.rules[\(rule)].backendRefs[\(position)]"
                unresolved.add(verdict, at: field)
                problems.append(Problem(object: key, field: field, message: verdict.message))
            }
        }
        self.unresolved = unresolved.verdict
        self.problems = problems
        backendServices = Set(references.joined().map(\.name))
        written = Self.written(route)
    }

    private static func attachments(
        of route: some RouteObject, _ kind: RouteKind, _ key: ObjectKey, _ inventory: Inventory
    ) -> [Attachment] {
        route.parentRefs.filter(\.isService).map {
            Attachment($0, routeNamespace: key.name.namespace, kind: kind, inventory: inventory)
        }
    }

    private static func written(_ route: some RouteObject) -> [RouteParentStatus] {
        (route.status?.parents ?? []).filter { $0.controllerName == Compiler.controllerName }
    }

    /// Whether a table made of the other's entries serves for this one too.
    func hasEntries(of other: CompiledRoute) -> Bool {
        entries.elementsEqual(other.entries) { $0.rule === $1.rule }
    }

    func precedes(_ other: CompiledRoute) -> Bool {
        Seniority(creationTimestamp: creationTimestamp, name: name)
            < Seniority(creationTimestamp: other.creationTimestamp, name: other.name)
    }
}
