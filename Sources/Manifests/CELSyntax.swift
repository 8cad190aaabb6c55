import RegularExpressions

/// An expression of the Common Expression Language, as CRDs use it in `x-kubernetes-validations`.
indirect enum CELExpression: Sendable {
    case literal(CELValue)
    case name(String)
    case list([CELExpression])
    case select(CELExpression, String)
    /// `has(operand.field)`.
    case has(CELExpression, String)
    case index(CELExpression, CELExpression)
    case call(CELFunction, [CELExpression])
    /// `matches` with a literal pattern.
    case matches(CELExpression, RegularExpression)
    case not(CELExpression)
    case negate(CELExpression)
    case binary(CELOperator, CELExpression, CELExpression)
    case conditional(CELExpression, CELExpression, CELExpression)
    /// `range.all(variable, body)` and its kin.
    case comprehension(CELMacro, range: CELExpression, variable: String, body: CELExpression)
    /// `format.dns1123Label()` and its kin.
    case format(CELFormat)
}

enum CELOperator: String, Sendable {
    case or = "||"
    case and = "&&"
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case `in` = "in"
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"

    /// Higher binds tighter.
    var precedence: Int {
        switch self {
        case .or: 1
        case .and: 2
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .in: 3
        case .add, .subtract: 4
        case .multiply, .divide, .remainder: 5
        }
    }
}

enum CELMacro: String, Sendable {
    case all
    case exists
    case existsOne = "exists_one"
    case filter
    case map
}

/// Functions; a method's receiver is the first argument.
enum CELFunction: String, Sendable {
    case size, contains, startsWith, endsWith, matches, split, substring, lowerAscii, upperAscii, trim
    case duration, int, string, type, isIP, ip, family, validate

    var argumentCounts: ClosedRange<Int> {
        switch self {
        case .size, .lowerAscii, .upperAscii, .trim, .duration, .int, .string, .type, .isIP, .ip, .family: 1...1
        case .contains, .startsWith, .endsWith, .matches, .split, .validate: 2...2
        case .substring: 2...3
        }
    }
}

enum CELFormat: String, Sendable {
    case dns1123Label, dns1123Subdomain, dns1035Label, qualifiedName, labelValue
}

enum CELToken: Equatable, Sendable {
    case identifier(String)
    case int(Int64)
    case double(Double)
    case string(String)
    case symbol(String)
    case end
}
