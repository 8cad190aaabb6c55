import RegularExpressions
import Resources

/// Parses an expression by precedence climbing.
struct CELParser {
    private var lexer: CELLexer
    private var token: CELToken
    private var offset = 0
    private var depth = 0

    /// Parentheses and operators inside each other; CEL itself promises 12 levels.
    private static let maximumDepth = 200
    private static let comparisonPrecedence = 3

    static func parse(_ text: String) throws(CELSyntaxError) -> CELExpression {
        var parser = try CELParser(text)
        let expression = try parser.conditional()
        guard parser.token == .end else { throw parser.failure("unexpected \(parser.token)") }
        return expression
    }

    private init(_ text: String) throws(CELSyntaxError) {
        lexer = CELLexer(text)
        token = try lexer.next()
    }

    private func failure(_ message: String) -> CELSyntaxError {
        CELSyntaxError(message: message, offset: offset)
    }

    private mutating func advance() throws(CELSyntaxError) {
        offset = lexer.position
        token = try lexer.next()
    }

    private mutating func take(_ symbol: String) throws(CELSyntaxError) -> Bool {
        guard token == .symbol(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ symbol: String) throws(CELSyntaxError) {
        guard try take(symbol) else { throw failure("expected \(symbol)") }
    }

    private mutating func identifier() throws(CELSyntaxError) -> String {
        guard case .identifier(let name) = token else { throw failure("expected a name") }
        try advance()
        return name
    }

    private mutating func conditional() throws(CELSyntaxError) -> CELExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw failure("nests too deep") }
        let condition = try binary(1)
        guard try take("?") else { return condition }
        let first = try binary(1)
        try expect(":")
        return .conditional(condition, first, try conditional())
    }

    private var binaryOperator: CELOperator? {
        switch token {
        case .symbol(let symbol): CELOperator(rawValue: symbol)
        case .identifier("in"): .in
        default: nil
        }
    }

    private mutating func binary(_ least: Int) throws(CELSyntaxError) -> CELExpression {
        var left = try unary()
        while let operation = binaryOperator, operation.precedence >= least {
            try advance()
            left = .binary(operation, left, try binary(operation.precedence + 1))
        }
        return left
    }

    private mutating func unary() throws(CELSyntaxError) -> CELExpression {
        depth += 1
        defer { depth -= 1 }
        guard depth < Self.maximumDepth else { throw failure("nests too deep") }
        if try take("!") { return .not(try unary()) }
        if try take("-") { return .negate(try unary()) }
        return try postfix()
    }

    private mutating func postfix() throws(CELSyntaxError) -> CELExpression {
        var operand = try primary()
        while true {
            if try take(".") {
                let name = try identifier()
                operand = token == .symbol("(") ? try method(name, on: operand) : .select(operand, Self.unescape(name))
            } else if try take("[") {
                let key = try conditional()
                try expect("]")
                operand = .index(operand, key)
            } else {
                return operand
            }
        }
    }

    private mutating func primary() throws(CELSyntaxError) -> CELExpression {
        switch token {
        case .int(let int):
            try advance()
            return .literal(.json(.int(int)))
        case .double(let double):
            try advance()
            return .literal(.json(.double(double)))
        case .string(let text):
            try advance()
            return .literal(.json(.string(text)))
        case .symbol("("):
            try advance()
            let inner = try conditional()
            try expect(")")
            return inner
        case .symbol("["):
            try advance()
            return .list(try arguments(until: "]"))
        case .identifier(let name):
            try advance()
            return try named(name)
        default: throw failure("unexpected \(token)")
        }
    }

    private mutating func named(_ name: String) throws(CELSyntaxError) -> CELExpression {
        switch name {
        case "true": return .literal(.json(.bool(true)))
        case "false": return .literal(.json(.bool(false)))
        case "null": return .literal(.json(.null))
        case "int", "string", "bool", "double", "list", "map", "null_type":
            if token != .symbol("(") { return .literal(.type(name)) }
        case "format" where token == .symbol("."):
            try advance()
            let format = try identifier()
            guard let known = CELFormat(rawValue: format) else { throw failure("unknown format \(format)") }
            try expect("(")
            try expect(")")
            return .format(known)
        case "has" where token == .symbol("("):
            try advance()
            guard case .select(let operand, let field) = try conditional() else {
                throw failure("has() takes a field selection")
            }
            try expect(")")
            return .has(operand, field)
        default: break
        }
        guard try take("(") else { return .name(name) }
        return try call(name, try arguments(until: ")"))
    }

    private mutating func arguments(until end: String) throws(CELSyntaxError) -> [CELExpression] {
        var arguments: [CELExpression] = []
        if try take(end) { return arguments }
        while true {
            arguments.append(try conditional())
            if try take(end) { return arguments }
            try expect(",")
        }
    }

    private mutating func method(_ name: String, on receiver: CELExpression) throws(CELSyntaxError) -> CELExpression {
        try expect("(")
        if let macro = CELMacro(rawValue: name) {
            let variable = try identifier()
            try expect(",")
            let body = try conditional()
            try expect(")")
            return .comprehension(macro, range: receiver, variable: variable, body: body)
        }
        return try call(name, [receiver] + arguments(until: ")"))
    }

    private func call(_ name: String, _ arguments: [CELExpression]) throws(CELSyntaxError) -> CELExpression {
        guard let function = CELFunction(rawValue: name) else { throw failure("unknown function \(name)") }
        guard function.argumentCounts.contains(arguments.count) else {
            throw failure("\(name) does not take \(arguments.count) arguments")
        }
        if function == .matches, case .literal(.json(.string(let pattern))) = arguments[1] {
            do {
                return .matches(arguments[0], try RegularExpression(pattern))
            } catch {
                throw failure("the pattern \(pattern) is malformed: \(error)")
            }
        }
        return .call(function, arguments)
    }

    /// Kubernetes spells fields that are reserved words of CEL, or that are no identifiers, with underscores.
    private static func unescape(_ name: String) -> String {
        guard name.contains("__") else { return name }
        if name.hasPrefix("__"), name.hasSuffix("__"), name.utf8.count > 4 {
            let inner = String(name.dropFirst(2).dropLast(2))
            if reserved.contains(inner) { return inner }
        }
        var text = name
        for (escaped, plain) in [
            ("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/"),
        ] {
            text = text.split(separator: escaped, omittingEmptySubsequences: false).joined(separator: plain)
        }
        return text
    }

    private static let reserved: Set<String> = [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    ]
}
