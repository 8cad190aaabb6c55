import Foundation
import Glibc
import Testing
import TestSupport

extension NodeTests {
    /// HTTP clients and servers that others wrote, through redirection, in every pairing of versions.
    @Suite("Peers", .serialized)
    struct Peers {
        private let node = SharedNode.node

        private static let port: UInt16 = 8100
        /// Where `Programs/transfer.py` listens behind nginx.
        private static let innerPort: UInt16 = 8101

        struct Pairing: Sendable, CustomTestStringConvertible {
            var way: Way
            var client: HTTPVersion
            var server: HTTPVersion

            var testDescription: String { "\(client.rawValue) to \(server.rawValue), \(way.rawValue)" }

            static let all: [Pairing] =
                HTTPVersion.allCases.map { Pairing(way: .plain, client: $0, server: $0) }
                + HTTPVersion.allCases.flatMap { client in
                    HTTPVersion.allCases.map { Pairing(way: .route, client: client, server: $0) }
                }
        }

        private static func service(_ server: HTTPVersion) -> PeerService {
            PeerService(port: port, appProtocol: server == .http2 ? "kubernetes.io/h2c" : nil)
        }

        /// Runs `Programs/transfer.py`; for HTTP/2 behind nginx, which passes bodies on as they come.
        private func transferring(
            _ server: HTTPVersion, _ way: Way, sourceLocation: SourceLocation = #_sourceLocation,
            _ body: () async throws -> Void
        ) async throws {
            let service = Self.service(server)
            guard server == .http2 else {
                return try await node.serving(
                    service, way, Node.program("transfer", "serve", "\(Self.port)"), sourceLocation: sourceLocation,
                    body)
            }
            try await node.applying(service, way, sourceLocation: sourceLocation) {
                try await node.running(
                    Node.program("transfer", "serve", "\(Self.innerPort)"), in: service.pods, port: Self.innerPort
                ) {
                    try await node.runningNginx(
                        server: """
                            listen \(Self.port) http2;
                            client_max_body_size 0;
                            location / {
                              proxy_pass http://127.0.0.1:\(Self.innerPort);
                              proxy_http_version 1.1;
                              proxy_request_buffering off;
                              proxy_buffering off;
                            }
                            """, in: service.pods, port: Self.port, body)
                }
            }
        }

        /// A shell command in the client's pod.
        private func shell(_ command: String, timeout: Duration = .seconds(300)) async throws -> String {
            try await node.exec(Base.v1, ["/bin/bash", "-o", "pipefail", "-c", command], timeout: timeout)
        }

        private static let transfer = Node.program("transfer").joined(separator: " ")

        private func curl(_ version: HTTPVersion) -> String { "curl -sS --fail -m 280 \(version.curl)" }

        private static var url: String { "http://\(PeerService.clusterIP):\(port)" }

        private static let gibibyte = 1 << 30
        /// More than the agent may need for the buffers of a few exchanges, and far less than a body.
        private static let allowedGrowth = 32 << 20

        @Test("curl: 1 GiB up and 1 GiB down at once", arguments: Pairing.all)
        func transfers(_ pairing: Pairing) async throws {
            let expected = try await ChildProcess.succeed(
                Node.program("transfer", "expected", "\(Self.gibibyte)"), timeout: .seconds(120))
            try await transferring(pairing.server, pairing.way) {
                let growth = try await node.agentGrowth {
                    async let up = shell(
                        "\(Self.transfer) write \(Self.gibibyte) | \(curl(pairing.client)) -T - \(Self.url)/")
                    async let down = shell(
                        "\(curl(pairing.client)) \(Self.url)/\(Self.gibibyte) | \(Self.transfer) read")
                    let seen = try await (up, down)
                    #expect(seen.0 == expected, "up")
                    #expect(seen.1 == expected, "down")
                }
                #expect(growth < Self.allowedGrowth, "the agent grew by \(growth) bytes")
            }
        }

        /// The answer's body is the request's, sent back while it comes.
        @Test("curl: one request with 256 MiB each way at once", arguments: Pairing.all)
        func duplex(_ pairing: Pairing) async throws {
            let size = 256 << 20
            let expected = try await ChildProcess.succeed(Node.program("transfer", "expected", "\(size)"))
            try await transferring(pairing.server, pairing.way) {
                let growth = try await node.agentGrowth {
                    let seen = try await shell(
                        "\(Self.transfer) write \(size) | \(curl(pairing.client)) -N -T - \(Self.url)/echo"
                            + " | \(Self.transfer) read")
                    #expect(seen == expected)
                }
                #expect(growth < Self.allowedGrowth, "the agent grew by \(growth) bytes")
            }
        }

        /// The client takes 64 MiB late and then no more: what the backend sends must wait there and not in the agent.
        @Test("curl: a slow reader of 1 GiB", arguments: Pairing.all.filter { $0.way == .route })
        func slowReader(_ pairing: Pairing) async throws {
            try await transferring(pairing.server, pairing.way) {
                let growth = try await node.agentGrowth {
                    let count = try await shell(
                        "set +o pipefail; \(curl(pairing.client)) \(Self.url)/\(Self.gibibyte) "
                            + "| (sleep 1; head -c \(64 << 20); sleep 1) | wc -c")
                    #expect(count == "\(64 << 20)\n")
                }
                #expect(growth < Self.allowedGrowth, "the agent grew by \(growth) bytes")
            }
        }

        /// On a connection each: curl 7.88 cannot share one that it opens with prior knowledge.
        @Test("curl: ten uploads and ten downloads at once", arguments: Pairing.all)
        func parallel(_ pairing: Pairing) async throws {
            let size = 3 << 20
            let expected = try await ChildProcess.succeed(Node.program("transfer", "expected", "\(size)"))
            let folder = try TemporaryFolder(prefix: "wn-curl")
            try await transferring(pairing.server, pairing.way) {
                let transfers = (0..<20).map { index in
                    "-sS --fail -m 280 \(pairing.client.curl) -o \(index) "
                        + (index % 2 == 0 ? "\(Self.url)/\(size)" : "-T up \(Self.url)/")
                }
                _ = try await shell(
                    "cd \(folder.path); \(Self.transfer) write \(size) > up; "
                        + "curl --parallel --parallel-immediate --parallel-max 20 \(transfers.joined(separator: " --next "))"
                )
                for index in 0..<20 {
                    let file = "\(folder.path)/\(index)"
                    let seen =
                        index % 2 == 0
                        ? try await shell("\(Self.transfer) read < \(file)")
                        : try String(contentsOfFile: file, encoding: .utf8)
                    #expect(seen == expected, "transfer \(index)")
                }
            }
        }

        /// A document root for nghttpd and nginx.
        private struct Root {
            let folder: TemporaryFolder
            var path: String { folder.path }
            /// Of the file `large`.
            let digest: String

            init() async throws {
                folder = try TemporaryFolder(prefix: "wn-root")
                try "small\n".write(toFile: folder.path + "/small", atomically: true, encoding: .utf8)
                _ = try await ChildProcess.succeed([
                    "/bin/bash", "-c", "\(Peers.transfer) write 5000000 > \(folder.path)/large",
                ])
                chmod(folder.path, 0o755)
                digest = try await ChildProcess.succeed(Node.program("transfer", "expected", "5000000"))
            }
        }

        private func nghttpd(
            _ way: Way, root: Root, _ options: [String] = [], sourceLocation: SourceLocation = #_sourceLocation,
            _ body: () async throws -> Void
        ) async throws {
            try await node.serving(
                Self.service(.http2), way,
                ["nghttpd", "--no-tls", "--echo-upload", "-d", root.path] + options + ["\(Self.port)"],
                sourceLocation: sourceLocation, body)
            withExtendedLifetime(root) {}
        }

        /// What curl's -w says of an answer, and its body's digest.
        private func check(
            _ client: HTTPVersion, _ way: Way, _ what: String, _ wanted: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let text = try await shell(
                "curl -sS -m 60 \(client.curl) -o /dev/null "
                    + "-w '%{http_code} %{http_version} %header{x-through}' \(what)")
            let version = client == .http1 ? "1.1" : "2"
            #expect(
                text == "\(wanted) \(version) \(way == .route ? "weir" : "")", "\(what)", sourceLocation: sourceLocation
            )
        }

        struct Answering: Sendable, CustomTestStringConvertible {
            var way: Way
            var client: HTTPVersion
            var testDescription: String { "\(client.rawValue), \(way.rawValue)" }

            /// To a server that speaks HTTP/2 only.
            static let all = [
                Answering(way: .plain, client: .http2), Answering(way: .route, client: .http2),
                Answering(way: .route, client: .http1),
            ]
        }

        @Test("curl to nghttpd: methods, bodies, statuses, trailers", arguments: Answering.all)
        func curlToNghttpd(_ answering: Answering) async throws {
            let root = try await Root()
            try await nghttpd(answering.way, root: root, ["--trailer=x-digest: abc", "-b", "200"]) {
                try await check(answering.client, answering.way, "\(Self.url)/small", "200")
                try await check(answering.client, answering.way, "-I \(Self.url)/small", "200")
                try await check(answering.client, answering.way, "\(Self.url)/absent", "404")
                let curl = curl(answering.client)
                #expect(try await shell("\(curl) \(Self.url)/large | \(Self.transfer) read") == root.digest)
                let large = "\(root.path)/large"
                for upload in ["-T \(large)", "-T - < \(large)", "-X POST --data-binary @\(large)"] {
                    #expect(
                        try await shell("\(curl) \(upload) \(Self.url)/echo | \(Self.transfer) read")
                            == root.digest, "\(upload)")
                }
                if answering.client == .http1 {
                    let raw = try await shell(
                        "\(curl) --raw -H 'TE: trailers' -H 'Connection: TE' \(Self.url)/small")
                    #expect(raw.lowercased().hasSuffix("\r\n0\r\nx-digest: abc\r\n\r\n"), "\(raw)")
                } else {
                    var request = ClientRequest(PeerService.clusterIP, port: Self.port, target: "/small")
                    request.how = answering.client.how
                    request.headers.append(["te", "trailers"])
                    let answer = try await node.request(request, from: Base.v1)
                    #expect(answer.trailers == [["x-digest", "abc"]], "\(answer.summary)")
                }
            }
        }

        @Test("curl to nginx", arguments: Answering.all) func curlToNginx(_ answering: Answering) async throws {
            let root = try await Root()
            let service = Self.service(.http2)
            try await node.applying(service, answering.way) {
                try await node.runningNginx(
                    server: """
                        listen \(Self.port) http2;
                        root \(root.path);
                        location /no { return 403 "no\\n"; }
                        location /nothing { return 204; }
                        """, in: service.pods, port: Self.port
                ) {
                    try await check(answering.client, answering.way, "\(Self.url)/small", "200")
                    try await check(answering.client, answering.way, "-I \(Self.url)/large", "200")
                    try await check(answering.client, answering.way, "-r 100-199 \(Self.url)/large", "206")
                    try await check(answering.client, answering.way, "\(Self.url)/no", "403")
                    try await check(answering.client, answering.way, "\(Self.url)/nothing", "204")
                    try await check(answering.client, answering.way, "\(Self.url)/absent", "404")
                    let digest = try await shell("\(curl(answering.client)) \(Self.url)/large | \(Self.transfer) read")
                    #expect(digest == root.digest)
                }
            }
        }

        /// 100 requests at once on one connection, by nghttp's own statistics.
        @Test("nghttp", arguments: [Way.plain, .route], HTTPVersion.allCases)
        func nghttp(_ way: Way, _ server: HTTPVersion) async throws {
            guard way == .route || server == .http2 else { return }
            func run(_ arguments: String) async throws {
                let text = try await shell("nghttp -ns --no-dep -t 60 \(arguments)")
                // A line for each: id, three times, code, size, path.
                let lines: [[Substring]] = text.split(separator: "\n").map { $0.split(separator: " ") }
                let answers = lines.filter { words in words.count >= 6 && Int(words[0]) != nil && Int(words[4]) != nil }
                #expect(answers.count == 100, "\(text)")
                #expect(answers.allSatisfy { $0[4] == "200" }, "\(text)")
            }
            if server == .http2 {
                let root = try await Root()
                try await nghttpd(way, root: root) {
                    try await run("-m 100 \(Self.url)/small")
                    try await run("-m 100 \(Self.url)/large")
                    try await run("-m 100 -d \(root.path)/small \(Self.url)/echo")
                    // Windows of a few frames: flow control has to work.
                    try await run("-m 100 -w 14 -W 16 \(Self.url)/large")
                }
            } else {
                try await transferring(.http1, way) {
                    try await run("-m 100 \(Self.url)/1000")
                    try await run("-m 100 -w 14 -W 16 \(Self.url)/1000000")
                }
            }
        }

        /// Every request of `h2load` must succeed.
        private func load(
            _ arguments: String, count: Int, sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let text = try await shell("h2load -n \(count) \(arguments)")
            let line = text.split(separator: "\n").first { $0.hasPrefix("requests:") } ?? ""
            #expect(
                line == "requests: \(count) total, \(count) started, \(count) done, \(count) succeeded, 0 failed, "
                    + "0 errored, 0 timeout", "\(arguments): \(text)", sourceLocation: sourceLocation)
            #expect(text.contains("status codes: \(count) 2xx"), "\(text)", sourceLocation: sourceLocation)
        }

        @Test("h2load", arguments: Pairing.all) func h2load(_ pairing: Pairing) async throws {
            let version = pairing.client == .http1 ? "--h1" : ""
            if pairing.server == .http2 {
                let root = try await Root()
                try await nghttpd(pairing.way, root: root) {
                    try await load("\(version) -c 8 -m 32 \(Self.url)/small", count: 20_000)
                    try await load("\(version) -c 32 -m 4 \(Self.url)/small", count: 20_000)
                    try await load("\(version) -c 4 -m 8 \(Self.url)/large", count: 100)
                    try await load("\(version) -c 4 -m 8 -d \(root.path)/small \(Self.url)/echo", count: 2000)
                }
            } else {
                try await node.applying(Self.service(.http1), pairing.way) {
                    try await node.runningNginx(
                        server: "listen \(Self.port); keepalive_requests 1000000; location / { return 200 small; }",
                        in: Self.service(.http1).pods, port: Self.port
                    ) {
                        // Pipelining is HTTP/1.1's -m.
                        try await load("\(version) -c 8 -m 32 \(Self.url)/", count: 20_000)
                        try await load("\(version) -c 32 -m 4 \(Self.url)/", count: 20_000)
                    }
                }
            }
        }

        /// The backend's limit is kept, and more connections are opened instead of failing.
        @Test("A backend that takes one stream at a time", arguments: HTTPVersion.allCases)
        func oneStream(_ client: HTTPVersion) async throws {
            let root = try await Root()
            try await nghttpd(.route, root: root, ["-m", "1"]) {
                try await load("\(client == .http1 ? "--h1" : "") -c 4 -m 16 \(Self.url)/small", count: 2000)
            }
        }

        /// nginx sends GOAWAY after so many requests; streams that it did not begin are for another connection.
        @Test("A backend that says GOAWAY after every 50 requests", arguments: HTTPVersion.allCases)
        func goAway(_ client: HTTPVersion) async throws {
            let service = Self.service(.http2)
            try await node.applying(service, .route) {
                try await node.runningNginx(
                    server: "listen \(Self.port) http2; keepalive_requests 50; location / { return 200 small; }",
                    in: service.pods, port: Self.port
                ) {
                    try await load("\(client == .http1 ? "--h1" : "") -c 4 -m 16 \(Self.url)/", count: 5000)
                }
            }
        }
    }
}
