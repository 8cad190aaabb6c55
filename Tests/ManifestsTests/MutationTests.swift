import Foundation
import Manifests
import Resources
import Testing

/// Text that nobody meant to write: every answer is an object or a finding, never a crash.
@Suite struct MutationTests {
    /// SplitMix64, so that a failing seed can be run again.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    static let fragments = [
        "null", "[]", "{}", "- ", "? ", ": ", "&a ", "*a", "<<: *a", "!!int ", "|\n", ">\n", "\"", "'", "---\n",
        "...\n", "\t",
        "#", "%", "\u{0}", "\u{FEFF}", "é", "99999999999999999999", "-1", "1e999", "true", "{a: {a: {a: ", "[[[[",
        "kind: List\n",
        "items:\n", "  ", "\n", ",", "metadata: 7\n", "spec: null\n", "\\u", "@", "`",
    ]

    @Test(.timeLimit(.minutes(5)), arguments: 0..<8) func neverCrashes(_ seed: Int) throws {
        var generator = Generator(state: UInt64(seed))
        let texts = try ConformanceTests.names.filter { $0.hasPrefix("mesh/") }.map {
            Array(try ConformanceTests.text($0).utf8)
        }
        for _ in 0..<60 {
            var bytes = texts.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &generator) { Self.mutate(&bytes, &generator) }
            for path in ["a.yaml", "a.json"] {
                let text = String(decoding: bytes, as: UTF8.self)
                let batch = ManifestText.read([path: text])
                for case .upsert(let resource) in batch.events { #expect(resource.metadata.generation != nil) }
                for finding in batch.report.refusedObjects + batch.report.unknownFields {
                    #expect((1...max(1, bytes.count)).contains(finding.line ?? 0))
                }
            }
        }
    }

    /// Values of every type in every place.
    @Test(.timeLimit(.minutes(5)), arguments: ResourceKind.allCases) func anyValueAnywhere(_ kind: ResourceKind) throws
    {
        var generator = Generator(state: 7)
        let entry = try #require(try SchemaTests.entry(kind))
        let definitions = entry["definitions"]?.members ?? [:]
        for _ in 0..<100 {
            var value = Self.value(try #require(entry["schema"]), definitions, &generator, depth: 0)
            if case .object(var object) = value {
                object["apiVersion"] = .string(kind.apiVersion)
                object["kind"] = .string(kind.rawValue)
                object["metadata"] = .object(["name": .string("x")])
                value = .object(object)
            }
            let text = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
            let batch = ManifestText.read(["a.json": text])
            #expect(batch.events.count + batch.report.refusedObjects.count > 0)
        }
    }

    static func mutate(_ bytes: inout [UInt8], _ generator: inout Generator) {
        let position = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, position + Int.random(in: 0...20, using: &generator))
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes.removeSubrange(position..<end)
        case 1: bytes.insert(contentsOf: (fragments.randomElement(using: &generator) ?? "").utf8, at: position)
        case 2: bytes.insert(contentsOf: bytes[position..<end], at: position)
        case 3: for index in position..<end { bytes[index] = UInt8.random(in: 0...255, using: &generator) }
        default:
            bytes.replaceSubrange(
                position..<end, with: (fragments.randomElement(using: &generator) ?? "").utf8)
        }
    }

    static func value(
        _ schema: JSONValue, _ definitions: JSONObject, _ generator: inout Generator, depth: Int
    ) -> JSONValue {
        if let name = schema["$ref"]?.text {
            return value(definitions[name] ?? .null, definitions, &generator, depth: depth)
        }
        if depth > 8 || (depth > 0 && Int.random(in: 0..<25, using: &generator) == 0) {
            let odd: [JSONValue] = [
                .null, .bool(true), .int(.max), .double(0.5), .string(""), .string("é/\u{0}"), .array([.null]),
                .object([:]),
            ]
            return odd.randomElement(using: &generator) ?? .null
        }
        switch schema["type"]?.text {
        case "object":
            var object = JSONObject()
            for key in schema["properties"]?.members?.keys ?? [] where Bool.random(using: &generator) {
                object[key] = value(schema["properties"]?[key] ?? .null, definitions, &generator, depth: depth + 1)
            }
            return .object(object)
        case "array":
            return .array(
                (0..<Int.random(in: 0...2, using: &generator)).map { _ in
                    value(schema["items"] ?? .null, definitions, &generator, depth: depth + 1)
                })
        case "integer": return .int(Int64.random(in: -1...70_000, using: &generator))
        case "boolean": return .bool(Bool.random(using: &generator))
        default:
            let names = schema["enum"]?.elements ?? [.string("a"), .string("/a"), .string("10s"), .string("a/b")]
            return names.randomElement(using: &generator) ?? .null
        }
    }
}
