/// GRPCRoute v1, experimental channel: every field of the schema.
package struct GRPCRoute: RouteObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: GRPCRouteSpec
    package var status: RouteStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "GRPCRoute", metadata: ObjectMeta,
        spec: GRPCRouteSpec, status: RouteStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct GRPCRouteSpec: Codable, Hashable, Sendable {
    package var parentRefs: [ParentReference]?
    package var useDefaultGateways: String?
    package var hostnames: [String]?
    package var rules: [GRPCRouteRule]?

    package init(
        parentRefs: [ParentReference]? = nil, useDefaultGateways: String? = nil, hostnames: [String]? = nil,
        rules: [GRPCRouteRule]? = nil
    ) {
        self.parentRefs = parentRefs
        self.useDefaultGateways = useDefaultGateways
        self.hostnames = hostnames
        self.rules = rules
    }
}

package struct GRPCRouteRule: Codable, Hashable, Sendable {
    package var name: String?
    /// Alternatives; absent or empty matches every gRPC request.
    package var matches: [GRPCRouteMatch]?
    package var filters: [GRPCRouteFilter]?
    package var backendRefs: [GRPCBackendRef]?
    package var sessionPersistence: SessionPersistence?

    package init(
        name: String? = nil, matches: [GRPCRouteMatch]? = nil, filters: [GRPCRouteFilter]? = nil,
        backendRefs: [GRPCBackendRef]? = nil, sessionPersistence: SessionPersistence? = nil
    ) {
        self.name = name
        self.matches = matches
        self.filters = filters
        self.backendRefs = backendRefs
        self.sessionPersistence = sessionPersistence
    }
}

package struct GRPCRouteMatch: Codable, Hashable, Sendable {
    package var method: GRPCMethodMatch?
    package var headers: [GRPCHeaderMatch]?

    package init(method: GRPCMethodMatch? = nil, headers: [GRPCHeaderMatch]? = nil) {
        self.method = method
        self.headers = headers
    }
}

/// At least one of service and method is given.
package struct GRPCMethodMatch: Codable, Hashable, Sendable {
    /// Exact or RegularExpression.
    package var type: String
    package var service: String?
    package var method: String?

    package init(type: String = "Exact", service: String? = nil, method: String? = nil) {
        self.type = type
        self.service = service
        self.method = method
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        type = try fields.decodeIfPresent(String.self, forKey: .type) ?? "Exact"
        service = try fields.decodeIfPresent(String.self, forKey: .service)
        method = try fields.decodeIfPresent(String.self, forKey: .method)
    }
}

package typealias GRPCHeaderMatch = NamedValueMatch
package typealias GRPCBackendRef = FilteredBackendRef<GRPCRouteFilter>
