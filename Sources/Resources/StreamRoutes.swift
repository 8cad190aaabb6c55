/// TLSRoute v1, experimental channel: every field of the schema.
package struct TLSRoute: RouteObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: TLSRouteSpec
    package var status: RouteStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "TLSRoute", metadata: ObjectMeta,
        spec: TLSRouteSpec, status: RouteStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct TLSRouteSpec: Codable, Hashable, Sendable {
    package var parentRefs: [ParentReference]?
    package var useDefaultGateways: String?
    /// Server names (SNI); required by v1.
    package var hostnames: [String]?
    package var rules: [StreamRouteRule]

    package init(
        parentRefs: [ParentReference]? = nil, useDefaultGateways: String? = nil, hostnames: [String]? = nil,
        rules: [StreamRouteRule]
    ) {
        self.parentRefs = parentRefs
        self.useDefaultGateways = useDefaultGateways
        self.hostnames = hostnames
        self.rules = rules
    }
}

/// TCPRoute v1, experimental channel: every field of the schema.
package struct TCPRoute: RouteObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: StreamRouteSpec
    package var status: RouteStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "TCPRoute", metadata: ObjectMeta,
        spec: StreamRouteSpec, status: RouteStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

/// UDPRoute v1, experimental channel: every field of the schema.
package struct UDPRoute: RouteObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: StreamRouteSpec
    package var status: RouteStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "UDPRoute", metadata: ObjectMeta,
        spec: StreamRouteSpec, status: RouteStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

/// The spec of a TCPRoute and of a UDPRoute.
package struct StreamRouteSpec: Codable, Hashable, Sendable {
    package var parentRefs: [ParentReference]?
    package var useDefaultGateways: String?
    package var rules: [StreamRouteRule]

    package init(parentRefs: [ParentReference]? = nil, useDefaultGateways: String? = nil, rules: [StreamRouteRule]) {
        self.parentRefs = parentRefs
        self.useDefaultGateways = useDefaultGateways
        self.rules = rules
    }
}

/// The one kind of rule of TLS, TCP and UDP routes.
package struct StreamRouteRule: Codable, Hashable, Sendable {
    package var name: String?
    package var backendRefs: [BackendRef]?

    package init(name: String? = nil, backendRefs: [BackendRef]? = nil) {
        self.name = name
        self.backendRefs = backendRefs
    }
}
