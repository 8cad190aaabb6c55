import Model
import Resources

/// One rule of an HTTPRoute or a GRPCRoute in the terms of both. A GRPCRoute's filters are some of an HTTPRoute's.
struct RuleContent {
    let name: String?
    let matches: [Result<RouteMatch, MatchFailure>]
    let filters: [HTTPRouteFilter]
    let backendRefs: [HTTPBackendRef]
    let timeouts: HTTPRouteTimeouts?
    let retry: HTTPRouteRetry?
    let sessionPersistence: Resources.SessionPersistence?

    init(_ rule: HTTPRouteRule) {
        name = rule.name
        matches = (rule.matches ?? []).map { match in
            Result { () throws(MatchFailure) in try RouteMatch(match) }
        }
        filters = rule.filters ?? []
        backendRefs = rule.backendRefs ?? []
        timeouts = rule.timeouts
        retry = rule.retry
        sessionPersistence = rule.sessionPersistence
    }

    init(_ rule: GRPCRouteRule) {
        name = rule.name
        matches = (rule.matches ?? []).map { match in
            Result { () throws(MatchFailure) in try RouteMatch(match) }
        }
        filters = (rule.filters ?? []).map(HTTPRouteFilter.init)
        backendRefs = (rule.backendRefs ?? []).map { ref in
            HTTPBackendRef(
                group: ref.group, kind: ref.kind, name: ref.name, namespace: ref.namespace, port: ref.port,
                weight: ref.weight, filters: ref.filters?.map(HTTPRouteFilter.init))
        }
        timeouts = nil
        retry = nil
        sessionPersistence = rule.sessionPersistence
    }

    /// The value of the rule's one match by PathPrefix, which ReplacePrefixMatch needs; nil when it has none or several.
    var solePrefix: [UInt8]? {
        if matches.isEmpty { return Array("/".utf8) }
        guard matches.count == 1, case .success(let match) = matches[0], case .prefix(let value) = match.path else {
            return nil
        }
        return value
    }
}

extension HTTPRouteFilter {
    fileprivate init(_ filter: GRPCRouteFilter) {
        self.init(
            type: filter.type, requestHeaderModifier: filter.requestHeaderModifier,
            responseHeaderModifier: filter.responseHeaderModifier, requestMirror: filter.requestMirror,
            extensionRef: filter.extensionRef)
    }
}
