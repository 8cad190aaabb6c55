/// What a head's fields say about framing and connection. Made by one walk that notes which known fields are there; the rest
/// is read only when it is asked for.
struct FieldMeaning {
    enum Framing {
        case none
        case length(UInt64)
        case chunked
        case invalid(HeadError)
    }

    /// What the Connection field says.
    struct Options {
        var close = false
        var keepAlive = false
        var upgrade = false
    }

    /// Connection options besides the well-known ones; each is compared with every line.
    private static var optionLimit: Int { 64 }

    private let base: UnsafeRawPointer
    private let fields: UnsafeMutableBufferPointer<FieldRange>
    private let count: Int
    /// Bit n: the known field with raw value n is there; is there more than once.
    private let present: UInt64
    private let repeated: UInt64

    @inline(__always)
    init(_ base: UnsafeRawPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ count: Int) {
        self.base = base
        self.fields = fields
        self.count = count
        var present: UInt64 = 0
        var repeated: UInt64 = 0
        if let first = fields.baseAddress {
            for index in 0..<count {
                let bit: UInt64 = 1 &<< UInt64(first[index].known.rawValue)
                repeated |= present & bit
                present |= bit
            }
        }
        self.present = present
        self.repeated = repeated
    }

    /// For one who noted the known fields while it wrote `fields`.
    init(
        _ base: UnsafeRawPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ count: Int, present: UInt64,
        repeated: UInt64
    ) {
        self.base = base
        self.fields = fields
        self.count = count
        self.present = present
        self.repeated = repeated
    }

    @inline(__always)
    func has(_ field: KnownField) -> Bool { present & 1 &<< UInt64(field.rawValue) != 0 }

    @inline(__always)
    func repeats(_ field: KnownField) -> Bool { repeated & 1 &<< UInt64(field.rawValue) != 0 }

    /// The value of the first line of a field that is there.
    @inline(__always)
    func value(_ field: KnownField) -> ByteRange {
        guard let first = fields.baseAddress else { return .empty }
        var index = 0
        while index < count, first[index].known != field { index &+= 1 }
        return index < count ? first[index].value : .empty
    }

    /// RFC 9112 sections 6.1 and 6.2, for a message that may have content. Both Content-Length and Transfer-Encoding, either
    /// twice with different or equal values, and codings in HTTP/1.0 are refused, since peers disagree on them.
    @inline(__always)
    func framing(_ version: HTTPVersion) -> Framing {
        if has(.transferEncoding) {
            if has(.contentLength) { return .invalid(.lengthWithCoding) }
            if version == .http10 { return .invalid(.codingInOldVersion) }
            if let error = codingError() { return .invalid(error) }
            return .chunked
        }
        return has(.contentLength) ? length() : .none
    }

    /// 1*DIGIT (RFC 9110 section 8.6), at most 19 of them, at most 2^63 - 1.
    private func length() -> Framing {
        if repeats(.contentLength) { return .invalid(.lengthRepeated) }
        let value = value(.contentLength)
        if value.count == 0 || value.count > 19 { return .invalid(.lengthSyntax) }
        var number: UInt64 = 0
        for offset in Int(value.start)..<Int(value.end) {
            let digit = ByteScan.byte(base, offset) &- 0x30
            if digit > 9 { return .invalid(.lengthSyntax) }
            number = number &* 10 &+ UInt64(digit)
        }
        return number > UInt64(Int64.max) ? .invalid(.lengthSyntax) : .length(number)
    }

    /// The codings of all lines are one list (RFC 9110 section 5.3); only `chunked` is spoken, and it takes no parameters
    /// (RFC 9112 section 7.1).
    @inline(never)
    private func codingError() -> HeadError? {
        var isChunked = false
        var isUnknown = false
        for index in 0..<count where fields[index].known == .transferEncoding {
            var elements = ListElements(fields[index].value)
            while let element = elements.next(base) {
                if isChunked { return .codingOrder }
                let start = Int(element.start)
                let end = Int(element.end)
                let nameEnd = ByteScan.token(base, start, end)
                let hasParameters = nameEnd < end && ByteScan.byte(base, nameEnd) == 0x3b
                if nameEnd == start || (nameEnd < end && !hasParameters) { return .codingSyntax }
                if nameEnd &- start == 7, ByteScan.equalsIgnoringCase(base, start, "chunked") {
                    if hasParameters { return .codingSyntax }
                    isChunked = true
                } else {
                    isUnknown = true
                }
            }
        }
        return isUnknown ? .codingUnsupported : nil
    }

    /// `100-continue` is the only expectation there is (RFC 9110 section 10.1.1).
    @inline(__always)
    var expectsContinue: Bool {
        guard has(.expect) else { return false }
        let value = value(.expect)
        return value.count == 12 && ByteScan.equalsIgnoringCase(base, Int(value.start), "100-continue")
    }

    /// The Upgrade field's value. Empty when it offers `h2c`, and for two lines: they are one list, but no range shows it.
    @inline(__always)
    var upgrade: ByteRange {
        has(.upgrade) && !repeats(.upgrade) ? withoutCleartextHTTP2(value(.upgrade)) : .empty
    }

    @inline(never)
    private func withoutCleartextHTTP2(_ upgrade: ByteRange) -> ByteRange {
        var elements = ListElements(upgrade)
        while let element = elements.next(base) {
            if element.count == 3, ByteScan.equalsIgnoringCase(base, Int(element.start), "h2c") { return .empty }
        }
        return upgrade
    }

    /// RFC 9110 section 7.6.1: the options; also flags the lines that they name. Elements that are no token name nothing.
    /// Nil for too many options.
    @inline(__always)
    func connection() -> Options? {
        has(.connection) ? readConnection() : Options()
    }

    @inline(never)
    private func readConnection() -> Options? {
        var options = Options()
        var others = 0
        for index in 0..<count where fields[index].known == .connection {
            var elements = ListElements(fields[index].value)
            while let element = elements.next(base) {
                if element.isEmpty { continue }
                let start = Int(element.start)
                if element.count == 5, ByteScan.equalsIgnoringCase(base, start, "close") {
                    options.close = true
                    continue
                }
                let option = KnownField.recognise(base + start, count: Int(element.count))
                switch option {
                case .keepAlive: options.keepAlive = true
                case .upgrade: options.upgrade = true
                case .connection, .proxyConnection, .te, .transferEncoding, .http2Settings, .host, .contentLength: break
                default:
                    others &+= 1
                    if others > Self.optionLimit { return nil }
                    flag(option, element)
                }
            }
        }
        return options
    }

    private func flag(_ option: KnownField, _ name: ByteRange) {
        for index in 0..<count where fields[index].known == option {
            if option != .other || same(fields[index].name, name) { fields[index].hopByHop = true }
        }
    }

    /// Whether two names are the same without case.
    private func same(_ left: ByteRange, _ right: ByteRange) -> Bool {
        guard left.count == right.count else { return false }
        for offset in 0..<Int(left.count) {
            let leftByte = ByteScan.byte(base, Int(left.start) &+ offset)
            let rightByte = ByteScan.byte(base, Int(right.start) &+ offset)
            let isLetter = (leftByte | 0x20) &- 0x61 < 26
            if leftByte != rightByte && !(isLetter && leftByte ^ rightByte == 0x20) { return false }
        }
        return true
    }
}

/// The elements of a comma-separated list without their surrounding white space (RFC 9110 section 5.6.1); an empty value is
/// one empty element. Quoted strings are not known: the lists read here hold none.
struct ListElements {
    private var position: Int
    private let end: Int

    @inline(__always)
    init(_ value: ByteRange) {
        position = Int(value.start)
        end = Int(value.end)
    }

    @inline(__always)
    mutating func next(_ base: UnsafeRawPointer) -> ByteRange? {
        if position > end { return nil }
        while position < end, isBlank(ByteScan.byte(base, position)) { position &+= 1 }
        let start = position
        while position < end, ByteScan.byte(base, position) != 0x2c { position &+= 1 }
        var last = position
        while last > start, isBlank(ByteScan.byte(base, last &- 1)) { last &-= 1 }
        position &+= 1
        return ByteRange(start, last)
    }

    @inline(__always)
    private func isBlank(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }
}
