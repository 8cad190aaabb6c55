/// The Huffman code of RFC 7541 Appendix B. It is canonical: the codes of one length are in the order of their symbols, so
/// that the lengths alone say all.
package struct HuffmanCode {
    /// Bits that one look into `pairs` reads: enough for two digits or lowercase letters.
    static var lookBits: UInt64 { 12 }
    private static var endOfString: Int { 256 }
    private static var longest: Int { 30 }

    /// Made at the first use and never freed.
    nonisolated(unsafe) package static let shared = HuffmanCode()

    /// For each symbol its code, and below it in six bits the code's length.
    private let codes: UnsafeMutablePointer<UInt64>
    /// For each 12 bits, the one or two symbols whose codes they start with: the symbols in the lowest two bytes, then the
    /// bits of both codes, the bits of the first, and how many symbols. 0 when the first code is longer than 12 bits.
    private let pairs: UnsafeMutablePointer<UInt32>
    /// For each length, the first code behind the last one of that length, left-aligned in 32 bits.
    private let limits: UnsafeMutablePointer<UInt64>
    /// For each length, what to add to a code of that length to get its place in `order`.
    private let offsets: UnsafeMutablePointer<Int>
    /// All symbols by length, then by value.
    private let order: UnsafeMutablePointer<UInt16>

    /// The length of each symbol's code, as the byte that is 0x60 above it.
    private static var lengths: StaticString {
        """
        mw|||||||x~||~||||||||~|||||||||fjjlmfhkjjhkhfffeeefffffffghoflj\
        mfgggggggggggggggggggggghghmsmnfoefefefffeggfffefgfeefgggggoknm|\
        tvttvvvwvwwwwwxwxxvwxwwwwuvwvwwxvutvvwwuwvvxuvwwuuvuwvwwtvvvwvvw\
        zztsvwvyzzz{{zxysuz{{z{xuuzz|{{{txtuvuuwvvyyxxzwz{zz{{{{{|{{{{{z\
        ~
        """
    }

    private init() {
        codes = .allocate(capacity: 257)
        pairs = .allocate(capacity: 1 << Int(Self.lookBits))
        limits = .allocate(capacity: Self.longest + 1)
        offsets = .allocate(capacity: Self.longest + 1)
        order = .allocate(capacity: 257)
        var code: UInt64 = 0
        var place = 0
        for length in 0...Self.longest {
            code <<= 1
            offsets[length] = place - Int(code)
            for symbol in 0...Self.endOfString where Int(Self.lengths.utf8Start[symbol]) - 0x60 == length {
                codes[symbol] = code << 6 | UInt64(length)
                order[place] = UInt16(symbol)
                code += 1
                place += 1
            }
            limits[length] = code << UInt64(32 - length)
        }
        for bits in 0..<(1 << Self.lookBits) as Range<UInt64> {
            let first = symbol(startOf: bits << (32 - Self.lookBits))
            var pair: UInt32 = 0
            if first.length <= Int(Self.lookBits) {
                let second = symbol(startOf: bits << (32 - Self.lookBits + UInt64(first.length)) & 0xffff_ffff)
                let isPair = first.length + second.length <= Int(Self.lookBits)
                pair = UInt32(first.symbol) | UInt32(isPair ? second.symbol : 0) << 8
                pair |= UInt32(first.length + (isPair ? second.length : 0)) << 16
                pair |= UInt32(first.length) << 21 | (isPair ? 2 : 1) << 28
            }
            pairs[Int(bits)] = pair
        }
    }

    /// The symbol whose code the 32 bits start with; every 32 bits start with one.
    private func symbol(startOf bits: UInt64) -> (symbol: UInt16, length: Int) {
        var length = 5
        while bits >= limits[length] { length &+= 1 }
        let code = Int(truncatingIfNeeded: bits &>> UInt64(truncatingIfNeeded: 32 &- length))
        return (order[code &+ offsets[length]], length)
    }
}

// Decoding.
extension HuffmanCode {
    /// Bytes that `count` coded ones can be decoded to at most, and one that is written behind them.
    @inline(__always)
    static func decodedBound(_ count: Int) -> Int { count &* 8 / 5 &+ 1 }

    /// Decodes the bytes from `start` to `end` of `source`, whose first `readable` bytes may be read. Returns how many bytes
    /// came out; only `capacity` of them are written. Nil when the end-of-string symbol is inside, or when the padding is
    /// longer than 7 bits or is not the start of that symbol (RFC 7541 section 5.2).
    @inline(never)
    func decode(
        _ source: UnsafeRawPointer, _ start: Int, _ end: Int, readable: Int, into target: UnsafeMutableRawPointer,
        capacity: Int
    ) -> Int? {
        if capacity >= Self.decodedBound(end &- start) {
            return run(source, start, end, readable: readable, into: target, capacity: capacity, isBounded: false)
        }
        return runBounded(source, start, end, readable: readable, into: target, capacity: capacity)
    }

    @inline(never)
    private func runBounded(
        _ source: UnsafeRawPointer, _ start: Int, _ end: Int, readable: Int, into target: UnsafeMutableRawPointer,
        capacity: Int
    ) -> Int? {
        run(source, start, end, readable: readable, into: target, capacity: capacity, isBounded: true)
    }

    @inline(__always)
    private func run(
        _ source: UnsafeRawPointer, _ start: Int, _ end: Int, readable: Int, into target: UnsafeMutableRawPointer,
        capacity: Int, isBounded: Bool
    ) -> Int? {
        var count = 0
        var position = start &* 8
        let last = end &* 8
        func store(_ pair: UInt32, _ symbols: Int) {
            if !isBounded {
                target.storeBytes(of: UInt16(truncatingIfNeeded: pair), toByteOffset: count, as: UInt16.self)
            } else {
                if count < capacity {
                    target.storeBytes(of: UInt8(truncatingIfNeeded: pair), toByteOffset: count, as: UInt8.self)
                }
                if symbols == 2, count &+ 1 < capacity {
                    target.storeBytes(
                        of: UInt8(truncatingIfNeeded: pair >> 8), toByteOffset: count &+ 1, as: UInt8.self)
                }
            }
            count &+= symbols
        }
        while last &- position >= 48 {
            var bits = Self.bits(source, position, readable)
            var looks = 4
            while looks > 0 {
                let pair = pairs[Int(truncatingIfNeeded: bits &>> (64 &- Self.lookBits))]
                if pair == 0 { break }
                store(pair, Int(pair &>> 28))
                let used = UInt64(pair &>> 16) & 0x1f
                bits &<<= used
                position &+= Int(truncatingIfNeeded: used)
                looks &-= 1
            }
            if looks > 0 {
                let (symbol, length) = symbol(startOf: Self.bits(source, position, readable) &>> 32)
                if Int(symbol) == Self.endOfString || position &+ length > last { return nil }
                store(UInt32(symbol), 1)
                position &+= length
            }
        }
        // At most 47 bits are left. Ones behind them: padding then looks like the start of the end-of-string symbol.
        var rest = last &- position
        if rest == 0 { return count }
        var bits = Self.bits(source, position, readable) | UInt64.max &>> UInt64(truncatingIfNeeded: rest)
        while rest > 0 {
            let pair = pairs[Int(truncatingIfNeeded: bits &>> (64 &- Self.lookBits))]
            let both = Int(pair &>> 16) & 0x1f
            if pair != 0, both <= rest {
                store(pair, Int(pair &>> 28))
                bits = bits &<< UInt64(truncatingIfNeeded: both) | 0xffff
                rest &-= both
                continue
            }
            let one = Int(pair &>> 21) & 0xf
            if pair != 0, one <= rest {
                store(pair & 0xff, 1)
                bits = bits &<< UInt64(truncatingIfNeeded: one) | 0xffff
                rest &-= one
                continue
            }
            if rest < 8 { return bits == .max ? count : nil }
            let (symbol, length) = symbol(startOf: bits &>> 32)
            if length > rest || Int(symbol) == Self.endOfString { return nil }
            store(UInt32(symbol), 1)
            bits = bits &<< UInt64(truncatingIfNeeded: length) | UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- length)
            rest &-= length
        }
        return count
    }

    /// The bits from `position` on, left-aligned; at least 57 of them, zeros behind the last readable byte.
    @inline(__always)
    private static func bits(_ source: UnsafeRawPointer, _ position: Int, _ readable: Int) -> UInt64 {
        let byte = position &>> 3
        let shift = UInt64(truncatingIfNeeded: position & 7)
        if byte &+ 8 <= readable {
            return UInt64(bigEndian: source.loadUnaligned(fromByteOffset: byte, as: UInt64.self)) &<< shift
        }
        return lastBits(source, byte, readable) &<< shift
    }

    @inline(never)
    private static func lastBits(_ source: UnsafeRawPointer, _ byte: Int, _ readable: Int) -> UInt64 {
        if readable >= 8 {
            let word = UInt64(bigEndian: source.loadUnaligned(fromByteOffset: readable &- 8, as: UInt64.self))
            return word &<< UInt64(truncatingIfNeeded: (byte &+ 8 &- readable) &* 8)
        }
        var word: UInt64 = 0
        for offset in byte..<(byte &+ 8) {
            word = word &<< 8 | (offset < readable ? UInt64(ByteScan.byte(source, offset)) : 0)
        }
        return word
    }
}

// Encoding.
extension HuffmanCode {
    /// Bytes that the `count` bytes at `source` are coded to.
    package func encodedCount(_ source: UnsafeRawPointer, _ count: Int) -> Int {
        var bits: UInt64 = 0
        for offset in 0..<count { bits &+= codes[Int(ByteScan.byte(source, offset))] & 0x3f }
        return Int(truncatingIfNeeded: (bits &+ 7) &>> 3)
    }

    /// Writes them; `target` has room for `encodedCount` bytes.
    package func encode(_ source: UnsafeRawPointer, _ count: Int, into target: UnsafeMutableRawPointer) {
        var bits: UInt64 = 0
        var filled: UInt64 = 0
        var place = 0
        for offset in 0..<count {
            let entry = codes[Int(ByteScan.byte(source, offset))]
            let length = entry & 0x3f
            bits = bits &<< length | entry &>> 6
            filled &+= length
            while filled >= 8 {
                filled &-= 8
                target.storeBytes(of: UInt8(truncatingIfNeeded: bits &>> filled), toByteOffset: place, as: UInt8.self)
                place &+= 1
            }
        }
        if filled > 0 {
            let padding = 8 &- filled
            let byte = UInt8(truncatingIfNeeded: bits &<< padding) | UInt8(truncatingIfNeeded: 0xff &>> filled)
            target.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
        }
    }
}
