import Model
package import Resources

/// Turns the inventory into the snapshot and the statuses of routes. Pure: the time comes in, nothing goes out but the
/// compilation. What it remembers only saves work: a compiler that starts anew gives the same answer, but for the
/// indices of addresses, who has an address that two Services name, the transition times of conditions and the
/// generation.
package struct Compiler {
    /// Our entries in `status.parents`.
    package static let controllerName = "weir.dev/mesh"
    package static let defaultMeshName = "weir"

    private var routes: [ObjectKey: CompiledRoute] = [:]
    /// Routes by the Services that they name, as parent or backend.
    private var routesByService: [ObjectName: Set<ObjectKey>] = [:]
    private var backends = BackendTable()
    private var services: [ObjectName: Model.Service] = [:]
    private var sortedServices = ServiceList()
    private var claims: [ObjectName: ServiceClaims] = [:]
    private var statuses: [ObjectKey: [RouteParentStatus]] = [:]
    private var frontends = FrontendTable()
    private var policies: PolicyTable
    private let meshName: String
    private var mesh: MeshDecision?
    private var problems = ProblemList()
    private var ignored = ProblemList()
    private var snapshot = Snapshot.empty

    /// `meshName` is the name of the XMesh that stands for this mesh.
    package init(meshName: String = Compiler.defaultMeshName) {
        self.meshName = meshName
        policies = PolicyTable(meshName: meshName)
    }

    /// - Parameters:
    ///   - changes: what `Inventory.apply` said since the last call.
    ///   - now: seconds of any clock that only goes forward; used for the quarantine of indices.
    ///   - timestamp: the same moment as RFC 3339 text, for conditions.
    package mutating func compile(
        _ inventory: Inventory, touching changes: Changes, now: Double, timestamp: String
    ) -> Compilation {
        var touchedServices = Set(changes.endpoints.map { ObjectName($0) })
        var touchedRoutes: Set<ObjectKey> = []
        var reshapedServices: Set<ObjectName> = []
        for key in changes.objects {
            if key.kind == .service { reshapedServices.insert(ObjectName(key.name)) }
            if RouteKind(key.kind) != nil { touchedRoutes.insert(key) }
        }
        touchedServices.formUnion(reshapedServices)
        var touchedPolicies = reshapedServices.reduce(into: Set<ObjectKey>()) { $0.formUnion(policies.targeting($1)) }
        for key in changes.objects where key.kind == .xBackendTrafficPolicy {
            touchedPolicies.insert(key)
            for service in policies.recompile(key, inventory) {
                touchedServices.insert(service)
                touchedPolicies.formUnion(policies.targeting(service))
            }
        }
        for key in touchedPolicies {
            problems.report(policies.restate(key, inventory, timestamp: timestamp), of: key)
        }
        let decided = decideMesh(inventory, changes, timestamp: timestamp)
        // A route sees of a Service its shape and its backends.
        for service in touchedServices where backends.refresh(service, in: inventory, policy: policies[service]) {
            reshapedServices.insert(service)
        }
        for service in reshapedServices { touchedRoutes.formUnion(routesByService[service] ?? []) }
        for key in touchedRoutes {
            touchedServices.formUnion(recompile(key, reshaped: reshapedServices, inventory))
        }
        var rebuilt: [ObjectName: Model.Service?] = [:]
        var frontendsChanged = false
        // A Service that comes into an address which another gave up has its turn after it.
        var pending = touchedServices.sorted()[...]
        while let service = pending.popFirst() {
            touchedRoutes.formUnion(routesByService[service] ?? [])
            let previous = services[service]
            let outcome = rebuild(service, inventory, now: now)
            if previous !== services[service] { rebuilt[service] = .some(services[service]) }
            frontendsChanged = frontendsChanged || outcome.changed
            pending += outcome.released.sorted()
        }
        for key in touchedRoutes { restate(key, timestamp: timestamp) }
        let changed = !rebuilt.isEmpty || frontendsChanged
        if changed {
            sortedServices.apply(rebuilt)
            snapshot = Snapshot(
                generation: snapshot.generation + 1, sorted: sortedServices.sorted, frontends: frontends.frontends,
                indices: frontends.indices.byAddress)
        }
        return Compilation(
            snapshot: snapshot, statuses: statuses, policyStatuses: policies.statuses, mesh: decided,
            problems: problems.all(), ignored: ignored.all(), changed: changed)
    }

    /// Decides about the XMesh when it may differ from before.
    private mutating func decideMesh(_ inventory: Inventory, _ changes: Changes, timestamp: String) -> MeshDecision {
        let key = ObjectKey(kind: .xMesh, namespace: "", name: meshName)
        if let mesh, !changes.objects.contains(key) { return mesh }
        let decision = MeshDecision(inventory.xMeshes[key.name], named: meshName, timestamp: timestamp, previous: mesh)
        problems.report(decision.problems, of: key)
        mesh = decision
        return decision
    }

    /// Compiles one route again; returns the Services that it claims or claimed.
    private mutating func recompile(
        _ key: ObjectKey, reshaped: Set<ObjectName>, _ inventory: Inventory
    ) -> Set<ObjectName> {
        let old = routes.removeValue(forKey: key)
        let unchanged = old.flatMap { $0.backendServices.isDisjoint(with: reshaped) ? $0 : nil }
        let new = CompiledRoute.make(key, unchanged: unchanged, inventory: inventory, backends: backends)
        for service in old?.services ?? [] {
            routesByService[service]?.remove(key)
            if routesByService[service]?.isEmpty == true { routesByService[service] = nil }
        }
        let gatewayFields = inventory.route(key).map { GatewayFields($0, key) }
        ignored.report(gatewayFields?.ignored ?? [], of: key)
        problems.report((new?.problems ?? []) + (gatewayFields?.problems ?? []), of: key)
        routes[key] = new
        for service in new?.services ?? [] { routesByService[service, default: []].insert(key) }
        return Set(((old?.attachments ?? []) + (new?.attachments ?? [])).map(\.service))
    }

    /// Brings one Service's ports, tables and addresses up to date.
    private mutating func rebuild(
        _ name: ObjectName, _ inventory: Inventory, now: Double
    ) -> FrontendTable.Outcome {
        let claimants = (routesByService[name] ?? []).compactMap { routes[$0] }
            .filter { route in route.attachments.contains { $0.service == name } }
            .sorted { $0.precedes($1) }
        let object = inventory.services[NamespacedName(name)]
        let usable = object.flatMap { $0.spec.type == "ExternalName" ? nil : $0 }
        if let usable {
            let new = ServiceClaims(name, claimants, previous: claims[name])
            claims[name] = new
            let ports = Self.ports(of: usable, name, new, backends, previous: services[name])
            if services[name].map({ !$0.ports.elementsEqual(ports, by: ===) }) ?? true {
                services[name] = Model.Service(name: name, ports: ports)
            }
        } else {
            claims[name] = nil
            services[name] = nil
        }
        let outcome = frontends.place(name, services[name], at: usable?.frontendAddresses ?? [], now: now)
        let key = ObjectKey(kind: .service, namespace: name.namespace, name: name.name)
        problems.report(outcome.refused.map { Problem(object: key, field: "spec.clusterIPs", message: $0) }, of: key)
        return outcome
    }

    private static func ports(
        of object: Resources.Service, _ name: ObjectName, _ claims: ServiceClaims, _ backends: BackendTable,
        previous: Model.Service?
    ) -> [Model.ServicePort] {
        (object.spec.ports ?? []).compactMap { port in
            guard let number = UInt16(exactly: port.port), let transport = Transport(rawValue: port.protocol),
                let plain = backends[name, number, transport]
            else { return nil }
            let groups = transport == .tcp ? claims.tables[number] ?? [:] : [:]
            var consumers: [String: RouteTable] = [:]
            for case (.consumer(let namespace), let table) in groups { consumers[namespace] = table }
            if let old = previous?.ports.first(where: { $0.port == number && $0.transport == transport }),
                old.name == port.name, old.appProtocol == port.appProtocol, old.plain === plain,
                old.producer === groups[.producer], old.consumers.count == consumers.count,
                consumers.allSatisfy({ old.consumers[$0.key] === $0.value })
            {
                return old
            }
            return Model.ServicePort(
                service: name, name: port.name, port: number, transport: transport, appProtocol: port.appProtocol,
                plain: plain, producer: groups[.producer], consumers: consumers)
        }
    }

    /// Writes the status entries of one route again.
    private mutating func restate(_ key: ObjectKey, timestamp: String) {
        guard let route = routes[key] else {
            statuses[key] = nil
            return
        }
        let previous = statuses[key] ?? route.written
        statuses[key] = route.attachments.map { attachment in
            let lost = claims[attachment.service]?.lost[key] ?? [:]
            let verdicts = RouteVerdicts(route, attachment, lost: lost)
            let old = previous.first { $0.parentRef == attachment.parentRef }
            return RouteParentStatus(
                parentRef: attachment.parentRef, controllerName: Self.controllerName,
                conditions: verdicts.conditions(
                    generation: route.generation, timestamp: timestamp, previous: old?.conditions ?? []))
        }
    }
}

extension RouteKind {
    init?(_ kind: ResourceKind) {
        self.init(rawValue: kind.rawValue)
    }

    /// Whether this version has the rules of this kind in force.
    var isServed: Bool { self == .http || self == .grpc }

    /// Rank among kinds that claim one port of one group; lower wins (GEP-1294, "Route precedence").
    var rank: Int? {
        switch self {
        case .grpc: 0
        case .http: 1
        case .tls: 2
        case .tcp: 3
        case .udp: nil
        }
    }
}
