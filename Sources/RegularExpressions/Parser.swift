/// A pattern as a tree.
indirect enum Node {
    case empty
    case byte(ByteSet)
    case assertion(Assertion)
    case sequence([Node])
    case alternation([Node])
    /// `maximum` nil is unbounded.
    case repetition(Node, minimum: Int, maximum: Int?)
}

/// What an assertion asks of the place between two bytes.
enum Assertion {
    case begin
    case end
    case wordBoundary
    case noWordBoundary
}

/// RE2's syntax, less what is named in `RegularExpression`'s documentation.
struct Parser {
    private struct Flags {
        var ignoresCase = false
        var dotMatchesNewline = false
    }

    /// Groups may nest this deep.
    private static let depthLimit = 100
    /// As in RE2.
    private static let repetitionLimit = 1000

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var flags = Flags()

    init(_ pattern: String) {
        scalars = Array(pattern.unicodeScalars)
    }

    mutating func parse() throws(RegularExpression.Failure) -> Node {
        let node = try alternation()
        guard position == scalars.count else { throw failure("unexpected )") }
        return node
    }

    private func failure(_ message: String) -> RegularExpression.Failure {
        RegularExpression.Failure(message: message, position: position)
    }

    private var next: Unicode.Scalar? {
        position < scalars.count ? scalars[position] : nil
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    // MARK: Structure

    private mutating func alternation() throws(RegularExpression.Failure) -> Node {
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : .alternation(branches)
    }

    private mutating func sequence() throws(RegularExpression.Failure) -> Node {
        var items: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if let item = try repeated() { items.append(item) }
        }
        return switch items.count {
        case 0: .empty
        case 1: items[0]
        default: .sequence(items)
        }
    }

    /// One atom with its repetition operator; nil for what stands for nothing, such as `(?i)`.
    private mutating func repeated() throws(RegularExpression.Failure) -> Node? {
        guard let atom = try atom() else { return nil }
        guard let bounds = try repetition() else { return atom }
        // A lazy operator prefers a shorter match; whether there is a match does not depend on it.
        _ = take("?")
        let start = position
        if try repetition() != nil {
            position = start
            throw failure("a repetition operator follows another")
        }
        return .repetition(atom, minimum: bounds.minimum, maximum: bounds.maximum)
    }

    private mutating func repetition() throws(RegularExpression.Failure) -> (minimum: Int, maximum: Int?)? {
        switch next {
        case "*":
            position += 1
            return (0, nil)
        case "+":
            position += 1
            return (1, nil)
        case "?":
            position += 1
            return (0, 1)
        case "{": return try counts()
        default: return nil
        }
    }

    /// `{2}`, `{2,}` or `{2,5}`; anything else that begins with `{` is literal text.
    private mutating func counts() throws(RegularExpression.Failure) -> (minimum: Int, maximum: Int?)? {
        let start = position
        position += 1
        guard let minimum = number() else {
            position = start
            return nil
        }
        var maximum: Int? = minimum
        if take(",") { maximum = next == "}" ? nil : number() ?? -1 }
        guard maximum != -1, take("}") else {
            position = start
            return nil
        }
        guard minimum <= Self.repetitionLimit, maximum ?? 0 <= Self.repetitionLimit else {
            position = start
            throw failure("more than \(Self.repetitionLimit) repetitions")
        }
        guard minimum <= maximum ?? minimum else {
            position = start
            throw failure("the least number of repetitions exceeds the greatest")
        }
        return (minimum, maximum)
    }

    /// Decimal digits; values past the limit are held just above it.
    private mutating func number() -> Int? {
        var value: Int?
        while let scalar = next, ("0"..."9").contains(scalar) {
            value = min((value ?? 0) * 10 + Int(scalar.value - 48), Self.repetitionLimit + 1)
            position += 1
        }
        return value
    }

    // MARK: Atoms

    private mutating func atom() throws(RegularExpression.Failure) -> Node? {
        guard let scalar = next else { return nil }
        switch scalar {
        case "(": return try group()
        case "[": return .byte(try characterClass())
        case "*", "+", "?": throw failure("nothing to repeat before \(scalar)")
        case "{":
            let start = position
            if try counts() != nil {
                position = start
                throw failure("nothing to repeat before {")
            }
            position += 1
            return literal(scalar)
        case ".":
            position += 1
            var newline = ByteSet()
            if !flags.dotMatchesNewline { newline.insert(10) }
            return .byte(newline.inverted)
        case "^":
            position += 1
            return .assertion(.begin)
        case "$":
            position += 1
            return .assertion(.end)
        case "\\": return try escape()
        default:
            position += 1
            return literal(scalar)
        }
    }

    private func literal(_ scalar: Unicode.Scalar) -> Node {
        let bytes = Array(String(Character(scalar)).utf8)
        guard bytes.count == 1 else { return .sequence(bytes.map { .byte(ByteSet($0...$0)) }) }
        return .byte(folded(ByteSet(bytes[0]...bytes[0])))
    }

    private func folded(_ set: ByteSet) -> ByteSet {
        flags.ignoresCase ? set.ignoringCase : set
    }

    private mutating func group() throws(RegularExpression.Failure) -> Node? {
        let start = position
        position += 1
        let outer = flags
        if take("?") {
            if take("P") {
                guard next == "<" else { throw failure("(?P must be followed by <name>") }
            }
            if take("<") {
                if next == "=" || next == "!" { throw failure("look-behind is not supported") }
                try groupName()
            } else if next == "=" || next == "!" {
                throw failure("look-ahead is not supported")
            } else if try flagGroup() {
                return nil
            }
        }
        depth += 1
        guard depth <= Self.depthLimit else { throw failure("groups nest deeper than \(Self.depthLimit)") }
        let node = try alternation()
        depth -= 1
        guard take(")") else {
            position = start
            throw failure("( without )")
        }
        flags = outer
        return node
    }

    private mutating func groupName() throws(RegularExpression.Failure) {
        let start = position
        while let scalar = next, scalar.isASCII, ByteSet.word.contains(UInt8(scalar.value)) { position += 1 }
        guard position > start, take(">") else { throw failure("a group's name is letters, digits and _, then >") }
    }

    /// `i`, `s`, `U` and their negations, up to `:` or `)`. True when the group ended here, so that the flags hold for
    /// the rest of the group around it.
    private mutating func flagGroup() throws(RegularExpression.Failure) -> Bool {
        var value = true
        while let scalar = next {
            switch scalar {
            case "i": flags.ignoresCase = value
            case "s": flags.dotMatchesNewline = value
            case "U": break
            case "-" where value: value = false
            case ":":
                position += 1
                return false
            case ")":
                position += 1
                return true
            default: throw failure("(?\(scalar) is not supported")
            }
            position += 1
        }
        throw failure("(? without )")
    }

    private mutating func escape() throws(RegularExpression.Failure) -> Node {
        position += 1
        guard let scalar = next else { throw failure("the pattern ends with a backslash") }
        switch scalar {
        case "b":
            position += 1
            return .assertion(.wordBoundary)
        case "B":
            position += 1
            return .assertion(.noWordBoundary)
        case "A":
            position += 1
            return .assertion(.begin)
        case "z":
            position += 1
            return .assertion(.end)
        case "Q": return try quoted()
        default:
            if let set = shorthand(scalar) {
                position += 1
                return .byte(set)
            }
            return literal(try escapedScalar())
        }
    }

    /// `\Q…\E`: everything between is literal.
    private mutating func quoted() throws(RegularExpression.Failure) -> Node {
        position += 1
        var items: [Node] = []
        while let scalar = next {
            if scalar == "\\", position + 1 < scalars.count, scalars[position + 1] == "E" {
                position += 2
                return .sequence(items)
            }
            items.append(literal(scalar))
            position += 1
        }
        return .sequence(items)
    }

    private func shorthand(_ scalar: Unicode.Scalar) -> ByteSet? {
        switch scalar {
        case "d": .digits
        case "D": ByteSet.digits.inverted
        case "w": .word
        case "W": ByteSet.word.inverted
        case "s": .space
        case "S": ByteSet.space.inverted
        default: nil
        }
    }

    /// The scalar that an escape stands for; `position` is behind the backslash.
    private mutating func escapedScalar() throws(RegularExpression.Failure) -> Unicode.Scalar {
        guard let scalar = next else { throw failure("the pattern ends with a backslash") }
        position += 1
        switch scalar {
        case "a": return "\u{07}"
        case "f": return "\u{0c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "v": return "\u{0b}"
        case "x": return try hexadecimal()
        default:
            let isWord = scalar.isASCII && ByteSet.word.contains(UInt8(scalar.value)) && scalar != "_"
            guard scalar.isASCII, !isWord else {
                position -= 1
                throw failure("\\\(scalar) is not supported")
            }
            return scalar
        }
    }

    /// `\x7F` or `\x{10FFFF}`.
    private mutating func hexadecimal() throws(RegularExpression.Failure) -> Unicode.Scalar {
        let braces = take("{")
        var value: UInt32 = 0
        var digits = 0
        while let scalar = next, let digit = Character(scalar).hexDigitValue, scalar.isASCII, braces || digits < 2 {
            value = value << 4 | UInt32(digit)
            digits += 1
            position += 1
            guard digits <= 6 else { throw failure("\\x{…} is longer than six digits") }
        }
        guard digits > 0, braces || digits == 2, !braces || take("}"), let scalar = Unicode.Scalar(value) else {
            throw failure("\\x must be followed by two hexadecimal digits or {digits}")
        }
        return scalar
    }

    // MARK: Classes

    private mutating func characterClass() throws(RegularExpression.Failure) -> ByteSet {
        let start = position
        position += 1
        let inverts = take("^")
        var set = ByteSet()
        var isFirst = true
        while true {
            guard let scalar = next else {
                position = start
                throw failure("[ without ]")
            }
            if scalar == "]", !isFirst {
                position += 1
                break
            }
            isFirst = false
            if scalar == "[", position + 1 < scalars.count, scalars[position + 1] == ":" {
                set.formUnion(try posixClass())
                continue
            }
            if scalar == "\\", position + 1 < scalars.count, let short = shorthand(scalars[position + 1]) {
                position += 2
                set.formUnion(short)
                continue
            }
            let low = try classByte()
            var high = low
            if next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" {
                position += 1
                high = try classByte()
            }
            guard low <= high else { throw failure("a range in [ ] runs backwards") }
            set.insert(low...high)
        }
        set = folded(set)
        return inverts ? set.inverted : set
    }

    private mutating func posixClass() throws(RegularExpression.Failure) -> ByteSet {
        position += 2
        let inverts = take("^")
        var name = ""
        while let scalar = next, scalar != ":" {
            name.unicodeScalars.append(scalar)
            position += 1
        }
        guard take(":"), take("]"), let set = ByteSet.posix(name) else {
            throw failure("[:\(name):] is not a class")
        }
        return inverts ? set.inverted : set
    }

    private mutating func classByte() throws(RegularExpression.Failure) -> UInt8 {
        guard var scalar = next else { throw failure("[ without ]") }
        position += 1
        if scalar == "\\" { scalar = try escapedScalar() }
        guard scalar.isASCII else {
            throw failure("a character outside ASCII in [ ] is not supported")
        }
        return UInt8(scalar.value)
    }
}
