/// A run of bytes inside the buffer that was given to a parser; offsets count from that buffer's first byte.
/// A head is at most 1 MiB, so 32 bits suffice.
package struct ByteRange: BitwiseCopyable, Hashable, Sendable {
    package var start: UInt32
    package var count: UInt32

    package init(start: UInt32, count: UInt32) {
        self.start = start
        self.count = count
    }

    package static let empty = ByteRange(start: 0, count: 0)

    @inlinable package var end: UInt32 { start &+ count }
    package var isEmpty: Bool { count == 0 }
}

/// One field line (RFC 9110 section 5): its name as sent, and its value without surrounding white space.
package struct FieldRange: BitwiseCopyable, Hashable, Sendable {
    package var name: ByteRange
    package var value: ByteRange
    /// The name, when it is one that the codec or the proxy acts on.
    package var known: KnownField
    /// A proxy must not forward this line: the field is hop-by-hop, or the Connection field names it
    /// (RFC 9110 section 7.6.1). Never set for Host and Content-Length, which Connection cannot take away.
    package var hopByHop: Bool
    /// The sender asked that no table ever holds this field; whoever passes it on must ask the same (RFC 7541 section
    /// 6.2.3).
    package var neverIndexed: Bool

    package init(
        name: ByteRange, value: ByteRange, known: KnownField = .other, hopByHop: Bool = false,
        neverIndexed: Bool = false
    ) {
        self.name = name
        self.value = value
        self.known = known
        self.hopByHop = hopByHop
        self.neverIndexed = neverIndexed
    }
}

/// The parts of a request's target and control data that routing reads, as ranges of the head's bytes.
/// `query` excludes the `?`; `hasQuery` tells an empty query from none. `authority` is the absolute-form target's
/// authority when there is one, else the Host field's value (`:authority` in HTTP/2).
/// `path` is not empty but in authority-form (CONNECT): an absolute-form target without a path has `/`, and
/// asterisk-form has `*`.
package struct RequestRanges: BitwiseCopyable, Hashable, Sendable {
    package var method: ByteRange = .empty
    package var path: ByteRange = .empty
    package var query: ByteRange = .empty
    package var authority: ByteRange = .empty
    package var hasQuery = false

    package init() {}
}
