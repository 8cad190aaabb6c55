import Foundation
import Glibc
import Testing
import TestSupport

extension NodeTests {
    /// The agent comes and goes; the pods stay as they are. Each test has a node of its own.
    @Suite("Restart", .serialized)
    struct Restart {
        private static let route = Behaviour.route(parent: "echo", backend: "echo-v2")

        /// The processes of the pods.
        private func processes(_ node: Node) -> [String] {
            Node.names(in: node.cgroup).sorted().compactMap {
                try? String(contentsOfFile: "\(node.cgroup)/\($0)/cgroup.procs", encoding: .utf8)
            }
        }

        @Test("kill -9 under load: the ordinary path at once, and the next agent takes over") func killed() async throws
        {
            try await Node.with(Base.text) { node in
                try node.write("case.yaml", Self.route)
                try await node.startAgent()
                let before = processes(node)
                let folder = try TemporaryFolder(prefix: "wn-kill")
                let load = try await node.load(
                    Base.v1, folder.path + "/log", connections: 8, ["--header", "X-Mark", "--fresh"])
                defer { load.signal(SIGKILL, group: true) }
                try await Task.sleep(for: .seconds(1))
                let killed = monotonicNanoseconds()
                try await node.stopAgent(SIGKILL)
                try await Task.sleep(for: .seconds(1))
                let started = monotonicNanoseconds()
                try await node.startAgent()
                let ready = monotonicNanoseconds()
                try await Task.sleep(for: .seconds(1))
                load.closeInput()
                _ = try await load.wait()

                let log = try LoadLog(folder.path + "/log")
                let good = log.records.filter { $0.status == 200 }
                let failures = log.records.filter { $0.status != 200 }
                #expect(log.records.contains { $0.end < killed })
                // Whatever was in flight may break; half a second later nothing does.
                for failure in failures {
                    #expect(
                        failure.end > killed && failure.begin < killed + 500_000_000,
                        "\(log.mark(failure)) \(Int64(failure.begin) - Int64(killed)) ns after the kill")
                }
                #expect(good.allSatisfy { $0.end > killed || log.mark($0) == "weir" }, "\(log.summary)")
                let between = good.filter { $0.begin > killed + 500_000_000 && $0.end < started }
                #expect(!between.isEmpty && between.allSatisfy { log.mark($0) == "" }, "\(log.summary)")
                let after = good.filter { $0.begin > ready }
                #expect(!after.isEmpty && after.allSatisfy { log.mark($0) == "weir" }, "\(log.summary)")
                #expect(processes(node) == before)

                let outage = log.records.filter { $0.begin > killed && $0.status == 200 }.map(\.end).min()
                let back = good.filter { $0.begin > started && log.mark($0) == "weir" }.map(\.end).min()
                print(
                    "kill -9 under load: \(log.records.count) connections, \(failures.count) failed; first success",
                    milliseconds(outage, since: killed), "after the kill; redirected again",
                    milliseconds(back, since: started), "after the start")
            }
        }

        private func milliseconds(_ time: UInt64?, since start: UInt64) -> String {
            time.map { String(format: "%.1f ms", Double($0 - start) / 1e6) } ?? "never"
        }

        @Test("SIGTERM: what is in flight is finished, new connections take the ordinary path") func drained()
            async throws
        {
            try await Node.with(Base.text) { node in
                try node.write("case.yaml", Self.route)
                try await node.startAgent()
                async let slow = node.requests(
                    (0..<4).map { _ in ClientRequest("echo", target: "/?delay=2s") }, from: Base.v1, concurrency: 4)
                try await Task.sleep(for: .seconds(1))
                let agent = try #require(node.agent)
                agent.signal(SIGTERM)
                let ordinary = try await eventually(within: .seconds(1)) {
                    let answer = try await node.request(ClientRequest("echo"), from: Base.v1)
                    #expect(answer.status == 200, "\(answer.summary)")
                    return answer.header("x-mark") == nil
                }
                #expect(ordinary)
                for answer in try await slow {
                    #expect(answer.status == 200 && answer.header("x-mark") == "weir", "\(answer.summary)")
                }
                let output = try await node.stopAgent(0)
                #expect(output?.status == 0, "\(output?.error ?? "")")
            }
        }

        @Test("SIGTERM: --drain bounds the wait") func drainEnds() async throws {
            try await Node.with(Base.text) { node in
                try node.write("case.yaml", Self.route)
                try await node.startAgent("--drain", "1s")
                async let slow = node.request(ClientRequest("echo", target: "/?delay=8s"), from: Base.v1)
                try await Task.sleep(for: .milliseconds(500))
                let start = ContinuousClock.now
                let output = try await node.stopAgent()
                #expect(output?.status == 0, "\(output?.error ?? "")")
                #expect(start.duration(to: .now) < .seconds(4))
                let answer = try await slow
                #expect(answer.status != 200)
            }
        }

        @Test("Uninstall leaves the pods to themselves, and may be run twice") func uninstalled() async throws {
            try await Node.with(Base.text) { node in
                try node.write("case.yaml", Self.route)
                try await node.startAgent()
                #expect(access(node.pins, F_OK) == 0)
                let before = processes(node)
                try await node.stopAgent()
                // Balancing by the kernel outlives the agent.
                let balanced = try await node.request(ClientRequest("echo"), from: Base.v1)
                #expect(balanced.status == 200 && balanced.header("x-mark") == nil, "\(balanced.summary)")
                try await node.uninstall()
                #expect(access(node.pins, F_OK) != 0)
                try await node.uninstall()
                #expect(processes(node) == before)
                let direct = try await node.request(ClientRequest(Base.address(Base.v2), port: 8080), from: Base.v1)
                #expect(direct.status == 200)
                // An agent can come back.
                try await node.startAgent()
                try await node.check([Exchange("/", to: Base.v2, answered: ["X-Mark": "weir"])])
            }
        }
    }
}
