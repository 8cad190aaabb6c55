/// Searches that look at eight bytes at a time. Each takes offsets into `base`, reads only `position..<end`, and returns the
/// offset of the first byte that ends the run, or `end`.
///
/// The words are little-endian, so that the lowest byte is the first. `(word - n * ones) & ~word & highs` marks every byte
/// below `n` (n <= 0x80), and above a marked byte perhaps others by the borrow: the lowest mark is always right, and only it
/// is used.
enum ByteScan {
    @inline(__always) static var ones: UInt64 { 0x0101_0101_0101_0101 }
    @inline(__always) static var highs: UInt64 { 0x8080_8080_8080_8080 }

    @inline(__always)
    static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    static func byte(_ base: UnsafeRawPointer, _ offset: Int) -> UInt8 {
        base.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The last 1 to 7 bytes, from `position` to `end`, and zeros above them: a zero is a mark for every search here.
    @inline(__always)
    private static func tail(_ base: UnsafeRawPointer, _ position: Int, _ end: Int) -> UInt64 {
        if end >= 8 { return word(base, end &- 8) &>> UInt64(truncatingIfNeeded: (8 &- (end &- position)) &* 8) }
        return shortTail(base, position, end)
    }

    @inline(never)
    private static func shortTail(_ base: UnsafeRawPointer, _ position: Int, _ end: Int) -> UInt64 {
        var word: UInt64 = 0
        for offset in (position..<end).reversed() { word = word &<< 8 | UInt64(byte(base, offset)) }
        return word
    }

    @inline(__always)
    private static func below(_ word: UInt64, _ limit: UInt64) -> UInt64 {
        (word &- limit &* ones) & ~word & highs
    }

    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt64) -> UInt64 {
        below(word ^ (byte &* ones), 1)
    }

    @inline(__always)
    private static func first(_ marks: UInt64) -> Int {
        marks.trailingZeroBitCount &>> 3
    }

    /// Walks from `start` by words and returns the offset of the first byte that `marks` marks and `stops` confirms.
    @inline(__always)
    private static func search(
        _ base: UnsafeRawPointer, _ start: Int, _ end: Int, marks: (UInt64) -> UInt64, stops: (UInt8) -> Bool
    ) -> Int {
        var position = start
        while position &+ 8 <= end {
            let found = marks(word(base, position))
            if found == 0 {
                position &+= 8
                continue
            }
            position &+= first(found)
            if stops(byte(base, position)) { return position }
            position &+= 1
        }
        while position < end {
            position &+= first(marks(tail(base, position, end)))
            if position >= end || stops(byte(base, position)) { break }
            position &+= 1
        }
        return position
    }

    /// The first control byte but HTAB (RFC 9110 section 5.5: field-content is VCHAR, obs-text, SP, HTAB).
    @inline(__always)
    static func value(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        search(base, start, end) {
            // Below 0x20 by the borrow, from 0x7f on by the carry into the high bit; obs-text is let through by `stops`.
            (($0 &- 0x20 &* ones) | ($0 &+ ones)) & highs
        } stops: {
            $0 < 0x20 && $0 != .tab || $0 == 0x7f
        }
    }

    /// The first byte that is not a token's. Names are letters and `-` almost always: those go by words.
    @inline(__always)
    static func token(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        search(base, start, end) {
            let dash = $0 ^ (0x2d &* ones)
            let notDash = ((dash & ~highs) &+ 0x7f &* ones) | dash
            return notDash & ~letters($0) & highs
        } stops: {
            $0 == .colon || $0 == .space || !ByteSet.token.contains($0)
        }
    }

    /// The first byte that is not a registered name's (`ByteSet.registeredName`). Letters, digits, `-` and `.` go by words.
    @inline(__always)
    static func registeredName(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
        search(base, start, end) {
            // 0x2d to 0x39 is - . / 0 to 9.
            let low = $0 & ~highs
            let range = (low &+ 0x53 &* ones) & ~(low &+ 0x46 &* ones) & ~$0
            return ~(letters($0) | range) & highs | equal($0, 0x2f)
        } stops: {
            $0 == .colon || !ByteSet.registeredName.contains($0)
        }
    }

    /// The high bit of each byte that is an ASCII letter; other bits are not to be used.
    @inline(__always)
    private static func letters(_ word: UInt64) -> UInt64 {
        let lower = (word | 0x20 &* ones) & ~highs
        return (lower &+ 0x1f &* ones) & ~(lower &+ 0x05 &* ones) & ~word
    }

    /// The first byte that is no visible ASCII character, or is `#`, or is `?` unless that is `inQuery`.
    @inline(__always)
    static func target(_ base: UnsafeRawPointer, _ start: Int, _ end: Int, inQuery: Bool) -> Int {
        search(base, start, end) {
            let marks = below($0, 0x21) | equal($0, 0x7f) | equal($0, 0x23) | ($0 & highs)
            return inQuery ? marks : marks | equal($0, 0x3f)
        } stops: { _ in
            true
        }
    }

    /// Whether the `text.utf8CodeUnitCount` bytes at `start`, which must be readable, are `text` (lowercase letters, digits
    /// and `-` only) without case.
    @inline(__always)
    static func equalsIgnoringCase(_ base: UnsafeRawPointer, _ start: Int, _ text: StaticString) -> Bool {
        for index in 0..<text.utf8CodeUnitCount
        where byte(base, start &+ index) | 0x20 != text.utf8Start[index] {
            return false
        }
        return true
    }

    /// Bytes of `pattern` that the bytes from `start` to `end` agree with, up to its length; `d` stands for any digit.
    static func agreement(_ base: UnsafeRawPointer, _ start: Int, _ end: Int, _ pattern: StaticString) -> Int {
        let count = max(0, min(end &- start, pattern.utf8CodeUnitCount))
        for index in 0..<count {
            let wanted = pattern.utf8Start[index]
            let seen = byte(base, start &+ index)
            if wanted == 0x64 ? !seen.isDigit : seen != wanted { return index }
        }
        return count
    }
}

extension ByteRange {
    @inline(__always)
    package init(_ start: Int, _ end: Int) {
        self.init(start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: end &- start))
    }
}
