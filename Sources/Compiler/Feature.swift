package import Resources

/// The features of the Gateway API that a mesh may claim (`pkg/features`, 1.6 and the names that 1.7 changed). A test
/// holds `isServed` to what the compiler makes of a route that needs the feature.
package enum Feature: String, CaseIterable, Sendable {
    case mesh = "Mesh"
    case meshClusterIPMatching = "MeshClusterIPMatching"
    case meshConsumerRoute = "MeshConsumerRoute"
    case meshRewritePath = "MeshHTTPRouteRewritePath"
    case meshSchemeRedirect = "MeshHTTPRouteSchemeRedirect"
    case meshRedirectPort = "MeshHTTPRouteRedirectPort"
    case meshRedirectPath = "MeshHTTPRouteRedirectPath"
    case meshBackendRequestHeaders = "MeshHTTPRouteBackendRequestHeaderModification"
    case meshQueryParamMatching = "MeshHTTPRouteQueryParamMatching"
    case meshNamedRouteRule = "MeshHTTPRouteNamedRouteRule"

    case httpRoute = "HTTPRoute"
    case destinationPortMatching = "HTTPRouteDestinationPortMatching"
    case backendRequestHeaders = "HTTPRouteBackendRequestHeaderModification"
    case queryParamMatching = "HTTPRouteQueryParamMatching"
    case methodMatching = "HTTPRouteMethodMatching"
    case responseHeaders = "HTTPRouteResponseHeaderModification"
    case portRedirect = "HTTPRoutePortRedirect"
    case schemeRedirect = "HTTPRouteSchemeRedirect"
    case pathRedirect = "HTTPRoutePathRedirect"
    case hostRewrite = "HTTPRouteHostRewrite"
    case pathRewrite = "HTTPRoutePathRewrite"
    case requestMirror = "HTTPRouteRequestMirror"
    case multipleMirrors = "HTTPRouteRequestMultipleMirrors"
    case percentageMirror = "HTTPRouteRequestPercentageMirror"
    case requestTimeout = "HTTPRouteRequestTimeout"
    case backendTimeout = "HTTPRouteBackendTimeout"
    case parentRefPort = "HTTPRouteParentRefPort"
    case backendH2C = "HTTPRouteBackendProtocolH2C"
    case backendWebSocket = "HTTPRouteBackendProtocolWebSocket"
    case namedRouteRule = "HTTPRouteNamedRouteRule"
    case cors = "HTTPRouteCORS"
    case redirect303 = "HTTPRoute303RedirectStatusCode"
    case redirect307 = "HTTPRoute307RedirectStatusCode"
    case redirect308 = "HTTPRoute308RedirectStatusCode"
    case backendURLRewrite = "HTTPRouteBackendURLRewrite"
    case retry = "HTTPRouteRetry"
    case retryBackendTimeout = "HTTPRouteRetryBackendTimeout"
    case retryCodes = "HTTPRouteRetryCodes"
    case retryConnectionError = "HTTPRouteRetryConnectionError"

    case grpcRoute = "GRPCRoute"
    case grpcNamedRouteRule = "GRPCRouteNamedRouteRule"
    case grpcRequestHeaders = "GRPCRouteRequestHeaderModifier"

    /// Whether this version serves it.
    package var isServed: Bool { true }

    /// As `XMesh.status.supportedFeatures` has them: sorted by name, at most 64.
    package static var supported: [SupportedFeature] {
        allCases.filter(\.isServed).map(\.rawValue).sorted().map { SupportedFeature(name: $0) }
    }
}
