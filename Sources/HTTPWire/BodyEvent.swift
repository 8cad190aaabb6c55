/// What a body decoder found at the start of the bytes it was given. `consumed` bytes are done with: the next call must get
/// the bytes behind them. Ranges count from the first byte given.
package enum BodyEvent: BitwiseCopyable, Hashable, Sendable {
    /// Content. `consumed` includes the framing around it; `payload` is not empty.
    case payload(ByteRange, consumed: Int)
    /// The trailer section, checked: whole field lines, each with its CRLF, without the empty line that ends the section.
    /// `end` follows at the next call. `TrailerFields` reads it.
    case trailers(ByteRange, consumed: Int)
    /// The message is over; bytes behind `consumed` belong to the next one. Later calls repeat it with 0.
    case end(consumed: Int)
    /// Nothing more can be told. Bytes behind `consumed` (only ever a part of a trailer section, within its limit) must be
    /// given again, with more behind them.
    case needsMore(consumed: Int)
    case invalid(BodyError)
}

package typealias ChunkedEvent = BodyEvent

/// Why a body was refused. Nothing after it on the connection can be trusted.
package enum BodyError: UInt8, BitwiseCopyable, Error, Hashable, Sendable, CaseIterable {
    case chunkSize
    case chunkSizeTooLarge
    case chunkExtension
    case chunkExtensionTooLong
    case chunkEnd
    case trailerSyntax
    case trailersTooLarge
    /// The connection ended before the body did.
    case truncated

    package var status: UInt16 { self == .trailersTooLarge ? 431 : 400 }

    /// One line, without a line break, that says why.
    package var text: StaticString {
        switch self {
        case .chunkSize: "a chunk size is not a hexadecimal number followed by CRLF"
        case .chunkSizeTooLarge: "a chunk size has more than 16 digits"
        case .chunkExtension: "a chunk extension holds a control byte"
        case .chunkExtensionTooLong: "chunk extensions are too long"
        case .chunkEnd: "a chunk is not followed by CRLF"
        case .trailerSyntax: "the trailer section is malformed"
        case .trailersTooLarge: "the trailer section is too large"
        case .truncated: "the body is cut off"
        }
    }
}
