import CSchemas
import Synchronization
import Resources

/// The schema of one version of a kind.
package struct KindSchema: Sendable {
    let schema: Schema
    let isNamespaced: Bool
    /// The API server decodes the kind into its own types, where null is the same as absent.
    let nullIsAbsent: Bool
}

/// The schemas embedded in the program, each made when it is first asked for.
package enum SchemaLibrary {
    private static let made = Mutex<[String: KindSchema]>([:])

    /// `APIVERSION KIND` of every schema.
    package static var names: [String] { index.keys.sorted() }

    /// nil for a kind or version without a schema.
    package static func schema(apiVersion: String, kind: String) throws(SchemaError) -> KindSchema? {
        let name = "\(apiVersion) \(kind)"
        if let schema = made.withLock({ $0[name] }) { return schema }
        guard let range = index[name] else { return nil }
        let schema = try make(range)
        made.withLock { $0[name] = schema }
        return schema
    }

    /// The versions of a kind that have a schema.
    package static func versions(group: String, kind: String) -> [String] {
        index.keys.compactMap { name in
            let parts = name.split(separator: " ")
            let version = parts[0].split(separator: "/")
            let isGroup = version.count == 2 ? version[0] == group : group.isEmpty
            return isGroup && parts[1] == kind ? String(version[version.count - 1]) : nil
        }
        .sorted()
    }

    private static let index: [String: Range<Int>] = {
        var index: [String: Range<Int>] = [:]
        data { bytes in
            var start = 0
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                if let tab = bytes[start..<end].firstIndex(of: UInt8(ascii: "\t")) {
                    index[String(decoding: bytes[start..<tab], as: UTF8.self)] = tab + 1..<end
                }
                start = end + 1
            }
        }
        return index
    }()

    private static func data<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        body(UnsafeBufferPointer(start: schemas_start(), count: schemas_length()))
    }

    private static func make(_ range: Range<Int>) throws(SchemaError) -> KindSchema {
        let bytes = data { Array($0[range]) }
        guard let entry = try? JSONText.documents(bytes).first?.value, let node = entry["schema"] else {
            throw SchemaError(message: "an embedded schema is no JSON")
        }
        var definitions = SchemaDefinitions(entry["definitions"]?.members ?? [:])
        return KindSchema(
            schema: try definitions.schema(node), isNamespaced: entry["scope"] == .string("Namespaced"),
            nullIsAbsent: entry["nullIsAbsent"] == .bool(true))
    }
}
