import Testing
import TestSupport

/// Everything that needs a node. One at a time: they share it, and the machine's cores.
@Suite(.serialized, .sharedNode)
enum NodeTests {}

extension NodeTests {
    /// The HTTP tests of the upstream mesh suite (v1.6.1), each with its manifest unchanged, compared more strictly: path,
    /// host, Location and the routes' conditions too. Every request is made over HTTP/1.1 and over HTTP/2.
    @Suite("Mesh conformance", .serialized)
    struct MeshConformance {
        private let node = SharedNode.node

        private func run(
            _ file: String, _ exchanges: [Exchange], sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            try await node.apply("case.yaml", Base.text(of: "Mesh/\(file)"))
            try await node.check(exchanges, by: HTTPVersion.allCases, sourceLocation: sourceLocation)
            try await node.checkConditions(of: file, sourceLocation: sourceLocation)
            try await node.remove("case.yaml")
        }

        @Test("MeshBasic") func basic() async throws {
            let requests = HTTPVersion.allCases.flatMap { version in
                [ClientRequest("echo").by(version), ClientRequest("echo", port: 8080).by(version)]
            }
            let answers = try await node.requests(requests, from: Base.v1)
            for answer in answers {
                #expect(answer.status == 200, "\(answer.summary)")
                #expect(["echo-v1", "echo-v2"].contains(answer.echo?.pod), "\(answer.summary)")
            }
        }

        @Test("MeshTrafficSplit") func trafficSplit() async throws {
            try await run(
                "MeshTrafficSplit",
                [Exchange("/v1", to: Base.v1), Exchange("/v2", to: Base.v2), .notFound("/"), .notFound("/v1/")])
        }

        @Test("MeshHTTPRouteSimpleSameNamespace") func simpleSameNamespace() async throws {
            try await run("MeshHTTPRouteSimpleSameNamespace", [Exchange("/", to: Base.v1)])
        }

        @Test("MeshHTTPRouteMatching") func matching() async throws {
            try await run(
                "MeshHTTPRouteMatching",
                [
                    Exchange("/", to: Base.v1),
                    Exchange("/example", to: Base.v1),
                    Exchange("/", ["Version": "one"], to: Base.v1),
                    Exchange("/v2example", to: Base.v1),
                    Exchange("/foo/v2/example", to: Base.v1),
                    Exchange("/v2", to: Base.v2),
                    Exchange("/v2/example", to: Base.v2),
                    Exchange("/v2/", to: Base.v2),
                    Exchange("/", ["Version": "two"], to: Base.v2),
                    Exchange("/v2", ["Version": "one"], to: Base.v2),
                ])
        }

        @Test("MeshHTTPRouteWeight", arguments: HTTPVersion.allCases) func weight(_ client: HTTPVersion) async throws {
            try await node.apply("case.yaml", Base.text(of: "Mesh/MeshHTTPRouteWeight"))
            try await node.checkWeights(["echo-v1": 0.7, "echo-v2": 0.3], runs: 10, by: client)
            try await node.checkConditions(of: "MeshHTTPRouteWeight")
            try await node.remove("case.yaml")
        }

        @Test("MeshHTTPRouteRedirectHostAndStatus") func redirectHostAndStatus() async throws {
            try await run("MeshHTTPRouteRedirectHostAndStatus", Self.redirectHostAndStatus)
        }

        @Test("MeshHTTPRouteRequestHeaderModifier") func requestHeaderModifier() async throws {
            try await run("MeshHTTPRouteRequestHeaderModifier", Self.requestHeaders)
        }

        @Test("MeshHTTPRouteBackendRequestHeaderModifier") func backendRequestHeaderModifier() async throws {
            try await run("MeshHTTPRouteBackendRequestHeaderModifier", Self.requestHeaders)
        }

        @Test("MeshHTTPRouteQueryParamMatching") func queryParamMatching() async throws {
            try await run(
                "MeshHTTPRouteQueryParamMatching",
                [
                    Exchange("/?animal=whale", to: Base.v1),
                    Exchange("/?animal=dolphin", to: Base.v2),
                    Exchange("/?animal=whale&otherparam=irrelevant", to: Base.v1),
                    Exchange("/?animal=dolphin&color=yellow", to: Base.v2),
                    Exchange("/path1?animal=whale", to: Base.v1),
                    Exchange("/?animal=whale", ["version": "one"], to: Base.v2),
                    Exchange("/path3?animal=shark", to: Base.v1),
                    Exchange("/path4?animal=kraken", ["version": "three"], to: Base.v1),
                    Exchange("/path5?animal=hydra", to: Base.v1),
                    .notFound("/?color=blue"),
                    .notFound("/?animal=dog"),
                    .notFound("/?animal=whaledolphin"),
                    .notFound("/"),
                    .notFound("/?animal=shark"),
                    .notFound("/path4?animal=kraken"),
                ])
        }

        @Test("MeshHTTPRouteRedirectPath") func redirectPath() async throws {
            try await run("MeshHTTPRouteRedirectPath", Self.redirectPath)
        }

        @Test("MeshHTTPRouteRedirectPort") func redirectPort() async throws {
            try await run("MeshHTTPRouteRedirectPort", Self.redirectPort)
        }

        @Test("MeshHTTPRouteSchemeRedirect") func schemeRedirect() async throws {
            try await run("MeshHTTPRouteSchemeRedirect", Self.redirectScheme)
        }

        @Test("MeshHTTPRouteRewritePath") func rewritePath() async throws {
            try await run("MeshHTTPRouteRewritePath", Self.rewritePath)
        }

        @Test("MeshHTTPRouteNamedRule") func namedRule() async throws {
            try await run("MeshHTTPRouteNamedRule", Self.namedRule)
        }

        @Test("MeshHTTPRoute303Redirect") func redirect303() async throws {
            try await run("MeshHTTPRoute303Redirect", [.redirect("/redirect", 303, "http://echo/redirect")])
        }

        @Test("MeshHTTPRoute307Redirect") func redirect307() async throws {
            try await run(
                "MeshHTTPRoute307Redirect", [.redirect("/temporary?a=b", 307, "http://echo/temporary?a=b")])
        }

        @Test("MeshHTTPRoute308Redirect") func redirect308() async throws {
            try await run("MeshHTTPRoute308Redirect", [.redirect("/permanent", 308, "http://echo/permanent")])
        }

        @Test("MeshFrontend") func frontend() async throws {
            try await run(
                "MeshFrontend",
                [
                    Exchange("/", service: "echo-v2", to: Base.v2, answered: ["X-Header-Set": "set"]),
                    Exchange(
                        "/", service: Base.address(Base.v2), port: 8080, to: Base.v2, notAnswered: ["X-Header-Set"]),
                    Exchange(
                        "/", service: Base.address(Base.v2, family: 6), port: 8080, to: Base.v2,
                        notAnswered: ["X-Header-Set"]),
                ])
        }

        @Test("MeshFrontendHostname") func frontendHostname() async throws {
            try await run(
                "MeshFrontend",
                [
                    Exchange(
                        "/", service: "echo-v2", host: "echo-v1", to: Base.v2, answered: ["X-Header-Set": "set"]),
                    Exchange("/", service: "echo-v1", host: "echo-v2", to: Base.v1, notAnswered: ["X-Header-Set"]),
                ])
        }

        @Test("MeshPorts") func ports() async throws {
            try await run(
                "MeshPorts",
                [
                    Exchange("/", service: "echo-v1", to: Base.v1, answered: ["X-Header-Set": "v1"]),
                    Exchange("/", service: "echo-v1", port: 8080, to: Base.v1, notAnswered: ["X-Header-Set"]),
                    Exchange("/", service: "echo-v2", to: Base.v2, answered: ["X-Header-Set": "v2"]),
                    Exchange("/", service: "echo-v2", port: 8080, to: Base.v2, answered: ["X-Header-Set": "v2"]),
                ])
        }

        @Test("MeshConsumerRoute") func consumerRoute() async throws {
            let service = "echo-v1.gateway-conformance-mesh"
            try await run(
                "MeshConsumerRoute",
                [
                    Exchange(
                        "/", service: service, from: Base.consumerPod, to: Base.v1, answered: ["X-Header-Set": "set"]),
                    Exchange("/", service: service, from: Base.v1, to: Base.v1, notAnswered: ["X-Header-Set"]),
                ])
        }
    }
}

/// Tables that a mesh test and its gateway twin share.
extension NodeTests.MeshConformance {
    static let redirectHostAndStatus: [Exchange] = [
        .redirect("/hostname-redirect", 302, "http://example.org/hostname-redirect"),
        .redirect("/host-and-status", 301, "http://example.org/host-and-status"),
    ]

    static let requestHeaders: [Exchange] = [
        Exchange(
            "/set", ["Some-Other-Header": "val"], to: Base.v1, seen: ["X-Header-Set": "set-overwrites-values"]),
        Exchange(
            "/set", ["Some-Other-Header": "val", "X-Header-Set": "some-other-value"], to: Base.v1,
            seen: ["X-Header-Set": "set-overwrites-values"]),
        Exchange("/add", ["Some-Other-Header": "val"], to: Base.v1, seen: ["X-Header-Add": "add-appends-values"]),
        Exchange(
            "/add", ["Some-Other-Header": "val", "X-Header-Add": "some-other-value"], to: Base.v1,
            seen: ["X-Header-Add": "some-other-value,add-appends-values"]),
        Exchange("/remove", ["X-Header-Remove": "val"], to: Base.v1, notSeen: ["X-Header-Remove"]),
        Exchange(
            "/multiple",
            [
                "X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2", "X-Header-Remove-2": "remove-val-2",
                "Another-Header": "another-header-val",
            ], to: Base.v1,
            seen: [
                "X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2", "X-Header-Add-1": "header-add-1",
                "X-Header-Add-2": "add-val-2,header-add-2", "X-Header-Add-3": "header-add-3",
            ], notSeen: ["X-Header-Remove-1", "X-Header-Remove-2"]),
        Exchange(
            "/case-insensitivity",
            [
                "x-header-set": "original-val-set", "x-header-add": "original-val-add",
                "x-header-remove": "original-val-remove", "Another-Header": "another-header-val",
            ], to: Base.v1,
            seen: ["X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add"],
            notSeen: ["X-Header-Remove"]),
    ]

    static let redirectPath: [Exchange] = [
        .redirect("/original-prefix/lemon", 302, "http://echo/replacement-prefix/lemon"),
        .redirect("/full/path/original", 302, "http://echo/full-path-replacement"),
        .redirect("/path-and-host", 302, "http://example.org/replacement-prefix"),
        .redirect("/path-and-status", 301, "http://echo/replacement-prefix"),
        .redirect("/full-path-and-host", 302, "http://example.org/replacement-full"),
        .redirect("/full-path-and-status", 301, "http://echo/replacement-full"),
        .redirect("/original-prefix/lemon?a=1&b", 302, "http://echo/replacement-prefix/lemon?a=1&b"),
    ]

    static let redirectPort: [Exchange] = [
        .redirect("/port", 302, "http://echo:8083/port"),
        .redirect("/port-and-host", 302, "http://example.org:8083/port-and-host"),
        .redirect("/port-and-status", 301, "http://echo:8083/port-and-status"),
        .redirect("/port-and-host-and-status", 302, "http://example.org:8083/port-and-host-and-status"),
    ]

    static let redirectScheme: [Exchange] = [
        .redirect("/scheme", 302, "https://echo/scheme"),
        .redirect("/scheme-and-host", 302, "https://example.org/scheme-and-host"),
        .redirect("/scheme-and-status", 301, "https://echo/scheme-and-status"),
        .redirect("/scheme-and-host-and-status", 302, "https://example.org/scheme-and-host-and-status"),
    ]

    static let rewritePath: [Exchange] =
        [
            Exchange("/prefix/one/two", to: Base.v1, path: "/one/two"),
            Exchange("/strip-prefix/three", to: Base.v1, path: "/three"),
            Exchange("/strip-prefix", to: Base.v1, path: "/"),
            Exchange("/full/one/two", to: Base.v1, path: "/one"),
            Exchange("/prefix/one/two?a=1&b", to: Base.v1, path: "/one/two?a=1&b"),
        ]
        + [
            ("/full/rewrite-path-and-modify-headers/test", "/test"),
            ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"),
        ].map { path, rewritten in
            Exchange(
                path,
                ["X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1", "X-Header-Set": "set-val"],
                to: Base.v1, path: rewritten,
                seen: [
                    "X-Header-Add": "header-val-1", "X-Header-Add-Append": "append-val-1,header-val-2",
                    "X-Header-Set": "set-overwrites-values",
                ], notSeen: ["X-Header-Remove"])
        }

    static let namedRule = [Exchange("/named", to: Base.v1), Exchange("/unnamed", to: Base.v2)]
}

extension Node {
    /// 500 requests a run, over connections that are reused: each pod's share is within 5 points of the wanted one.
    func checkWeights(
        _ shares: [String: Double], runs: Int, by version: HTTPVersion = .http1,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var request = ClientRequest("echo").by(version)
        request.count = 500
        request.reuse = true
        for run in 1...runs {
            let answers = try await requests([request], from: Base.v1, concurrency: 10)
            #expect(answers.count == 500, sourceLocation: sourceLocation)
            #expect(answers.allSatisfy { $0.status == 200 }, sourceLocation: sourceLocation)
            let reused = answers.count { ($0.connection ?? 0) > 0 }
            #expect(reused >= 480, "only \(reused) requests reused a connection", sourceLocation: sourceLocation)
            let counts = Dictionary(answers.map { ($0.echo?.pod ?? $0.summary, 1) }, uniquingKeysWith: +)
            for pod in Set(counts.keys).union(shares.keys) {
                let share = Double(counts[pod] ?? 0) / 500
                #expect(
                    abs(share - (shares[pod] ?? 0)) <= 0.05, "run \(run): \(pod) got \(share)",
                    sourceLocation: sourceLocation)
            }
        }
    }
}
