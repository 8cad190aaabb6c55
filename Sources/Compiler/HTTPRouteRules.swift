import Model
import Resources

/// The rules of one HTTPRoute, translated, with what is to be said about them.
///
/// Four ways for a rule not to be in force as written: the route as a whole is refused (`refusal`); the rule is dropped,
/// since what it matches cannot be told (a regular expression that does not parse); its matching requests are answered
/// 500, since a filter cannot be honoured and must not be skipped; or it is in force without a field that is not served.
struct HTTPRouteRules {
    private(set) var entries: [RouteTableEntry] = []
    private(set) var refusal: Verdict?
    private(set) var claimsThoughRefused = false
    private(set) var unresolved = UnresolvedReferences()
    private(set) var partiallyInvalid: String?
    private(set) var backendServices: Set<ObjectName> = []
    private(set) var problems: [Problem] = []

    private let route: RouteReference
    private let key: ObjectKey
    private let inventory: Inventory
    private let backends: BackendTable
    /// Rules that serve nothing, with the reason in words.
    private var failed: [(rule: Int, message: String)] = []
    /// Rules that are in force, but not in all they say.
    private var reduced: [(rule: Int, message: String)] = []

    init(
        _ object: HTTPRoute, _ name: ObjectName, _ key: ObjectKey, inventory: Inventory, backends: BackendTable
    ) {
        route = RouteReference(kind: .http, name: name)
        self.key = key
        self.inventory = inventory
        self.backends = backends
        if object.spec.hostnames?.isEmpty == false {
            note("spec.hostnames", "hostnames do not count for a Service parent: match on the header Host instead")
        }
        let rules = object.spec.rules ?? [HTTPRouteRule()]
        for (index, rule) in rules.enumerated() { add(rule, index, object.metadata.creationTimestamp) }
        conclude(count: rules.count)
    }

    private mutating func note(_ field: String, _ message: String) {
        problems.append(Problem(object: key, field: field, message: message))
    }

    private mutating func refuse(_ reason: ConditionReason, _ field: String, _ message: String) {
        note(field, message)
        if refusal == nil { refusal = Verdict(reason, "\(field): \(message)") }
    }

    // MARK: Rules

    private mutating func add(_ rule: HTTPRouteRule, _ index: Int, _ creationTimestamp: String?) {
        let field = "spec.rules[\(index)]"
        var matches: [RouteMatch] = []
        var isDropped = false
        for (position, match) in (rule.matches ?? []).enumerated() {
            do throws(MatchFailure) {
                matches.append(try RouteMatch(match))
            } catch {
                note("\(field).matches[\(position)].\(error.field)", error.message)
                if !isDropped { failed.append((index, "\(error.message); no request matches it")) }
                isDropped = true
            }
        }
        let prefix = Self.solePrefix(matches)
        let (filters, action) = filters(of: rule, index, field, prefix)
        if rule.retry != nil { reduce(index, "\(field).retry", "retry is not served yet: no request is tried again") }
        if rule.sessionPersistence != nil {
            reduce(index, "\(field).sessionPersistence", "sessionPersistence is not served yet: sessions do not stick")
        }
        let references = (rule.backendRefs ?? []).enumerated().map { position, ref in
            backend(ref, index, "\(field).backendRefs[\(position)]", prefix)
        }
        let timeouts = timeouts(rule.timeouts, "\(field).timeouts")
        guard !isDropped else { return }
        entries.append(
            RouteTableEntry(
                rule: Rule(
                    route: route, index: index, name: rule.name, action: action ?? Self.action(references),
                    filters: filters, timeouts: timeouts),
                matches: matches, creationTimestamp: creationTimestamp))
    }

    /// The rule's filters, and what it does instead of forwarding, if so.
    private mutating func filters(
        of rule: HTTPRouteRule, _ index: Int, _ field: String, _ prefix: [UInt8]?
    ) -> (filters: [Filter], action: RuleAction?) {
        var filters: [Filter] = []
        var redirect: Redirect?
        var isHonoured = true
        for (position, filter) in (rule.filters ?? []).enumerated() {
            let place = "\(field).filters[\(position)]"
            switch TranslatedFilter(filter, prefix: prefix) {
            case .filter(let filter): filters.append(filter)
            case .redirect(let one): redirect = one
            case .notHonoured(let message):
                note(place, message)
                if isHonoured { failed.append((index, "\(message); requests that match the rule are answered 500")) }
                isHonoured = false
            case .refused(let below, let message): refuse(.unsupportedValue, "\(place).\(below)", message)
            }
        }
        checkTogether(rule.filters ?? [], "\(field).filters")
        if !isHonoured { return (filters, .fail(.filterNotHonoured)) }
        return (filters, redirect.map { .redirect($0) })
    }

    /// Filters of one list that exclude each other.
    private mutating func checkTogether(_ filters: [HTTPRouteFilter], _ field: String) {
        let types = filters.map(\.type)
        if types.contains("RequestRedirect"), types.contains("URLRewrite") {
            refuse(.incompatibleFilters, field, "RequestRedirect and URLRewrite exclude each other")
        }
        for type in ["RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite"]
        where types.count(where: { $0 == type }) > 1 {
            refuse(.incompatibleFilters, field, "\(type) may be there once")
        }
    }

    private static func action(_ references: [WeightedBackend]) -> RuleAction {
        if references.isEmpty { return .fail(.noBackendRefs) }
        return references.contains { $0.weight > 0 } ? .forward(Backends(references)) : .fail(.allWeightsZero)
    }

    private mutating func reduce(_ index: Int, _ field: String, _ message: String) {
        note(field, message)
        reduced.append((index, message))
    }

    private mutating func timeouts(_ timeouts: HTTPRouteTimeouts?, _ field: String) -> Timeouts {
        func nanoseconds(_ text: String?, _ name: String) -> UInt64? {
            guard let text else { return nil }
            guard let duration = GatewayDuration(text) else {
                refuse(.unsupportedValue, "\(field).\(name)", "'\(text)' is not a duration (GEP-2257)")
                return nil
            }
            return duration.nanoseconds == 0 ? nil : duration.nanoseconds
        }
        return Timeouts(
            request: nanoseconds(timeouts?.request, "request"),
            backendRequest: nanoseconds(timeouts?.backendRequest, "backendRequest"))
    }

    /// The value of the rule's one match by PathPrefix, which ReplacePrefixMatch needs; nil when it has none or several.
    private static func solePrefix(_ matches: [RouteMatch]) -> [UInt8]? {
        if matches.isEmpty { return Array("/".utf8) }
        guard matches.count == 1, case .prefix(let value) = matches[0].path else { return nil }
        return value
    }

    // MARK: Backends

    private mutating func backend(
        _ ref: HTTPBackendRef, _ rule: Int, _ field: String, _ prefix: [UInt8]?
    ) -> WeightedBackend {
        let reference = BackendReference(ref, of: route.name)
        backendServices.insert(reference.name)
        var target: WeightedBackend.Target
        switch ResolvedBackend(reference, in: .http, inventory: inventory, backends: backends) {
        case .backend(let backend): target = .backend(backend)
        case .invalid(let reason, let verdict):
            target = .invalid(reason)
            unresolved.add(verdict, at: field)
            note(field, verdict.message)
        }
        var filters: [Filter] = []
        for (number, filter) in (ref.filters ?? []).enumerated() {
            let place = "\(field).filters[\(number)]"
            var unserved: String?
            switch TranslatedFilter(filter, prefix: prefix) {
            case .filter(let filter): filters.append(filter)
            case .redirect: unserved = "filter RequestRedirect of a backendRef is not served by this version of Weir"
            case .notHonoured(let message): unserved = message
            case .refused(let below, let message): refuse(.unsupportedValue, "\(place).\(below)", message)
            }
            if let unserved {
                reduce(rule, place, "\(unserved); the backend's share of the requests is answered 500")
                target = .invalid(.filterNotHonoured)
            }
        }
        checkTogether(ref.filters ?? [], "\(field).filters")
        return WeightedBackend(
            service: reference.name, port: ref.port.flatMap(UInt16.init(exactly:)),
            weight: UInt32(clamping: ref.weight),
            target: target, filters: filters)
    }

    // MARK: Conditions

    /// Says in conditions what became of the rules.
    private mutating func conclude(count: Int) {
        guard refusal == nil else { return }
        func text(_ list: [(rule: Int, message: String)]) -> String {
            list.map { "\($0.rule): \($0.message)" }.joined(separator: "; ")
        }
        if !failed.isEmpty, Set(failed.map(\.rule)).count == count {
            refusal = Verdict(.unsupportedValue, "no rule can be served: rule \(text(failed))")
            claimsThoughRefused = !entries.isEmpty
        } else if !failed.isEmpty {
            partiallyInvalid = "Dropped Rule \(text(failed + reduced))"
        } else if !reduced.isEmpty {
            partiallyInvalid = "Fall Back for rule \(text(reduced))"
        }
    }
}
