import Glibc

/// What has come of a header block and, behind it, of a frame's payload, while they are not whole. Freed when empty.
struct HTTP2HeldBytes: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var capacity = 0
    private(set) var count = 0
    /// Bytes of the block's fragments, in front.
    private(set) var blockCount = 0

    deinit {
        free(base)
    }

    /// The payload so far.
    var payloadCount: Int { count &- blockCount }
    var payload: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base.map { $0 + blockCount }, count: payloadCount)
    }
    var block: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: blockCount) }

    /// Puts bytes behind the payload's.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if capacity - count < bytes.count {
            let grown = max(count + bytes.count, capacity * 2, 256)
            base = realloc(base, grown)
            if base == nil { fatalError("no memory") }
            capacity = grown
        }
        memcpy(base.unsafelyUnwrapped + count, source, bytes.count)
        count &+= bytes.count
    }

    /// Puts `range` of the payload behind the block and drops the rest of the payload.
    mutating func keep(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= payloadCount)
        if let base, range.count > 0 {
            memmove(base + blockCount, base + blockCount + range.lowerBound, range.count)
            blockCount &+= range.count
        }
        count = blockCount
        if count == 0 { clear() }
    }

    mutating func clear() {
        guard let base else { return }
        free(base)
        self.base = nil
        capacity = 0
        count = 0
        blockCount = 0
    }
}
