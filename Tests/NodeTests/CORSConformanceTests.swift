import Testing
import TestSupport

extension NodeTests {
    /// Upstream's HTTPRouteCORS with a Service as the parent.
    @Suite("HTTPRoute CORS conformance", .serialized)
    struct CORSConformance {
        private let node = SharedNode.node

        /// A request with an origin, and what its answer may say. Values are compared without spaces.
        struct Row: Sendable {
            var path: String
            var method: String
            var origin: String
            /// Access-Control-Request-Method.
            var asks: String?
            /// Access-Control-Request-Headers.
            var asksHeaders: String?
            var authorization = false
            var statuses = [200, 204]
            /// Of the fields `Access-Control-Allow-Origin` and so on, by the rest of the name, what they may be.
            var allowed: [String: [String]] = [:]
            var absent: [String] = []

            static func preflight(
                _ path: String, _ origin: String, _ asks: String = "GET", headers: String? = nil,
                statuses: [Int] = [200, 204], _ allowed: [String: [String]], absent: [String] = []
            ) -> Self {
                Row(
                    path: path, method: "OPTIONS", origin: origin, asks: asks, asksHeaders: headers,
                    statuses: statuses, allowed: allowed, absent: absent)
            }

            var request: ClientRequest {
                var request = ClientRequest("echo", target: path)
                request.method = method
                request.reuse = true
                request.headers.append(["Origin", origin])
                if let asks { request.headers.append(["access-control-request-method", asks]) }
                if let asksHeaders { request.headers.append(["access-control-request-headers", asksHeaders]) }
                if authorization { request.headers.append(["Authorization", "Bearer test"]) }
                return request
            }

            func faults(in answer: ClientAnswer) -> [String] {
                var faults: [String] = []
                if !statuses.contains(answer.status ?? 0) { faults.append(answer.summary) }
                // A preflight of an allowed origin is Weir's to answer, and no other request than a preflight.
                let reason = answer.header("x-weir-reason")
                if method == "OPTIONS", allowed["allow-origin"] != nil, reason != "cors-preflight" {
                    faults.append("x-weir-reason is \(reason ?? "absent")")
                }
                if method != "OPTIONS", answer.echo?.pod != "echo-v1" { faults.append(answer.summary) }
                for (name, values) in allowed {
                    let seen = answer.header("access-control-\(name)")?.replacing(" ", with: "")
                    if !values.contains(where: { $0 == seen }) {
                        faults.append("\(name) is \(seen ?? "absent"), none of \(values)")
                    }
                }
                for name in absent {
                    if let seen = answer.header("access-control-\(name)") { faults.append("\(name) is there: \(seen)") }
                }
                return faults
            }
        }

        private static let both = ["x-header-1,x-header-2", "x-header-2,x-header-1"]

        private static let rows: [Row] =
            ["https://www.foo.com", "https://www.bar.com", "https://xpto.www.bar.com"].map { origin in
                .preflight(
                    "/cors-1", origin, headers: "x-header-1, x-header-2",
                    [
                        "allow-origin": [origin], "allow-methods": ["GET,OPTIONS", "OPTIONS,GET"],
                        "allow-headers": both, "expose-headers": ["x-header-3,x-header-4", "x-header-4,x-header-3"],
                        "max-age": ["3600"], "allow-credentials": ["true"],
                    ])
            }
            + ["https://foobar.com", "https://bar.com.org", "http://www.foo.com", "https://www.foo.com:8443"].map {
                .preflight(
                    "/cors-1", $0, statuses: [200, 204, 403], [:],
                    absent: ["allow-origin", "allow-methods", "allow-headers", "allow-credentials"])
            }
            + ["https://www.foo.com", "https://www.bar.com"].map { origin in
                Row(
                    path: "/cors-1", method: "GET", origin: origin,
                    allowed: ["allow-origin": [origin], "allow-credentials": ["true"]])
            }
            + [
                Row(path: "/cors-1", method: "GET", origin: "https://foobar.com", absent: ["allow-origin"]),
                .preflight(
                    "/cors-2", "https://www.foo.com", "POST",
                    ["allow-origin": ["https://www.foo.com"], "allow-methods": ["POST", "*"]],
                    absent: ["allow-credentials"]),
            ]
            + ["https://foobar.com", "https://foobar.com:12345"].flatMap { origin -> [Row] in
                [
                    .preflight(
                        "/cors-wildcard-origin", origin, "PUT",
                        ["allow-origin": [origin, "*"], "allow-methods": ["PUT"]], absent: ["allow-credentials"]),
                    Row(
                        path: "/cors-wildcard-origin", method: "PUT", origin: origin,
                        allowed: ["allow-origin": [origin, "*"]], absent: ["allow-credentials"]),
                ]
            }
            + [
                .preflight(
                    "/cors-wildcard-methods-headers", "https://other.foo.com", "PUT", headers: "x-header-1, x-header-2",
                    [
                        "allow-origin": ["https://other.foo.com"], "allow-methods": ["PUT"], "allow-headers": both,
                        "allow-credentials": ["true"],
                    ]),
                .preflight(
                    "/cors-wildcard-methods-headers-unauth", "https://other.foo.com", "PUT",
                    headers: "x-header-1, x-header-2",
                    [
                        "allow-origin": ["https://other.foo.com", "*"], "allow-methods": ["PUT", "*"],
                        "allow-headers": both + ["*"],
                    ], absent: ["allow-credentials"]),
                Row(
                    path: "/cors-wildcard-methods-headers", method: "GET", origin: "https://other.foo.com",
                    authorization: true,
                    allowed: ["allow-origin": ["https://other.foo.com"], "allow-credentials": ["true"]]),
                Row(
                    path: "/cors-wildcard-methods-headers-unauth", method: "GET", origin: "https://other.foo.com",
                    authorization: true, allowed: ["allow-origin": ["https://other.foo.com", "*"]],
                    absent: ["allow-credentials"]),
            ]

        @Test("HTTPRouteCORS", arguments: HTTPVersion.allCases) func cors(_ client: HTTPVersion) async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/HTTPRouteCORS"))
            let answers = try await node.requests(Self.rows.map { $0.request.by(client) }, from: Base.v1)
            for (row, answer) in zip(Self.rows, answers) {
                for fault in row.faults(in: answer) {
                    Issue.record("\(row.method) \(row.path) from \(row.origin): \(fault)")
                }
            }
            try await node.checkConditions(of: "HTTPRouteCORS")
            try await node.remove("case.yaml")
        }
    }
}
