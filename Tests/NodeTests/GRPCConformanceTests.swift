import Foundation
import Testing
import TestSupport

/// A call of the conformance suite's echo service that `Programs/grpc_echo_client.py` makes inside a pod.
struct GRPCCall: Sendable {
    var method = "Echo"
    var metadata: [(String, String)] = []
    /// `namespace/name` of the client's pod.
    var from = Base.v1

    var code = "OK"
    /// The pod that answers; nil when Weir itself does.
    var backend: String?
    /// Metadata that the backend sees, where it differs from what was sent.
    var seen: [String: String] = [:]
    var notSeen: [String] = []
    var reason: String?

    init(
        _ method: String = "Echo", _ metadata: KeyValuePairs<String, String> = [:], from: String = Base.v1,
        to backend: String, seen: [String: String] = [:], notSeen: [String] = []
    ) {
        self.method = method
        self.metadata = metadata.map { ($0, $1) }
        self.from = from
        self.backend = backend
        self.seen = seen
        self.notSeen = notSeen
    }

    /// A call that no rule matches.
    static func unimplemented(_ method: String = "Echo", _ metadata: KeyValuePairs<String, String> = [:]) -> Self {
        var call = Self(method, metadata, to: "")
        call.code = "UNIMPLEMENTED"
        call.backend = nil
        call.reason = "no-route-matched"
        return call
    }

    func faults(in answer: GRPCAnswer) -> [String] {
        var faults: [String] = []
        func compare(_ what: String, _ seen: String?, _ wanted: String?) {
            if seen != wanted { faults.append("\(what) is \(seen ?? "absent"), not \(wanted ?? "absent")") }
        }
        compare("code", answer.code, code)
        compare("x-weir-reason", answer.metadata("x-weir-reason"), reason)
        guard let backend else {
            if answer.echo != nil { faults.append("a backend was asked: \(answer.summary)") }
            if answer.details.isEmpty { faults.append("no grpc-message") }
            return faults
        }
        guard let echo = answer.echo else { return faults + ["no backend answered: \(answer.summary)"] }
        compare("backend", "\(echo.namespace)/\(echo.pod)", backend)
        compare("method", echo.fullMethod, "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/\(method)")
        for (name, value) in metadata where seen[name] == nil && !notSeen.contains(name) {
            compare("metadata \(name)", echo.header(name), value)
        }
        for (name, value) in seen { compare("metadata \(name)", echo.header(name), value) }
        for name in notSeen { compare("metadata \(name)", echo.header(name), nil) }
        return faults
    }
}

/// What the client saw.
struct GRPCAnswer: Decodable, Sendable {
    struct Echo: Decodable, Sendable {
        var fullMethod: String
        var headers: [[String]]
        var pod: String
        var namespace: String

        /// Repeated ones are joined by a bare comma.
        func header(_ name: String) -> String? {
            let values = headers.filter { $0[0].lowercased() == name }.map { $0[1] }
            return values.isEmpty ? nil : values.joined(separator: ",")
        }
    }

    var code: String
    var details: String
    var initial: [[String]]
    var trailing: [[String]]
    var echo: Echo?

    func metadata(_ name: String) -> String? { (initial + trailing).first { $0[0] == name }?[1] }

    var summary: String { "\(code) \(details) from \(echo?.pod ?? "nobody")" }
}

extension Node {
    /// Makes calls to port `port` of Service `echo` inside a pod, over one channel, each `count` times.
    func calls(_ calls: [GRPCCall], port: UInt16, from pod: String, count: Int = 1) async throws -> [GRPCAnswer] {
        struct Wish: Encodable {
            var target: String
            var method: String
            var metadata: [[String]]
            var count: Int
        }
        let wishes = calls.map { call in
            Wish(
                target: "echo:\(port)", method: call.method, metadata: call.metadata.map { [$0.0, $0.1] }, count: count)
        }
        let text = try await exec(
            pod, Node.program("grpc_echo_client"),
            input: String(decoding: try JSONEncoder().encode(wishes), as: UTF8.self),
            timeout: .seconds(120))
        return try JSONDecoder().decode([GRPCAnswer].self, from: Data(text.utf8))
    }
}

extension NodeTests {
    /// Upstream's GRPCRoute tests, for a mesh and for Gateways with a Service as the parent.
    @Suite("GRPCRoute conformance", .serialized)
    struct GRPCConformance {
        private let node = SharedNode.node

        /// Who answers as the suite's echo service.
        enum Backend: String, CaseIterable, CustomTestStringConvertible {
            /// The pods' own server, on the port of upstream's manifests.
            case pods = "weir echo"
            /// grpcio, on a port beside it.
            case grpcio = "grpcio"

            var testDescription: String { rawValue }
            var port: UInt16 { self == .pods ? 7070 : 7071 }
        }

        /// Puts the manifest in force with the backend's port, and runs `body` while the backends are there.
        private func run(
            _ file: String, _ backend: Backend, conditions: [String: Conditions] = [:],
            replacing: (String, String) = ("", ""), sourceLocation: SourceLocation = #_sourceLocation,
            _ body: () async throws -> Void
        ) async throws {
            var text = try Base.text(of: file).replacing("port: 7070", with: "port: \(backend.port)")
            if !replacing.0.isEmpty { text = text.replacing(replacing.0, with: replacing.1) }
            try await node.apply("case.yaml", text)
            if backend == .grpcio {
                try await node.running(
                    Node.program("grpc_echo_server", "\(backend.port)"), in: [Base.v1, Base.v2, Base.v3],
                    port: backend.port, body)
            } else {
                try await body()
            }
            try await node.checkConditions(of: file, except: conditions, sourceLocation: sourceLocation)
            try await node.remove("case.yaml")
        }

        private func run(
            _ file: String, _ backend: Backend, _ calls: [GRPCCall], sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            try await run(file, backend, sourceLocation: sourceLocation) {
                for client in Set(calls.map(\.from)) {
                    let own = calls.filter { $0.from == client }
                    let answers = try await node.calls(own, port: backend.port, from: client)
                    for (call, answer) in zip(own, answers) {
                        for fault in call.faults(in: answer) {
                            Issue.record(
                                "\(call.method) \(call.metadata) from \(client): \(fault)",
                                sourceLocation: sourceLocation)
                        }
                    }
                }
            }
        }

        @Test("GRPCExactMethodMatching", arguments: Backend.allCases) func exactMethod(_ backend: Backend) async throws
        {
            try await run(
                "Service/GRPCExactMethodMatching", backend,
                [
                    GRPCCall("Echo", to: Base.v1), GRPCCall("EchoTwo", to: Base.v2), .unimplemented("EchoThree"),
                    // Methods are compared with their case.
                    .unimplemented("echo"),
                ])
        }

        @Test("GRPCRouteHeaderMatching", arguments: Backend.allCases)
        func headerMatching(_ backend: Backend) async throws {
            try await run(
                "Service/GRPCRouteHeaderMatching", backend,
                [
                    GRPCCall("Echo", ["version": "one"], to: Base.v1),
                    GRPCCall("Echo", ["version": "two"], to: Base.v2),
                    GRPCCall("Echo", ["version": "two", "color": "orange"], to: Base.v1),
                    GRPCCall("Echo", ["color": "blue"], to: Base.v1),
                    GRPCCall("Echo", ["color": "green"], to: Base.v1),
                    GRPCCall("Echo", ["color": "red"], to: Base.v2),
                    GRPCCall("Echo", ["color": "yellow"], to: Base.v2),
                    // Two matches of one header each: the earlier rule wins.
                    GRPCCall("Echo", ["version": "two", "color": "blue"], to: Base.v2),
                    GRPCCall("EchoTwo", ["version": "one"], to: Base.v1),
                    .unimplemented("Echo", ["color": "orange"]),
                    .unimplemented("Echo", ["some-other-header": "one"]),
                    .unimplemented("Echo", ["color": "purple"]),
                    .unimplemented(),
                ])
        }

        @Test("GRPCRouteNamedRule", arguments: Backend.allCases) func namedRule(_ backend: Backend) async throws {
            try await run(
                "Service/GRPCRouteNamedRule", backend,
                [GRPCCall("Echo", to: Base.v1), GRPCCall("EchoTwo", to: Base.v2), .unimplemented("EchoThree")])
        }

        @Test("MeshGRPCRouteRequestHeaderModifier", arguments: Backend.allCases)
        func requestHeaderModifier(_ backend: Backend) async throws {
            try await run(
                "Mesh/MeshGRPCRouteRequestHeaderModifier", backend,
                [
                    GRPCCall(
                        "Echo",
                        [
                            "x-test-case": "set", "x-header-set": "this-value-should-be-overwritten",
                            "some-other-header": "val",
                        ], to: Base.v1, seen: ["x-header-set": "set-overwrites-values"]),
                    GRPCCall(
                        "Echo", ["x-test-case": "add", "x-header-add": "this-value-should-be-appended"], to: Base.v1,
                        seen: ["x-header-add": "this-value-should-be-appended,add-appends-values"]),
                    GRPCCall(
                        "Echo", ["x-test-case": "remove", "x-header-remove": "val"], to: Base.v1,
                        notSeen: ["x-header-remove"]),
                    GRPCCall(
                        "Echo",
                        [
                            "x-test-case": "multi", "x-header-set-2": "set-header-2", "x-header-add-2": "add-header-2",
                            "x-header-remove-2": "remove-header-2", "another-header": "val",
                        ], from: Base.v2, to: Base.v2,
                        seen: [
                            "x-header-set-1": "header-set-1", "x-header-set-2": "header-set-2",
                            "x-header-add-1": "header-add-1", "x-header-add-2": "add-header-2,header-add-2",
                        ], notSeen: ["x-header-remove-1", "x-header-remove-2"]),
                ])
        }

        /// 500 calls over one channel: each pod's share is within 5 points of the wanted one.
        private func checkWeights(_ backend: Backend, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let answers = try await node.calls([GRPCCall(to: "")], port: backend.port, from: Base.v1, count: 500)
            #expect(answers.count { $0.code == "OK" } == 500, sourceLocation: sourceLocation)
            let counts = Dictionary(answers.map { ($0.echo?.pod ?? $0.summary, 1) }, uniquingKeysWith: +)
            for (pod, share) in ["echo-v1": 0.7, "echo-v2": 0.3] {
                #expect(
                    abs(Double(counts[pod] ?? 0) / 500 - share) <= 0.05, "\(counts)", sourceLocation: sourceLocation)
            }
            #expect(counts.count == 2, "\(counts)", sourceLocation: sourceLocation)
        }

        @Test("MeshGRPCRouteWeight, GRPCRouteWeight", arguments: Backend.allCases)
        func weight(_ backend: Backend) async throws {
            try await run("Mesh/MeshGRPCRouteWeight", backend) { try await checkWeights(backend) }
            try await run("Service/GRPCRouteWeight", backend) { try await checkWeights(backend) }
            // As upstream has it, where the backend of weight 0 does not exist.
            try await run(
                "Mesh/MeshGRPCRouteWeight", backend,
                conditions: [
                    "mesh-grpc-weighted-backends": .notResolved("BackendNotFound", message: "nonexistent")
                ], replacing: ("echo-v3", "nonexistent")
            ) {
                try await checkWeights(backend)
            }
        }

        /// The Service's port says h2c; requests of either version reach the pods by HTTP/2.
        @Test("HTTPRouteBackendProtocolH2C") func backendProtocolH2C() async throws {
            try await node.apply("case.yaml", Base.text(of: "Service/HTTPRouteBackendProtocolH2C"))
            try await node.check([Exchange("/", to: Base.v1)], by: HTTPVersion.allCases)
            let answers = try await node.requests(
                HTTPVersion.allCases.map { ClientRequest("echo").by($0) }, from: Base.v1)
            for answer in answers { #expect(answer.echo?.protocol.hasPrefix("HTTP/2") == true, "\(answer.summary)") }
            try await node.checkConditions(of: "HTTPRouteBackendProtocolH2C")
            try await node.remove("case.yaml")
        }
    }
}
