import Resources

/// Whole objects as the API would list them: `kubectl get -o yaml`.
struct ResourceList: Encodable, Sendable {
    var apiVersion = "v1"
    var kind = "List"
    var items: [Resource]
}

extension Inventory {
    /// The route with our entries in its status, other controllers' kept as the manifest has them.
    func route(_ key: ObjectKey, status ours: [RouteParentStatus]) -> Resource? {
        func with<Route: RouteObject>(_ route: Route?) -> Route? {
            guard var route else { return nil }
            let foreign = (route.status?.parents ?? []).filter { $0.controllerName != ours.first?.controllerName }
            route.status = RouteStatus(parents: foreign + ours)
            return route
        }
        return switch key.kind {
        case .httpRoute: with(httpRoutes[key.name]).map(Resource.httpRoute)
        case .grpcRoute: with(grpcRoutes[key.name]).map(Resource.grpcRoute)
        case .tlsRoute: with(tlsRoutes[key.name]).map(Resource.tlsRoute)
        case .tcpRoute: with(tcpRoutes[key.name]).map(Resource.tcpRoute)
        case .udpRoute: with(udpRoutes[key.name]).map(Resource.udpRoute)
        default: nil
        }
    }

    /// The policy with our entries in its status, other controllers' kept as the manifest has them.
    func policy(_ key: ObjectKey, status ours: [PolicyAncestorStatus]) -> Resource? {
        guard var policy = xBackendTrafficPolicies[key.name] else { return nil }
        let foreign = (policy.status?.ancestors ?? []).filter { $0.controllerName != ours.first?.controllerName }
        policy.status = PolicyStatus(ancestors: foreign + ours)
        return .xBackendTrafficPolicy(policy)
    }
}
