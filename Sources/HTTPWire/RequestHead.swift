package enum HTTPVersion: UInt8, BitwiseCopyable, Sendable {
    case http10
    case http11
    /// RFC 9113; the head is the HTTP/1.1 text that its header block was decoded to.
    case http2
}

/// The four forms of a request's target (RFC 9112 section 3.2).
package enum TargetForm: UInt8, BitwiseCopyable, Sendable {
    case origin
    case absolute
    case asterisk
    case authority
}

/// How the end of a message's body is found (RFC 9112 section 6.3).
package enum BodyFraming: BitwiseCopyable, Hashable, Sendable {
    /// No body, and no Content-Length that describes one.
    case none
    /// From Content-Length; 0 is possible and differs from `none` only in that the field was sent.
    case length(UInt64)
    case chunked
    /// Responses only: the body ends with the connection.
    case untilClose
}

/// A request's control data and fields as ranges of the parsed buffer. Everything in it has been checked.
package struct RequestHead: BitwiseCopyable, Hashable, Sendable {
    package var ranges = RequestRanges()
    package var version = HTTPVersion.http11
    package var form = TargetForm.origin
    /// The target as sent.
    package var target = ByteRange.empty
    /// `none`, `length` or `chunked`.
    package var framing = BodyFraming.none
    /// The connection may carry another request after this one (RFC 9112 section 9.3).
    package var keepAlive = false
    /// Expect is `100-continue` (RFC 9110 section 10.1.1).
    package var expectsContinue = false
    /// The Upgrade field's value when the request is HTTP/1.1 and Connection names `upgrade`; else empty. Also empty when
    /// it offers `h2c`: the requests inside such a tunnel would be seen by nobody.
    package var upgrade = ByteRange.empty
    /// HTTP/2: the request is an extended CONNECT (RFC 8441), shown as a GET with `upgrade`.
    package var isExtendedConnect = false
    /// TE holds `trailers` (RFC 9110 section 10.1.4).
    package var acceptsTrailers = false
    /// Entries written to the caller's field buffer.
    package var fieldCount = 0
    /// Empty lines before the request line, in bytes; the head proper starts here.
    package var start = 0
    /// Bytes from the buffer's first to the final CRLF, which counts; the body starts here.
    package var length = 0

    package init() {}
}

/// A response's control data and fields as ranges of the parsed buffer. Everything in it has been checked.
package struct ResponseHead: BitwiseCopyable, Hashable, Sendable {
    package var version = HTTPVersion.http11
    /// 100 to 999.
    package var status: UInt16 = 0
    /// May be empty.
    package var reason = ByteRange.empty
    package var framing = BodyFraming.none
    /// The connection may carry another response after this one. False with `untilClose`.
    package var keepAlive = false
    /// Entries written to the caller's field buffer.
    package var fieldCount = 0
    /// Bytes up to and including the final CRLF; the body starts here.
    package var length = 0
    /// The Upgrade field's value when the status is 101 and Connection names `upgrade`; else empty.
    package var upgrade = ByteRange.empty

    package init() {}
}

package enum HeadResult<Head: BitwiseCopyable & Sendable>: BitwiseCopyable, Sendable {
    /// The head is not whole yet: call again with the same bytes and more behind them.
    case incomplete
    case head(Head)
    case invalid(HeadError)
}
