/// The rank of one match among all matches of the merged routes of one group; the lesser is tried first
/// (HTTPRouteRule's and GRPCRouteRule's documentation; GEP-1294). HTTP matches have no service and no gRPC method,
/// matches of gRPC methods no path, so the steps about them decide nothing among the others. Total: two matches of one table never rank equal.
package struct Precedence: Hashable, Comparable, Sendable {
    package enum PathRank: UInt8, Comparable, Sendable, BitwiseCopyable {
        case exact
        /// The Gateway API leaves its rank open; here it is between Exact and PathPrefix.
        case regularExpression
        case prefix

        package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    /// How much a match says of the service or the method of a gRPC path. The Gateway API counts characters; of all
    /// exact texts a request can only have one, so that an exact one beats none. The rank of a regular expression is
    /// left open; here it is between the two.
    package enum PartRank: Hashable, Comparable, Sendable {
        /// Bytes.
        case exact(length: Int)
        case regularExpression
        case any

        package static func < (a: Self, b: Self) -> Bool {
            switch (a, b) {
            case (.exact(let own), .exact(let others)): own > others
            case (.exact, _): true
            case (.regularExpression, .any): true
            default: false
            }
        }
    }

    /// What two matches are compared by, in this order; the raw value is what `weir explain` calls it.
    package enum Step: String, CaseIterable, Sendable, Codable {
        case pathType = "path type"
        case prefixLength = "longer path prefix"
        case service = "more characters in the service"
        case grpcMethod = "more characters in the method"
        case method = "method match"
        case headers = "more header matches"
        case queryParams = "more query parameter matches"
        case age = "older route"
        case name = "route name"
        case rule = "earlier rule"
        case match = "earlier match"
    }

    package let path: PathRank
    /// Bytes of the PathPrefix value without a trailing slash; 0 for the other types.
    package let prefixLength: Int
    package let service: PartRank
    package let grpcMethod: PartRank
    package let hasMethod: Bool
    package let headers: Int
    package let queryParams: Int
    /// RFC 3339 in UTC, whole seconds; nil is youngest.
    package let creationTimestamp: String?
    package let route: ObjectName
    package let rule: Int
    package let match: Int

    package init(
        _ match: RouteMatch, at position: Int, rule: Int, of route: ObjectName, creationTimestamp: String?
    ) {
        var (service, grpcMethod) = (PartRank.any, PartRank.any)
        switch match.path {
        case .exact:
            path = .exact
            prefixLength = 0
        case .regularExpression:
            path = .regularExpression
            prefixLength = 0
        case .prefix(let value):
            path = .prefix
            prefixLength = withoutTrailingSlash(value).count
        case .grpcMethod(let exactService, let exactMethod):
            path = .prefix
            prefixLength = 0
            service = exactService.map { .exact(length: $0.count) } ?? .any
            grpcMethod = exactMethod.map { .exact(length: $0.count) } ?? .any
        case .grpcMethodExpressions(let serviceExpression, let methodExpression):
            path = .prefix
            prefixLength = 0
            service = serviceExpression == nil ? .any : .regularExpression
            grpcMethod = methodExpression == nil ? .any : .regularExpression
        }
        self.service = service
        self.grpcMethod = grpcMethod
        hasMethod = match.method != nil
        headers = match.headers.count
        queryParams = match.queryParams.count
        self.creationTimestamp = creationTimestamp
        self.route = route
        self.rule = rule
        self.match = position
    }

    /// The first step at which the two differ, and whether `self` comes first; nil when they are equal.
    package func decision(over other: Self) -> (step: Step, isFirst: Bool)? {
        for step in Step.allCases {
            switch step {
            case .pathType: if path != other.path { return (step, path < other.path) }
            case .prefixLength:
                if prefixLength != other.prefixLength { return (step, prefixLength > other.prefixLength) }
            case .service: if service != other.service { return (step, service < other.service) }
            case .grpcMethod: if grpcMethod != other.grpcMethod { return (step, grpcMethod < other.grpcMethod) }
            case .method: if hasMethod != other.hasMethod { return (step, hasMethod) }
            case .headers: if headers != other.headers { return (step, headers > other.headers) }
            case .queryParams: if queryParams != other.queryParams { return (step, queryParams > other.queryParams) }
            case .age:
                switch (creationTimestamp, other.creationTimestamp) {
                case (let own?, let others?): if own != others { return (step, own < others) }
                case (.some, nil): return (step, true)
                case (nil, .some): return (step, false)
                case (nil, nil): break
                }
            case .name: if route != other.route { return (step, route < other.route) }
            case .rule: if rule != other.rule { return (step, rule < other.rule) }
            case .match: if match != other.match { return (step, match < other.match) }
            }
        }
        return nil
    }

    package static func < (a: Self, b: Self) -> Bool {
        a.decision(over: b)?.isFirst ?? false
    }
}
