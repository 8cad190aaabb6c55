import RegularExpressions
import Testing

@Suite struct SyntaxTests {
    struct Case: CustomTestStringConvertible {
        let pattern: String
        let matches: [String]
        let others: [String]

        init(_ pattern: String, _ matches: [String], not others: [String]) {
            self.pattern = pattern
            self.matches = matches
            self.others = others
        }

        var testDescription: String { pattern }
    }

    @Test(arguments: [
        Case("", [""], not: ["a"]),
        Case("/api/v[0-9]+/.*", ["/api/v1/", "/api/v12/x/y"], not: ["/api/v/", "/api/v1", "x/api/v1/"]),
        Case("a|bc|", ["a", "bc", ""], not: ["b", "abc"]),
        Case("(?:ab)*c?", ["", "abab", "ababc", "c"], not: ["aba", "cc"]),
        Case("(?P<word>x+)(?<other>y)", ["xy", "xxy"], not: ["x", "y"]),
        Case("a{2,3}", ["aa", "aaa"], not: ["a", "aaaa"]),
        Case("a{2}", ["aa"], not: ["a", "aaa"]),
        Case("a{2,}", ["aa", "aaaaaa"], not: ["", "a"]),
        Case("a{0}b", ["b"], not: ["ab"]),
        Case("a{,3}", ["a{,3}"], not: ["aa", ""]),
        Case("x{y}", ["x{y}"], not: ["x"]),
        Case("(?i)Chrome/[a-f]", ["chrome/A", "CHROME/f"], not: ["chrome/g"]),
        Case("(?i:a)b", ["ab", "Ab"], not: ["AB"]),
        Case("a(?i)b|c", ["aB", "C"], not: ["AB"]),
        Case("((?i)a)b", ["Ab", "ab"], not: ["aB"]),
        Case(#"\d\D\w\W\s\S"#, ["1a_- x"], not: ["aa_- x", "1a_-  "]),
        Case(#"[\d.]+\.\x41\x{42}"#, ["1.2.AB"], not: ["1.2AB"]),
        Case(#"\Qa.b*\E+"#, ["a.b*"], not: ["aab"]),
        Case("[]a]+", ["]a]"], not: ["[a]"]),
        Case("[^]a]", ["b", "\u{7f}"], not: ["]", "a", ""]),
        Case("[a-]", ["a", "-"], not: ["b"]),
        Case("[[:alpha:][:digit:]_]+", ["aZ9_"], not: ["a-"]),
        Case("^abc$", ["abc"], not: ["abcd", ""]),
        Case("(^a|b$)+", ["a", "b", "ab"], not: ["ba", "bb"]),
        Case("a^b", [], not: ["ab", "a^b"]),
        Case(#"\bfoo\b.*"#, ["foo", "foo bar"], not: ["foobar"]),
        Case(#"a\Bb"#, ["ab"], not: ["a b"]),
        Case(".", ["a", "\t"], not: ["\n", "", "ab"]),
        Case("(?s).", ["\n"], not: [""]),
        Case("é+x", ["éx", "ééx"], not: ["x", "ex"]),
        Case("a+?b*?", ["a", "aab"], not: ["b"]),
        Case("(a*)*", ["", "aaaa"], not: ["b"]),
        Case("(|a)+b", ["b", "aab"], not: ["a"]),
        Case("^*a", ["a"], not: ["^a"]),
        // Schema patterns of the Gateway API.
        Case(
            #"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"#, ["a", "a-b.c9"],
            not: ["-a", "a.", "A"]),
        Case("^([0-9]{1,5}(h|m|s|ms)){1,4}$", ["10s", "1h30m10s5ms"], not: ["1", "1d", "999999h", "1h1h1h1h1h"]),
        Case(#"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$"#, ["/a%20b"], not: ["/a%2", "/a b"]),
    ])
    func wholeMatch(_ example: Case) throws {
        let expression = try RegularExpression(example.pattern)
        for text in example.matches { #expect(expression.matchesWhole(text), "\(text)") }
        for text in example.others { #expect(!expression.matchesWhole(text), "\(text)") }
    }

    @Test(arguments: [
        Case("b+", ["abc", "b"], not: ["", "ac"]),
        Case("^b", ["bc"], not: ["ab"]),
        Case("b$", ["ab"], not: ["ba"]),
        Case("", ["", "x"], not: []),
        Case(#"\bfoo\b"#, ["a foo b", "foo"], not: ["afoo", "foob"]),
        Case("^a$|^$", ["", "a"], not: ["ab", "b"]),
        Case("abcd", ["ababcabcd"], not: ["ababcabc"]),
    ])
    func search(_ example: Case) throws {
        let expression = try RegularExpression(example.pattern)
        for text in example.matches { #expect(expression.search(text), "\(text)") }
        for text in example.others { #expect(!expression.search(text), "\(text)") }
    }

    @Test(
        arguments: [
            ("(a", "( without )"), ("a)", "unexpected )"), ("*a", "nothing to repeat before *"),
            ("a**", "a repetition operator follows another"), ("a{2}{3}", "a repetition operator follows another"),
            ("a*+", "a repetition operator follows another"), ("[a", "[ without ]"),
            ("[b-a]", "a range in [ ] runs backwards"), (#"(a)\1"#, #"\1 is not supported"#),
            ("(?=a)", "look-ahead is not supported"), ("(?<!a)", "look-behind is not supported"),
            (#"\pN"#, #"\p is not supported"#), ("(?m)a", "(?m is not supported"), (#"a\"#, "the pattern ends with"),
            ("a{1001}", "more than 1000 repetitions"), ("a{3,2}", "the least number"), ("[é]", "outside ASCII"),
            ("[[:nope:]]", "[:nope:] is not a class"), (#"\x4"#, #"\x must be followed"#),
            ("(?:|{2}", "nothing to repeat"),
            ("((a{100}){100}){100}", "more than 1024 states"), ("(((){1000}){1000}){1000}", nil),
            ("((|){1000}){1000}", "more than 1024 states"), ("a{1000}b{1000}", "more than 1024 states"),
            (String(repeating: "(", count: 101) + String(repeating: ")", count: 101), "groups nest deeper than 100"),
        ] as [(String, String?)])
    func refusals(_ pattern: String, _ message: String?) {
        guard let message else {
            // Nothing to repeat a thousand times is still nothing.
            #expect(throws: Never.self) { try RegularExpression(pattern) }
            return
        }
        let failure = #expect(throws: RegularExpression.Failure.self) { try RegularExpression(pattern) }
        #expect(failure?.description.contains(message) == true, "\(failure?.description ?? "")")
    }

    @Test func stateLimitIsReached() throws {
        let expression = try RegularExpression("a{1000}")
        #expect(expression.matchesWhole(String(repeating: "a", count: 1000)))
        #expect(!expression.matchesWhole(String(repeating: "a", count: 999)))
        #expect(!expression.matchesWhole(String(repeating: "a", count: 1001)))
        #expect(expression.search(String(repeating: "b", count: 70) + String(repeating: "a", count: 1100)))
    }

    @Test func inputMayComeInPieces() throws {
        let expression = try RegularExpression("ab, c+")
        var run = RegularExpression.Run()
        for byte in "ab".utf8 { expression.feed(byte, &run) }
        #expect(!expression.accepts(run))
        for byte in ", cc".utf8 { expression.feed(byte, &run) }
        #expect(expression.accepts(run))
        #expect(!run.isDead)
        expression.feed(UInt8(ascii: "x"), &run)
        #expect(run.isDead)
    }
}
