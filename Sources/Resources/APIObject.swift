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
    var status: RouteStatus? { get set }
}

extension HTTPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
}

extension GRPCRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
}

extension TLSRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
}

extension TCPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
}

extension UDPRoute {
    package var parentRefs: [ParentReference] { spec.parentRefs ?? [] }
}
