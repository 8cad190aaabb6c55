import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// grpcio on both sides. What a case asserts is in `Programs/grpc_client.py`.
    @Suite("gRPC", .serialized)
    struct GRPC {
        private let node = SharedNode.node

        private static let port: UInt16 = 50051

        /// What the client prints.
        struct Report: Decodable {
            struct Refusal: Decodable {
                var code: String
                var details: String
                var seconds: Double
                var reason: String?
            }
            var pods: [String: Int]?
            var refusals: [Refusal]?
        }

        private func run(
            _ name: String, _ way: Way, address: String = "\(PeerService.clusterIP):\(port)", from pod: String = Base.v1
        ) async throws -> Report {
            let output = try await node.exec(
                pod,
                Node.program("grpc_client") + (way == .route ? ["--through"] : []) + [name, address],
                timeout: .seconds(180))
            return try JSONDecoder().decode(Report.self, from: Data(output.utf8))
        }

        private func serving<Result>(
            _ way: Way, route: PeerService.Route = .grpc(), appProtocol: String? = nil, pods: [String] = [Base.v2],
            sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Result
        ) async throws -> Result {
            try await node.serving(
                PeerService(port: Self.port, appProtocol: appProtocol, pods: pods, route: route), way,
                Node.program("grpc_server", "\(Self.port)"), sourceLocation: sourceLocation, body)
        }

        private static let cases = [
            "unary", "metadata", "client-streaming", "server-streaming", "bidirectional-streaming", "lockstep", "large",
            "deadline", "cancellation", "error", "mixed",
        ]

        @Test("A GRPCRoute", arguments: Way.allCases, cases) func grpcRoute(_ way: Way, _ name: String) async throws {
            try await serving(way) { _ = try await run(name, way) }
        }

        /// The Service port's appProtocol is what says that the backend speaks HTTP/2.
        @Test("An HTTPRoute", arguments: ["kubernetes.io/h2c", "grpc"])
        func httpRoute(_ appProtocol: String) async throws {
            try await serving(.route, route: .http(), appProtocol: appProtocol) {
                for name in ["unary", "metadata", "lockstep", "error", "cancellation"] {
                    _ = try await run(name, .route)
                }
            }
        }

        /// Without a route a channel's one connection is forwarded to one pod; the proxy balances each call.
        @Test("Concurrent calls on one channel, three endpoints", arguments: Way.allCases)
        func balancing(_ way: Way) async throws {
            try await serving(way, pods: [Base.v1, Base.v2, Base.v3]) {
                let counts = try #require(try await run("concurrent", way, from: Base.consumerPod).pods)
                #expect(counts.values.reduce(0, +) == 2000)
                if way == .plain {
                    #expect(counts.count == 1, "\(counts)")
                } else {
                    #expect(Set(counts.keys) == ["echo-v1", "echo-v2", "echo-v3"], "\(counts)")
                    #expect(counts.values.allSatisfy { (500...834).contains($0) }, "\(counts)")
                }
            }
        }

        private func checkRefusals(
            _ report: Report, _ code: String, _ reason: String?, within seconds: ClosedRange<Double> = 0...20,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let refusals = report.refusals ?? []
            #expect(!refusals.isEmpty, sourceLocation: sourceLocation)
            for refusal in refusals {
                #expect(refusal.code == code, "\(refusal)", sourceLocation: sourceLocation)
                #expect(!refusal.details.isEmpty, "no grpc-message: \(refusal)", sourceLocation: sourceLocation)
                #expect(seconds.contains(refusal.seconds), "\(refusal)", sourceLocation: sourceLocation)
                if let reason { #expect(refusal.reason == reason, "\(refusal)", sourceLocation: sourceLocation) }
            }
        }

        @Test("No match is UNIMPLEMENTED") func unimplemented() async throws {
            let rule = "matches: [{method: {service: weir.test.Peer, method: Other}}]"
            try await serving(.route, route: .grpc(rule: rule)) {
                checkRefusals(try await run("refusal", .route), "UNIMPLEMENTED", "no-route-matched")
            }
        }

        @Test("No endpoint is UNAVAILABLE") func noEndpoint() async throws {
            try await node.applying(
                PeerService(port: Self.port, route: .grpc(backend: "empty", port: 80)), .route
            ) {
                checkRefusals(try await run("refusal", .route), "UNAVAILABLE", "no-ready-endpoint")
            }
        }

        @Test("A port that nobody listens on is UNAVAILABLE") func connectFailed() async throws {
            try await node.applying(PeerService(port: Self.port, route: .grpc()), .route) {
                checkRefusals(try await run("refusal", .route), "UNAVAILABLE", "connect-failed")
            }
        }

        @Test("A request timeout of the route is DEADLINE_EXCEEDED before the call's own deadline")
        func routeTimeout() async throws {
            let route = PeerService.Route.http(rule: "timeouts: {request: 500ms}")
            try await serving(.route, route: route, appProtocol: "kubernetes.io/h2c") {
                checkRefusals(try await run("sleep", .route), "DEADLINE_EXCEEDED", nil, within: 0.4...20)
            }
        }

        /// The client here has no deadline of its own, so that the end is Weir's doing.
        @Test("grpc-timeout ends a call that the backend does not", arguments: ["100m": 0.1, "1S": 1.0])
        func grpcTimeout(_ value: String, _ seconds: Double) async throws {
            try await serving(.route) {
                let answer = try await node.request(Self.sleepRequest(timeout: value), from: Base.v1)
                #expect(answer.status == 200, "\(answer.summary)")
                #expect(answer.header("content-type")?.hasPrefix("application/grpc") == true)
                // The server has sent its head by then: the trailers tell. It knows the deadline too, and may be first.
                #expect(answer.trailer("grpc-status") == "4", "\(answer.trailers ?? [])")
                #expect(answer.trailer("grpc-message")?.isEmpty == false)
                #expect(answer.seconds >= seconds * 0.9 && answer.seconds < 10, "\(answer.seconds)")
            }
        }

        /// 30 seconds, as a gRPC message: no compression, 15 bytes.
        private static func sleepRequest(timeout: String) -> ClientRequest {
            var request = ClientRequest(PeerService.clusterIP, port: port, target: "/weir.test.Peer/Sleep")
            request.how = HTTPVersion.http2.how
            request.method = "POST"
            request.headers += [
                ["content-type", "application/grpc"], ["te", "trailers"], ["grpc-timeout", timeout],
            ]
            request.body = "\0\0\0\0\u{f}{\"seconds\": 30}"
            return request
        }

        @Test("A server that goes away during a call is UNAVAILABLE; the next call is served again")
        func serverGone() async throws {
            try await node.applying(PeerService(port: Self.port, route: .grpc()), .route) {
                let client = try await node.running(
                    Node.program("grpc_server", "\(Self.port)"), in: [Base.v2], port: Self.port
                ) {
                    let client = try node.start(
                        Base.v1,
                        Node.program("grpc_client", "--through", "sleep", "\(PeerService.clusterIP):\(Self.port)"))
                    // By then the call, which takes half a minute, has begun.
                    try await Task.sleep(for: .seconds(3))
                    return client
                }
                let output = try await client.wait(timeout: .seconds(60))
                let report = try JSONDecoder().decode(Report.self, from: Data(output.output.utf8))
                checkRefusals(report, "UNAVAILABLE", nil)
                try await node.running(
                    Node.program("grpc_server", "\(Self.port)"), in: [Base.v2], port: Self.port
                ) {
                    _ = try await run("unary", .route)
                }
            }
        }
    }
}
