/// How streams that are gone ended, as far back as 1,024 identifiers of one parity: frames for a stream that we reset may
/// still be under way and are dropped, while frames for one that its peer ended are an error (RFC 9113 section 5.1).
struct HTTP2ClosedStreams: BitwiseCopyable {
    enum Fate: BitwiseCopyable {
        /// Never opened: a later one was opened first.
        case skipped
        /// Ended or reset by the peer.
        case ended
        case resetByUs
        /// Too long ago to know.
        case forgotten
    }

    private static let horizon: UInt32 = 1024

    private var opened = InlineArray<16, UInt64>(repeating: 0)
    private var reset = InlineArray<16, UInt64>(repeating: 0)

    @inline(__always)
    private static func place(_ identifier: UInt32) -> (word: Int, bit: UInt64) {
        let number = identifier >> 1 & (horizon &- 1)
        return (Int(number >> 6), 1 &<< UInt64(number & 63))
    }

    /// `identifier` is opened, the highest so far; `last` was before.
    @inline(__always)
    mutating func open(_ identifier: UInt32, after last: UInt32) {
        if identifier &- last > 2, last > 0 || identifier > 2 { skip(identifier, last) }
        let (word, bit) = Self.place(identifier)
        opened[word] |= bit
        reset[word] &= ~bit
    }

    /// Forgets what was where the skipped ones are now.
    @inline(never)
    private mutating func skip(_ identifier: UInt32, _ last: UInt32) {
        let end = identifier >> 1
        var number = last == 0 ? 0 : (last >> 1) &+ 1
        if end &- number >= Self.horizon { number = end &- Self.horizon }
        while number < end {
            let count = min(64 &- (number & 63), end &- number)
            let bits = (UInt64.max &>> UInt64(64 &- count)) &<< UInt64(number & 63)
            let word = Int(number >> 6 & (Self.horizon / 64 &- 1))
            opened[word] &= ~bits
            reset[word] &= ~bits
            number &+= count
        }
    }

    @inline(__always)
    mutating func resetByUs(_ identifier: UInt32, last: UInt32) {
        guard last &- identifier < 2 &* Self.horizon else { return }
        let (word, bit) = Self.place(identifier)
        reset[word] |= bit
    }

    /// What became of `identifier`, at most `last` and not in the table.
    func fate(_ identifier: UInt32, last: UInt32) -> Fate {
        guard last &- identifier < 2 &* Self.horizon else { return .forgotten }
        let (word, bit) = Self.place(identifier)
        if opened[word] & bit == 0 { return .skipped }
        return reset[word] & bit == 0 ? .ended : .resetByUs
    }
}
