import Agent
import Foundation
import Inspection
import Testing
import TestSupport

/// SplitMix64: the same sequence for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Routes and requests from a small vocabulary, so that many match and many nearly do. Each rule marks its answers.
private struct Generated {
    var generator: SeededGenerator

    private static let paths = ["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b"]
    private static let methods = ["GET", "POST", "PUT", "DELETE"]
    private static let values = ["1", "2", "one two"]

    private mutating func chance(_ one: Int, in all: Int) -> Bool { Int.random(in: 0..<all, using: &generator) < one }
    private mutating func pick<Element>(_ list: [Element]) -> Element { list.randomElement(using: &generator)! }

    private mutating func match() -> String {
        var parts: [String] = []
        if chance(3, in: 4) {
            let type = pick(["Exact", "PathPrefix", "PathPrefix", "RegularExpression"])
            let value = type == "RegularExpression" ? pick(["/a.*", "/[ab]", "/a/b/?", ".*c"]) : pick(Self.paths)
            parts.append("path: {type: \(type), value: \"\(value)\"}")
        }
        if chance(1, in: 3) { parts.append("method: \(pick(Self.methods))") }
        if chance(1, in: 3) {
            let names = pick([["x-a"], ["x-b"], ["x-a", "x-b"]])
            let list = names.map { "{name: \($0), value: \"\(pick(Self.values))\"}" }
            parts.append("headers: [\(list.joined(separator: ", "))]")
        }
        if chance(1, in: 3) {
            let names = pick([["q"], ["r"], ["q", "r"]])
            let list = names.map { "{name: \($0), value: \"\(pick(Self.values))\"}" }
            parts.append("queryParams: [\(list.joined(separator: ", "))]")
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    private mutating func rule(_ mark: String) -> String {
        let matches = (0..<pick([1, 1, 2, 3])).map { _ in match() }.joined(separator: ", ")
        if chance(1, in: 8) {
            let status = pick([301, 302, 307])
            return """
                {matches: [\(matches)], filters: [{type: RequestRedirect,
                requestRedirect: {hostname: "\(mark.replacing("/", with: "-")).example", statusCode: \(status)}}]}
                """
        }
        let backend = pick(["echo-v1", "echo-v2", "echo-v3", "absent", "empty"])
        return """
            {matches: [\(matches)], filters: [{type: ResponseHeaderModifier,
            responseHeaderModifier: {set: [{name: X-Rule, value: "\(mark)"}]}}],
            backendRefs: [{name: \(backend), namespace: gateway-conformance-mesh, port: 80}]}
            """
    }

    /// Some routes of the Service's own namespace and one of the clients'.
    mutating func routes() -> String {
        var text = ""
        for index in 0..<4 {
            let namespace = index == 3 ? Base.consumer : Base.mesh
            let rules = (0..<4).map { "  - " + rule("route-\(index)/\($0)").replacing("\n", with: "\n    ") }
            text += """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: route-\(index), namespace: \(namespace)}
                spec:
                  parentRefs: [{group: "", kind: Service, name: echo, namespace: gateway-conformance-mesh}]
                  rules:
                \(rules.joined(separator: "\n"))
                ---

                """
        }
        return text
    }

    mutating func request() -> (pod: String, request: ClientRequest) {
        var target = pick(["/", "/a", "/a/", "/a/b", "/ab", "/a/b/c", "/b", "/a/bc", "/A", "//a", "/a%2Fb"])
        let query = ["q", "r"].filter { _ in chance(1, in: 2) }
            .map { "\($0)=\(pick(Self.values).replacing(" ", with: pick(["+", "%20"])))" }
        if !query.isEmpty { target += "?" + query.joined(separator: "&") }
        var request = ClientRequest("echo.\(Base.mesh)", target: target)
        request.method = pick(Self.methods + ["HEAD"])
        for name in ["X-A", "x-b"] where chance(1, in: 2) { request.headers.append([name, pick(Self.values)]) }
        request.reuse = true
        return (pick([Base.v1, Base.v1, Base.consumerPod]), request)
    }
}

/// The parts of `weir explain -o json` that are compared.
private struct Explanation: Decodable {
    struct Route: Decodable {
        var name: String
        var namespace: String
        var rule: Int
    }
    struct Backend: Decodable {
        var namespace: String
        var name: String
        var endpoints: [String]
    }
    var outcome: String
    var status: Int?
    var reason: String?
    var group: String?
    var route: Route?
    var backends: [Backend]
    var location: String?
}

extension NodeTests {
    @Suite("Explain", .serialized)
    struct Explain {
        private let node = SharedNode.node

        /// 40 sets of routes with 250 requests each: 10,000 pairs.
        @Test("weir explain says what the proxy does", arguments: UInt64(1)...40)
        func agreement(_ seed: UInt64) async throws {
            var generated = Generated(generator: SeededGenerator(state: seed))
            try await node.apply("case.yaml", generated.routes())
            let requests = (0..<250).map { _ in generated.request() }
            var answers: [ClientAnswer?] = Array(repeating: nil, count: requests.count)
            for pod in [Base.v1, Base.consumerPod] {
                let own = requests.indices.filter { requests[$0].pod == pod }
                let list = try await node.requests(own.map { requests[$0].request }, from: pod)
                for (index, answer) in zip(own, list) { answers[index] = answer }
            }
            var outcomes: Set<String> = []
            for ((pod, request), answer) in zip(requests, answers) {
                guard let answer else { continue }
                let explanation = try await asked(request, from: pod)
                outcomes.insert(explanation.outcome)
                let label = Comment(
                    rawValue:
                        "\(request.method) \(request.target) \(request.headers) from \(pod): \(explanation); \(answer.summary)"
                )
                let consumer = pod == Base.consumerPod
                #expect(explanation.group == (consumer ? "consumer" : "producer"), label)
                switch explanation.outcome {
                case "forward":
                    let rule = explanation.route.map { "\($0.name)/\($0.rule)" }
                    #expect(answer.status == 200, label)
                    #expect(answer.header("x-rule") == rule, label)
                    if request.method != "HEAD", let echo = answer.echo {
                        let own = explanation.backends.flatMap(\.endpoints)
                        let pod = "\(echo.namespace)/\(echo.pod)"
                        #expect(
                            own.contains {
                                $0.contains(Base.address(pod)) || $0.contains(Base.address(pod, family: 6))
                            },
                            label)
                    }
                case "redirect":
                    #expect(answer.status == explanation.status, label)
                    #expect(answer.header("location") == explanation.location, label)
                case "error":
                    #expect(answer.status == explanation.status, label)
                    #expect(answer.header("x-weir-reason") == explanation.reason, label)
                default:
                    Issue.record(label)
                }
            }
            #expect(outcomes.count >= 2, "\(outcomes)")
            try await node.remove("case.yaml")
        }

        /// As `weir explain -o json` asks, without a process for each request.
        private func asked(_ request: ClientRequest, from pod: String) async throws -> Explanation {
            let headers = request.headers.dropFirst().map { ExplainRequest.Header(name: $0[0], value: $0[1]) }
            return try await AdminClient(state: node.state).post(
                "/explain",
                ExplainRequest(
                    from: pod, method: request.method, url: "http://\(request.address)\(request.target)",
                    headers: headers))
        }

        private func explain(_ request: ClientRequest, from pod: String) async throws -> Explanation {
            var command = [
                node.weir, "explain", "--state", node.state, "-o", "json", "--from", pod, "-X", request.method,
            ]
            for header in request.headers.dropFirst() { command += ["-H", "\(header[0]): \(header[1])"] }
            command.append("http://\(request.address)\(request.target)")
            let text = try await ChildProcess.succeed(command)
            return try JSONDecoder().decode(Explanation.self, from: Data(text.utf8))
        }

        @Test("A request that no route claims, and one to a pod's own address, pass") func pass() async throws {
            let byName = try await explain(ClientRequest("echo.\(Base.mesh)"), from: Base.v1)
            #expect(byName.outcome == "pass" && byName.group == nil && byName.route == nil)
            let byAddress = try await explain(ClientRequest(Base.clusterIP("echo")), from: Base.v1)
            #expect(byAddress.outcome == "pass")
        }
    }
}
