import Foundation
import Manifests
import Resources
import Testing

/// The manifests of the Gateway API's conformance suite, v1.6.1.
@Suite struct ConformanceTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")

    static let names: [String] =
        (try? FileManager.default.subpathsOfDirectory(atPath: folder.path()))?.filter { $0.hasSuffix(".yaml") }.sorted()
        ?? []

    static func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            .replacing("{GATEWAY_CLASS_NAME}", with: "weir")
    }

    @Test func allAreHere() {
        #expect(Self.names.count == 117)
    }

    @Test(arguments: names) func isInForceAsWritten(_ name: String) throws {
        let batch = ManifestText.read([name: try Self.text(name)])
        #expect(batch.report.refusedFiles.isEmpty)
        #expect(batch.report.refusedObjects.isEmpty)
        #expect(batch.report.unknownFields.isEmpty)
        #expect(batch.report.notObjects.isEmpty)
        #expect(batch.report.duplicates.isEmpty)
        let unknown = Set(batch.report.unknownKinds.compactMap { $0.object?.split(separator: " ").first })
        #expect(unknown.isSubset(of: ["ConfigMap", "Deployment"]))
        #expect(!batch.events.isEmpty)
    }

    /// What is read and written again is the object with its defaults.
    @Test(arguments: names) func survivesDecodingAndEncoding(_ name: String) throws {
        for document in try SourceText.documents(Array(try Self.text(name).utf8), path: name) {
            guard let apiVersion = document.value["apiVersion"]?.text, let kind = document.value["kind"]?.text,
                let known = ResourceKind(rawValue: kind), known.group.hasPrefix("gateway"),
                let schema = try SchemaLibrary.schema(apiVersion: apiVersion, kind: kind)
            else { continue }
            let value = Validation(document.value, against: schema).value
            #expect(try reencoded(value, known) == value)
        }
    }
}

/// `value` decoded into its type and encoded again.
func reencoded(_ value: JSONValue, _ kind: ResourceKind) throws -> JSONValue? {
    let data = try JSONEncoder().encode(try value.decodeResource(kind))
    return try SourceText.documents(Array(data), path: "x.json").first?.value
}
