import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// Upstream's retry tests with a Service as the parent; the backend is `Programs/backend.py`, which also tells how
    /// often it was asked.
    @Suite("HTTPRoute retry conformance", .serialized)
    struct RetryConformance {
        private let node = SharedNode.node

        private static let port: UInt16 = 8090

        /// A request that fails some times.
        struct Attempt: Sendable, CustomTestStringConvertible {
            var path: String
            /// nil: a TCP reset.
            var code: Int?
            var failures: Int
            /// Milliseconds before each failure.
            var delay = 0
            var statuses: [Int]
            /// How often the backend is asked; nil: as time allows.
            var requests: Int?
            /// `x-weir-reason`; nil: the backend's own answer.
            var reason: String?

            var testDescription: String {
                "\(path), \(failures) times \(code.map(String.init) ?? "reset")\(delay > 0 ? " after \(delay) ms" : "")"
            }
        }

        private func run(_ file: String, _ attempts: [Attempt]) async throws {
            let text = try Base.text(of: "Service/\(file)").replacing("port: 8080", with: "port: \(Self.port)")
            try await node.apply("case.yaml", text)
            try await node.running(Node.program("backend", "\(Self.port)"), in: [Base.v3], port: Self.port) {
                for version in HTTPVersion.allCases {
                    for attempt in attempts {
                        // A machine that is busy for 200 ms makes another timeout of it: upstream tries again too.
                        var faults: [String] = []
                        for _ in 0..<(attempt.path.contains("timeout") ? 10 : 1) {
                            faults = try await self.faults(attempt, version)
                            if faults.isEmpty { break }
                        }
                        #expect(faults.isEmpty, "\(version.rawValue) \(attempt.testDescription): \(faults)")
                    }
                }
            }
            try await node.checkConditions(of: file)
            try await node.remove("case.yaml")
        }

        private func faults(_ attempt: Attempt, _ version: HTTPVersion) async throws -> [String] {
            let identifier = UUID().uuidString
            var target =
                "\(attempt.path)?uuid=\(identifier)&succeedAfter=\(attempt.failures)&delayRetry=\(attempt.delay)"
            if let code = attempt.code { target += "&responseCode=\(code)" }
            let answer = try await node.request(ClientRequest("echo", target: target).by(version), from: Base.v1)
            let seen = try await node.request(
                ClientRequest(Base.address(Base.v3), port: Self.port, target: "/requests?prefix=\(attempt.path)"),
                from: Base.outsider)
            let requests = (seen.body ?? "").split(separator: "{\"uuid\": \"\(identifier)\"").count - 1
            var faults: [String] = []
            if !attempt.statuses.contains(answer.status ?? 0) { faults.append(answer.summary) }
            if let wanted = attempt.requests, wanted != requests {
                faults.append("\(requests) requests, not \(wanted)")
            }
            if answer.header("x-weir-reason") != attempt.reason { faults.append("reason: \(answer.summary)") }
            if answer.status == 200, answer.echo?.pod != "echo-v3" { faults.append(answer.summary) }
            return faults
        }

        @Test("HTTPRouteRetry") func retry() async throws {
            let five = "/retry/code-500-attempts-3"
            let all = "/retry/code-all-attempts-2"
            try await run(
                "HTTPRouteRetry",
                [
                    Attempt(path: five, code: 500, failures: 2, statuses: [200], requests: 3),
                    Attempt(path: five, code: 500, failures: 4, statuses: [500], requests: 4),
                    Attempt(path: five, code: 503, failures: 2, statuses: [503], requests: 1),
                ]
                    + [500, 502, 503, 504].flatMap { code in
                        [
                            Attempt(path: all, code: code, failures: 1, statuses: [200], requests: 2),
                            Attempt(path: all, code: code, failures: 3, statuses: [code], requests: 3),
                        ]
                    })
        }

        @Test("HTTPRouteRetryWithTimeouts") func timeouts() async throws {
            let backend = "/retry/backend-request-timeout-200ms"
            let request = "/retry/request-timeout-200ms"
            try await run(
                "HTTPRouteRetryWithTimeouts",
                [
                    Attempt(path: backend, code: 500, failures: 2, delay: 1000, statuses: [200], requests: 3),
                    Attempt(
                        path: backend, code: 500, failures: 3, delay: 1000, statuses: [504], requests: 3,
                        reason: "backend-request-timeout"),
                    Attempt(path: request, code: 500, failures: 1, statuses: [200], requests: 2),
                    Attempt(
                        path: request, code: 500, failures: 4, delay: 100, statuses: [504], reason: "request-timeout"),
                ])
        }

        /// Weir says 502 of a connection that was reset; upstream allows any answer of the 500s here.
        @Test("HTTPRouteRetryConnectionError") func connectionError() async throws {
            let path = "/retry/no-status-code-attempts-3"
            try await run(
                "HTTPRouteRetryConnectionError",
                [
                    Attempt(path: path, failures: 2, statuses: [200], requests: 3),
                    Attempt(path: path, failures: 4, statuses: [500, 502, 503], requests: 4, reason: "upstream-reset"),
                ])
        }
    }
}
