/// Why Weir itself answered a request: the value of `x-weir-reason`, a fixed vocabulary that the README documents.
package enum Reason: String, BitwiseCopyable, Sendable, CaseIterable, Codable {
    case noRouteMatched = "no-route-matched"
    case noBackendRefs = "no-backend-refs"
    case allWeightsZero = "all-weights-zero"
    case filterNotHonoured = "filter-not-honoured"
    case backendNotFound = "backend-not-found"
    case backendKindInvalid = "backend-kind-invalid"
    case backendProtocolUnsupported = "backend-protocol-unsupported"
    case backendRefNotPermitted = "backend-ref-not-permitted"
    case noReadyEndpoint = "no-ready-endpoint"
    case connectFailed = "connect-failed"
    case upstreamReset = "upstream-reset"
    case upstreamInvalid = "upstream-invalid"
    case requestTimeout = "request-timeout"
    case backendRequestTimeout = "backend-request-timeout"
    case redirect = "redirect"
    case badRequest = "bad-request"
    case headTimeout = "head-timeout"
    case headTooLarge = "head-too-large"
    case uriTooLong = "uri-too-long"
    case methodNotAllowed = "method-not-allowed"
    case transferCodingUnsupported = "transfer-coding-unsupported"
    case versionUnsupported = "version-unsupported"
    case tooManyConnections = "too-many-connections"
    case corsPreflight = "cors-preflight"
    /// The authorization service refused; its own answer is passed on where it gave one.
    case externalAuthDenied = "external-auth-denied"
    /// The authorization service could not be asked, or its answer not be read.
    case externalAuthFailed = "external-auth-failed"
    case externalAuthBodyTooLarge = "external-auth-body-too-large"
    case retryBudgetExhausted = "retry-budget-exhausted"
    case grpcTimeout = "grpc-timeout"

    /// The status code that goes with it; nil where the route decides (redirect).
    package var status: UInt16? {
        switch self {
        case .noRouteMatched: 404
        case .noBackendRefs, .allWeightsZero, .filterNotHonoured, .backendNotFound, .backendKindInvalid,
            .backendProtocolUnsupported, .backendRefNotPermitted:
            500
        case .noReadyEndpoint, .connectFailed, .tooManyConnections, .retryBudgetExhausted: 503
        case .upstreamReset, .upstreamInvalid: 502
        case .requestTimeout, .backendRequestTimeout, .grpcTimeout: 504
        case .badRequest: 400
        case .headTimeout: 408
        case .headTooLarge: 431
        case .uriTooLong: 414
        case .methodNotAllowed: 405
        case .transferCodingUnsupported: 501
        case .versionUnsupported: 505
        case .externalAuthDenied, .externalAuthFailed: 403
        case .externalAuthBodyTooLarge: 413
        case .corsPreflight: 200
        case .redirect: nil
        }
    }
}
