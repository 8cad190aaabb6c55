package import HTTPWire
package import Model

/// The status codes of gRPC.
package enum GRPCStatus: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case ok
    case cancelled
    case unknown
    case invalidArgument
    case deadlineExceeded
    case notFound
    case alreadyExists
    case permissionDenied
    case resourceExhausted
    case failedPrecondition
    case aborted
    case outOfRange
    case unimplemented
    case `internal`
    case unavailable
    case dataLoss
    case unauthenticated

    /// What a gRPC client is told when Weir itself answers. Requests that match nothing are UNIMPLEMENTED, shares of bad
    /// backends UNAVAILABLE (GRPCRouteRule); the rest is what a client would make of the HTTP status, or says it better.
    package init(_ reason: Reason) {
        self =
            switch reason {
            case .noRouteMatched: .unimplemented
            case .noBackendRefs, .allWeightsZero, .backendNotFound, .backendKindInvalid, .backendProtocolUnsupported,
                .backendRefNotPermitted, .noReadyEndpoint, .connectFailed, .upstreamReset, .upstreamInvalid,
                .tooManyConnections, .retryBudgetExhausted:
                .unavailable
            case .requestTimeout, .backendRequestTimeout, .grpcTimeout: .deadlineExceeded
            case .filterNotHonoured, .badRequest: .internal
            case .headTooLarge, .externalAuthBodyTooLarge: .resourceExhausted
            case .externalAuthDenied, .externalAuthFailed: .permissionDenied
            case .redirect, .headTimeout, .uriTooLong, .methodNotAllowed, .transferCodingUnsupported,
                .versionUnsupported, .corsPreflight:
                .unknown
            }
    }

    /// What a client makes of an answer without grpc-status (grpc/doc/http-grpc-status-mapping.md): an authorization
    /// service's, for one.
    package init(httpStatus: UInt16) {
        self =
            switch httpStatus {
            case 400: .internal
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .unimplemented
            case 429, 502, 503, 504: .unavailable
            default: .unknown
            }
    }

    /// Whether a Content-Type makes the request gRPC: `application/grpc`, or that with `+` and a message format, or with
    /// parameters.
    package static func isContentType(_ value: UnsafeRawBufferPointer) -> Bool {
        let type: StaticString = "application/grpc"
        guard value.count >= type.utf8CodeUnitCount,
            FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: value[..<type.utf8CodeUnitCount]), type)
        else { return false }
        guard value.count > type.utf8CodeUnitCount else { return true }
        switch value[type.utf8CodeUnitCount] {
        case 0x2b, 0x3b, 0x20, 0x09: return true
        default: return false
        }
    }

    /// Writes a grpc-message's value: all but printable ASCII, and `%`, is percent-encoded.
    package static func appendMessage(_ text: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        for byte in text {
            if byte >= 0x20 && byte <= 0x7e && byte != 0x25 {
                writer.append(byte: byte)
                continue
            }
            writer.append(byte: 0x25)
            appendDigit(byte >> 4, to: &writer)
            appendDigit(byte & 0xf, to: &writer)
        }
    }

    private static func appendDigit(_ digit: UInt8, to writer: inout HeadWriter) {
        writer.append(byte: digit < 10 ? 0x30 &+ digit : 0x37 &+ digit)
    }
}
