/// The kinds that Weir reads; the raw value is the API's `kind`.
package enum ResourceKind: String, Codable, Hashable, Sendable, CaseIterable {
    case namespace = "Namespace"
    case service = "Service"
    case endpointSlice = "EndpointSlice"
    case pod = "Pod"
    case httpRoute = "HTTPRoute"
    case grpcRoute = "GRPCRoute"
    case tlsRoute = "TLSRoute"
    case tcpRoute = "TCPRoute"
    case udpRoute = "UDPRoute"
    case referenceGrant = "ReferenceGrant"
    case backendTLSPolicy = "BackendTLSPolicy"
    case gateway = "Gateway"
    case gatewayClass = "GatewayClass"
    case listenerSet = "ListenerSet"
    case xBackend = "XBackend"
    case xBackendTrafficPolicy = "XBackendTrafficPolicy"
    case xMesh = "XMesh"

    /// The API group; empty for the core group.
    package var group: String {
        switch self {
        case .namespace, .service, .pod: ""
        case .endpointSlice: "discovery.k8s.io"
        case .httpRoute, .grpcRoute, .tlsRoute, .tcpRoute, .udpRoute, .referenceGrant, .backendTLSPolicy, .gateway,
            .gatewayClass, .listenerSet:
            "gateway.networking.k8s.io"
        case .xBackend, .xBackendTrafficPolicy, .xMesh: "gateway.networking.x-k8s.io"
        }
    }

    /// The version that our values are written in.
    package var version: String {
        switch self {
        case .xBackend, .xBackendTrafficPolicy, .xMesh: "v1alpha1"
        default: "v1"
        }
    }

    /// `group/version`, or the version alone for the core group.
    package var apiVersion: String {
        group.isEmpty ? version : "\(group)/\(version)"
    }

    package var isNamespaced: Bool {
        switch self {
        case .namespace, .gatewayClass, .xMesh: false
        default: true
        }
    }

    /// The resource name in the API's paths.
    package var plural: String {
        switch self {
        case .backendTLSPolicy: "backendtlspolicies"
        case .xBackendTrafficPolicy: "xbackendtrafficpolicies"
        case .gatewayClass: "gatewayclasses"
        case .xMesh: "xmeshes"
        default: rawValue.lowercased() + "s"
        }
    }

    package init?(group: String, kind: String) {
        guard let known = Self(rawValue: kind), known.group == group else { return nil }
        self = known
    }
}
