import HTTPWire
import Model
import Testing

@Suite struct CORSTests {
    private static func policy(
        _ origins: [String], credentials: Bool = false, methods: [String] = [], headers: [String] = [],
        exposed: [String] = [], maximumAge: UInt32 = 5
    ) -> CORSPolicy {
        func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }
        return CORSPolicy(
            allowedOrigins: bytes(origins), allowsCredentials: credentials, allowedMethods: bytes(methods),
            allowedHeaders: bytes(headers), exposedHeaders: bytes(exposed), maximumAge: maximumAge)
    }

    /// The routes of HTTPRouteCORS, by their paths.
    private static let routes: [String: CORSPolicy] = [
        "/cors-1": policy(
            ["https://www.foo.com", "https://*.bar.com"], credentials: true, methods: ["GET", "OPTIONS"],
            headers: ["x-header-1", "x-header-2"], exposed: ["x-header-3", "x-header-4"], maximumAge: 3600),
        "/cors-2": policy(["https://www.foo.com"], methods: ["*"]),
        "/cors-wildcard-origin": policy(["*"], methods: ["PUT"]),
        "/cors-wildcard-methods-headers": policy(["*"], credentials: true, methods: ["*"], headers: ["*"]),
        "/cors-wildcard-methods-headers-unauth": policy(["*"], methods: ["*"], headers: ["*"]),
    ]

    private struct Answer: Equatable {
        var isPreflight: Bool
        /// `name: value`, in the order in which they are written.
        var lines: [String]
    }

    private static func answer(_ policy: CORSPolicy, _ request: Request) -> Answer {
        let (head, _, fields) = request.parts()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
        defer { buffer.deallocate() }
        var writer = HeadWriter(buffer)
        let isPreflight = CORSTable(policy).answer(
            head.span, fields.span, isOptions: request.method == "OPTIONS", into: &writer)
        #expect(!writer.overflowed)
        let text = String(decoding: buffer[..<writer.count], as: UTF8.self)
        #expect(text.hasSuffix("\r\n"))
        return Answer(
            isPreflight: isPreflight,
            lines: text.split(separator: "\r\n", omittingEmptySubsequences: true).map(String.init))
    }

    struct Case: CustomTestStringConvertible {
        var name: String
        var path: String
        var method = "OPTIONS"
        var origin: String?
        var asksMethod: String?
        var asksHeaders: String?
        var isPreflight = true
        var lines: [String]
        var testDescription: String { name }
    }

    private static let varyAll = "vary: origin, access-control-request-method, access-control-request-headers"

    static let cases: [Case] = [
        Case(
            name: "preflight from an exact origin", path: "/cors-1", origin: "https://www.foo.com", asksMethod: "GET",
            asksHeaders: "x-header-1, x-header-2", lines: configured("https://www.foo.com")),
        Case(
            name: "preflight from a wildcard origin", path: "/cors-1", origin: "https://www.bar.com", asksMethod: "GET",
            asksHeaders: "x-header-1, x-header-2", lines: configured("https://www.bar.com")),
        Case(
            name: "preflight from several labels left of the wildcard", path: "/cors-1",
            origin: "https://xpto.www.bar.com", asksMethod: "GET", asksHeaders: "x-header-1, x-header-2",
            lines: configured("https://xpto.www.bar.com")),
        Case(
            name: "preflight from another origin", path: "/cors-1", origin: "https://foobar.com", asksMethod: "GET",
            lines: [varyAll]),
        Case(
            name: "simple request from an exact origin", path: "/cors-1", method: "GET", origin: "https://www.foo.com",
            asksMethod: "GET", asksHeaders: "x-header-1, x-header-2", isPreflight: false,
            lines: [
                "access-control-allow-origin: https://www.foo.com", "access-control-allow-credentials: true",
                "access-control-expose-headers: x-header-3, x-header-4", "vary: origin",
            ]),
        Case(
            name: "simple request from another origin", path: "/cors-1", method: "GET", origin: "https://foobar.com",
            asksMethod: "GET", isPreflight: false, lines: ["vary: origin"]),
        Case(
            name: "simple request without an origin", path: "/cors-1", method: "GET", isPreflight: false,
            lines: ["vary: origin"]),
        Case(
            name: "preflight for POST where every method is allowed", path: "/cors-2", origin: "https://www.foo.com",
            asksMethod: "POST",
            lines: [
                "access-control-allow-origin: https://www.foo.com", "access-control-allow-methods: POST",
                "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "preflight where every origin is allowed", path: "/cors-wildcard-origin",
            origin: "https://foobar.com",
            asksMethod: "PUT",
            lines: [
                "access-control-allow-origin: https://foobar.com", "access-control-allow-methods: PUT",
                "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "preflight from an origin with a port where every one is allowed", path: "/cors-wildcard-origin",
            origin: "https://foobar.com:12345", asksMethod: "PUT",
            lines: [
                "access-control-allow-origin: https://foobar.com:12345", "access-control-allow-methods: PUT",
                "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "request from an origin with a port where every one is allowed", path: "/cors-wildcard-origin",
            method: "PUT", origin: "https://foobar.com:12345", isPreflight: false,
            lines: ["access-control-allow-origin: https://foobar.com:12345", "vary: origin"]),
        Case(
            name: "wildcards with credentials echo", path: "/cors-wildcard-methods-headers",
            origin: "https://other.foo.com", asksMethod: "PUT", asksHeaders: "x-header-1, x-header-2",
            lines: [
                "access-control-allow-origin: https://other.foo.com", "access-control-allow-credentials: true",
                "access-control-allow-methods: PUT", "access-control-allow-headers: x-header-1, x-header-2",
                "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "wildcards with credentials say nothing that was not asked", path: "/cors-wildcard-methods-headers",
            origin: "https://other.foo.com", asksMethod: "PUT",
            lines: [
                "access-control-allow-origin: https://other.foo.com", "access-control-allow-credentials: true",
                "access-control-allow-methods: PUT", "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "wildcards without credentials", path: "/cors-wildcard-methods-headers-unauth",
            origin: "https://other.foo.com", asksMethod: "PUT",
            lines: [
                "access-control-allow-origin: https://other.foo.com", "access-control-allow-methods: PUT",
                "access-control-allow-headers: *", "access-control-max-age: 5", varyAll,
            ]),
        Case(
            name: "OPTIONS that asks for no method is no preflight", path: "/cors-1", origin: "https://www.foo.com",
            isPreflight: false,
            lines: [
                "access-control-allow-origin: https://www.foo.com", "access-control-allow-credentials: true",
                "access-control-expose-headers: x-header-3, x-header-4", "vary: origin",
            ]),
        Case(
            name: "OPTIONS without an origin is no preflight", path: "/cors-1", asksMethod: "GET", isPreflight: false,
            lines: ["vary: origin"]),
    ]

    private static func configured(_ origin: String) -> [String] {
        [
            "access-control-allow-origin: \(origin)", "access-control-allow-credentials: true",
            "access-control-allow-methods: GET, OPTIONS", "access-control-allow-headers: x-header-1, x-header-2",
            "access-control-max-age: 3600", "access-control-expose-headers: x-header-3, x-header-4", varyAll,
        ]
    }

    @Test("HTTPRouteCORS", arguments: cases)
    func conformance(_ one: Case) throws {
        var headers = [("X-Other", "1")]
        if let origin = one.origin { headers.append(("Origin", origin)) }
        if let method = one.asksMethod { headers.append(("access-control-request-method", method)) }
        if let names = one.asksHeaders { headers.append(("Access-Control-Request-Headers", names)) }
        let policy = try #require(Self.routes[one.path])
        let answer = Self.answer(policy, Request(one.path, method: one.method, headers: headers))
        #expect(answer == Answer(isPreflight: one.isPreflight, lines: one.lines))
    }

    @Test(
        "which origins a pattern allows (GEP-1767, RFC 6454 section 6.2)",
        arguments: [
            ("https://www.foo.com", "https://www.foo.com", true), ("https://www.foo.com", "HTTPS://WWW.Foo.com", true),
            ("https://www.foo.com", "https://www.foo.com:443", true),
            ("https://www.foo.com:443", "https://www.foo.com", true),
            ("http://www.foo.com:80", "http://www.foo.com", true), ("https://www.foo.com", "http://www.foo.com", false),
            ("https://www.foo.com", "https://www.foo.com:444", false), ("http://a.com:8080", "http://a.com:8080", true),
            ("http://a.com:8080", "http://a.com", false), ("https://www.foo.com", "https://www.foo.co", false),
            ("https://www.foo.com", "https://www.foo.comm", false),
            ("https://www.foo.com", "https://xwww.foo.com", false),
            ("https://*.bar.com", "https://bar.com", false), ("https://*.bar.com", "https://foobar.com", false),
            ("https://*.bar.com", "https://.bar.com", false), ("https://*.bar.com", "https://a.bar.com:443", true),
            ("https://*.bar.com", "https://a.bar.com:8443", false),
            ("https://*.bar.com:8443", "https://a.bar.com:8443", true),
            ("https://*.bar.com", "http://a.bar.com", false), ("https://*.bar.com", "https://evil.com/.bar.com", false),
            ("https://*.bar.com", "https://evil.com#.bar.com", false),
            ("https://*.bar.com", "https://a@b.bar.com", false),
            ("https://*.bar.com", "https://*.bar.com", false), ("https://*", "https://any.thing", true),
            ("https://*", "https://any.thing:444", false), ("http://*:8080", "http://[2001:db8::1]:8080", true),
            ("http://*:8080", "http://[2001:db8::1:8080", false), ("https://*", "https://", false),
            ("https://*", "null", false), ("*", "null", true), ("*", "https://x", true), ("*", "", false),
            ("https://a", "https://a:", false), ("https://a", "https://a:0443", true),
            ("https://a", "https://a:99999", false),
            ("https://a", "https://a:000443", false), ("https://a", "ftp://a", false), ("https://a", "https", false),
            ("https://a", "https://a, https://b", false),
        ])
    func origins(_ pattern: String, _ origin: String, _ isAllowed: Bool) {
        #expect(Self.allows(CORSTable(Self.policy([pattern])), origin) == isAllowed)
    }

    private static func allows(_ table: CORSTable, _ origin: String) -> Bool { table.allows(Array(origin.utf8).span) }

    @Test func firstOfSeveralOriginsThatMatches() {
        let table = CORSTable(Self.policy((0..<63).map { "https://h\($0).example.com" } + ["https://*.last.com"]))
        for origin in ["https://h0.example.com", "https://h62.example.com", "https://a.last.com"] {
            #expect(Self.allows(table, origin))
        }
        #expect(!Self.allows(table, "https://h63.example.com"))
    }

    @Test func twoOriginsAreNone() {
        let request = Request(
            "/", headers: [("Origin", "https://www.foo.com"), ("origin", "https://www.foo.com")])
        #expect(Self.answer(Self.policy(["*"]), request).lines == ["vary: origin"])
    }

    @Test func exposedWildcard() {
        func exposed(_ names: [String], credentials: Bool) -> [String] {
            Self.answer(
                Self.policy(["*"], credentials: credentials, exposed: names),
                Request("/", headers: [("origin", "http://a")])
            ).lines.filter { $0.contains("expose") }
        }
        #expect(exposed(["*"], credentials: false) == ["access-control-expose-headers: *"])
        #expect(exposed(["*"], credentials: true) == [])
        #expect(exposed(["X-A", "*"], credentials: true) == ["access-control-expose-headers: X-A"])
    }

    @Test func replacedFields() {
        let names = CORSTable.replacedFields.map { String(decoding: $0, as: UTF8.self) }
        #expect(names.count == 6)
        for line in Self.cases.flatMap(\.lines) where !line.hasPrefix("vary") {
            #expect(names.contains(String(line.prefix { $0 != ":" })), "\(line)")
        }
    }
}
