import Resources

/// JSON by RFC 8259, one value after the other. Keys that occur twice in an object are refused.
enum JSONText {
    static func documents(_ bytes: [UInt8]) throws(SourceError) -> [SourceDocument] {
        var reader = JSONReader(bytes: bytes)
        var documents: [SourceDocument] = []
        while let document = try reader.next() { documents.append(document) }
        return documents
    }

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
            || byte == UInt8(ascii: "\t")
    }
}

private struct JSONReader {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private var depth = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    mutating func next() throws(SourceError) -> SourceDocument? {
        skipSpace()
        guard position < bytes.count else { return nil }
        return try value()
    }

    private func failure(_ message: String) -> SourceError {
        SourceError(line: line, message: message)
    }

    private mutating func skipSpace() {
        while position < bytes.count, JSONText.isSpace(bytes[position]) {
            if bytes[position] == UInt8(ascii: "\n") { line += 1 }
            position += 1
        }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func value() throws(SourceError) -> SourceDocument {
        depth += 1
        defer { depth -= 1 }
        guard depth <= SourceText.maximumDepth else {
            throw failure("nests deeper than \(SourceText.maximumDepth) levels")
        }
        guard position < bytes.count else { throw failure("ends inside a value") }
        let start = line
        let scalar: JSONValue
        switch bytes[position] {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): scalar = .string(try string())
        case UInt8(ascii: "t"): scalar = try word("true", .bool(true))
        case UInt8(ascii: "f"): scalar = try word("false", .bool(false))
        case UInt8(ascii: "n"): scalar = try word("null", .null)
        default: scalar = try number()
        }
        return SourceDocument(value: scalar, lines: SourceLines(line: start))
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(SourceError) -> JSONValue {
        guard bytes[position...].starts(with: text.utf8) else { throw failure("is no JSON value") }
        position += text.utf8.count
        return value
    }

    private mutating func object() throws(SourceError) -> SourceDocument {
        let start = line
        var object = JSONObject()
        var children: [SourceLines] = []
        position += 1
        skipSpace()
        if take("}") { return SourceDocument(value: .object(object), lines: SourceLines(line: start)) }
        while true {
            skipSpace()
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw failure("an object's key must be a string")
            }
            let keyLine = line
            let key = try string()
            guard object[key] == nil else { throw failure("the key \"\(key)\" occurs twice") }
            skipSpace()
            guard take(":") else { throw failure("a colon must follow the key \"\(key)\"") }
            skipSpace()
            let member = try value()
            object[key] = member.value
            children.append(SourceLines(line: keyLine, children: member.lines.children))
            skipSpace()
            if take("}") { break }
            guard take(",") else { throw failure("a comma or a closing brace must follow a member") }
        }
        return SourceDocument(value: .object(object), lines: SourceLines(line: start, children: children))
    }

    private mutating func array() throws(SourceError) -> SourceDocument {
        let start = line
        var array: [JSONValue] = []
        var children: [SourceLines] = []
        position += 1
        skipSpace()
        if take("]") { return SourceDocument(value: .array([]), lines: SourceLines(line: start)) }
        while true {
            skipSpace()
            let element = try value()
            array.append(element.value)
            children.append(element.lines)
            skipSpace()
            if take("]") { break }
            guard take(",") else { throw failure("a comma or a closing bracket must follow an element") }
        }
        return SourceDocument(value: .array(array), lines: SourceLines(line: start, children: children))
    }

    private mutating func string() throws(SourceError) -> String {
        position += 1
        var text: [UInt8] = []
        while true {
            guard position < bytes.count else { throw failure("ends inside a string") }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw failure("a string is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw failure("a control character must be escaped in a string")
            default: text.append(byte)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(SourceError) {
        guard position < bytes.count else { throw failure("ends inside a string") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var scalar = try codeUnit()
            if (0xD800...0xDBFF).contains(scalar), take("\\"), take("u") {
                let low = try codeUnit()
                guard (0xDC00...0xDFFF).contains(low) else { throw failure("a surrogate has no partner") }
                scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let unicode = Unicode.Scalar(scalar) else { throw failure("a surrogate has no partner") }
            text.append(contentsOf: Character(unicode).utf8)
        default: throw failure("a string has an unknown escape")
        }
    }

    private mutating func codeUnit() throws(SourceError) -> UInt32 {
        guard position + 4 <= bytes.count else { throw failure("ends inside a string") }
        var unit: UInt32 = 0
        for byte in bytes[position..<position + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("\\u needs four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
        }
        position += 4
        return unit
    }

    private mutating func number() throws(SourceError) -> JSONValue {
        let start = position
        var isInteger = true
        func digits() -> Int {
            let first = position
            while position < bytes.count, Self.isDigit(bytes[position]) { position += 1 }
            return position - first
        }
        _ = take("-")
        let first = position
        let count = digits()
        guard count > 0, count == 1 || bytes[first] != UInt8(ascii: "0") else { throw failure("is no JSON value") }
        if take(".") {
            isInteger = false
            guard digits() > 0 else { throw failure("a number ends with its point") }
        }
        if take("e") || take("E") {
            isInteger = false
            if !take("+") { _ = take("-") }
            guard digits() > 0 else { throw failure("a number has no exponent") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let int = Int64(text) { return .int(int) }
        guard let double = Double(text), double.isFinite else { throw failure("the number \(text) is out of range") }
        return .number(double)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

extension JSONValue {
    /// A whole number is an integer however it is written, as it is to the API server.
    static func number(_ double: Double) -> JSONValue {
        Int64(exactly: double).map { .int($0) } ?? .double(double)
    }
}
