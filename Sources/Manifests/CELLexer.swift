/// Splits an expression into tokens.
struct CELLexer {
    private let scalars: [Unicode.Scalar]
    private(set) var position = 0

    private static let symbols = [
        "||", "&&", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]", ",",
        ".",
    ]

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
    }

    mutating func next() throws(CELSyntaxError) -> CELToken {
        while position < scalars.count, scalars[position].properties.isWhitespace { position += 1 }
        guard position < scalars.count else { return .end }
        let scalar = scalars[position]
        if Self.isDigit(scalar) { return try number() }
        if let quote = stringStart() { return try string(quote) }
        if Self.isIdentifier(scalar) {
            let start = position
            while position < scalars.count, Self.isIdentifier(scalars[position]) || Self.isDigit(scalars[position]) {
                position += 1
            }
            return .identifier(text(start..<position))
        }
        for symbol in Self.symbols where starts(with: symbol) {
            position += symbol.unicodeScalars.count
            return .symbol(symbol)
        }
        throw CELSyntaxError(message: "unexpected character \(scalar)", offset: position)
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        ("0"..."9").contains(scalar)
    }

    private static func isIdentifier(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
    }

    private func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private func starts(with text: String) -> Bool {
        scalars[position...].starts(with: text.unicodeScalars)
    }

    private mutating func number() throws(CELSyntaxError) -> CELToken {
        let start = position
        var isDouble = false
        while position < scalars.count {
            if Self.isDigit(scalars[position]) {
                position += 1
            } else if scalars[position] == ".", !isDouble, position + 1 < scalars.count,
                Self.isDigit(scalars[position + 1])
            {
                isDouble = true
                position += 1
            } else {
                break
            }
        }
        let digits = text(start..<position)
        if isDouble, let double = Double(digits) { return .double(double) }
        guard let int = Int64(digits) else {
            throw CELSyntaxError(message: "the number \(digits) is out of range", offset: start)
        }
        return .int(int)
    }

    private struct Quote {
        let isRaw: Bool
        let mark: String
    }

    private func stringStart() -> Quote? {
        for isRaw in [true, false] {
            for mark in ["\"\"\"", "'''", "\"", "'"] {
                for prefix in isRaw ? ["r", "R"] : [""] where starts(with: prefix + mark) {
                    return Quote(isRaw: isRaw, mark: mark)
                }
            }
        }
        return nil
    }

    private mutating func string(_ quote: Quote) throws(CELSyntaxError) -> CELToken {
        let start = position
        position += (quote.isRaw ? 1 : 0) + quote.mark.unicodeScalars.count
        var view = String.UnicodeScalarView()
        while position < scalars.count {
            if starts(with: quote.mark) {
                position += quote.mark.unicodeScalars.count
                return .string(String(view))
            }
            if scalars[position] == "\\", !quote.isRaw {
                view.append(try escape())
            } else {
                view.append(scalars[position])
                position += 1
            }
        }
        throw CELSyntaxError(message: "the string has no end", offset: start)
    }

    private mutating func escape() throws(CELSyntaxError) -> Unicode.Scalar {
        let start = position
        position += 1
        guard position < scalars.count else { throw CELSyntaxError(message: "the string has no end", offset: start) }
        let letter = scalars[position]
        position += 1
        switch letter {
        case "\\", "\"", "'", "`", "?": return letter
        case "a": return "\u{07}"
        case "b": return "\u{08}"
        case "f": return "\u{0C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{0B}"
        case "x", "X", "u", "U":
            let count = letter == "u" ? 4 : letter == "U" ? 8 : 2
            guard position + count <= scalars.count,
                let code = UInt32(text(position..<position + count), radix: 16), let scalar = Unicode.Scalar(code)
            else { throw CELSyntaxError(message: "the escape is malformed", offset: start) }
            position += count
            return scalar
        default: throw CELSyntaxError(message: "unknown escape \\\(letter)", offset: start)
        }
    }
}
