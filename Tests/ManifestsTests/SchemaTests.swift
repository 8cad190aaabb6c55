import Foundation
import Manifests
import Resources
import Testing

@Suite struct SchemaTests {
    @Test func everyKindHasASchema() throws {
        for kind in ResourceKind.allCases {
            #expect(SchemaLibrary.names.contains("\(kind.apiVersion) \(kind.rawValue)"))
        }
    }

    /// Patterns that do not compile and rules that do not parse are errors of the schema.
    @Test(arguments: SchemaLibrary.names) func isUsable(_ name: String) throws {
        let parts = name.split(separator: " ").map(String.init)
        #expect(try SchemaLibrary.schema(apiVersion: parts[0], kind: parts[1]) != nil)
    }

    static let whole: [ResourceKind] = [
        .httpRoute, .grpcRoute, .tlsRoute, .tcpRoute, .udpRoute, .referenceGrant, .backendTLSPolicy,
        .xBackendTrafficPolicy, .xMesh,
    ]

    /// An object that has every field of the schema comes back whole, so no field is lost between YAML and status.
    @Test(arguments: whole) func theTypeHasEveryField(_ kind: ResourceKind) throws {
        let entry = try #require(try Self.entry(kind))
        let definitions = entry["definitions"]?.members ?? [:]
        guard case .object(var object) = Self.instance(try #require(entry["schema"]), definitions) else {
            Issue.record("the schema is no object's")
            return
        }
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.rawValue)
        var metadata = object["metadata"]?.members ?? [:]
        // Bookkeeping of the API server, left out on purpose.
        metadata["managedFields"] = nil
        metadata["selfLink"] = nil
        object["metadata"] = .object(metadata)
        #expect(try reencoded(.object(object), kind) == .object(object))
    }

    static func entry(_ kind: ResourceKind) throws -> JSONValue? {
        let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/CSchemas/schemas.jsonl")
        for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
            let parts = line.split(separator: "\t", maxSplits: 1)
            guard parts[0] == "\(kind.apiVersion) \(kind.rawValue)" else { continue }
            return try SourceText.documents(Array(parts[1].utf8), path: "x.json").first?.value
        }
        return nil
    }

    /// A value with every property, whatever the rules say of such a combination.
    static func instance(_ schema: JSONValue, _ definitions: JSONObject) -> JSONValue {
        if let name = schema["$ref"]?.text { return instance(definitions[name] ?? .null, definitions) }
        switch schema["type"]?.text {
        case "object":
            var object = JSONObject()
            if let properties = schema["properties"]?.members {
                for key in properties.keys { object[key] = instance(properties[key] ?? .null, definitions) }
            } else if let additional = schema["additionalProperties"] {
                object["key"] = instance(additional, definitions)
            }
            return .object(object)
        case "array": return .array([instance(schema["items"] ?? .null, definitions)])
        case "integer": return .int(7)
        case "boolean": return .bool(true)
        default: return .string("text")
        }
    }
}
