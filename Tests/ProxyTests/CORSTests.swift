import Foundation
import HTTPWire
import Model
import Proxy
import Testing

/// HTTPRouteCORS of Gateway API through the worker; which lines say what is ModelTests' business.
@Suite struct CORSTests {
    private static func cors(
        _ origins: [String], credentials: Bool = false, methods: [String] = [], headers: [String] = [],
        exposed: [String] = [], maximumAge: UInt32 = 5
    ) -> CORSPolicy {
        func bytes(_ texts: [String]) -> [[UInt8]] { texts.map { Array($0.utf8) } }
        return CORSPolicy(
            allowedOrigins: bytes(origins), allowsCredentials: credentials, allowedMethods: bytes(methods),
            allowedHeaders: bytes(headers), exposedHeaders: bytes(exposed), maximumAge: maximumAge)
    }

    private static let first = cors(
        ["https://www.foo.com", "https://*.bar.com"], credentials: true, methods: ["GET", "OPTIONS"],
        headers: ["x-header-1", "x-header-2"], exposed: ["x-header-3", "x-header-4"], maximumAge: 3600)
    private static let routes: [(String, CORSPolicy)] = [
        ("/cors-1", first), ("/cors-2", cors(["https://www.foo.com"], methods: ["*"])),
        ("/cors-wildcard-origin", cors(["*"], methods: ["PUT"])),
        ("/cors-wildcard-methods-headers", cors(["*"], credentials: true, methods: ["*"], headers: ["*"])),
        ("/cors-wildcard-methods-headers-unauth", cors(["*"], methods: ["*"], headers: ["*"])),
    ]

    private static func rules(_ server: FlakyServer, _ version: HTTPVersion) -> [RouteTableEntry] {
        routes.enumerated().map { index, route in
            rule(
                index, [prefix(route.0)], .forward(Backends([weighted("echo", [server.port], version)])),
                filters: [.cors(route.1)])
        }
    }

    /// A backend that says about CORS what it must not.
    private static func server(_ version: HTTPVersion) throws -> FlakyServer {
        try FlakyServer(version) { _, _ in
            .reply(
                Reply(
                    status: 200, "ok",
                    [
                        ("Access-Control-Allow-Origin", "https://evil.example"), ("access-control-max-age", "77"),
                        ("access-control-allow-credentials", "true"), ("access-control-expose-headers", "x-own"),
                        ("access-control-allow-methods", "TRACE"), ("access-control-allow-headers", "x-own"),
                        ("vary", "accept"),
                    ]))
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var path: String
        var method = "OPTIONS"
        var origin: String?
        var asksMethod: String?
        var asksHeaders: String?
        var isPreflight = true
        /// The fields named access-control-..., without that.
        var says: [String: String] = [:]
        var testDescription: String { name }
    }

    private static func configured(_ origin: String) -> [String: String] {
        [
            "allow-origin": origin, "allow-credentials": "true", "allow-methods": "GET, OPTIONS",
            "allow-headers": "x-header-1, x-header-2", "max-age": "3600", "expose-headers": "x-header-3, x-header-4",
        ]
    }

    static let cases: [Case] = [
        Case(
            name: "preflight from an exact origin", path: "/cors-1", origin: "https://www.foo.com", asksMethod: "GET",
            asksHeaders: "x-header-1, x-header-2", says: configured("https://www.foo.com")),
        Case(
            name: "preflight from a wildcard origin", path: "/cors-1", origin: "https://www.bar.com", asksMethod: "GET",
            asksHeaders: "x-header-1, x-header-2", says: configured("https://www.bar.com")),
        Case(
            name: "preflight from several labels left of the wildcard", path: "/cors-1",
            origin: "https://xpto.www.bar.com", asksMethod: "GET", asksHeaders: "x-header-1, x-header-2",
            says: configured("https://xpto.www.bar.com")),
        Case(
            name: "preflight from another origin", path: "/cors-1", origin: "https://foobar.com", asksMethod: "GET"),
        Case(
            name: "simple request from an exact origin", path: "/cors-1", method: "GET", origin: "https://www.foo.com",
            asksMethod: "GET", asksHeaders: "x-header-1, x-header-2", isPreflight: false,
            says: [
                "allow-origin": "https://www.foo.com", "allow-credentials": "true",
                "expose-headers": "x-header-3, x-header-4",
            ]),
        Case(
            name: "simple request from another origin", path: "/cors-1", method: "GET", origin: "https://foobar.com",
            asksMethod: "GET", isPreflight: false),
        Case(name: "simple request without an origin", path: "/cors-1", method: "GET", isPreflight: false),
        Case(
            name: "preflight for POST where every method is allowed", path: "/cors-2", origin: "https://www.foo.com",
            asksMethod: "POST",
            says: ["allow-origin": "https://www.foo.com", "allow-methods": "POST", "max-age": "5"]),
        Case(
            name: "preflight where every origin is allowed", path: "/cors-wildcard-origin",
            origin: "https://foobar.com", asksMethod: "PUT",
            says: ["allow-origin": "https://foobar.com", "allow-methods": "PUT", "max-age": "5"]),
        Case(
            name: "preflight from an origin with a port where every one is allowed", path: "/cors-wildcard-origin",
            origin: "https://foobar.com:12345", asksMethod: "PUT",
            says: ["allow-origin": "https://foobar.com:12345", "allow-methods": "PUT", "max-age": "5"]),
        Case(
            name: "request from an origin with a port where every one is allowed", path: "/cors-wildcard-origin",
            method: "PUT", origin: "https://foobar.com:12345", isPreflight: false,
            says: ["allow-origin": "https://foobar.com:12345"]),
        Case(
            name: "wildcards with credentials echo", path: "/cors-wildcard-methods-headers",
            origin: "https://other.foo.com", asksMethod: "PUT", asksHeaders: "x-header-1, x-header-2",
            says: [
                "allow-origin": "https://other.foo.com", "allow-credentials": "true", "allow-methods": "PUT",
                "allow-headers": "x-header-1, x-header-2", "max-age": "5",
            ]),
        Case(
            name: "wildcards with credentials say nothing that was not asked", path: "/cors-wildcard-methods-headers",
            origin: "https://other.foo.com", asksMethod: "PUT",
            says: [
                "allow-origin": "https://other.foo.com", "allow-credentials": "true", "allow-methods": "PUT",
                "max-age": "5",
            ]),
        Case(
            name: "wildcards without credentials", path: "/cors-wildcard-methods-headers-unauth",
            origin: "https://other.foo.com", asksMethod: "PUT",
            says: [
                "allow-origin": "https://other.foo.com", "allow-methods": "PUT", "allow-headers": "*", "max-age": "5",
            ]),
        Case(
            name: "OPTIONS that asks for no method is no preflight", path: "/cors-1", origin: "https://www.foo.com",
            isPreflight: false,
            says: [
                "allow-origin": "https://www.foo.com", "allow-credentials": "true",
                "expose-headers": "x-header-3, x-header-4",
            ]),
    ]

    private static func said(_ response: Message) -> [String: String] {
        var said: [String: String] = [:]
        for field in response.fields where field.name.lowercased().hasPrefix("access-control-") {
            let name = String(field.name.lowercased().dropFirst("access-control-".count))
            #expect(said[name] == nil, "\(name) is said twice")
            said[name] = field.value
        }
        return said
    }

    @Test("HTTPRouteCORS", arguments: Pair.all) func conformance(_ pair: Pair) throws {
        let server = try Self.server(pair.server)
        let mesh = try Mesh(rules: Self.rules(server, pair.server))
        let client = try VersionedClient(pair.client, mesh)
        for one in Self.cases {
            let before = server.requests.count
            var fields: [HTTP2Peer.Field] = []
            if let origin = one.origin { fields.append(("origin", origin)) }
            if let method = one.asksMethod { fields.append(("access-control-request-method", method)) }
            if let headers = one.asksHeaders { fields.append(("access-control-request-headers", headers)) }
            let response = try client.ask(one.method, one.path, fields).response
            #expect(response.status == 200, "\(one.name)")
            #expect(Self.said(response) == one.says, "\(one.name)")
            #expect(server.requests.count - before == (one.isPreflight ? 0 : 1), "\(one.name)")
            #expect(response["x-weir-reason"] == (one.isPreflight ? "cors-preflight" : nil), "\(one.name)")
            let vary = response["vary"] ?? ""
            #expect(vary.contains("origin"), "\(one.name)")
            if !one.isPreflight {
                #expect(vary.contains("accept"), "the backend's Vary stays: \(one.name)")
                #expect(response.text == "ok")
            }
        }
    }

    /// A page that may read answers may read why there is none.
    @Test(arguments: Pair.all) func ownAnswersSayItToo(_ pair: Pair) throws {
        let refused = try refusedPort()
        let hanging = try FlakyServer(pair.server) { _, _ in .hang }
        func target(_ port: UInt16) -> RuleAction { .forward(Backends([weighted("echo", [port], pair.server)])) }
        let filters = [Filter.cors(Self.first)]
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/refused")], target(refused), filters: filters),
            rule(1, [prefix("/slow")], target(hanging.port), filters: filters, timeout: 0.2),
            rule(2, [prefix("/none")], .fail(.noBackendRefs), filters: filters),
            rule(
                3, [prefix("/redirect")],
                .redirect(Redirect(scheme: nil, hostname: nil, port: nil, path: nil, status: 302)), filters: filters),
            rule(
                4, [prefix("/reference")],
                .forward(Backends([weighted("echo", [refused], pair.server, filters: filters)]))),
        ])
        let client = try VersionedClient(pair.client, mesh)
        for (path, status) in [
            ("/refused", 503), ("/slow", 504), ("/none", 500), ("/redirect", 302), ("/reference", 503),
        ] {
            let response = try client.ask("GET", path, [("origin", "https://www.foo.com")]).response
            #expect(response.status == status, "\(path): \(response)")
            #expect(
                Self.said(response) == [
                    "allow-origin": "https://www.foo.com", "allow-credentials": "true",
                    "expose-headers": "x-header-3, x-header-4",
                ], "\(path)")
            #expect(response["vary"] == "origin")
        }
        #expect(hanging.requests.count == 1)
    }

    /// The filter of a backendRef holds for its share; that of the rule holds for what has none.
    @Test(arguments: Pair.all) func filterOfABackendRef(_ pair: Pair) throws {
        let server = try Self.server(pair.server)
        let own = Self.cors(["https://own.example"], methods: ["GET"])
        let mesh = try Mesh(
            rules: policy(weighted("echo", [server.port], pair.server, filters: [.cors(own)])))
        let client = try VersionedClient(pair.client, mesh)
        let preflight = try client.ask(
            "OPTIONS", "/", [("origin", "https://own.example"), ("access-control-request-method", "GET")]
        ).response
        #expect(Self.said(preflight)["allow-methods"] == "GET")
        #expect(server.requests.isEmpty)
        let plain = try client.ask("GET", "/", [("origin", "https://own.example")]).response
        #expect(Self.said(plain) == ["allow-origin": "https://own.example"])
    }

    /// What is said stays said once when the request is sent again.
    @Test(arguments: Pair.all) func retriedRequest(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { number, _ in .reply(Reply(status: number == 0 ? 500 : 200)) }
        let mesh = try Mesh(
            rules: policy(
                weighted("echo", [server.port], pair.server), retry: retry([500], attempts: 1),
                filters: [.cors(Self.first)]))
        let response = try VersionedClient(pair.client, mesh).ask("GET", "/", [("origin", "https://www.foo.com")])
            .response
        #expect(response.status == 200)
        #expect(Self.said(response)["allow-origin"] == "https://www.foo.com")
    }
}
