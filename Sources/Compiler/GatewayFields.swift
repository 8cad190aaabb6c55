import Model
import Resources

/// What a route says to Gateways. Weir serves Services as parents and nothing else: such fields are without effect
/// here, and this says so. No status is written for a parent that is not a Service; that is for its own controller.
struct GatewayFields {
    /// For other controllers: a cluster with an ingress has many of them, and none is anybody's fault.
    private(set) var ignored: [Problem] = []
    /// For Weir, by their place beside a Service parent.
    private(set) var problems: [Problem] = []

    init(_ route: any RouteObject, _ key: ObjectKey) {
        func problem(_ field: String, _ message: String) -> Problem {
            Problem(object: key, field: field, message: message)
        }
        for (index, parent) in route.parentRefs.enumerated() where !parent.isService {
            let field = "spec.parentRefs[\(index)]"
            switch (parent.group, parent.kind) {
            case ("gateway.networking.k8s.io", "Service"):
                let message = "a Service as parent needs the group '' in so many words: the default is Gateways'"
                ignored.append(problem("\(field).group", message))
            case ("gateway.networking.k8s.io", "Gateway"), ("gateway.networking.k8s.io", "ListenerSet"):
                let message = "a \(parent.kind) is for another controller: the route has no effect here through it"
                ignored.append(problem(field, message))
            default:
                let kind = parent.group.isEmpty ? parent.kind : "\(parent.kind).\(parent.group)"
                let message = "a \(kind) as parent is not served: the route has no effect here through it"
                ignored.append(problem(field, message))
            }
        }
        if let value = route.useDefaultGateways, value != "None" {
            let message = "the default Gateways are for another controller: it has no effect here"
            ignored.append(problem("spec.useDefaultGateways", message))
        }
        // GEP-1294. A TLSRoute has no other match than its host names.
        if key.kind != .tlsRoute, route.hostnames?.isEmpty == false, route.parentRefs.contains(where: \.isService) {
            let message = "hostnames do not count for a Service parent: match on the header Host instead"
            problems.append(problem("spec.hostnames", message))
        }
    }
}

extension Inventory {
    /// The route of any kind.
    func route(_ key: ObjectKey) -> (any RouteObject)? {
        switch key.kind {
        case .httpRoute: httpRoutes[key.name]
        case .grpcRoute: grpcRoutes[key.name]
        case .tlsRoute: tlsRoutes[key.name]
        case .tcpRoute: tcpRoutes[key.name]
        case .udpRoute: udpRoutes[key.name]
        default: nil
        }
    }
}
