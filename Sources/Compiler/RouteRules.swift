import Model
import Resources

/// The rules of one HTTPRoute or GRPCRoute, translated, with what is to be said about them.
///
/// Four ways for a rule not to be in force as written: the route as a whole is refused (`refusal`); the rule is dropped,
/// since what it matches cannot be told (a regular expression that does not parse); its matching requests are answered
/// 500, since a filter cannot be honoured and must not be skipped; or it is in force without a field that is not served.
struct RouteRules {
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

    init(_ object: HTTPRoute, _ key: ObjectKey, inventory: Inventory, backends: BackendTable) {
        self.init(
            .http, key, (object.spec.rules ?? [HTTPRouteRule()]).map(RuleContent.init),
            object.metadata.creationTimestamp, inventory: inventory, backends: backends)
    }

    /// A GRPCRoute without rules has one as an HTTPRoute has, which takes every gRPC request and leads nowhere.
    init(_ object: GRPCRoute, _ key: ObjectKey, inventory: Inventory, backends: BackendTable) {
        let rules = object.spec.rules ?? []
        self.init(
            .grpc, key, (rules.isEmpty ? [GRPCRouteRule()] : rules).map(RuleContent.init),
            object.metadata.creationTimestamp, inventory: inventory, backends: backends)
    }

    private init(
        _ kind: RouteKind, _ key: ObjectKey, _ rules: [RuleContent],
        _ creationTimestamp: String?, inventory: Inventory, backends: BackendTable
    ) {
        route = RouteReference(kind: kind, name: ObjectName(key.name))
        self.key = key
        self.inventory = inventory
        self.backends = backends
        for (index, rule) in rules.enumerated() { add(rule, index, creationTimestamp) }
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

    private mutating func add(_ rule: RuleContent, _ index: Int, _ creationTimestamp: String?) {
        let field = "spec.rules[\(index)]"
        var matches: [RouteMatch] = []
        var isDropped = false
        for (position, match) in rule.matches.enumerated() {
            switch match {
            case .success(let match): matches.append(match)
            case .failure(let error):
                note("\(field).matches[\(position)].\(error.field)", error.message)
                if !isDropped { failed.append((index, "\(error.message); no request matches it")) }
                isDropped = true
            }
        }
        let prefix = rule.solePrefix
        let (filters, action) = filters(of: rule, index, field, prefix)
        let retry = rule.retry.map { self.retry($0, "\(field).retry") }
        let persistence = persistence(rule.sessionPersistence, index, rule.name, "\(field).sessionPersistence")
        let references = rule.backendRefs.enumerated().map { position, ref in
            backend(ref, index, "\(field).backendRefs[\(position)]", prefix)
        }
        let timeouts = timeouts(rule.timeouts, "\(field).timeouts")
        guard !isDropped else { return }
        entries.append(
            RouteTableEntry(
                rule: Rule(
                    route: route, index: index, name: rule.name, action: action ?? Self.action(references),
                    filters: filters, timeouts: timeouts, retry: retry, sessionPersistence: persistence),
                matches: matches, creationTimestamp: creationTimestamp))
    }

    /// The rule's filters, and what it does instead of forwarding, if so.
    private mutating func filters(
        of rule: RuleContent, _ index: Int, _ field: String, _ prefix: [UInt8]?
    ) -> (filters: [Filter], action: RuleAction?) {
        var filters: [Filter] = []
        var redirect: Redirect?
        var isHonoured = true
        for (position, filter) in rule.filters.enumerated() {
            let place = "\(field).filters[\(position)]"
            switch translated(filter, place, prefix) {
            case .filter(let filter): filters.append(filter)
            case .redirect(let one): redirect = one
            case .notHonoured(let message):
                note(place, message)
                if isHonoured { failed.append((index, "\(message); requests that match the rule are answered 500")) }
                isHonoured = false
            case .refused(let below, let message): refuse(.unsupportedValue, "\(place).\(below)", message)
            }
        }
        checkTogether(rule.filters, "\(field).filters")
        if !isHonoured { return (filters, .fail(.filterNotHonoured)) }
        return (filters, redirect.map { .redirect($0) })
    }

    /// Filters of one list that exclude each other.
    private mutating func checkTogether(_ filters: [HTTPRouteFilter], _ field: String) {
        let types = filters.map(\.type)
        if types.contains("RequestRedirect"), types.contains("URLRewrite") {
            refuse(.incompatibleFilters, field, "RequestRedirect and URLRewrite exclude each other")
        }
        for type in [
            "RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS", "ExternalAuth",
        ] where types.count(where: { $0 == type }) > 1 {
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
        func limit(_ text: String?, _ name: String) -> UInt64? {
            guard let limit = text.flatMap({ nanoseconds($0, "\(field).\(name)") }), limit > 0 else { return nil }
            return limit
        }
        return Timeouts(
            request: limit(timeouts?.request, "request"),
            backendRequest: limit(timeouts?.backendRequest, "backendRequest"))
    }

    private mutating func persistence(
        _ persistence: Resources.SessionPersistence?, _ index: Int, _ name: String?, _ field: String
    ) -> Model.SessionPersistence? {
        guard let persistence else { return nil }
        switch TranslatedPersistence(persistence, ofRule: index, named: name, of: route) {
        case .persistence(let persistence): return persistence
        case .refused(let below, let message):
            refuse(.unsupportedValue, "\(field)\(below)", message)
            return nil
        }
    }

    /// Without codes, only failures to connect and attempts that take too long are retried; without attempts, once
    /// (HTTPRouteRetry of 1.7).
    private mutating func retry(_ retry: HTTPRouteRetry, _ field: String) -> Retry {
        var codes: Set<UInt16> = []
        for (position, code) in (retry.codes ?? []).enumerated() {
            if (400...599).contains(code) {
                codes.insert(UInt16(code))
            } else {
                refuse(.unsupportedValue, "\(field).codes[\(position)]", "\(code) is not in 400 to 599")
            }
        }
        let attempts = retry.attempts ?? 1
        if attempts < 1 { refuse(.unsupportedValue, "\(field).attempts", "\(attempts) is less than 1") }
        return Retry(
            codes: codes.sorted(), attempts: max(1, attempts),
            backoff: retry.backoff.flatMap { nanoseconds($0, "\(field).backoff") })
    }

    private mutating func nanoseconds(_ text: String, _ field: String) -> UInt64? {
        guard let duration = GatewayDuration(text) else {
            refuse(.unsupportedValue, field, "'\(text)' is not a duration (GEP-2257)")
            return nil
        }
        return duration.nanoseconds
    }

    // MARK: Backends

    private mutating func backend(
        _ ref: HTTPBackendRef, _ rule: Int, _ field: String, _ prefix: [UInt8]?
    ) -> WeightedBackend {
        let reference = BackendReference(ref, of: route.name)
        var target = target(reference, in: route.kind, field)
        var filters: [Filter] = []
        for (number, filter) in (ref.filters ?? []).enumerated() {
            let place = "\(field).filters[\(number)]"
            var unserved: String?
            switch translated(filter, place, prefix) {
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

    /// Where a reference leads, which is noted when it is nowhere.
    private mutating func target(
        _ reference: BackendReference, in kind: RouteKind, _ field: String
    ) -> WeightedBackend.Target {
        backendServices.insert(reference.name)
        switch ResolvedBackend(reference, in: kind, inventory: inventory, backends: backends) {
        case .backend(let backend): return .backend(backend)
        case .invalid(let reason, let verdict):
            unresolved.add(verdict, at: field)
            note(field, verdict.message)
            return .invalid(reason)
        }
    }

    private mutating func translated(_ filter: HTTPRouteFilter, _ place: String, _ prefix: [UInt8]?)
        -> TranslatedFilter
    {
        let route = route
        return TranslatedFilter(filter, of: route.kind, prefix: prefix) { ref, kind, field in
            let reference = BackendReference(ref, of: route.name)
            return FilterBackend(
                service: reference.name, port: ref.port.flatMap(UInt16.init(exactly:)),
                target: target(reference, in: kind, "\(place).\(field)"))
        }
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
