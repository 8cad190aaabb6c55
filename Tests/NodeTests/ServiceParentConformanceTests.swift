import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// The upstream gateway tests whose meaning holds for a mesh, with a Service as the parent. Every request is made over
    /// HTTP/1.1 and over HTTP/2.
    @Suite("HTTPRoute conformance with a Service parent", .serialized)
    struct ServiceParentConformance {
        private let node = SharedNode.node

        private func run(
            _ file: String, _ exchanges: [Exchange], conditions: [String: Conditions] = [:],
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/\(file)"))
            try await node.check(exchanges, by: HTTPVersion.allCases, sourceLocation: sourceLocation)
            try await node.checkConditions(of: file, except: conditions, sourceLocation: sourceLocation)
            try await node.remove("case.yaml")
        }

        @Test("HTTPRouteSimpleSameNamespace") func simpleSameNamespace() async throws {
            try await run("HTTPRouteSimpleSameNamespace", [Exchange("/", to: Base.v1)])
        }

        @Test("HTTPRouteExactPathMatching") func exactPathMatching() async throws {
            try await run(
                "HTTPRouteExactPathMatching",
                [
                    Exchange("/one", to: Base.v1), Exchange("/two", to: Base.v2), .notFound("/"),
                    .notFound("/one/example"), .notFound("/two/"), .notFound("/Two"),
                ])
        }

        @Test("HTTPRoutePathMatchOrder") func pathMatchOrder() async throws {
            try await run(
                "HTTPRoutePathMatchOrder",
                [
                    Exchange("/match/exact/one", to: Base.v3), Exchange("/match/exact", to: Base.v2),
                    Exchange("/match", to: Base.v1), Exchange("/match/prefix/one/any", to: Base.v2),
                    Exchange("/match/prefix/any", to: Base.v1), Exchange("/match/any", to: Base.v3),
                ])
        }

        @Test("HTTPRouteMatching") func matching() async throws {
            try await run(
                "HTTPRouteMatching",
                [
                    Exchange("/", to: Base.v1), Exchange("/example", to: Base.v1),
                    Exchange("/", ["Version": "one"], to: Base.v1), Exchange("/v2", to: Base.v2),
                    Exchange("/v2example", to: Base.v1), Exchange("/foo/v2/example", to: Base.v1),
                    Exchange("/v2/example", to: Base.v2), Exchange("/", ["Version": "two"], to: Base.v2),
                ])
        }

        @Test("HTTPRouteMatchingAcrossRoutes") func matchingAcrossRoutes() async throws {
            try await run(
                "HTTPRouteMatchingAcrossRoutes",
                [
                    Exchange("/", host: "example.com", to: Base.v1),
                    Exchange("/example", host: "example.com", to: Base.v1),
                    Exchange("/", ["Version": "one"], host: "example.net", to: Base.v1),
                    // Hostnames are ignored for a Service parent, so that route 2 holds for example.net too.
                    Exchange("/v2", host: "example.net", to: Base.v2),
                    Exchange("/", ["Version": "two"], host: "example.com", to: Base.v2),
                    Exchange("/v2", host: "example.com", to: Base.v2),
                    Exchange("/v2/", host: "example.com", to: Base.v2),
                    Exchange("/v2/example", host: "example.com", to: Base.v2),
                    Exchange("/v2example", host: "example.com", to: Base.v1),
                ])
        }

        @Test("HTTPRouteHeaderMatching") func headerMatching() async throws {
            try await run(
                "HTTPRouteHeaderMatching",
                [
                    Exchange("/", ["Version": "one"], to: Base.v1),
                    Exchange("/", ["Version": "two"], to: Base.v2),
                    Exchange("/", ["Version": "two", "Color": "orange"], to: Base.v1),
                    Exchange("/", ["Color": "blue"], to: Base.v1),
                    Exchange("/", ["Color": "green"], to: Base.v1),
                    Exchange("/", ["Color": "red"], to: Base.v2),
                    Exchange("/", ["Color": "yellow"], to: Base.v2),
                    // Two matches of one header each: the earlier rule wins.
                    Exchange("/", ["Version": "two", "Color": "blue"], to: Base.v2),
                    .notFound("/", ["Color": "orange"]),
                    .notFound("/", ["Some-Other-Header": "one"]),
                    .notFound("/", ["Color": "purple"]),
                    .notFound("/"),
                ])
        }

        @Test("HTTPRouteMethodMatching") func methodMatching() async throws {
            try await run(
                "HTTPRouteMethodMatching",
                [
                    Exchange("/", method: "POST", to: Base.v1), Exchange("/", method: "GET", to: Base.v2),
                    .notFound("/", method: "HEAD"),
                    Exchange("/path1", method: "GET", to: Base.v1),
                    Exchange("/", ["Version": "one"], method: "PUT", to: Base.v2),
                    Exchange("/path2", ["Version": "two"], method: "POST", to: Base.v3),
                    Exchange("/path3", method: "PATCH", to: Base.v1),
                    Exchange("/path4", ["Version": "three"], method: "DELETE", to: Base.v1),
                    .notFound("/", method: "PUT"), .notFound("/path4", method: "DELETE"),
                    .notFound("/", method: "get"),
                    // A longer path beats a method, and a method beats a header.
                    Exchange("/path5", method: "PATCH", to: Base.v1),
                    Exchange("/", ["Version": "four"], method: "PATCH", to: Base.v2),
                ])
        }

        @Test("HTTPRouteQueryParamMatching") func queryParamMatching() async throws {
            try await run(
                "HTTPRouteQueryParamMatching",
                [
                    Exchange("/?animal=whale", to: Base.v1),
                    Exchange("/?animal=dolphin", to: Base.v2),
                    Exchange("/?animal=whale&otherparam=irrelevant", to: Base.v1),
                    Exchange("/?animal=dolphin&color=blue", to: Base.v3),
                    Exchange("/?ANIMAL=Whale", to: Base.v3),
                    Exchange("/?animal=dolphin&otherparam=irrelevant", to: Base.v2),
                    Exchange("/path1?animal=whale", to: Base.v1),
                    Exchange("/?animal=whale", ["Version": "one"], to: Base.v2),
                    Exchange("/path2?animal=whale", ["Version": "two"], to: Base.v3),
                    Exchange("/path3?animal=shark", to: Base.v1),
                    Exchange("/path4?animal=kraken", ["Version": "three"], to: Base.v1),
                    // Percent- and plus-decoded, and the first of a repeated name counts.
                    Exchange("/?%61nimal=wh%61le", to: Base.v1),
                    Exchange("/?animal=whale&animal=dolphin", to: Base.v1),
                    Exchange("/path5?animal=hydra", to: Base.v1),
                    Exchange("/?animal=hydra", ["Version": "four"], to: Base.v3),
                    .notFound("/?color=blue"), .notFound("/?animal=dog"), .notFound("/?animal=whaledolphin"),
                    .notFound("/"), .notFound("/?animal=shark"), .notFound("/path4?animal=kraken"),
                ])
        }

        @Test("HTTPRouteRequestHeaderModifier") func requestHeaderModifier() async throws {
            try await run("HTTPRouteRequestHeaderModifier", MeshConformance.requestHeaders)
        }

        @Test("HTTPRouteBackendRequestHeaderModifier") func backendRequestHeaderModifier() async throws {
            try await run("HTTPRouteBackendRequestHeaderModifier", MeshConformance.requestHeaders)
        }

        @Test("HTTPRouteResponseHeaderModifier") func responseHeaderModifier() async throws {
            try await run(
                "HTTPRouteResponseHeaderModifier",
                [
                    Exchange(
                        "/set", to: Base.v1, backendSends: ["Some-Other-Header": "val"],
                        answered: ["Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"]),
                    Exchange(
                        "/set", to: Base.v1,
                        backendSends: ["Some-Other-Header": "val", "X-Header-Set": "some-other-value"],
                        answered: ["Some-Other-Header": "val", "X-Header-Set": "set-overwrites-values"]),
                    Exchange(
                        "/add", to: Base.v1, backendSends: ["Some-Other-Header": "val"],
                        answered: ["Some-Other-Header": "val", "X-Header-Add": "add-appends-values"]),
                    Exchange(
                        "/add", to: Base.v1, backendSends: ["X-Header-Add": "some-other-value"],
                        answered: ["X-Header-Add": "some-other-value,add-appends-values"]),
                    Exchange(
                        "/remove", to: Base.v1,
                        backendSends: ["X-Header-Remove": "val", "Another-Header": "another-header-val"],
                        answered: ["Another-Header": "another-header-val"], notAnswered: ["X-Header-Remove"]),
                    Exchange(
                        "/multiple", to: Base.v1,
                        backendSends: [
                            "X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2",
                            "X-Header-Remove-2": "remove-val-2", "Another-Header": "another-header-val",
                        ],
                        answered: [
                            "X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2",
                            "X-Header-Add-1": "header-add-1", "X-Header-Add-2": "add-val-2,header-add-2",
                            "X-Header-Add-3": "header-add-3", "Another-Header": "another-header-val",
                        ], notAnswered: ["X-Header-Remove-1", "X-Header-Remove-2"]),
                    Exchange(
                        "/case-insensitivity", to: Base.v1,
                        backendSends: [
                            "x-header-set": "original-val-set", "x-header-add": "original-val-add",
                            "x-header-remove": "original-val-remove", "Another-Header": "another-header-val",
                        ],
                        answered: [
                            "X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add",
                            "X-Lowercase-Add": "lowercase-add", "X-Mixedcase-Add-1": "mixedcase-add-1",
                            "X-Mixedcase-Add-2": "mixedcase-add-2", "X-Uppercase-Add": "uppercase-add",
                            "Another-Header": "another-header-val",
                        ], notAnswered: ["X-Header-Remove"]),
                    Exchange(
                        "/response-and-request-header-modifiers",
                        ["X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1", "X-Header-Set": "x"],
                        to: Base.v1,
                        seen: [
                            "X-Header-Add": "header-val-1", "X-Header-Add-Append": "append-val-1,header-val-2",
                            "X-Header-Set": "set-overwrites-values",
                        ], notSeen: ["X-Header-Remove", "X-Header-Remove-1", "X-Header-Remove-2"],
                        backendSends: ["X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2"],
                        answered: [
                            "X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2",
                            "X-Header-Add-1": "header-add-1", "X-Header-Add-2": "add-val-2,header-add-2",
                        ], notAnswered: ["X-Header-Remove-1", "X-Header-Remove-2"]),
                ])
        }

        @Test("HTTPRouteRequestHeaderModifierBackendWeights", arguments: HTTPVersion.allCases)
        func requestHeaderModifierBackendWeights(_ client: HTTPVersion) async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/HTTPRouteRequestHeaderModifierBackendWeights"))
            var request = ClientRequest("echo").by(client)
            request.count = 100
            request.reuse = true
            let answers = try await node.requests([request], from: Base.v1, concurrency: 4)
            for answer in answers {
                #expect(answer.echo?.header("Backend") == answer.echo?.pod, "\(answer.summary)")
            }
            #expect(Set(answers.compactMap { $0.echo?.pod }) == ["echo-v1", "echo-v2"])
            try await node.checkConditions(of: "HTTPRouteRequestHeaderModifierBackendWeights")
            try await node.remove("case.yaml")
        }

        @Test("HTTPRouteRewriteHost") func rewriteHost() async throws {
            try await run(
                "HTTPRouteRewriteHost",
                [
                    Exchange("/one", host: "rewrite.example", to: Base.v1, seenHost: "one.example.org"),
                    Exchange("/two", host: "rewrite.example", to: Base.v2, seenHost: "example.org"),
                    Exchange(
                        "/rewrite-host-and-modify-headers",
                        [
                            "X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1",
                            "X-Header-Set": "set-val",
                        ],
                        host: "rewrite.example", to: Base.v2, seenHost: "test.example.org",
                        seen: [
                            "X-Header-Add": "header-val-1", "X-Header-Add-Append": "append-val-1,header-val-2",
                            "X-Header-Set": "set-overwrites-values",
                        ], notSeen: ["X-Header-Remove"]),
                ])
        }

        @Test("HTTPRouteRewritePath") func rewritePath() async throws {
            try await run("HTTPRouteRewritePath", MeshConformance.rewritePath)
        }

        @Test("HTTPRouteBackendURLRewrite") func backendURLRewrite() async throws {
            try await run(
                "HTTPRouteBackendURLRewrite",
                [
                    Exchange("/full/original", to: Base.v1, path: "/rewritten-full"),
                    Exchange("/prefix/original", to: Base.v1, path: "/rewritten-prefix/original"),
                ])
        }

        @Test("HTTPRouteRedirectHostAndStatus") func redirectHostAndStatus() async throws {
            try await run("HTTPRouteRedirectHostAndStatus", MeshConformance.redirectHostAndStatus)
        }

        @Test("HTTPRouteRedirectPath") func redirectPath() async throws {
            try await run("HTTPRouteRedirectPath", MeshConformance.redirectPath)
        }

        @Test("HTTPRouteRedirectPort") func redirectPort() async throws {
            try await run("HTTPRouteRedirectPort", MeshConformance.redirectPort)
        }

        @Test("HTTPRouteRedirectScheme") func redirectScheme() async throws {
            try await run("HTTPRouteRedirectScheme", MeshConformance.redirectScheme)
        }

        /// The port left out of the route is the dialled one where the scheme is left out too; Weir speaks plain HTTP on
        /// port 443 as on any other, so that the scheme left out is http there.
        @Test("HTTPRouteRedirectPortAndScheme") func redirectPortAndScheme() async throws {
            func row(_ port: UInt16, _ scheme: String, _ redirectPort: String, _ origin: String) -> Exchange {
                let path = "/scheme-\(scheme)-and-port-\(redirectPort)"
                return .redirect(path, 302, origin + path, port: port)
            }
            try await run(
                "HTTPRouteRedirectPortAndScheme",
                [
                    row(80, "nil", "nil", "http://example.org"),
                    row(80, "nil", "80", "http://example.org"),
                    row(80, "nil", "8080", "http://example.org:8080"),
                    row(80, "https", "nil", "https://example.org"),
                    row(80, "https", "443", "https://example.org"),
                    row(80, "https", "8443", "https://example.org:8443"),
                    row(8080, "nil", "nil", "http://example.org:8080"),
                    row(8080, "nil", "80", "http://example.org"),
                    row(8080, "https", "nil", "https://example.org"),
                    row(443, "nil", "nil", "http://example.org:443"),
                    row(443, "nil", "443", "http://example.org:443"),
                    row(443, "nil", "8443", "http://example.org:8443"),
                    row(443, "http", "nil", "http://example.org"),
                    row(443, "http", "80", "http://example.org"),
                    row(443, "http", "8080", "http://example.org:8080"),
                ])
        }

        @Test("HTTPRoute303Redirect, 307 and 308") func redirectStatusCodes() async throws {
            for (code, path) in [("303", "redirect"), ("307", "temporary"), ("308", "permanent")] {
                try await node.apply("case.yaml", Base.text(of: "Mesh/MeshHTTPRoute\(code)Redirect"))
                var exchange = Exchange.redirect("/\(path)", Int(code) ?? 0, "http://echo/\(path)")
                exchange.method = "POST"
                try await node.check([exchange], by: HTTPVersion.allCases)
                try await node.remove("case.yaml")
            }
        }

        @Test("HTTPRouteTimeoutRequest") func timeoutRequest() async throws {
            try await run(
                "HTTPRouteTimeoutRequest",
                [
                    Exchange("/request-timeout", to: Base.v1),
                    Exchange("/request-timeout?delay=1s", status: 504, reason: "request-timeout"),
                    Exchange("/disable-request-timeout?delay=1s", to: Base.v1),
                ])
        }

        @Test("HTTPRouteTimeoutBackendRequest") func timeoutBackendRequest() async throws {
            try await run(
                "HTTPRouteTimeoutBackendRequest",
                [
                    Exchange("/backend-timeout", to: Base.v1),
                    Exchange("/backend-timeout?delay=1s", status: 504, reason: "backend-request-timeout"),
                    Exchange("/disable-backend-timeout?delay=1s", to: Base.v1),
                ])
        }

        @Test("HTTPRouteNoBackendRefs") func noBackendRefs() async throws {
            try await run(
                "HTTPRouteNoBackendRefs",
                [
                    Exchange("/omitted-no-forward", status: 500, reason: "no-backend-refs"),
                    Exchange("/empty-no-forward", status: 500, reason: "no-backend-refs"),
                    Exchange("/", to: Base.v1),
                ])
        }

        @Test("HTTPRouteInvalidNonExistentBackendRef") func invalidNonExistentBackendRef() async throws {
            try await run(
                "HTTPRouteInvalidNonExistentBackendRef",
                [Exchange("/", status: 500, reason: "backend-not-found")],
                conditions: ["invalid-nonexistent-backend-ref": .notResolved("BackendNotFound", message: "nonexistent")]
            )
        }

        @Test("HTTPRouteInvalidBackendRefUnknownKind") func invalidBackendRefUnknownKind() async throws {
            try await run(
                "HTTPRouteInvalidBackendRefUnknownKind",
                [Exchange("/", status: 500, reason: "backend-kind-invalid")],
                conditions: ["invalid-backend-ref-unknown-kind": .notResolved("InvalidKind", message: "NonExistent")])
        }

        /// In a mesh no grant is needed for a backend elsewhere; one that does not exist fails by itself, and the sibling
        /// rule goes on serving.
        @Test("HTTPRoutePartiallyInvalidViaInvalidReferenceGrant") func partiallyInvalid() async throws {
            try await run(
                "HTTPRoutePartiallyInvalidViaInvalidReferenceGrant",
                [
                    Exchange("/v2", status: 500, reason: "backend-not-found"),
                    Exchange("/", to: Base.consumerPod),
                ],
                conditions: ["invalid-reference-grant": .notResolved("BackendNotFound", message: "app-backend-v2")])
        }

        @Test("HTTPRouteReferenceGrant: none is needed") func crossNamespace() async throws {
            try await node.apply(
                "case.yaml",
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: cross-namespace, namespace: gateway-conformance-mesh}
                spec:
                  parentRefs: [{group: "", kind: Service, name: echo, port: 80}]
                  rules:
                  - backendRefs: [{name: app-backend-v1, namespace: gateway-conformance-mesh-consumer, port: 8080}]
                """)
            try await node.check(
                [
                    Exchange("/", to: Base.consumerPod),
                    Exchange("/", service: "echo.\(Base.mesh)", from: Base.consumerPod, to: Base.consumerPod),
                ], by: HTTPVersion.allCases)
            try await node.checkConditions(of: "cross-namespace")
            try await node.remove("case.yaml")
        }

        @Test("HTTPRouteServiceTypes") func serviceTypes() async throws {
            try await run(
                "HTTPRouteServiceTypes",
                ["/manual-endpointslices", "/headless", "/headless-manual-endpointslices"].flatMap { path in
                    (0..<4).map { _ in Exchange(path, to: Base.v1) }
                })
        }

        @Test("HTTPRouteObservedGenerationBump") func observedGenerationBump() async throws {
            let text = try Base.text(of: "Service/HTTPRouteObservedGenerationBump")
            try await node.apply("case.yaml", text)
            try await node.check([Exchange("/", to: Base.v1)], by: HTTPVersion.allCases)
            let before = try await node.routes().first { $0.metadata.name == "observed-generation-bump" }
            try await node.apply("case.yaml", text.replacing("name: echo-v1", with: "name: echo-v2"))
            try await node.check([Exchange("/", to: Base.v2)], by: HTTPVersion.allCases)
            let after = try await node.routes().first { $0.metadata.name == "observed-generation-bump" }
            #expect(before?.metadata.generation == 1)
            #expect(after?.metadata.generation == 2)
            try await node.checkConditions(of: "HTTPRouteObservedGenerationBump")
            // The same spec again is no change.
            try await node.apply("case.yaml", "# a comment\n" + text.replacing("name: echo-v1", with: "name: echo-v2"))
            let same = try await node.routes().first { $0.metadata.name == "observed-generation-bump" }
            #expect(same?.metadata.generation == 2)
            try await node.remove("case.yaml")
        }

        @Test("HTTPRouteBackendProtocolWebSocket") func backendProtocolWebSocket() async throws {
            struct Session: Decodable {
                var status: Int
                var headers: [String: String]
                var accepted: Bool?
                var text: Payload?
                var binary: Payload?
                var close: Int?
                var end: Bool?

                struct Payload: Decodable {
                    var opcode: Int
                    var text: String?
                    var same: Bool?

                    init(from decoder: any Decoder) throws {
                        var list = try decoder.unkeyedContainer()
                        opcode = try list.decode(Int.self)
                        text = try? list.decode(String.self)
                        if text == nil { same = try list.decode(Bool.self) }
                    }
                }
            }
            let text = try Base.text(of: "Service/HTTPRouteBackendProtocolWebSocket")
            // The port with appProtocol kubernetes.io/ws, and one that says nothing of it.
            for port in ["8082", "80"] {
                try await node.apply(
                    "case.yaml",
                    text.replacing("name: echo-v1", with: "name: websocket").replacing(
                        "port: 8082\n", with: "port: \(port)\n"))
                let output = try await node.exec(
                    Base.v1, [Node.python, Node.programs + "/websocket_client.py", "echo", "80", "echo"])
                let session = try JSONDecoder().decode(Session.self, from: Data(output.utf8))
                #expect(session.status == 101)
                #expect(session.accepted == true)
                #expect(session.headers["x-pod"] == "websocket")
                #expect(session.text?.opcode == 1)
                #expect(session.text?.text == "grüß")
                #expect(session.binary?.opcode == 2)
                #expect(session.binary?.same == true)
                #expect(session.close == 8)
                #expect(session.end == true)
                try await node.checkConditions(of: "HTTPRouteBackendProtocolWebSocket")
            }
            try await node.remove("case.yaml")
        }

        @Test("HTTPRouteNamedRule") func namedRule() async throws {
            try await run("HTTPRouteNamedRule", MeshConformance.namedRule)
        }

        @Test("HTTPRouteWeight", arguments: HTTPVersion.allCases) func weight(_ client: HTTPVersion) async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/HTTPRouteWeight"))
            try await node.checkWeights(["echo-v1": 0.7, "echo-v2": 0.3, "echo-v3": 0], runs: 1, by: client)
            try await node.checkConditions(of: "HTTPRouteWeight")
            try await node.remove("case.yaml")
        }

        @Test(
            "HTTPRouteInvalidParentRef",
            arguments: [
                ("HTTPRouteInvalidParentRefNotMatchingListenerPort", "httproute-listener-not-matching-route-port"),
                ("HTTPRouteInvalidParentRefNotMatchingSectionName", "httproute-listener-not-matching-section-name"),
                (
                    "HTTPRouteInvalidParentRefSectionNameNotMatchingPort",
                    "httproute-listener-section-name-not-matching-port"
                ),
            ])
        func invalidParentRef(_ file: String, _ route: String) async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/\(file)"))
            try await node.checkConditions(of: file, except: [route: .notAccepted("NoMatchingParent")])
            // Nothing claims the port, so that it is forwarded as if there were no route.
            var request = ClientRequest("echo")
            request.count = 20
            let answers = try await node.requests(
                HTTPVersion.allCases.map { request.by($0) }, from: Base.v1)
            #expect(answers.allSatisfy { $0.status == 200 })
            #expect(Set(answers.compactMap { $0.echo?.pod }) == ["echo-v1", "echo-v2"])
            try await node.remove("case.yaml")
        }
    }
}
