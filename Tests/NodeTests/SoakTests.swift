import Foundation
import Glibc
import Synchronization
import Testing
import TestSupport

/// What may answer a request while one state of the manifests is in force.
private struct Phase {
    /// When the change to it began: the time of rename(2) or unlink(2).
    var begun: UInt64
    /// When `weir wait` said that it was in force.
    var acknowledged: UInt64 = .max
    var allowed: Set<String>
}

/// The phases of a run, in order; the writer adds them, the one who waits acknowledges them.
private final class Timeline: Sendable {
    private let phases: Mutex<[Phase]>

    private let made = Mutex(1)

    init(_ first: Phase) { phases = Mutex([first]) }

    var all: [Phase] { phases.withLock { $0 } }
    var count: Int { phases.withLock { $0.count } }

    func add(_ phase: Phase) {
        phases.withLock { $0.append(phase) }
    }

    /// How many phases, from the first, have their files in the folder.
    var written: Int { made.withLock { $0 } }

    func isWritten() {
        made.withLock { $0 += 1 }
    }

    /// The first `count` phases were all begun before the wait that is over now.
    func acknowledge(_ count: Int) {
        let now = monotonicNanoseconds()
        phases.withLock { phases in
            for index in phases[..<count].indices where phases[index].acknowledged == .max {
                phases[index].acknowledged = now
            }
        }
    }

    func isAcknowledged(_ index: Int, for nanoseconds: UInt64) -> Bool {
        phases.withLock { phases in
            let time = phases[index].acknowledged
            return time != .max && time + nanoseconds < monotonicNanoseconds()
        }
    }
}

/// The changing part of the manifests.
private struct Manifests {
    /// Service to weight, on the route that holds for every path.
    var weights: [String: Int] = ["echo-v1": 1, "echo-v2": 1]
    /// The backend of a second route, for the very path that is asked; nil: it is not there.
    var override: String?
    /// The pod behind each of the two endpoints of Service `manual`.
    var endpoints: [Drain]

    /// An echo server in pod echo-v3 on a port of its own.
    struct Drain: Equatable {
        var name: String
        var port: Int
    }

    var allowed: Set<String> {
        let services = override.map { [$0] } ?? weights.filter { $0.value > 0 }.map(\.key)
        return Set(services.flatMap { $0 == "manual" ? endpoints.map(\.name) : [$0] })
    }

    var route: String {
        let backends = weights.sorted { $0.key < $1.key }.map { "{name: \($0.key), port: 80, weight: \($0.value)}" }
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: soak, namespace: gateway-conformance-mesh}
            spec:
              parentRefs: [{group: "", kind: Service, name: echo, port: 80}]
              rules: [{backendRefs: [\(backends.joined(separator: ", "))]}]
            """
    }

    var overrideRoute: String? {
        override.map { service in
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: soak-override, namespace: gateway-conformance-mesh}
            spec:
              parentRefs: [{group: "", kind: Service, name: echo, port: 80}]
              rules: [{matches: [{path: {type: Exact, value: /soak}}], backendRefs: [{name: \(service), port: 80}]}]
            """
        }
    }

    var slices: String {
        endpoints.enumerated().map { index, endpoint in
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: manual-\(index)
              namespace: gateway-conformance-mesh
              labels: {kubernetes.io/service-name: manual}
            addressType: IPv4
            ports: [{name: http, port: \(endpoint.port), protocol: TCP}]
            endpoints: [{addresses: [\(Base.address(Base.v3))], conditions: {ready: true}}]
            """
        }.joined(separator: "\n---\n")
    }
}

extension NodeTests {
    /// Requests go on while the manifests change. `WEIR_SOAK=long` makes a million of them.
    @Suite("Change", .serialized)
    struct Change {
        private let node = SharedNode.node
        private static let long = getenv("WEIR_SOAK").map { String(cString: $0) } == "long"

        @Test("No request fails, and none goes where it must not, while the manifests change every 100 ms")
        func soak() async throws {
            let requests = Self.long ? 1_000_000 : 0
            let duration: Duration = Self.long ? .seconds(3600) : .seconds(20)
            let drains = (0..<(Self.long ? 60 : 8)).map { Manifests.Drain(name: "drain-\($0)", port: 18000 + $0) }
            let servers = try drains.map { drain in
                try node.start(
                    Base.v3, ["env", "POD_NAME=\(drain.name)", node.weir, "echo", "--port", "\(drain.port)"])
            }
            let folder = try TemporaryFolder(prefix: "wn-soak")
            var load: ChildProcess?
            defer {
                for process in servers + [load].compactMap({ $0 }) { process.signal(SIGKILL, group: true) }
            }
            for drain in drains {
                let up = try await eventually(within: .seconds(20)) {
                    try await node.request(
                        ClientRequest(Base.address(Base.v3), port: UInt16(drain.port)), from: Base.v3
                    )
                    .status == 200
                }
                #expect(up, "\(drain)")
            }

            var manifests = Manifests(endpoints: Array(drains[..<2]))
            var used = 2
            try node.write("soak-slices.yaml", manifests.slices)
            try await node.apply("soak.yaml", manifests.route)
            let timeline = Timeline(Phase(begun: 0, acknowledged: 0, allowed: manifests.allowed))
            let limit = requests > 0 ? ["--limit", "\(requests)"] : []
            let process = try await node.load(
                Base.v1, folder.path + "/log", connections: 64, ["--target", "/soak"] + limit)
            load = process
            let isOver = Mutex(false)
            async let acknowledging: Void = acknowledge(timeline) { isOver.withLock { $0 } }
            var generator = SeededGenerator(state: 20)
            var draining: [(server: Int, phase: Int)] = []
            let deadline = ContinuousClock.now + duration
            var next = ContinuousClock.now
            var late = 0
            while ContinuousClock.now < deadline, process.isRunning {
                let replaced = try change(
                    &manifests, timeline, drains: drains, used: &used, using: &generator)
                if let replaced { draining.append((replaced, timeline.count - 1)) }
                // What was sent to it before the acknowledgement is answered within this time.
                while let first = draining.first, timeline.isAcknowledged(first.phase, for: 300_000_000) {
                    draining.removeFirst()
                    servers[first.server].signal(SIGTERM)
                    #expect(try await servers[first.server].wait(timeout: .seconds(10)).status == 128 + SIGTERM)
                }
                next += .milliseconds(100)
                if next > .now {
                    try await Task.sleep(until: next)
                } else {
                    late += 1
                    next = .now
                }
            }
            isOver.withLock { $0 = true }
            try await acknowledging
            process.closeInput()
            _ = try await process.wait(timeout: .seconds(60))

            let log = try LoadLog(folder.path + "/log")
            let phases = timeline.all
            let (failed, wrong) = Self.verdict(log, phases)
            let waits = zip(phases.dropFirst(), phases.dropFirst().map(\.acknowledged)).map {
                Double($1 - $0.begun) / 1e6
            }
            print(
                "soak: \(log.records.count) requests, \(phases.count - 1) changes, \(used - 2) endpoints drained,",
                "\(failed.count) failed, \(wrong.count) at a wrong backend;",
                String(
                    format: "acknowledged after p50 %.0f ms, p99 %.0f ms;", percentile(0.5, of: waits),
                    percentile(0.99, of: waits)),
                "\(late) changes late")
            #expect(failed.isEmpty, "\(failed.count) of \(log.records.count): \(log.summary)")
            #expect(
                wrong.isEmpty,
                "\(wrong.count) of \(log.records.count): \(Self.explain(wrong, log, phases))")
            #expect(log.records.count >= max(1000, requests))
            #expect(used > 3)
            for file in ["soak-override.yaml", "soak-slices.yaml"] { unlink("\(node.manifests)/\(file)") }
            try await node.remove("soak.yaml")
        }

        /// Asks again and again until `isOver`, and once after it.
        private func acknowledge(_ timeline: Timeline, until isOver: @Sendable () -> Bool) async throws {
            while true {
                let last = isOver()
                let count = timeline.written
                try await node.wait()
                timeline.acknowledge(count)
                if last { return }
            }
        }

        /// Makes one change.
        /// - Returns: the index of the drain that is to serve no longer.
        private func change(
            _ manifests: inout Manifests, _ timeline: Timeline, drains: [Manifests.Drain], used: inout Int,
            using generator: inout SeededGenerator
        ) throws -> Int? {
            var replaced: Int?
            let number = timeline.count
            let file: String
            let text: String?
            if number % 20 == 10, used < drains.count {
                let slot = Int.random(in: 0..<2, using: &generator)
                replaced = drains.firstIndex(of: manifests.endpoints[slot])
                manifests.endpoints[slot] = drains[used]
                used += 1
                file = "soak-slices.yaml"
                text = manifests.slices
            } else if number % 3 == 0 {
                manifests.override =
                    manifests.override == nil
                    ? ["echo-v1", "echo-v2", "echo-v3", "manual"].randomElement(using: &generator) : nil
                file = "soak-override.yaml"
                text = manifests.overrideRoute
            } else {
                manifests.weights = [:]
                while !manifests.weights.values.contains(where: { $0 > 0 }) {
                    for service in ["echo-v1", "echo-v2", "echo-v3", "manual"] where Bool.random(using: &generator) {
                        manifests.weights[service] = [0, 1, 9].randomElement(using: &generator) ?? 1
                    }
                }
                file = "soak.yaml"
                text = manifests.route
            }
            // Known before it is made: a request may meet it before the next line.
            timeline.add(Phase(begun: monotonicNanoseconds(), allowed: manifests.allowed))
            if let text {
                try node.write(file, text)
            } else {
                unlink("\(node.manifests)/\(file)")
            }
            timeline.isWritten()
            return replaced
        }

        /// When the wrong answers were, by the change that they should have obeyed.
        private static func explain(_ wrong: [LoadLog.Record], _ log: LoadLog, _ phases: [Phase]) -> String {
            guard let first = wrong.map(\.begin).min(), let last = wrong.map(\.begin).max() else { return "" }
            let marks = Set(wrong.map { log.mark($0) }).sorted()
            let changes = phases.enumerated().filter { $0.element.begun <= last && $0.element.acknowledged != 0 }
                .suffix(3)
            return "\(marks) in \(Double(last - first) / 1e6) ms; "
                + changes.map { index, phase in
                    let begun = Double(Int64(phase.begun) - Int64(first)) / 1e6
                    let acknowledged = Double(Int64(clamping: phase.acknowledged) - Int64(first)) / 1e6
                    return
                        "change \(index) \(phase.allowed.sorted()) begun at \(begun) ms, acknowledged at \(acknowledged) ms"
                }.joined(separator: "; ")
        }

        /// Failed requests, and those whose backend no phase allowed that could be in force while they ran: a phase ends
        /// for requests sent after the next one's acknowledgement.
        private static func verdict(_ log: LoadLog, _ phases: [Phase]) -> (
            failed: [LoadLog.Record], wrong: [LoadLog.Record]
        ) {
            var failed: [LoadLog.Record] = []
            var wrong: [LoadLog.Record] = []
            for record in log.records {
                guard record.status == 200 else {
                    failed.append(record)
                    continue
                }
                // The last phase acknowledged before the request was sent is the oldest that may still serve it.
                var low = 0
                var high = phases.count
                while high - low > 1 {
                    let middle = (low + high) / 2
                    if phases[middle].acknowledged <= record.begin { low = middle } else { high = middle }
                }
                let mark = log.mark(record)
                let right = phases[low...].prefix { $0.begun <= record.end }.contains { $0.allowed.contains(mark) }
                if !right { wrong.append(record) }
            }
            return (failed, wrong)
        }

        @Test("From rename(2) to the first request that obeys: 200 changes beside 100 routes") func latency()
            async throws
        {
            for index in 0..<100 {
                try node.write(
                    "other-\(index).yaml",
                    Behaviour.route("other-\(index)", parent: ["echo-v1", "echo-v2", "echo-v3"][index % 3]).replacing(
                        "  - filters:",
                        with: "  - matches: [{path: {type: Exact, value: /other/\(index)}}]\n    filters:"))
            }
            try await node.apply("case.yaml", Behaviour.route(parent: "echo", mark: "start"))
            let folder = try TemporaryFolder(prefix: "wn-latency")
            let load = try await node.load(Base.v2, folder.path + "/log", connections: 1, ["--header", "X-Mark"])
            defer { load.signal(SIGKILL, group: true) }
            var times: [UInt64] = []
            for change in 0..<200 {
                times.append(try node.write("case.yaml", Behaviour.route(parent: "echo", mark: "m\(change)")))
                try await node.wait()
            }
            try await Task.sleep(for: .milliseconds(100))
            load.closeInput()
            _ = try await load.wait()
            let log = try LoadLog(folder.path + "/log")
            #expect(log.records.allSatisfy { $0.status == 200 }, "\(log.summary)")
            var first: [String: UInt64] = [:]
            for record in log.records where first[log.mark(record)] == nil { first[log.mark(record)] = record.end }
            var latencies: [Double] = []
            for (change, time) in times.enumerated() {
                guard let end = first["m\(change)"] else {
                    Issue.record("no request obeyed change \(change)")
                    continue
                }
                latencies.append(Double(end - time) / 1e6)
            }
            let p50 = percentile(0.5, of: latencies)
            let p99 = percentile(0.99, of: latencies)
            print(
                "rename to first obeying answer, 200 changes beside 100 routes:",
                String(format: "p50 %.1f ms, p99 %.1f ms, max %.1f ms", p50, p99, latencies.max() ?? .nan))
            // Loose, for a debug build on a busy machine; the figures above are what counts.
            #expect(p50 < 100 && p99 < 500)
            for index in 0..<100 { unlink("\(node.manifests)/other-\(index).yaml") }
            try await node.remove("case.yaml")
        }
    }
}
