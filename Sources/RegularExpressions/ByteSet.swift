/// A set of byte values.
struct ByteSet: Hashable, Sendable {
    private var a: UInt64 = 0
    private var b: UInt64 = 0
    private var c: UInt64 = 0
    private var d: UInt64 = 0

    init() {}

    init(_ range: ClosedRange<UInt8>) {
        insert(range)
    }

    func contains(_ byte: UInt8) -> Bool {
        let word =
            switch byte >> 6 {
            case 0: a
            case 1: b
            case 2: c
            default: d
            }
        return word >> UInt64(byte & 63) & 1 == 1
    }

    mutating func insert(_ byte: UInt8) {
        let bit: UInt64 = 1 << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: a |= bit
        case 1: b |= bit
        case 2: c |= bit
        default: d |= bit
        }
    }

    mutating func insert(_ range: ClosedRange<UInt8>) {
        for byte in range { insert(byte) }
    }

    mutating func formUnion(_ other: ByteSet) {
        a |= other.a
        b |= other.b
        c |= other.c
        d |= other.d
    }

    var inverted: ByteSet {
        var result = ByteSet()
        result.a = ~a
        result.b = ~b
        result.c = ~c
        result.d = ~d
        return result
    }

    /// With both cases of every ASCII letter that it holds in one.
    var ignoringCase: ByteSet {
        var result = self
        for upper in UInt8(ascii: "A")...UInt8(ascii: "Z") {
            if contains(upper) || contains(upper | 0x20) {
                result.insert(upper)
                result.insert(upper | 0x20)
            }
        }
        return result
    }

    static let digits = ByteSet(UInt8(ascii: "0")...UInt8(ascii: "9"))

    static let word: ByteSet = {
        var set = digits
        set.insert(UInt8(ascii: "A")...UInt8(ascii: "Z"))
        set.insert(UInt8(ascii: "a")...UInt8(ascii: "z"))
        set.insert(UInt8(ascii: "_"))
        return set
    }()

    /// RE2's `\s`: `[\t\n\f\r ]`.
    static let space: ByteSet = {
        var set = ByteSet()
        for byte: UInt8 in [9, 10, 12, 13, 32] { set.insert(byte) }
        return set
    }()

    /// The POSIX classes, by the name inside `[:` and `:]`.
    static func posix(_ name: String) -> ByteSet? {
        var set = ByteSet()
        switch name {
        case "alnum":
            set = word
            set = set.removing(UInt8(ascii: "_"))
        case "alpha":
            set.insert(UInt8(ascii: "A")...UInt8(ascii: "Z"))
            set.insert(UInt8(ascii: "a")...UInt8(ascii: "z"))
        case "ascii": set.insert(0...0x7f)
        case "blank":
            set.insert(9)
            set.insert(32)
        case "cntrl":
            set.insert(0...0x1f)
            set.insert(0x7f)
        case "digit": set = digits
        case "graph": set.insert(0x21...0x7e)
        case "lower": set.insert(UInt8(ascii: "a")...UInt8(ascii: "z"))
        case "print": set.insert(0x20...0x7e)
        case "punct":
            set.insert(0x21...0x2f)
            set.insert(0x3a...0x40)
            set.insert(0x5b...0x60)
            set.insert(0x7b...0x7e)
        case "space":
            set = space
            set.insert(11)
        case "upper": set.insert(UInt8(ascii: "A")...UInt8(ascii: "Z"))
        case "word": set = word
        case "xdigit":
            set = digits
            set.insert(UInt8(ascii: "A")...UInt8(ascii: "F"))
            set.insert(UInt8(ascii: "a")...UInt8(ascii: "f"))
        default: return nil
        }
        return set
    }

    private func removing(_ byte: UInt8) -> ByteSet {
        var other = ByteSet()
        other.insert(byte)
        var result = self
        result.a &= ~other.a
        result.b &= ~other.b
        result.c &= ~other.c
        result.d &= ~other.d
        return result
    }
}
