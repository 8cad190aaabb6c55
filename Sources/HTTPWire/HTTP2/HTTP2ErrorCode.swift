/// RFC 9113 section 7.
package enum HTTP2ErrorCode: UInt32, BitwiseCopyable, Hashable, Sendable, CaseIterable {
    case noError = 0x0
    case protocolError = 0x1
    case internalError = 0x2
    case flowControlError = 0x3
    case settingsTimeout = 0x4
    case streamClosed = 0x5
    case frameSizeError = 0x6
    case refusedStream = 0x7
    case cancel = 0x8
    case compressionError = 0x9
    case connectError = 0xa
    case enhanceYourCalm = 0xb
    case inadequateSecurity = 0xc
    case http11Required = 0xd

    /// A code that is not known means no more than INTERNAL_ERROR.
    init(wire: UInt32) {
        self = HTTP2ErrorCode(rawValue: wire) ?? .internalError
    }
}

/// Why a connection ends; its GOAWAY says the same.
package struct HTTP2Failure: BitwiseCopyable, Sendable {
    package var code: HTTP2ErrorCode
    /// The flood that it was, when the peer broke no rule but asked for too much.
    package var flood: HTTP2Flood?
    /// One line, without a line break, that says why.
    package var text: StaticString

    init(_ code: HTTP2ErrorCode, _ text: StaticString, flood: HTTP2Flood? = nil) {
        self.code = code
        self.flood = flood
        self.text = text
    }
}
