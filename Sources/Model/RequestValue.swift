import HTTPWire

/// A request's value of one header or query parameter, read byte by byte in the form in which it is matched, so that
/// nothing is copied: verbatim; or percent- and plus-decoded; or several field lines joined by `, ` (RFC 9110
/// section 5.3).
struct RequestValue: BitwiseCopyable {
    private enum Form: UInt8 {
        case absent
        case verbatim
        case encoded
        /// More lines of the same name follow.
        case lines
    }

    private var form: Form
    /// The rest of the bytes to read.
    private(set) var range: ByteRange
    /// The name of the field lines; its bytes are those of the second line's name.
    private var line: UInt16 = 0
    /// Bytes of `, ` still to be given.
    private var separator: UInt8 = 0

    static var absent: RequestValue { RequestValue(form: .absent, range: ByteRange(start: 0, count: 0)) }

    private init(form: Form, range: ByteRange) {
        self.form = form
        self.range = range
    }

    init(verbatim range: ByteRange) {
        self.init(form: .verbatim, range: range)
    }

    init(encoded range: ByteRange) {
        self.init(form: .encoded, range: range)
    }

    /// With the line at `index` and all later ones of its name behind it.
    func joined(from index: Int) -> RequestValue {
        var value = self
        value.form = .lines
        value.line = UInt16(truncatingIfNeeded: index)
        return value
    }

    var isPresent: Bool { form != .absent }
    var isVerbatim: Bool { form == .verbatim }

    mutating func next(_ head: Span<UInt8>, _ fields: Span<FieldRange>) -> UInt8? {
        guard form == .lines else { return nextByte(head) }
        if separator > 0 {
            separator -= 1
            return separator == 1 ? 0x2c : 0x20
        }
        if let byte = takeByte(head) { return byte }
        let current = Int(line)
        guard current < fields.count else { return nil }
        range = fields[current].value
        line = UInt16(truncatingIfNeeded: Self.next(after: current, head, fields))
        separator = 1
        return 0x2c
    }

    /// As `next`, for values of one piece.
    mutating func nextByte(_ head: Span<UInt8>) -> UInt8? {
        guard let byte = takeByte(head) else { return nil }
        guard form == .encoded else { return byte }
        if byte == 0x2b { return 0x20 }
        guard byte == 0x25, range.count >= 2, let high = Self.digit(head[Int(range.start)]),
            let low = Self.digit(head[Int(range.start) + 1])
        else { return byte }
        range = ByteRange(start: range.start + 2, count: range.count - 2)
        return high << 4 | low
    }

    private mutating func takeByte(_ head: Span<UInt8>) -> UInt8? {
        guard range.count > 0 else { return nil }
        let byte = head[Int(range.start)]
        range = ByteRange(start: range.start + 1, count: range.count - 1)
        return byte
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    /// The next line with the name of the line at `index`, or the number of lines.
    private static func next(after index: Int, _ head: Span<UInt8>, _ fields: Span<FieldRange>) -> Int {
        let name = fields[index].name
        var candidate = index + 1
        while candidate < fields.count {
            let other = fields[candidate].name
            if other.count == name.count {
                var offset = 0
                while offset < Int(name.count),
                    asciiLowercased(head[Int(name.start) + offset])
                        == asciiLowercased(head[Int(other.start) + offset])
                {
                    offset += 1
                }
                if offset == Int(name.count) { return candidate }
            }
            candidate += 1
        }
        return candidate
    }
}

/// Where one request has the values that its matching looked up, so that rows that ask for the same name share the work:
/// a word for each of the first names of headers, then of query parameters; 0 is not looked up yet. The words belong to
/// one request and one table. A span of the caller's, since reading one costs no copy of the others.
typealias Found = MutableSpan<UInt64>

/// The words of a `Found`.
typealias FoundWords = InlineArray<64, UInt64>

enum FoundPlace {
    /// Names of one sort with a greater index are looked up each time.
    static let limit = 32

    static func header(_ name: Int) -> Int? { name < limit ? name : nil }
    static func query(_ name: Int) -> Int? { name < limit ? limit + name : nil }
}

extension RequestValue {
    /// The word for it; 0 when it does not fit one, which no head within the limits reaches.
    var word: UInt64 {
        guard range.start < 1 << 22, range.count < 1 << 22 else { return 0 }
        return 1 << 63 | UInt64(form.rawValue) << 60 | UInt64(line) << 44 | UInt64(range.start) << 22
            | UInt64(range.count)
    }

    /// nil for 0.
    @inline(__always)
    init?(word: UInt64) {
        guard word != 0 else { return nil }
        let mask: UInt64 = 1 << 22 - 1
        let form: Form =
            switch word >> 60 & 7 {
            case 1: .verbatim
            case 2: .encoded
            case 3: .lines
            default: .absent
            }
        self.init(
            form: form,
            range: ByteRange(start: UInt32(word >> 22 & mask), count: UInt32(word & mask)))
        line = UInt16(truncatingIfNeeded: word >> 44)
    }
}
