import RegularExpressions
import Resources

extension CELOperator {
    /// `&&` and `||` are not here: they may leave an operand unevaluated.
    func apply(_ left: CELValue, _ right: CELValue) throws(CELFailure) -> CELValue {
        switch self {
        case .equal: return .bool(Self.equal(left, right))
        case .notEqual: return .bool(!Self.equal(left, right))
        case .less: return .bool(try Self.compare(left, right) < 0)
        case .lessOrEqual: return .bool(try Self.compare(left, right) <= 0)
        case .greater: return .bool(try Self.compare(left, right) > 0)
        case .greaterOrEqual: return .bool(try Self.compare(left, right) >= 0)
        case .in: return .bool(try Self.contains(left, right))
        case .add, .subtract, .multiply, .divide, .remainder: return try arithmetic(left, right)
        case .and, .or: throw .mismatch(rawValue)
        }
    }

    private static func equal(_ left: CELValue, _ right: CELValue) -> Bool {
        switch (left, right) {
        case (.json(.int(let int)), .json(.double(let double))), (.json(.double(let double)), .json(.int(let int))):
            Double(int) == double
        default: left == right
        }
    }

    private static func compare(_ left: CELValue, _ right: CELValue) throws(CELFailure) -> Int {
        func order<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
            left < right ? -1 : left > right ? 1 : 0
        }
        switch (left, right) {
        case (.json(.int(let left)), .json(.int(let right))): return order(left, right)
        case (.json(.double(let left)), .json(.double(let right))): return order(left, right)
        case (.json(.int(let left)), .json(.double(let right))): return order(Double(left), right)
        case (.json(.double(let left)), .json(.int(let right))): return order(left, Double(right))
        case (.duration(let left), .duration(let right)): return order(left, right)
        case (.json(.string(let left)), .json(.string(let right))):
            return left.unicodeScalars.lexicographicallyPrecedes(right.unicodeScalars) ? -1 : left == right ? 0 : 1
        default: throw .mismatch("comparison")
        }
    }

    private static func contains(_ element: CELValue, _ container: CELValue) throws(CELFailure) -> Bool {
        switch (element, container) {
        case (.json(let element), .json(.array(let array))):
            array.contains { equal(.json(element), .json($0)) }
        case (.json(.string(let name)), .json(.object(let object))): object[name] != nil
        default: throw .mismatch("in")
        }
    }

    private func arithmetic(_ left: CELValue, _ right: CELValue) throws(CELFailure) -> CELValue {
        switch (left, right) {
        case (.json(.int(let left)), .json(.int(let right))):
            let (result, overflow): (Int64, Bool)
            switch self {
            case .add: (result, overflow) = left.addingReportingOverflow(right)
            case .subtract: (result, overflow) = left.subtractingReportingOverflow(right)
            case .multiply: (result, overflow) = left.multipliedReportingOverflow(by: right)
            case .divide: (result, overflow) = left.dividedReportingOverflow(by: right)
            default: (result, overflow) = left.remainderReportingOverflow(dividingBy: right)
            }
            guard !overflow else { throw CELFailure(message: "integer overflow or division by zero") }
            return .json(.int(result))
        case (.json(.string(let left)), .json(.string(let right))) where self == .add:
            return .json(.string(left + right))
        case (.json(.array(let left)), .json(.array(let right))) where self == .add:
            return .json(.array(left + right))
        case (.json(.double(let left)), .json(.double(let right))):
            switch self {
            case .add: return .json(.double(left + right))
            case .subtract: return .json(.double(left - right))
            case .multiply: return .json(.double(left * right))
            case .divide: return .json(.double(left / right))
            default: throw .mismatch(rawValue)
            }
        default: throw .mismatch(rawValue)
        }
    }
}

extension CELFunction {
    func apply(_ values: [CELValue]) throws(CELFailure) -> CELValue {
        switch self {
        case .size: return try Self.size(values[0])
        case .contains, .startsWith, .endsWith, .matches:
            return .bool(try test(try text(values[0]), try text(values[1])))
        case .split:
            let parts = try text(values[0]).split(separator: try text(values[1]), omittingEmptySubsequences: false)
            return .json(.array(parts.map { .string(String($0)) }))
        case .substring: return try substring(values)
        case .lowerAscii: return .json(.string(try text(values[0]).mapASCII(("A", "Z"), +32)))
        case .upperAscii: return .json(.string(try text(values[0]).mapASCII(("a", "z"), -32)))
        case .trim:
            let scalars = try text(values[0]).unicodeScalars
            let rest = scalars.drop { $0.properties.isWhitespace }
            let end = rest.lastIndex { !$0.properties.isWhitespace }
            return .json(.string(end.map { String(rest[...$0]) } ?? ""))
        case .duration:
            guard let nanoseconds = GoDuration.nanoseconds(try text(values[0])) else {
                throw CELFailure(message: "\"\(try text(values[0]))\" is no duration")
            }
            return .duration(nanoseconds)
        case .int:
            switch values[0] {
            case .json(.int): return values[0]
            case .json(.string(let text)):
                guard let int = Int64(text) else { throw CELFailure(message: "\"\(text)\" is no int") }
                return .json(.int(int))
            case .json(.double(let double)):
                guard let int = Int64(exactly: double.rounded(.towardZero)) else { throw .mismatch("int") }
                return .json(.int(int))
            default: throw .mismatch("int")
            }
        case .string:
            switch values[0] {
            case .json(.string): return values[0]
            case .json(.int(let int)): return .json(.string("\(int)"))
            case .json(.bool(let bool)): return .json(.string("\(bool)"))
            default: throw .mismatch("string")
            }
        case .type: return .type(Self.typeName(values[0]))
        case .isIP: return .bool(IPSyntax(try text(values[0])) != nil)
        case .ip:
            guard let address = IPSyntax(try text(values[0])) else {
                throw CELFailure(message: "\"\(try text(values[0]))\" is no IP address")
            }
            return .address(address)
        case .family:
            guard case .address(let address) = values[0] else { throw .mismatch("family") }
            return .int(address == .v4 ? 4 : 6)
        case .validate:
            guard case .format(let format) = values[0] else { throw .mismatch("validate") }
            let text = try text(values[1])
            return .json(format.matches(text) ? .null : .array([.string("is no \(format.rawValue)")]))
        }
    }

    private func text(_ value: CELValue) throws(CELFailure) -> String {
        guard case .json(.string(let text)) = value else { throw .mismatch(rawValue) }
        return text
    }

    private static func size(_ value: CELValue) throws(CELFailure) -> CELValue {
        switch value {
        case .json(.string(let text)): .int(text.unicodeScalars.count)
        case .json(.array(let array)): .int(array.count)
        case .json(.object(let object)): .int(object.count)
        default: throw .mismatch("size")
        }
    }

    private func test(_ text: String, _ argument: String) throws(CELFailure) -> Bool {
        switch self {
        case .contains: return text.containsBytes(of: argument)
        case .startsWith: return text.utf8.starts(with: argument.utf8)
        case .endsWith: return text.utf8.reversed().starts(with: argument.utf8.reversed())
        default:
            do {
                return try RegularExpression(argument).search(text)
            } catch {
                throw CELFailure(message: "the pattern \(argument) is malformed: \(error)")
            }
        }
    }

    private func substring(_ values: [CELValue]) throws(CELFailure) -> CELValue {
        let scalars = Array(try text(values[0]).unicodeScalars)
        var bounds: [Int] = []
        for value in values.dropFirst() {
            guard case .json(.int(let bound)) = value, (0...scalars.count).contains(Int(bound)) else {
                throw CELFailure(message: "index out of range")
            }
            bounds.append(Int(bound))
        }
        let end = bounds.count > 1 ? bounds[1] : scalars.count
        guard bounds[0] <= end else { throw CELFailure(message: "index out of range") }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[bounds[0]..<end])
        return .json(.string(String(view)))
    }

    private static func typeName(_ value: CELValue) -> String {
        switch value {
        case .json(.null): "null_type"
        case .json(.bool): "bool"
        case .json(.int): "int"
        case .json(.double): "double"
        case .json(.string): "string"
        case .json(.array): "list"
        case .json(.object): "map"
        case .duration: "google.protobuf.Duration"
        case .type: "type"
        case .address: "net.IP"
        case .format: "kubernetes.NamedFormat"
        }
    }
}

extension String {
    fileprivate func mapASCII(_ range: (Unicode.Scalar, Unicode.Scalar), _ offset: Int) -> String {
        var view = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            let isInside = (range.0...range.1).contains(scalar)
            view.append(isInside ? Unicode.Scalar(UInt8(Int(scalar.value) + offset)) : scalar)
        }
        return String(view)
    }

    fileprivate func containsBytes(of needle: String) -> Bool {
        let bytes = Array(utf8)
        let wanted = Array(needle.utf8)
        guard !wanted.isEmpty else { return true }
        guard bytes.count >= wanted.count else { return false }
        return (0...bytes.count - wanted.count).contains { bytes[$0...].starts(with: wanted) }
    }
}

extension CELFormat {
    func matches(_ text: String) -> Bool {
        switch self {
        case .dns1123Label: DNSName.isLabel(text)
        case .dns1123Subdomain: DNSName.isSubdomain(text)
        case .dns1035Label: DNSName.isLabel(text) && text.utf8.first.map { !DNSName.isDigit($0) } == true
        case .qualifiedName: LabelSyntax.isKey(text)
        case .labelValue: LabelSyntax.isValue(text)
        }
    }
}
