import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// Programs of every kind are redirected without noticing: what they ask the kernel about their peer names the
    /// Service, and the backend sees the pod.
    @Suite("Client kinds", .serialized)
    struct ClientKinds {
        private let node = SharedNode.node

        /// Claims both ports of `echo` that the tests dial; the answer's field shows that the proxy served.
        private static let route = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: client-kinds, namespace: gateway-conformance-mesh}
            spec:
              parentRefs: [{group: "", kind: Service, name: echo, port: 80}]
              rules:
              - filters:
                - type: ResponseHeaderModifier
                  responseHeaderModifier: {set: [{name: X-Through, value: weir}]}
                backendRefs: [{name: echo-v2, port: 80}]
            """

        private func withRoute(_ body: () async throws -> Void) async throws {
            try await node.apply("case.yaml", Self.route)
            try await body()
            try await node.remove("case.yaml")
        }

        struct Kind: Sendable, CustomTestStringConvertible {
            var how: String
            var address: String
            var family: Int?
            /// What getpeername is to say.
            var peer: String
            /// The pod's own address, as the backend sees it.
            var client: String

            var testDescription: String { "\(how) to \(address)" }

            static let all: [Kind] = [
                "plain", "nonblocking", "fastopen", "fastopen-connect", "asyncio", "http.client",
            ].flatMap { how in
                [
                    Kind(
                        how: how, address: Base.clusterIP("echo"), peer: "\(Base.clusterIP("echo")):80",
                        client: Base.address(Base.v1)),
                    Kind(
                        how: how, address: Base.clusterIP("echo", family: 6), family: 6,
                        peer: "[\(Base.clusterIP("echo", family: 6))]:80",
                        client: "[\(Base.address(Base.v1, family: 6))]"),
                    Kind(
                        how: how, address: "::ffff:\(Base.clusterIP("echo"))", family: 6,
                        peer: "[::ffff:\(Base.clusterIP("echo"))]:80", client: Base.address(Base.v1)),
                ]
            }
        }

        @Test("Python: blocking, non-blocking, Fast Open, asyncio, http.client; IPv4, IPv6, v4-mapped")
        func python() async throws {
            try await withRoute {
                let kinds = Kind.all
                let answers = try await node.requests(
                    kinds.map { kind in
                        var request = ClientRequest(kind.address, host: "echo")
                        request.how = kind.how
                        request.family = kind.family
                        return request
                    }, from: Base.v1)
                for (kind, answer) in zip(kinds, answers) {
                    let label = Comment(rawValue: "\(kind.testDescription): \(answer.summary)")
                    #expect(answer.status == 200, label)
                    #expect(answer.header("x-through") == "weir", label)
                    #expect(answer.echo?.pod == "echo-v2", label)
                    #expect(answer.peer == kind.peer, label)
                    // The address family of the hop to the backend is Weir's choice; the pod is the client's own.
                    let source = answer.echo.map { $0.client[..<($0.client.lastIndex(of: ":") ?? $0.client.endIndex)] }
                    let own = [
                        Base.address(Base.v1), "[\(Base.address(Base.v1, family: 6))]",
                        "[::ffff:\(Base.address(Base.v1))]",
                    ]
                    #expect(source.map { own.contains(String($0)) } == true, label)
                }
            }
        }

        @Test("Python: threads") func threads() async throws {
            try await withRoute {
                var request = ClientRequest("echo")
                request.count = 400
                let answers = try await node.requests([request], from: Base.v1, concurrency: 32)
                #expect(answers.count == 400)
                for answer in answers {
                    #expect(answer.status == 200 && answer.header("x-through") == "weir", "\(answer.summary)")
                    #expect(
                        ["\(Base.clusterIP("echo")):80", "[\(Base.clusterIP("echo", family: 6))]:80"].contains(
                            answer.peer ?? ""))
                }
            }
        }

        @Test("curl") func curl() async throws {
            try await withRoute {
                for family in ["-4", "-6"] {
                    let text = try await node.exec(
                        Base.v1,
                        [
                            "curl", "-sS", "-m", "10", family, "-o", "/dev/null", "-w",
                            "%{http_code} %{remote_ip} %{remote_port} %header{x-through} %{num_connects}",
                            "http://echo/", "--next", "-sS", "-m", "10", family, "-o", "/dev/null", "-w",
                            "\n%{http_code} %header{x-through}", "http://echo/again",
                        ])
                    let lines = text.split(separator: "\n")
                    let address = Base.clusterIP("echo", family: family == "-4" ? 4 : 6)
                    #expect(lines.first.map(String.init) == "200 \(address) 80 weir 1")
                    #expect(lines.last.map(String.init) == "200 weir")
                }
                // A body each way.
                let text = try await node.exec(
                    Base.v1,
                    ["curl", "-sS", "-m", "10", "--data-binary", "@-", "http://echo/?body=echo"],
                    input: String(repeating: "0123456789abcdef", count: 40_000))
                #expect(text.utf8.count == 640_000)
            }
        }

        @Test("nginx as a client") func nginx() async throws {
            try await withRoute {
                let folder = try TemporaryFolder(prefix: "wn-nginx")
                try """
                daemon off; master_process off; pid \(folder.path)/pid; error_log stderr warn;
                events {}
                http {
                  access_log off;
                  client_body_temp_path \(folder.path)/body; proxy_temp_path \(folder.path)/proxy;
                  fastcgi_temp_path \(folder.path)/fastcgi; uwsgi_temp_path \(folder.path)/uwsgi;
                  scgi_temp_path \(folder.path)/scgi;
                  upstream mesh { server \(Base.clusterIP("echo")):80; keepalive 4; }
                  upstream mesh6 { server [\(Base.clusterIP("echo", family: 6))]:80; keepalive 4; }
                  server {
                    listen 127.0.0.1:18080;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_set_header Host echo;
                    add_header X-Upstream $upstream_addr;
                    location / { proxy_pass http://mesh; }
                    location /v6/ { proxy_pass http://mesh6; }
                  }
                }
                """.write(toFile: folder.path + "/nginx.conf", atomically: true, encoding: .utf8)
                let server = try node.start(Base.v1, ["nginx", "-p", folder.path, "-c", folder.path + "/nginx.conf"])
                do {
                    var first = ClientRequest("127.0.0.1", port: 18080, host: "echo")
                    let up = try await eventually(within: .seconds(10)) {
                        try await node.request(first, from: Base.v1).status == 200
                    }
                    #expect(up, "\(server.errorOutput)")
                    first.count = 60
                    first.reuse = true
                    var second = first
                    second.target = "/v6/"
                    let answers = try await node.requests([first, second], from: Base.v1, concurrency: 3)
                    #expect(answers.count == 120)
                    for answer in answers {
                        #expect(answer.status == 200 && answer.header("x-through") == "weir", "\(answer.summary)")
                        #expect(answer.echo?.pod == "echo-v2")
                    }
                    #expect(
                        Set(answers.compactMap { $0.header("x-upstream") }) == [
                            "\(Base.clusterIP("echo")):80", "[\(Base.clusterIP("echo", family: 6))]:80",
                        ])
                } catch {
                    server.signal(SIGKILL)
                    throw error
                }
                server.signal(SIGTERM)
                _ = try await server.wait(timeout: .seconds(10))
            }
        }

        @Test("wrk") func wrk() async throws {
            try await withRoute {
                let text = try await node.exec(Base.v1, ["wrk", "-t2", "-c32", "-d2s", "http://echo/"])
                #expect(!text.contains("Non-2xx"), "\(text)")
                #expect(!text.contains("Socket errors"), "\(text)")
                let requests = text.split(separator: "\n").first { $0.contains(" requests in ") }?
                    .split(separator: " ").first.flatMap { Int($0) }
                #expect((requests ?? 0) > 1000, "\(text)")
                let metrics = try await node.metrics()
                #expect(metrics.contains(#"parent_name="echo""#))
            }
        }
    }
}
