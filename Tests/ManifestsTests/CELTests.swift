import Manifests
import Resources
import Testing

@Suite struct CELTests {
    static let object: JSONValue = .object([
        "name": .string("Grüße"), "port": .int(80), "weight": .double(0.5), "on": .bool(true), "none": .null,
        "list": .array([.int(1), .int(2), .int(3)]), "names": .array([.string("a"), .string("b")]),
        "map": .object(["x": .int(1), "y-z": .int(2)]), "namespace": .string("prod"), "empty": .string(""),
        "routes": .array([.object(["name": .string("a"), "port": .int(1)]), .object(["name": .string("b")])]),
        "timeout": .string("1m30s"),
    ])

    @Test(arguments: [
        "true", "!false", "!!true", "self.port == 80", "80 == self.port", "self.port != 81", "self.port < 81",
        "self.port <= 80", "self.port > 79", "self.port >= 80", "1 + 2 * 3 == 7", "(1 + 2) * 3 == 9", "7 / 2 == 3",
        "-7 / 2 == -3", "7 % 4 == 3", "-1 - -2 == 1", "10 - 3 - 2 == 5", "self.weight == 0.5", "self.weight < 1",
        "self.on", "self.none == null", "self.name == 'Grüße'", "self.name.size() == 5", "size(self.name) == 5",
        "size(self.list) == 3", "self.map.size() == 2", "self.list[2] == 3", "self.map['x'] == 1",
        "self.map['y-z'] == 2", "self.map.y__dash__z == 2", "self.__namespace__ == 'prod'", "has(self.port)",
        "!has(self.absent)", "has(self.map.x)", "!has(self.map.q)", "has(self.empty)", "2 in self.list",
        "!(4 in self.list)", "'a' in self.names", "'x' in self.map", "!('q' in self.map)", "'a' in ['a', 'b']",
        "self.list.all(x, x > 0)", "!self.list.all(x, x > 1)", "self.list.exists(x, x == 3)",
        "!self.list.exists(x, x == 4)", "self.list.exists_one(x, x == 2)", "!self.list.exists_one(x, x > 1)",
        "self.list.filter(x, x > 1) == [2, 3]", "self.list.map(x, x * 2) == [2, 4, 6]", "self.map.all(k, k != '')",
        "self.routes.all(r, self.routes.exists_one(q, q.name == r.name))", "[].all(x, x)", "![].exists(x, x)",
        "self.port == 80 ? true : self.absent == 1", "self.port == 81 ? self.absent == 1 : true",
        "false ? false : false ? false : true", "self.name.startsWith('Gr')", "self.name.endsWith('ße')",
        "self.name.contains('rüß')", "''.contains('')", "!'ab'.contains('abc')", "'a/b/c'.split('/')[1] == 'b'",
        "'a/b/c'.split('/').size() == 3", "'*.x'.substring(2) == 'x'", "'abcd'.substring(1, 3) == 'bc'",
        "self.name.matches('^Gr')", #"'a.b'.matches(r"""^[a-z]\.[a-z]$""")"#, #"'a.b'.matches('^[a-z]\\.[a-z]$')"#,
        "'xay'.matches('a')", "'ABC'.lowerAscii() == 'abc'", "'abc'.upperAscii() == 'ABC'", "' a '.trim() == 'a'",
        "duration(self.timeout) == duration('90s')", "duration('1h') > duration('59m59s999ms')",
        "duration('-1s') < duration('0s')", "duration('1.5s') == duration('1500ms')", "isIP('10.0.0.1')", "isIP('::1')",
        "!isIP('10.0.0')", "!isIP('echo')", "ip('::1').family() == 6", "type(self.port) == int",
        "type(self.name) != int", "int('7') == 7", "string(7) == '7'",
        "format.dns1123Label().validate('a-b') == null", "format.dns1123Label().validate('A') != null",
        "'a' + 'b' == 'ab'", "[1] + [2] == [1, 2]", "'a' < 'b'", "1 == 1.0", "\"a\\tb\" == 'a\\tb'", "'\\u0041' == 'A'",
        // A failure yields to the other side's verdict.
        "self.absent == 1 || true", "true || self.absent == 1", "!(self.absent == 1 && false)",
        "self.list.exists(x, x == 3 || self.absent == x)", "!self.list.all(x, x == 4 && self.absent == x)",
    ])
    func holds(_ text: String) throws {
        #expect(try CELProgram(text).holds(Self.object))
    }

    @Test(arguments: [
        ("self.absent == 1", "no such key: absent"), ("self.list[3] == 1", "index out of bounds: 3"),
        ("self.map['q'] == 1", "no such key: q"), ("self.port", "no such overload: bool"),
        ("self.name > 1", "no such overload: comparison"), ("self.name.all(x, x == 1)", "no such overload: all"),
        ("1 / 0 == 1", "integer overflow or division by zero"),
        ("9223372036854775807 + 1 == 0", "integer overflow or division by zero"),
        ("undefined == 1", "undeclared reference to undefined"),
        ("duration('x') == duration('0s')", "\"x\" is no duration"),
        ("self.list.all(x, x == self.absent)", "no such key: absent"),
        ("'ab'.substring(3) == ''", "index out of range"),
        ("self.absent == 1 || false", "no such key: absent"), ("'a'.matches(self.name + '(')", nil),
    ])
    func hasNoValue(_ text: String, _ message: String?) throws {
        let program = try CELProgram(text)
        do throws(CELFailure) {
            _ = try program.holds(Self.object)
            Issue.record("\(text) has a value")
        } catch {
            if let message { #expect(error.message == message) }
        }
    }

    @Test(arguments: [
        "", "self.", "self ==", "(self", "self)", "self.list.all(x)", "self.list.all(1, true)", "size()", "size(1, 2)",
        "nothing(self)", "self.nothing()", "'a", "r'a", "'\\q'", "has(self)", "a ? b", "1 2", "self..x", "@", "[1,",
        "'a'.matches('(')", "99999999999999999999 == 1", "format.nothing().validate('a')",
        String(repeating: "(", count: 10_000), String(repeating: "!", count: 10_000) + "true",
    ])
    func isRefused(_ text: String) {
        #expect(throws: CELSyntaxError.self) { try CELProgram(text) }
    }

    @Test func comparesWithTheValueBefore() throws {
        let program = try CELProgram("self == oldSelf")
        #expect(program.isTransition)
        #expect(try program.holds(.string("a"), old: .string("a")))
        #expect(try !program.holds(.string("a"), old: .string("b")))
        #expect(try !CELProgram("self.oldSelfish == 1 || true").isTransition)
    }
}
