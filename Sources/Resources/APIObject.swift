/// An object of the Kubernetes API. Property names are the API's own, so that encoding gives the API's shape.
///
/// Decoding fills in the schema's scalar defaults, since a server with an older schema may leave one out. Fields whose
/// set of values may grow stay text: what they may hold is the schema's business when an object comes in, and the
/// compiler's when it acts on one.
package protocol APIObject: Codable, Equatable, Sendable {
    var apiVersion: String { get }
    var kind: String { get }
    var metadata: ObjectMeta { get set }
}

extension APIObject {
    package var name: NamespacedName {
        NamespacedName(namespace: metadata.namespace ?? "", name: metadata.name)
    }
}

/// An HTTPRoute, GRPCRoute, TLSRoute, TCPRoute or UDPRoute.
package protocol RouteObject: APIObject {
    var parentRefs: [ParentReference] { get }
    /// Which Gateways the route wants that nobody names (GEP-3793): `All` or `None`.
    var useDefaultGateways: String? { get }
    /// What a listener's host names are compared with; TCPRoutes and UDPRoutes have none.
    var hostnames: [String]? { get }
    var status: RouteStatus? { get set }
}

extension HTTPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
    package var useDefaultGateways: String? { spec.useDefaultGateways }
    package var hostnames: [String]? { spec.hostnames }
}

extension GRPCRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
    package var useDefaultGateways: String? { spec.useDefaultGateways }
    package var hostnames: [String]? { spec.hostnames }
}

extension TLSRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
    package var useDefaultGateways: String? { spec.useDefaultGateways }
    package var hostnames: [String]? { spec.hostnames }
}

extension TCPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
    package var useDefaultGateways: String? { spec.useDefaultGateways }
    package var hostnames: [String]? { nil }
}

extension UDPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
    package var useDefaultGateways: String? { spec.useDefaultGateways }
    package var hostnames: [String]? { nil }
}
