import ArgumentParser
import Foundation
import Glibc
import Yams

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, wide, json, yaml
}

struct OutputOption: ParsableArguments {
    @Option(name: .shortAndLong, help: "table, wide, json or yaml. JSON and YAML are complete.")
    var output = OutputFormat.table
}

func standardError(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}

/// Prints one payload in the format asked for. `table` renders it for people.
func show<Payload: Encodable>(_ payload: Payload, _ format: OutputFormat, table: (Bool) -> String) throws {
    switch format {
    case .table, .wide:
        let text = table(format == .wide)
        // On standard error, so that a pipe of rows stays empty.
        if text.isEmpty { standardError("none") }
        print(text, terminator: "")
    case .json:
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(payload), as: UTF8.self))
    case .yaml:
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        print(try yaml(json: encoder.encode(payload)), terminator: "")
    }
}

/// JSON as block-style YAML, key order kept. A JSON document is a YAML document, so the parser reads it as it is.
func yaml(json: Data) throws -> String {
    guard let node = try Yams.compose(yaml: String(decoding: json, as: UTF8.self)) else { return "" }
    return try Yams.serialize(node: blockStyle(node), width: -1, allowUnicode: true)
}

private func blockStyle(_ node: Node) -> Node {
    switch node {
    case .mapping(let mapping):
        let pairs = mapping.map { (plain($0.key), blockStyle($0.value)) }
        return .mapping(Node.Mapping(pairs, mapping.tag, pairs.isEmpty ? .flow : .block))
    case .sequence(let sequence):
        let items = sequence.map(blockStyle)
        return .sequence(Node.Sequence(items, sequence.tag, items.isEmpty ? .flow : .block))
    case .scalar: return plain(node)
    case .alias: return node
    }
}

/// A quoted JSON string that reads as a string without quotes loses them.
private func plain(_ node: Node) -> Node {
    guard case .scalar(let scalar) = node else { return node }
    if scalar.style == .doubleQuoted {
        let resolved = Resolver.default.resolveTag(of: Node(scalar.string, Tag(.implicit), .plain))
        let needsQuotes = scalar.string.isEmpty || resolved != .str
        return Node(scalar.string, Tag(.str), needsQuotes ? .doubleQuoted : .any)
    }
    return node
}
