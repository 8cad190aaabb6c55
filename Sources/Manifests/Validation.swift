import RegularExpressions
package import Resources

/// A rule that a value breaks.
package struct Violation: Hashable, Sendable {
    package let path: FieldPath
    package let message: String

    package init(path: FieldPath, message: String) {
        self.path = path
        self.message = message
    }
}

/// What a schema makes of a value: defaults filled in, unknown fields taken out, and what is wrong with it.
///
/// The order is the API server's: nulls and defaults, unknown fields, the structure, and the rules only when the
/// structure is sound, so that a rule never meets a list longer than its schema allows.
package struct Validation {
    package private(set) var value: JSONValue
    package private(set) var violations: [Violation] = []
    package private(set) var unknownFields: [FieldPath] = []
    private let nullIsAbsent: Bool

    /// `old` is the value in force, for rules that compare with it.
    package init(_ value: JSONValue, against kind: KindSchema, old: JSONValue? = nil) {
        self.value = value
        nullIsAbsent = kind.nullIsAbsent
        self.value = structure(value, kind.schema, FieldPath())
        if violations.isEmpty { rules(self.value, old, kind.schema, FieldPath()) }
    }

    private mutating func refuse(_ path: FieldPath, _ message: String) {
        violations.append(Violation(path: path, message: message))
    }

    private mutating func structure(_ value: JSONValue, _ schema: Schema, _ path: FieldPath) -> JSONValue {
        if value == .null, schema.isNullable { return value }
        guard check(type: value, schema, path) else { return value }
        let result: JSONValue
        switch value {
        case .object(let object): result = .object(members(object, schema, path))
        case .array(let array): result = .array(elements(array, schema, path))
        case .string(let text):
            strings(text, schema, path)
            result = value
        case .int(let int):
            numbers(Double(int), "\(int)", schema, path)
            if schema.format == "int32", Int32(exactly: int) == nil { refuse(path, "must fit 32 bits, is \(int)") }
            result = value
        case .double(let double):
            numbers(double, "\(double)", schema, path)
            result = value
        case .null, .bool: result = value
        }
        if let allowed = schema.allowed, !allowed.contains(result) {
            let names = allowed.map(\.shown).joined(separator: ", ")
            refuse(path, "must be one of \(names); is \(result.shown)")
        }
        combinations(result, schema, path)
        return result
    }

    private mutating func check(type value: JSONValue, _ schema: Schema, _ path: FieldPath) -> Bool {
        if schema.isIntOrString {
            switch value {
            case .int, .string: return true
            default:
                refuse(path, "must be integer or string, is \(value.typeName)")
                return false
            }
        }
        guard let kind = schema.kind else { return true }
        switch (kind, value) {
        case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.integer, .int),
            (.number, .int), (.number, .double):
            return true
        default:
            refuse(path, "must be \(kind.rawValue), is \(value.typeName)")
            return false
        }
    }

    private mutating func members(_ object: JSONObject, _ schema: Schema, _ path: FieldPath) -> JSONObject {
        var result = JSONObject()
        // Metadata is the API server's own type in every kind.
        let nullIsAbsent = nullIsAbsent || path.steps.first == .field("metadata")
        for key in object.keys {
            guard let member = object[key] else { continue }
            if let property = schema.properties[key] {
                if member == .null, nullIsAbsent || (!property.isNullable && property.defaultValue != nil) { continue }
                result[key] = structure(member, property, path.field(key))
            } else if let additional = schema.additional {
                if member == .null, nullIsAbsent { continue }
                result[key] = structure(member, additional, path.key(key))
            } else if schema.preservesUnknownFields || schema.isOpen {
                result[key] = member
            } else {
                unknownFields.append(path.field(key))
            }
        }
        for (name, property) in schema.properties where result[name] == nil {
            // A default is structured too: it may leave out members that have defaults of their own.
            if let value = property.defaultValue { result[name] = structure(value, property, path.field(name)) }
        }
        for name in schema.required where result[name] == nil {
            refuse(path.field(name), "is required")
        }
        checkCount(object.count, schema.propertyCount, "members", path)
        return result
    }

    private mutating func elements(_ array: [JSONValue], _ schema: Schema, _ path: FieldPath) -> [JSONValue] {
        checkCount(array.count, schema.count, "items", path)
        guard schema.count.contains(array.count) || array.count < schema.count.lowerBound else { return array }
        guard let items = schema.items else { return array }
        var result: [JSONValue] = []
        result.reserveCapacity(array.count)
        for (position, element) in array.enumerated() {
            result.append(structure(element, items, path.index(position)))
        }
        uniqueness(result, schema, path)
        return result
    }

    private mutating func uniqueness(_ array: [JSONValue], _ schema: Schema, _ path: FieldPath) {
        var seen: Set<JSONValue> = []
        for (position, element) in array.enumerated() {
            let identity: JSONValue
            switch schema.listType {
            case .atomic: return
            case .set: identity = element
            case .map(let keys): identity = .array(keys.map { element[$0] ?? .null })
            }
            if !seen.insert(identity).inserted {
                refuse(path.index(position), "is a duplicate: \(identity.shown) occurs twice")
            }
        }
    }

    private mutating func checkCount(_ count: Int, _ range: ClosedRange<Int>, _ what: String, _ path: FieldPath) {
        if count < range.lowerBound { refuse(path, "must have at least \(range.lowerBound) \(what), has \(count)") }
        if count > range.upperBound { refuse(path, "must have at most \(range.upperBound) \(what), has \(count)") }
    }

    private mutating func strings(_ text: String, _ schema: Schema, _ path: FieldPath) {
        let length = text.unicodeScalars.count
        if length < schema.length.lowerBound {
            refuse(path, "must be at least \(schema.length.lowerBound) characters long, is \(length)")
        }
        if length > schema.length.upperBound {
            refuse(path, "must be at most \(schema.length.upperBound) characters long, is \(length)")
        }
        if let pattern = schema.pattern, !pattern.search(text) {
            refuse(path, "must match \(pattern.pattern), is \(JSONValue.string(text).shown)")
        }
        guard let format = schema.format else { return }
        let isValid =
            switch format {
            case "date-time": Timestamp.normalised(text) != nil
            case "ipv4": IPSyntax(text) == .v4
            case "ipv6": IPSyntax(text) == .v6
            case "ip": text.isEmpty || IPSyntax(text) != nil
            default: true
            }
        if !isValid { refuse(path, "must be a valid \(format), is \(JSONValue.string(text).shown)") }
    }

    private mutating func numbers(_ number: Double, _ shown: String, _ schema: Schema, _ path: FieldPath) {
        if let minimum = schema.minimum, number < minimum {
            refuse(path, "must be at least \(JSONValue.number(minimum).shown), is \(shown)")
        }
        if let maximum = schema.maximum, number > maximum {
            refuse(path, "must be at most \(JSONValue.number(maximum).shown), is \(shown)")
        }
    }

    private mutating func combinations(_ value: JSONValue, _ schema: Schema, _ path: FieldPath) {
        for part in schema.allOf where !fits(value, part) { refuse(path, "must satisfy every schema of allOf") }
        if !schema.anyOf.isEmpty, !schema.anyOf.contains(where: { fits(value, $0) }) {
            refuse(path, "must satisfy a schema of anyOf; is \(value.shown)")
        }
        if !schema.oneOf.isEmpty, schema.oneOf.count(where: { fits(value, $0) }) != 1 {
            refuse(path, "must satisfy exactly one schema of oneOf")
        }
        if let not = schema.not, fits(value, not) { refuse(path, "must not be \(value.shown)") }
    }

    private func fits(_ value: JSONValue, _ schema: Schema) -> Bool {
        Validation(part: value, schema).violations.isEmpty
    }

    private init(part value: JSONValue, _ schema: Schema) {
        self.value = value
        nullIsAbsent = false
        _ = structure(value, schema, FieldPath())
    }

    private mutating func rules(_ value: JSONValue, _ old: JSONValue?, _ schema: Schema, _ path: FieldPath) {
        guard schema.hasRules else { return }
        for rule in schema.rules where !rule.program.isTransition || old != nil {
            do throws(CELFailure) {
                if try !rule.program.holds(value, old: rule.program.isTransition ? old : nil) {
                    refuse(path, rule.message.isEmpty ? "failed rule: \(rule.program.text)" : rule.message)
                }
            } catch {
                refuse(path, "rule \(rule.program.text) cannot be evaluated: \(error.message)")
            }
        }
        switch value {
        case .object(let object):
            for key in object.keys {
                guard let member = object[key] else { continue }
                if let property = schema.properties[key] {
                    rules(member, old?[key], property, path.field(key))
                } else if let additional = schema.additional {
                    rules(member, old?[key], additional, path.key(key))
                }
            }
        case .array(let array):
            guard let items = schema.items, items.hasRules else { return }
            for (position, element) in array.enumerated() { rules(element, nil, items, path.index(position)) }
        default: return
        }
    }
}

extension Schema {
    /// Says nothing about members: a part of a combination, or a value of any type.
    fileprivate var isOpen: Bool {
        properties.isEmpty && additional == nil && kind != .object
    }
}

extension JSONValue {
    /// For messages: strings quoted and cut, collections by their type.
    var shown: String {
        switch self {
        case .null: return "null"
        case .bool(let bool): return "\(bool)"
        case .int(let int): return "\(int)"
        case .double(let double): return "\(double)"
        case .string(let text):
            let limit = 80
            return text.count > limit ? "\"\(text.prefix(limit))…\"" : "\"\(text)\""
        case .array(let array):
            return array.count == 1 ? array[0].shown : "[" + array.map(\.shown).joined(separator: ", ") + "]"
        case .object: return "an object"
        }
    }
}
