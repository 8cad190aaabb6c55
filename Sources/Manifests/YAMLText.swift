import Resources
import Yams

/// YAML as kubectl takes it: the JSON subset of the data model, plain scalars by YAML 1.1 except that timestamps stay
/// text, merge keys, anchors within reason.
enum YAMLText {
    static func documents(_ bytes: [UInt8]) throws(SourceError) -> [SourceDocument] {
        // YAML 1.1, section 5.2: a byte order mark may begin the stream. The parser, told the encoding, takes none.
        let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SourceError(line: 1, message: "is not UTF-8")
        }
        if hasAliasesInKeys(bytes) {
            throw SourceError(line: 1, message: "uses aliases inside the keys of mappings")
        }
        var documents: [SourceDocument] = []
        do {
            let parser = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8)
            while let root = try parser.nextRoot() {
                var builder = YAMLBuilder(budget: bytes.count + YAMLBuilder.allowance)
                documents.append(try builder.document(root, depth: 1))
            }
        } catch let error as SourceError {
            throw error
        } catch let error as YamlError {
            throw SourceError(error)
        } catch {
            throw SourceError(line: 1, message: "\(error)")
        }
        return documents
    }

    /// The composer hashes the keys of a mapping, and a key made of nested aliases takes time exponential in the
    /// file's size to hash. True when a file has enough aliases for that and something that may be such a key: `? key`,
    /// `*alias :`, or a flow collection before a colon. Never false for a file that has one.
    private static func hasAliasesInKeys(_ bytes: [UInt8]) -> Bool {
        var aliases = 0
        var suspects = false
        for index in bytes.indices {
            let previous = index > 0 ? bytes[index - 1] : UInt8(ascii: "\n")
            switch bytes[index] {
            case UInt8(ascii: "*") where startsToken(after: previous):
                aliases += 1
                let name = bytes[(index + 1)...].prefix { !isBlank($0) && $0 != UInt8(ascii: ":") }
                if colonFollows(name.endIndex, bytes) { suspects = true }
            case UInt8(ascii: "?") where startsToken(after: previous): suspects = true
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if colonFollows(index + 1, bytes) { suspects = true }
            default: break
            }
        }
        return suspects && aliases >= 10
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        JSONText.isSpace(byte)
    }

    private static func startsToken(after byte: UInt8) -> Bool {
        isBlank(byte) || "[{,:-?".utf8.contains(byte) || byte == 0xBF
    }

    private static func colonFollows(_ index: Int, _ bytes: [UInt8]) -> Bool {
        bytes[index...].first { !isBlank($0) } == UInt8(ascii: ":")
    }
}

extension SourceError {
    fileprivate init(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let around = context.map { "\($0.text) from line \($0.mark.line): " } ?? ""
            self.init(line: mark.line, message: around + problem)
        case .reader(let problem, _, _, _): self.init(line: 1, message: problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(line: context.mark.line, message: "the key \(keys) occurs twice")
        default: self.init(line: 1, message: "\(error)")
        }
    }
}

/// Turns a tree of the YAML parser into JSON. Aliases share memory in the parser's tree and multiply here, so the
/// number of values is held to what the file's size can account for.
private struct YAMLBuilder {
    /// Values beyond the file's size in bytes, for small files with honest aliases.
    static let allowance = 10_000

    var budget: Int

    mutating func document(_ node: Node, depth: Int) throws(SourceError) -> SourceDocument {
        let line = node.mark?.line ?? 1
        budget -= 1
        guard budget > 0 else { throw SourceError(line: line, message: "its aliases expand to too many values") }
        guard depth <= SourceText.maximumDepth else {
            throw SourceError(line: line, message: "nests deeper than \(SourceText.maximumDepth) levels")
        }
        switch node {
        case .scalar(let scalar):
            let value = try YAMLScalar.value(scalar, line: line)
            return SourceDocument(value: value, lines: SourceLines(line: line))
        case .sequence(let sequence):
            try check(sequence.tag, ["tag:yaml.org,2002:seq"], line)
            var array: [JSONValue] = []
            var children: [SourceLines] = []
            for element in sequence {
                let document = try document(element, depth: depth + 1)
                array.append(document.value)
                children.append(document.lines)
            }
            return SourceDocument(value: .array(array), lines: SourceLines(line: line, children: children))
        case .mapping(let mapping):
            try check(mapping.tag, ["tag:yaml.org,2002:map"], line)
            return try object(mapping, line: line, depth: depth)
        case .alias:
            throw SourceError(line: line, message: "has an alias without a value")
        }
    }

    private func check(_ tag: Tag, _ allowed: [String], _ line: Int) throws(SourceError) {
        let name = tag.name
        guard name.isEmpty || name == "!" || allowed.contains(name) else {
            throw SourceError(line: line, message: "the tag \(name) has no meaning here")
        }
    }

    private mutating func object(_ mapping: Node.Mapping, line: Int, depth: Int) throws(SourceError) -> SourceDocument {
        var object = JSONObject()
        var children: [SourceLines] = []
        var merges: [Node] = []
        for (keyNode, valueNode) in mapping {
            let keyLine = keyNode.mark?.line ?? line
            guard case .scalar(let scalar) = keyNode else {
                throw SourceError(line: keyLine, message: "a mapping's key must be a scalar")
            }
            if scalar.string == "<<", scalar.style == .plain {
                merges.append(valueNode)
                continue
            }
            let key = scalar.string
            guard object[key] == nil else {
                throw SourceError(line: keyLine, message: "the key \"\(key)\" occurs twice")
            }
            let member = try document(valueNode, depth: depth + 1)
            object[key] = member.value
            children.append(SourceLines(line: keyLine, children: member.lines.children))
        }
        for node in merges {
            for source in try sources(of: node, line) {
                let merged = try document(source, depth: depth + 1)
                guard case .object(let members) = merged.value else { continue }
                for (key, lines) in zip(members.keys, merged.lines.children) where object[key] == nil {
                    object[key] = members[key]
                    children.append(lines)
                }
            }
        }
        return SourceDocument(value: .object(object), lines: SourceLines(line: line, children: children))
    }

    /// The mappings that a merge key names: one, or a list of them.
    private func sources(of node: Node, _ line: Int) throws(SourceError) -> [Node] {
        let nodes: [Node] = if case .sequence(let sequence) = node { Array(sequence) } else { [node] }
        guard nodes.allSatisfy({ if case .mapping = $0 { true } else { false } }) else {
            throw SourceError(line: node.mark?.line ?? line, message: "<< must name a mapping or a list of mappings")
        }
        return nodes
    }
}

extension Tag {
    /// Empty when the document gives none.
    fileprivate var name: String { description }
}

/// What a plain scalar means, by the YAML 1.1 schema that kubectl follows.
private enum YAMLScalar {
    static func value(_ scalar: Node.Scalar, line: Int) throws(SourceError) -> JSONValue {
        let text = scalar.string
        let tag = scalar.tag.description
        switch tag {
        case "" where scalar.style == .plain: return try plain(text, line)
        case "", "!", "tag:yaml.org,2002:str": return .string(text)
        case "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float":
            let value = try plain(text, line)
            let wanted = tag.split(separator: ":").last.map(String.init) ?? ""
            switch (wanted, value) {
            case ("null", .null), ("bool", .bool), ("int", .int), ("float", .double), ("float", .int): return value
            default: throw SourceError(line: line, message: "\"\(text)\" is no \(wanted)")
            }
        default: throw SourceError(line: line, message: "the tag \(tag) has no meaning here")
        }
    }

    private static func plain(_ text: String, _ line: Int) throws(SourceError) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
        case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
            throw SourceError(line: line, message: "\(text) has no place in JSON")
        default: break
        }
        guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else { return .string(text) }
        if let int = integer(text) { return .int(int) }
        if isFloat(text), let double = Double(text.filter { $0 != "_" }) {
            guard double.isFinite else { throw SourceError(line: line, message: "the number \(text) is out of range") }
            return .number(double)
        }
        return .string(text)
    }

    private static func integer(_ text: String) -> Int64? {
        var digits = text.filter { $0 != "_" }
        var sign = ""
        if let first = digits.first, first == "+" || first == "-" {
            digits.removeFirst()
            if first == "-" { sign = "-" }
        }
        guard let first = digits.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
            return Int64(sign + digits.dropFirst(2), radix: radix)
        }
        if digits.utf8.count > 1, first == UInt8(ascii: "0") { return Int64(sign + digits, radix: 8) }
        return Int64(sign + digits)
    }

    /// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
    private static func isFloat(_ text: String) -> Bool {
        var rest = text.utf8.filter { $0 != UInt8(ascii: "_") }[...]
        func digits() -> Int {
            let run = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest = rest.dropFirst(run)
            return run
        }
        func take(_ characters: String) -> Bool {
            guard let first = rest.first, characters.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        _ = take("+-")
        let whole = digits()
        let fraction = take(".") ? digits() : 0
        guard whole + fraction > 0 else { return false }
        if take("eE") {
            _ = take("+-")
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }
}
