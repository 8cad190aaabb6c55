/// Finds the end of a body, whatever its framing, as it streams by; holds no bytes.
package struct BodyDecoder: BitwiseCopyable, Sendable {
    private enum Kind: UInt8, BitwiseCopyable {
        case length
        case chunked
        case untilClose
    }

    private var kind: Kind
    private var rest: UInt64
    private var chunks: ChunkedDecoder

    package init(_ framing: BodyFraming, limits: ChunkLimits = ChunkLimits()) {
        chunks = ChunkedDecoder(limits: limits)
        rest = 0
        switch framing {
        case .none: kind = .length
        case .length(let length):
            kind = .length
            rest = length
        case .chunked: kind = .chunked
        case .untilClose: kind = .untilClose
        }
    }

    /// Nothing of the body is to come.
    package var isDone: Bool {
        switch kind {
        case .length: rest == 0
        case .chunked: chunks.isDone
        case .untilClose: false
        }
    }

    /// Bytes of content still to come when that is known (Content-Length): what may be spliced past the decoder.
    package var remaining: UInt64? { kind == .length ? rest : nil }

    package mutating func next(_ bytes: UnsafeRawBufferPointer) -> BodyEvent {
        switch kind {
        case .length:
            if rest == 0 { return .end(consumed: 0) }
            let count = Int(min(UInt64(Self.piece(bytes)), rest))
            if count == 0 { return .needsMore(consumed: 0) }
            rest &-= UInt64(count)
            return .payload(ByteRange(0, count), consumed: count)
        case .chunked:
            return chunks.next(bytes)
        case .untilClose:
            let count = Self.piece(bytes)
            return count == 0 ? .needsMore(consumed: 0) : .payload(ByteRange(0, count), consumed: count)
        }
    }

    /// `count` bytes of content, at most `remaining`, went by without the decoder's seeing them.
    package mutating func skip(_ count: UInt64) {
        precondition(kind == .length && count <= rest)
        rest -= count
    }

    /// The peer sent its last byte: `end`, or `invalid(.truncated)` when the body was not over.
    package mutating func finish() -> BodyEvent {
        switch kind {
        case .untilClose:
            kind = .length
            rest = 0
            return .end(consumed: 0)
        case .length, .chunked:
            return isDone ? .end(consumed: 0) : .invalid(.truncated)
        }
    }

    /// As many bytes as one range can show.
    private static func piece(_ bytes: UnsafeRawBufferPointer) -> Int { min(bytes.count, Int(UInt32.max >> 1)) }
}
