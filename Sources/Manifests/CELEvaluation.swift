import RegularExpressions
import Resources

/// A value of an expression.
enum CELValue: Hashable, Sendable {
    case json(JSONValue)
    /// Nanoseconds.
    case duration(Int64)
    case type(String)
    case address(IPSyntax)
    case format(CELFormat)

    static func bool(_ bool: Bool) -> CELValue { .json(.bool(bool)) }
    static func int(_ int: Int) -> CELValue { .json(.int(Int64(int))) }
}

/// Evaluates expressions over JSON values. Every operation is linear in the values it reads, and values are held to
/// their schema's limits before rules see them.
struct CELEvaluation {
    private var variables: [(name: String, value: CELValue)]

    init(`self`: JSONValue, oldSelf: JSONValue? = nil) {
        variables = [("self", .json(`self`))]
        if let oldSelf { variables.append(("oldSelf", .json(oldSelf))) }
    }

    /// The verdict of a rule.
    mutating func holds(_ expression: CELExpression) throws(CELFailure) -> Bool {
        try truth(expression)
    }

    mutating func value(_ expression: CELExpression) throws(CELFailure) -> CELValue {
        switch expression {
        case .literal(let value): return value
        case .name(let name):
            guard let variable = variables.last(where: { $0.name == name }) else {
                throw CELFailure(message: "undeclared reference to \(name)")
            }
            return variable.value
        case .list(let elements):
            var array: [JSONValue] = []
            for element in elements {
                guard case .json(let json) = try value(element) else { throw .mismatch("list element") }
                array.append(json)
            }
            return .json(.array(array))
        case .select(let operand, let field):
            let object = try map(operand)
            guard let member = object[field] else { throw CELFailure(message: "no such key: \(field)") }
            return .json(member)
        case .has(let operand, let field): return .bool(try map(operand)[field] != nil)
        case .index(let operand, let key): return try element(of: try value(operand), at: try value(key))
        case .call(let function, let arguments):
            var values: [CELValue] = []
            for argument in arguments { values.append(try value(argument)) }
            return try function.apply(values)
        case .matches(let operand, let pattern): return .bool(pattern.search(try text(operand)))
        case .not(let operand): return .bool(!(try truth(operand)))
        case .negate(let operand):
            switch try value(operand) {
            case .json(.int(let int)) where int != .min: return .json(.int(-int))
            case .json(.double(let double)): return .json(.double(-double))
            default: throw .mismatch("-")
            }
        case .binary(let operation, let left, let right): return try binary(operation, left, right)
        case .conditional(let condition, let first, let second):
            return try truth(condition) ? value(first) : value(second)
        case .comprehension(let macro, let range, let variable, let body):
            return try comprehension(macro, range, variable, body)
        case .format(let format): return .format(format)
        }
    }

    private mutating func truth(_ expression: CELExpression) throws(CELFailure) -> Bool {
        guard case .json(.bool(let bool)) = try value(expression) else { throw .mismatch("bool") }
        return bool
    }

    private mutating func text(_ expression: CELExpression) throws(CELFailure) -> String {
        guard case .json(.string(let text)) = try value(expression) else { throw .mismatch("string") }
        return text
    }

    private mutating func map(_ expression: CELExpression) throws(CELFailure) -> JSONObject {
        guard case .json(.object(let object)) = try value(expression) else { throw .mismatch("map") }
        return object
    }

    private func element(of container: CELValue, at key: CELValue) throws(CELFailure) -> CELValue {
        switch (container, key) {
        case (.json(.array(let array)), .json(.int(let index))):
            guard array.indices.contains(Int(index)) else {
                throw CELFailure(message: "index out of bounds: \(index)")
            }
            return .json(array[Int(index)])
        case (.json(.object(let object)), .json(.string(let name))):
            guard let member = object[name] else { throw CELFailure(message: "no such key: \(name)") }
            return .json(member)
        default: throw .mismatch("[ ]")
        }
    }

    private mutating func binary(
        _ operation: CELOperator, _ left: CELExpression, _ right: CELExpression
    ) throws(CELFailure) -> CELValue {
        switch operation {
        case .and: return .bool(try logical(left, right, decisive: false))
        case .or: return .bool(try logical(left, right, decisive: true))
        default: return try operation.apply(try value(left), try value(right))
        }
    }

    /// `&&` and `||` are commutative: a failure on one side yields to the deciding value on the other.
    private mutating func logical(
        _ left: CELExpression, _ right: CELExpression, decisive: Bool
    ) throws(CELFailure) -> Bool {
        let first: Bool
        do {
            first = try truth(left)
        } catch {
            if (try? truth(right)) == decisive { return decisive }
            throw error
        }
        return first == decisive ? decisive : try truth(right)
    }

    private mutating func comprehension(
        _ macro: CELMacro, _ range: CELExpression, _ variable: String, _ body: CELExpression
    ) throws(CELFailure) -> CELValue {
        let elements: [JSONValue]
        switch try value(range) {
        case .json(.array(let array)): elements = array
        case .json(.object(let object)): elements = object.keys.map { .string($0) }
        default: throw .mismatch(macro.rawValue)
        }
        variables.append((variable, .json(.null)))
        defer { variables.removeLast() }
        switch macro {
        case .all, .exists:
            let decisive = macro == .exists
            var failure: CELFailure?
            for element in elements {
                variables[variables.count - 1].value = .json(element)
                do {
                    if try truth(body) == decisive { return .bool(decisive) }
                } catch {
                    failure = failure ?? error
                }
            }
            if let failure { throw failure }
            return .bool(!decisive)
        case .existsOne:
            var count = 0
            for element in elements {
                variables[variables.count - 1].value = .json(element)
                if try truth(body) { count += 1 }
            }
            return .bool(count == 1)
        case .filter:
            var kept: [JSONValue] = []
            for element in elements {
                variables[variables.count - 1].value = .json(element)
                if try truth(body) { kept.append(element) }
            }
            return .json(.array(kept))
        case .map:
            var mapped: [JSONValue] = []
            for element in elements {
                variables[variables.count - 1].value = .json(element)
                guard case .json(let json) = try value(body) else { throw .mismatch("map") }
                mapped.append(json)
            }
            return .json(.array(mapped))
        }
    }
}
