/// HTTPRoute v1, experimental channel: every field of the schema.
package struct HTTPRoute: RouteObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: HTTPRouteSpec
    package var status: RouteStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "HTTPRoute", metadata: ObjectMeta,
        spec: HTTPRouteSpec, status: RouteStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct HTTPRouteSpec: Codable, Hashable, Sendable {
    package var parentRefs: [ParentReference]?
    package var useDefaultGateways: String?
    package var hostnames: [String]?
    package var rules: [HTTPRouteRule]?

    package init(
        parentRefs: [ParentReference]? = nil, useDefaultGateways: String? = nil, hostnames: [String]? = nil,
        rules: [HTTPRouteRule]? = nil
    ) {
        self.parentRefs = parentRefs
        self.useDefaultGateways = useDefaultGateways
        self.hostnames = hostnames
        self.rules = rules
    }
}

package struct HTTPRouteRule: Codable, Hashable, Sendable {
    package var name: String?
    /// Alternatives; absent or empty matches every request.
    package var matches: [HTTPRouteMatch]?
    package var filters: [HTTPRouteFilter]?
    package var backendRefs: [HTTPBackendRef]?
    package var timeouts: HTTPRouteTimeouts?
    package var retry: HTTPRouteRetry?
    package var sessionPersistence: SessionPersistence?

    package init(
        name: String? = nil, matches: [HTTPRouteMatch]? = nil, filters: [HTTPRouteFilter]? = nil,
        backendRefs: [HTTPBackendRef]? = nil, timeouts: HTTPRouteTimeouts? = nil, retry: HTTPRouteRetry? = nil,
        sessionPersistence: SessionPersistence? = nil
    ) {
        self.name = name
        self.matches = matches
        self.filters = filters
        self.backendRefs = backendRefs
        self.timeouts = timeouts
        self.retry = retry
        self.sessionPersistence = sessionPersistence
    }
}

/// All conditions given must hold.
package struct HTTPRouteMatch: Codable, Hashable, Sendable {
    package var path: HTTPPathMatch?
    package var headers: [HTTPHeaderMatch]?
    package var queryParams: [HTTPQueryParamMatch]?
    package var method: String?

    package init(
        path: HTTPPathMatch? = nil, headers: [HTTPHeaderMatch]? = nil, queryParams: [HTTPQueryParamMatch]? = nil,
        method: String? = nil
    ) {
        self.path = path
        self.headers = headers
        self.queryParams = queryParams
        self.method = method
    }
}

package struct HTTPPathMatch: Codable, Hashable, Sendable {
    /// Exact, PathPrefix or RegularExpression.
    package var type: String
    package var value: String

    package init(type: String = "PathPrefix", value: String = "/") {
        self.type = type
        self.value = value
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        type = try fields.decodeIfPresent(String.self, forKey: .type) ?? "PathPrefix"
        value = try fields.decodeIfPresent(String.self, forKey: .value) ?? "/"
    }
}

package typealias HTTPHeaderMatch = NamedValueMatch
package typealias HTTPQueryParamMatch = NamedValueMatch
package typealias HTTPBackendRef = FilteredBackendRef<HTTPRouteFilter>

/// GEP-2257 durations; `0s` is no limit.
package struct HTTPRouteTimeouts: Codable, Hashable, Sendable {
    package var request: String?
    package var backendRequest: String?

    package init(request: String? = nil, backendRequest: String? = nil) {
        self.request = request
        self.backendRequest = backendRequest
    }
}

/// GEP-1731, experimental.
package struct HTTPRouteRetry: Codable, Hashable, Sendable {
    /// 400...599.
    package var codes: [Int]?
    /// Tries beside the first.
    package var attempts: Int?
    /// A GEP-2257 duration: the least time between two tries.
    package var backoff: String?

    package init(codes: [Int]? = nil, attempts: Int? = nil, backoff: String? = nil) {
        self.codes = codes
        self.attempts = attempts
        self.backoff = backoff
    }
}
