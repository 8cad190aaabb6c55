import RegularExpressions
import Resources

/// A structural schema: the part of OpenAPI v3 that CRDs may use, ready to check values with.
final class Schema: Sendable {
    enum Kind: String, Sendable {
        case object, array, string, integer, number, boolean
    }

    enum ListType: Sendable {
        case atomic
        case set
        /// Elements are told apart by these fields.
        case map(keys: [String])
    }

    struct Rule: Sendable {
        let program: CELProgram
        let message: String
    }

    /// nil takes any type.
    let kind: Kind?
    let isIntOrString: Bool
    let isNullable: Bool
    let preservesUnknownFields: Bool
    let properties: [String: Schema]
    let required: [String]
    let additional: Schema?
    let items: Schema?
    let listType: ListType
    let defaultValue: JSONValue?
    let allowed: [JSONValue]?
    let pattern: RegularExpression?
    let format: String?
    let length: ClosedRange<Int>
    let count: ClosedRange<Int>
    let propertyCount: ClosedRange<Int>
    let minimum: Double?
    let maximum: Double?
    let allOf: [Schema]
    let anyOf: [Schema]
    let oneOf: [Schema]
    let not: Schema?
    let rules: [Rule]
    /// This schema or one below it has rules.
    let hasRules: Bool

    /// Throws when the schema uses something that cannot be checked here: a rule that does not parse, a pattern that
    /// does not compile, a reference without a definition.
    init(_ node: JSONValue, in definitions: inout SchemaDefinitions) throws(SchemaError) {
        guard case .object(let object) = node else { throw SchemaError(message: "a schema must be an object") }
        guard object["type"]?.text.map({ Kind(rawValue: $0) != nil }) ?? true else {
            throw SchemaError(message: "unknown type in a schema")
        }
        kind = object["type"]?.text.flatMap(Kind.init)
        isIntOrString = object["x-kubernetes-int-or-string"] == .bool(true)
        isNullable = object["nullable"] == .bool(true)
        preservesUnknownFields = object["x-kubernetes-preserve-unknown-fields"] == .bool(true)
        required = object["required"]?.elements?.compactMap { $0.text } ?? []
        var properties: [String: Schema] = [:]
        if let members = object["properties"]?.members {
            for name in members.keys {
                if let member = members[name] { properties[name] = try definitions.schema(member) }
            }
        }
        self.properties = properties
        additional = try definitions.schema(optional: object["additionalProperties"]?.members.map { .object($0) })
        items = try definitions.schema(optional: object["items"])
        let keys = object["x-kubernetes-list-map-keys"]?.elements?.compactMap { $0.text } ?? []
        listType =
            switch object["x-kubernetes-list-type"]?.text {
            case "set": .set
            case "map": .map(keys: keys)
            default: .atomic
            }
        defaultValue = object["default"]
        allowed = object["enum"]?.elements
        pattern = try definitions.pattern(object["pattern"]?.text)
        format = object["format"]?.text
        length = Self.range(object, "minLength", "maxLength")
        count = Self.range(object, "minItems", "maxItems")
        propertyCount = Self.range(object, "minProperties", "maxProperties")
        minimum = Self.number(object["minimum"])
        maximum = Self.number(object["maximum"])
        allOf = try definitions.schemas(object["allOf"]?.elements ?? [])
        anyOf = try definitions.schemas(object["anyOf"]?.elements ?? [])
        oneOf = try definitions.schemas(object["oneOf"]?.elements ?? [])
        not = try definitions.schema(optional: object["not"])
        rules = try definitions.rules(object["x-kubernetes-validations"]?.elements ?? [])
        hasRules =
            !rules.isEmpty || properties.values.contains { $0.hasRules } || additional?.hasRules == true
            || items?.hasRules == true
    }

    private static func range(_ object: JSONObject, _ least: String, _ most: String) -> ClosedRange<Int> {
        let lower = number(object[least]).map(Int.init) ?? 0
        return lower...max(lower, number(object[most]).map(Int.init) ?? .max)
    }

    private static func number(_ value: JSONValue?) -> Double? {
        switch value {
        case .int(let int): Double(int)
        case .double(let double): double
        default: nil
        }
    }
}

/// A schema that cannot be used.
package struct SchemaError: Error, Equatable, Sendable {
    package let message: String
}

/// The named parts of a kind's schema; parts, patterns and rules that occur often are made once.
struct SchemaDefinitions {
    private let nodes: JSONObject
    private var schemas: [String: Schema] = [:]
    private var patterns: [String: RegularExpression] = [:]
    private var rules: [JSONValue: Schema.Rule] = [:]
    /// References under way: structural schemas have no cycles.
    private var open: Set<String> = []

    init(_ nodes: JSONObject) {
        self.nodes = nodes
    }

    mutating func schema(_ node: JSONValue) throws(SchemaError) -> Schema {
        guard let name = node["$ref"]?.text else { return try Schema(node, in: &self) }
        if let schema = schemas[name] { return schema }
        guard let definition = nodes[name], open.insert(name).inserted else {
            throw SchemaError(message: "the definition \(name) is missing or refers to itself")
        }
        let schema = try Schema(definition, in: &self)
        open.remove(name)
        schemas[name] = schema
        return schema
    }

    mutating func schema(optional node: JSONValue?) throws(SchemaError) -> Schema? {
        if let node { try schema(node) } else { nil }
    }

    mutating func schemas(_ nodes: [JSONValue]) throws(SchemaError) -> [Schema] {
        var schemas: [Schema] = []
        for node in nodes { schemas.append(try schema(node)) }
        return schemas
    }

    mutating func pattern(_ text: String?) throws(SchemaError) -> RegularExpression? {
        guard let text else { return nil }
        if let pattern = patterns[text] { return pattern }
        do {
            let pattern = try RegularExpression(text)
            patterns[text] = pattern
            return pattern
        } catch {
            throw SchemaError(message: "the pattern \(text) does not compile: \(error)")
        }
    }

    mutating func rules(_ nodes: [JSONValue]) throws(SchemaError) -> [Schema.Rule] {
        var rules: [Schema.Rule] = []
        for node in nodes { rules.append(try rule(node)) }
        return rules
    }

    private mutating func rule(_ node: JSONValue) throws(SchemaError) -> Schema.Rule {
        if let rule = rules[node] { return rule }
        guard let text = node["rule"]?.text else { throw SchemaError(message: "a rule has no text") }
        do {
            let rule = Schema.Rule(program: try CELProgram(text), message: node["message"]?.text ?? "")
            rules[node] = rule
            return rule
        } catch {
            throw SchemaError(message: "the rule \(text) does not parse at \(error.offset): \(error.message)")
        }
    }
}
