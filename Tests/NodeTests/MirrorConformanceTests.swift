import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// Upstream's mirror tests with a Service as the parent. The mirrors' pods run `Programs/backend.py`, which remembers
    /// what it got; upstream reads the pods' logs.
    @Suite("HTTPRoute mirror conformance", .serialized)
    struct MirrorConformance {
        private let node = SharedNode.node

        private static let port: UInt16 = 8090

        /// A request as a mirror got it.
        private struct Copy: Decodable {
            var method: String
            var path: String
            var headers: [Echo.Field]
            var bodyLength: Int
            var bodySHA256: String

            func header(_ name: String) -> String? {
                headers.first { $0.name.lowercased() == name.lowercased() }?.value
            }
        }

        private func copies(at pod: String, _ prefix: String) async throws -> [Copy] {
            let answer = try await node.request(
                ClientRequest(Base.address(pod), port: Self.port, target: "/requests?prefix=\(prefix)"),
                from: Base.outsider)
            return try JSONDecoder().decode([Copy].self, from: Data((answer.body ?? "").utf8))
        }

        private func run(_ file: String, _ body: () async throws -> Void) async throws {
            var text = try Base.text(of: "Service/\(file)")
            for pod in ["echo-v2", "echo-v3"] {
                let reference = "name: \(pod)\n          namespace: \(Base.mesh)\n          port: "
                text = text.replacing(reference + "8080", with: reference + "\(Self.port)")
            }
            try await node.apply("case.yaml", text)
            try await node.running(
                Node.program("backend", "\(Self.port)"), in: [Base.v2, Base.v3], port: Self.port, body)
            try await node.checkConditions(of: file)
        }

        /// What the rules with header modifiers do to the request that is answered.
        private static func modified(_ path: String) -> Exchange {
            Exchange(
                path,
                ["X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1", "X-Header-Set": "set-val"],
                to: Base.v1,
                seen: [
                    "X-Header-Add": "header-val-1", "X-Header-Add-Append": "append-val-1,header-val-2",
                    "X-Header-Set": "set-overwrites-values",
                ], notSeen: ["X-Header-Remove"])
        }

        @Test(
            "HTTPRouteRequestMirror and HTTPRouteRequestMultipleMirrors",
            arguments: [
                ("HTTPRouteRequestMirror", "/mirror", "/mirror-and-modify-headers", [Base.v2]),
                (
                    "HTTPRouteRequestMultipleMirrors", "/multi-mirror", "/multi-mirror-and-modify-request-headers",
                    [Base.v2, Base.v3]
                ),
            ])
        func mirror(_ file: String, _ plain: String, _ modifying: String, _ mirrors: [String]) async throws {
            try await run(file) {
                for version in HTTPVersion.allCases {
                    let mark = "/\(version)"
                    try await node.check(
                        [Exchange(plain + mark, to: Base.v1), Self.modified(modifying + mark)], by: [version])
                    var upload = ClientRequest("echo", target: plain + mark + "/upload").by(version)
                    upload.method = "POST"
                    upload.body = String(repeating: "0123456789abcdef", count: 10_000)
                    let answer = try await node.request(upload, from: Base.v1)
                    #expect(answer.echo?.pod == "echo-v1" && answer.echo?.bodyLength == 160_000, "\(answer.summary)")
                    let paths = [plain + mark, modifying + mark, plain + mark + "/upload"]
                    for pod in mirrors {
                        var all: [Copy] = []
                        _ = try await eventually(within: .seconds(20)) {
                            all = try await copies(at: pod, "/")
                            return paths.allSatisfy { path in all.contains { $0.path == path } }
                        }
                        // One copy of each, and whole.
                        for path in paths {
                            let count = all.count { $0.path == path }
                            #expect(count == 1, "\(pod) got \(count) copies of \(path) by \(version.rawValue)")
                        }
                        let upload = all.first { $0.path == plain + mark + "/upload" }
                        #expect(upload?.method == "POST" && upload?.bodyLength == 160_000, "\(upload as Any)")
                        #expect(upload?.bodySHA256 == Self.digestOfUpload)
                    }
                }
            }
            // Nobody listens at the mirrors any more: no answer is worse for that.
            try await node.check(
                [Exchange(plain, to: Base.v1), Self.modified(modifying)], by: HTTPVersion.allCases)
            try await node.remove("case.yaml")
        }

        /// SHA-256 of 10,000 times `0123456789abcdef`.
        private static let digestOfUpload = "48705161f98666a9d694f3b8e9d1bc5b842fa1ff0e85d710150616c433af9aae"

        @Test("HTTPRouteRequestPercentageMirror", arguments: HTTPVersion.allCases)
        func percentage(_ client: HTTPVersion) async throws {
            try await run("HTTPRouteRequestPercentageMirror") {
                for (path, share) in [
                    ("/percent-mirror", 0.2), ("/percent-mirror-fraction", 0.5),
                    ("/percent-mirror-and-modify-headers", 0.35),
                ] {
                    try await node.check(
                        [share == 0.35 ? Self.modified(path) : Exchange(path, to: Base.v1)], by: [client])
                    var counts: [Int] = []
                    // Three standard deviations of a binomial, five rounds: a right share fails once in 10^12 runs.
                    let wanted = 500 * share
                    let tolerance = 3 * (500 * share * (1 - share)).squareRoot()
                    for round in 1...5 {
                        var request = ClientRequest("echo", target: "\(path)/round-\(round)").by(client)
                        request.count = 500
                        request.reuse = true
                        let answers = try await node.requests([request], from: Base.v1, concurrency: 10)
                        #expect(answers.count { $0.echo?.pod == "echo-v1" } == 500)
                        // Mirrors may be behind the answers.
                        var count = -1
                        _ = try await eventually(within: .seconds(20)) {
                            let before = count
                            try await Task.sleep(for: .milliseconds(300))
                            count = try await copies(at: Base.v2, "\(path)/round-\(round)").count
                            return count == before
                        }
                        counts.append(count)
                        if abs(Double(count) - wanted) <= tolerance { break }
                    }
                    #expect(abs(Double(counts.last ?? 0) - wanted) <= tolerance, "\(path): \(counts), not \(wanted)")
                }
            }
            try await node.remove("case.yaml")
        }
    }
}
