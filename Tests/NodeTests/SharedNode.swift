import Foundation
import Glibc
import Testing
import TestSupport

/// Gives the tests of a suite one node with the upstream mesh base and a running agent: it costs seconds to make.
/// Afterwards nothing may be left.
struct SharedNode: SuiteTrait, TestScoping {
    var isRecursive: Bool { false }

    @TaskLocal private static var current: Node?

    static var node: Node {
        guard let current else { fatalError("the suite lacks the trait .sharedNode") }
        return current
    }

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await Node.removeStale()
        try await Node.with(Base.text) { node in
            try await node.startAgent()
            try await Self.$current.withValue(node) { try await body() }
        }
    }
}

extension Trait where Self == SharedNode {
    static var sharedNode: Self { SharedNode() }
}

extension Node {
    /// Calls `body` with a node of its own, without an agent, and tears it down; whatever is left is an issue.
    static func with(
        _ base: String, _ body: (Node) async throws -> Void
    ) async throws {
        guard geteuid() == 0 else {
            throw ChildProcess.Failure("node tests make network namespaces and load eBPF: run as root")
        }
        let node = try await Node(base: fill(base, node: nextName))
        do {
            try await body(node)
        } catch {
            Issue.record("agent's log: \(node.agent?.errorOutput.suffix(4000) ?? "none")")
            await node.report()
            throw error
        }
        await node.report()
    }

    private func report() async {
        for problem in await tearDown() { Issue.record("after the tests: \(problem)") }
    }
}

/// The manifests of `SharedNode`.
enum Base {
    static var text: String {
        get throws { try text(of: "base") }
    }

    /// A file of the folder Conformance, without its suffix.
    static func text(of file: String) throws -> String {
        try String(contentsOfFile: "\(Node.sources)/Conformance/\(file).yaml", encoding: .utf8)
    }

    static let mesh = "gateway-conformance-mesh"
    static let consumer = "gateway-conformance-mesh-consumer"
    static let v1 = "\(mesh)/echo-v1"
    static let v2 = "\(mesh)/echo-v2"
    static let v3 = "\(mesh)/echo-v3"
    static let outsider = "\(mesh)/outsider"
    static let consumerPod = "\(consumer)/echo-v1"

    /// A pod's or a Service's address by its name, as base.yaml has it.
    static func address(_ pod: String, family: Int = 4) -> String {
        let host = [v1: 11, v2: 12, v3: 13, outsider: 15, consumerPod: 21][pod, default: 0]
        return family == 4 ? "10.244.0.\(host)" : "fd00:10:244::\(host)"
    }

    static func clusterIP(_ service: String, family: Int = 4) -> String {
        let host = [
            "echo": 10, "echo-v1": 11, "echo-v2": 12, "echo-v3": 13, "websocket": 14, "manual": 15, "empty": 16,
        ]
        return (family == 4 ? "10.96.0." : "fd00:10:96::") + "\(host[service, default: 0])"
    }
}
