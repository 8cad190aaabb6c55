import Model
import Testing

/// Single conditions, on the edges.
@Suite struct MatchTests {
    private func holds(_ match: RouteMatch, _ request: Request) -> Bool {
        table([("rule", [match])]).match(request) != nil
    }

    @Test(arguments: [
        ("/abc", "/abc", true), ("/abc", "/abc/", true), ("/abc", "/abc/d", true), ("/abc", "/abcd", false),
        ("/abc", "/ab", false), ("/abc", "/ABC", false), ("/abc/", "/abc", true), ("/abc/", "/abc/d", true),
        ("/abc/", "/abcd", false), ("/", "/", true), ("/", "/x", true), ("/", "*", true), ("/", "", true),
        ("/abc", "*", false), ("/abc", "", false), ("/abc", "/abc//d", true), ("/abc", "//abc", false),
        ("/a/b", "/a/b/c", true), ("/a/b", "/a//b", false), ("/a%20b", "/a%20b/c", true), ("/a%20b", "/a b", false),
        ("/a%2fb", "/a%2Fb", false),
    ])
    func prefix(_ prefix: String, _ path: String, _ expected: Bool) throws {
        #expect(holds(try match(prefix: prefix), Request(path)) == expected)
    }

    @Test(arguments: [
        ("/abc", "/abc", true), ("/abc", "/abc/", false), ("/abc/", "/abc", false), ("/abc", "/abc?x", true),
        ("/", "/", true), ("/", "", false), ("/a/../b", "/a/../b", true), ("/b", "/a/../b", false),
        ("/caf%C3%A9", "/caf%C3%A9", true), ("/caf%C3%A9", "/caf%c3%a9", false),
    ])
    func exact(_ path: String, _ target: String, _ expected: Bool) throws {
        #expect(holds(try match(exact: path), Request(target)) == expected)
    }

    @Test(arguments: [
        ("/v[0-9]+/.*", "/v1/x", true), ("/v[0-9]+/.*", "/v1", false), ("/v[0-9]+", "/v1/x", false),
        ("(?i)/ABC", "/abc", true), (".*", "/anything", true), ("/a|/b", "/b", true),
    ])
    func regularExpressionPath(_ pattern: String, _ path: String, _ expected: Bool) throws {
        #expect(holds(try match(regex: pattern), Request(path)) == expected)
    }

    @Test func headerNamesIgnoreCaseAndValuesDoNot() throws {
        let version = try match(headers: [("X-Version", "One")])
        #expect(holds(version, Request("/", headers: [("x-vERSION", "One")])))
        #expect(!holds(version, Request("/", headers: [("x-version", "one")])))
        #expect(!holds(version, Request("/", headers: [("x-versio", "One"), ("x-version2", "One")])))
        // `^` and `~`, `@` and a backquote differ in the bit that makes letters lower case.
        #expect(!holds(try match(headers: [("a^", "1")]), Request("/", headers: [("a~", "1")])))
    }

    @Test func repeatedHeaderLinesAreJoined() throws {
        let request = Request("/", headers: [("A", "x"), ("b", "-"), ("a", "y"), ("a", ""), ("c", "-")])
        #expect(holds(try match(headers: [("a", "x, y, ")]), request))
        #expect(!holds(try match(headers: [("a", "x, y")]), request))
        #expect(!holds(try match(headers: [("a", "x")]), request))
        #expect(!holds(try match(headers: [("a", "x,y,")]), request))
        #expect(holds(try match(headerRegexes: [("a", "x, y, ")]), request))
        #expect(holds(try match(headerRegexes: [("a", ".*y.*")]), request))
        #expect(!holds(try match(headerRegexes: [("a", "y")]), request))
    }

    @Test func hostIsTheAuthority() throws {
        let request = Request("/", authority: "one.example:8080", headers: [("Host", "other")])
        #expect(holds(try match(headers: [("host", "one.example:8080")]), request))
        #expect(holds(try match(headerRegexes: [("Host", #"one\..*"#)]), request))
        #expect(!holds(try match(headers: [("Host", "other")]), request))
        #expect(!holds(try match(headerRegexes: [("Host", ".*")]), Request("/", authority: "")))
    }

    @Test func absentAndEmptyHeadersDiffer() throws {
        let anything = try match(headerRegexes: [("a", ".*")])
        #expect(holds(anything, Request("/", headers: [("a", "")])))
        #expect(!holds(anything, Request("/")))
    }

    @Test(arguments: [
        ("a=b", "a", "b", true), ("a=b%20c", "a", "b c", true), ("a=b+c", "a", "b c", true),
        ("a=b%2Bc", "a", "b+c", true), ("%61=b", "a", "b", true), ("a+b=c", "a b", "c", true), ("a", "a", "", true),
        ("a=", "a", "", true), ("a=1&a=2", "a", "1", true), ("a=1&a=2", "a", "2", false), ("x&a=1", "a", "1", true),
        ("&&a=1&", "a", "1", true), ("a=1=2", "a", "1=2", true), ("A=1", "a", "1", false), ("a=%", "a", "%", true),
        ("a=%4", "a", "%4", true), ("a=%zz", "a", "%zz", true), ("a=%C3%A9", "a", "é", true), ("ab=1", "a", "1", false),
        ("a;b=1", "b", "1", false), ("", "a", "", false), ("a=b", "a", "bc", false), ("a=bc", "a", "b", false),
        ("a=%3D%26", "a", "=&", true), ("a%3Db=c", "a=b", "c", true), ("a%3Db=c", "a", "b=c", false),
    ])
    func query(_ query: String, _ name: String, _ value: String, _ expected: Bool) throws {
        #expect(holds(try match(query: [(name, value)]), Request("/?\(query)")) == expected)
    }

    @Test func queryRegularExpressionsSeeTheDecodedValue() throws {
        #expect(holds(try match(queryRegexes: [("a", "b c")]), Request("/?a=b%20c")))
        #expect(!holds(try match(queryRegexes: [("a", "b%20c")]), Request("/?a=b%20c")))
        #expect(!holds(try match(query: [("a", "")]), Request("/")))
    }

    @Test func ofEqualNamesTheFirstCounts() throws {
        let headers = try match(headers: [("Version", "one"), ("version", "two")])
        #expect(headers.headers.count == 1)
        #expect(holds(headers, Request("/", headers: [("version", "one")])))
        let query = try match(query: [("a", "1"), ("a", "2"), ("A", "3")])
        #expect(query.queryParams.count == 2)
        #expect(holds(query, Request("/?A=3&a=1")))
    }

    @Test func ruleWithoutMatchesTakesEverything() {
        #expect(table([("rule", [])]).match(Request("/x?y", method: "OPTIONS")) == 0)
        #expect(table([RouteTableEntry]()).match(Request("/")) == nil)
    }

    @Test func manyNamesAreLookedUpEachByItself() throws {
        let names = (0..<100).map { "header-\($0)" }
        let table = table(try names.map { ($0, [try match(headers: [($0, "1")]), try match(query: [($0, "1")])]) })
        for name in names {
            #expect(table.rule(Request("/", headers: [(name, "1")])) == name)
            #expect(table.rule(Request("/?\(name)=1")) == name)
        }
        #expect(table.rule(Request("/", headers: [("header-100", "1")])) == nil)
    }
}
