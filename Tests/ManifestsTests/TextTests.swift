import Manifests
import Resources
import Testing

/// YAML and JSON as text.
@Suite struct TextTests {
    func value(_ text: String, path: String = "a.yaml") throws -> JSONValue? {
        try SourceText.documents(Array(text.utf8), path: path).first?.value
    }

    @Test(
        arguments: [
            ("a", .string("a")), ("1", .int(1)), ("-7", .int(-7)), ("+7", .int(7)), ("010", .int(8)),
            ("0x1F", .int(31)),
            ("0o17", .int(15)), ("0b101", .int(5)), ("1_000", .int(1000)), ("08", .int(8)),
            ("9223372036854775807", .int(.max)), ("1.5", .double(1.5)), ("-.5", .double(-0.5)), ("1e3", .int(1000)),
            ("1.", .int(1)), ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("true", .bool(true)),
            ("Yes", .bool(true)), ("off", .bool(false)), ("y", .string("y")), ("null", .null), ("~", .null),
            ("", .null),
            ("\"1\"", .string("1")), ("'true'", .string("true")), ("!!str 1", .string("1")), ("!!int \"1\"", .int(1)),
            ("!!float 1", .int(1)), ("2026-01-31T12:00:00Z", .string("2026-01-31T12:00:00Z")),
            ("1.2.3.4", .string("1.2.3.4")),
            ("10s", .string("10s")), ("1:30", .string("1:30")), ("+", .string("+")), (".", .string(".")),
            ("0.5.1", .string("0.5.1")), ("| \n  a\n  b\n", .string("a\nb\n")), (">-\n  a\n  b\n", .string("a b")),
        ] as [(String, JSONValue)])
    func scalars(_ text: String, _ value: JSONValue) throws {
        let object = try self.value("key: \(text)")
        #expect(object?["key"] == value)
    }

    @Test(arguments: ["a.yaml", "a.json"]) func aByteOrderMarkIsNoPartOfTheText(path: String) throws {
        let text = "\u{FEFF}{\"key\":\r\n\"value\"}\r\n"
        #expect(try value(text, path: path)?["key"] == .string("value"))
    }

    @Test func aByteOrderMarkMayBeginAnObject() throws {
        #expect(try value("\u{FEFF}a: 1\r\nb:\r\n  c: 2\r\n")?["b"]?["c"] == .int(2))
    }

    @Test(arguments: [
        "a: .nan", "a: .inf", "a: 1e999", "a: !!int x", "a: !!binary AAAA", "a: !mine x", "a: !mine [x]", "? [a]\n: b",
        "{a: 1}: b", "a: 1\na: 2", "'1': a\n1: b", "a: [", "a: {", "a: b: c", "\ta: b", "a: *nothing", "a: 'x",
        "a: \"\\q\"",
        "<<: 1", "<<: [1]", "a: %x\n%y: @", "a: \u{1}",
    ])
    func yamlThatIsRefused(_ text: String) {
        #expect(throws: SourceError.self) { try value(text) }
    }

    @Test func mergeKeysAndAliases() throws {
        let text = """
            base: &base {a: 1, b: 2}
            other: &other {b: 3, c: 4}
            one: {<<: *base, b: 9}
            many: {<<: [*base, *other]}
            same: *base
            """
        let value = try value(text)
        #expect(value?["one"] == .object(["a": .int(1), "b": .int(9)]))
        #expect(value?["many"] == .object(["a": .int(1), "b": .int(2), "c": .int(4)]))
        #expect(value?["same"] == .object(["a": .int(1), "b": .int(2)]))
    }

    @Test func manyDocuments() throws {
        let documents = try SourceText.documents(Array("# x\n---\na: 1\n...\n---\n---\nb: 2\n".utf8), path: "a.yaml")
        #expect(documents.map(\.value) == [.object(["a": .int(1)]), .null, .object(["b": .int(2)])])
        #expect(documents.map(\.lines.line) == [3, 6, 7])
    }

    /// What JSON has and YAML's parser does not take: surrogates, long keys, tabs.
    @Test func jsonWithAllItsEscapes() throws {
        let long = String(repeating: "k", count: 2000)
        let text = "{\n\t\"a\": \"\\ud83d\\ude00\\u00e9\\n\\/\",\n\t\"\(long)\": [1, -2.5e1, true, null, {}, []]}"
        for path in ["a.json", "a.yaml"] {
            let value = try value(text, path: path)
            #expect(value?["a"] == .string("😀é\n/"))
            #expect(value?[long]?.elements?.count == 6)
        }
    }

    @Test(arguments: [
        "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "[1,]", "[1 2]", "{a: 1}", "'a'", "01", "1.", "1e", "-",
        "+1", "nul",
        "\"\\ud83d\"", "\"\\u12\"", "\"\\x\"", "\"\n\"", "{\"a\":1,\"a\":2}", "1e999", "\u{FEFF}{", "NaN", "// x",
        String(repeating: "[", count: 100_000),
    ])
    func jsonThatIsRefused(_ text: String) {
        #expect(throws: SourceError.self) { try value(text, path: "a.json") }
    }

    @Test func severalJSONDocuments() throws {
        #expect(try SourceText.documents(Array("{}\n[]  1".utf8), path: "a.json").count == 3)
        #expect(try SourceText.documents([], path: "a.json").isEmpty)
        #expect(try SourceText.documents([], path: "a.yaml").isEmpty)
    }

    @Test func textThatIsNotUTF8() {
        for path in ["a.yaml", "a.json"] {
            #expect(throws: SourceError.self) {
                try SourceText.documents([0x61, 0x3A, 0x20, 0x22, 0xFF, 0x22], path: path)
            }
        }
    }

    /// Ten lists of ten aliases each stand for ten thousand million values.
    @Test(.timeLimit(.minutes(1))) func aliasesThatMultiply() throws {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...10 {
            let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(throws: SourceError(line: 1, message: "its aliases expand to too many values")) { try value(text) }
        for key in ["? *a10\n: x\n", "*a10 : x\n", "{*a10: x}\n", "[*a10]: x\n", "{[*a10] : x}\n"] {
            #expect(throws: SourceError.self) { try value(text + "---\n" + key) }
            #expect(throws: SourceError.self) { try value(text + key) }
        }
    }

    @Test(arguments: [
        String(repeating: "[", count: 20_000), String(repeating: "{a: ", count: 20_000),
        String(repeating: "- ", count: 20_000),
        (0..<300).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        String(repeating: "? ", count: 20_000), String(repeating: "[", count: 101) + String(repeating: "]", count: 101),
    ])
    func deepNesting(_ text: String) {
        #expect(throws: SourceError.self) { try value(text) }
    }

    @Test func depthUpToTheLimit() throws {
        let depth = SourceText.maximumDepth
        for path in ["a.json", "a.yaml"] {
            let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(try value(text, path: path) != nil)
        }
    }

    @Test func fileSize() {
        let text = [UInt8](repeating: UInt8(ascii: "#"), count: SourceText.maximumSize + 1)
        #expect(throws: SourceError(line: 1, message: "is larger than 4 MiB")) {
            try SourceText.documents(text, path: "a.yaml")
        }
    }

    @Test func linesOfFields() throws {
        let text = """
            apiVersion: v1
            kind: Service
            metadata:
              name: echo
            spec:
              ports:
              - name: a
                port: 1
              -
                port: 2
                name: b
            """
        let document = try #require(try SourceText.documents(Array(text.utf8), path: "a.yaml").first)
        let ports = FieldPath().field("spec").field("ports")
        #expect(document.line(of: FieldPath()) == 1)
        #expect(document.line(of: ports) == 6)
        #expect(document.line(of: ports.index(0).field("port")) == 8)
        #expect(document.line(of: ports.index(1).field("name")) == 11)
        #expect(document.line(of: ports.index(1).field("nothing")) == 10)
        #expect(ports.index(1).field("name").description == "spec.ports[1].name")
        #expect(FieldPath().field("metadata").field("labels").key("a.b/c").description == "metadata.labels[a.b/c]")
    }
}
