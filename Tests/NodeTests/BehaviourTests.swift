import Foundation
import Glibc
import Testing
import TestSupport

extension NodeTests {
    /// What a route does to whom, and what happens when it changes.
    @Suite("Behaviour", .serialized)
    struct Behaviour {
        private let node = SharedNode.node

        /// A route that marks what it serves.
        static func route(
            _ name: String = "marked", namespace: String = Base.mesh, parent: String = "echo-v1", mark: String = "weir",
            backend: String = "echo-v1", more: String = ""
        ) -> String {
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: \(name), namespace: \(namespace)}
            spec:
              parentRefs: [{group: "", kind: Service, name: \(parent), namespace: \(Base.mesh), port: 80}]
              rules:
              - filters:
                - type: ResponseHeaderModifier
                  responseHeaderModifier: {set: [{name: X-Mark, value: "\(mark)"}]}
                backendRefs: [{name: \(backend), namespace: \(Base.mesh), port: 80}]
            \(more)
            """
        }

        @Test("A consumer route is for its own namespace's pods only, and then instead of the producer's")
        func consumerRoute() async throws {
            let service = "echo-v1.\(Base.mesh)"
            try await node.apply(
                "case.yaml",
                Self.route(mark: "producer") + "\n---\n"
                    + Self.route("theirs", namespace: Base.consumer, mark: "consumer", backend: "echo-v2"))
            try await node.check([
                Exchange("/", service: service, to: Base.v1, answered: ["X-Mark": "producer"]),
                Exchange(
                    "/", service: service, from: Base.consumerPod, to: Base.v2, answered: ["X-Mark": "consumer"]),
            ])
            // No fall-through to the producer's routes when no consumer rule matches.
            try await node.apply(
                "case.yaml",
                Self.route(mark: "producer") + "\n---\n"
                    + Self.route("theirs", namespace: Base.consumer).replacing(
                        "  - filters:", with: "  - matches: [{path: {type: Exact, value: /only}}]\n    filters:"))
            var unmatched = Exchange(
                "/other", service: service, from: Base.consumerPod, status: 404, reason: "no-route-matched")
            unmatched.backend = nil
            try await node.check([
                Exchange("/other", service: service, to: Base.v1, answered: ["X-Mark": "producer"]),
                Exchange("/only", service: service, from: Base.consumerPod, to: Base.v1, answered: ["X-Mark": "weir"]),
                unmatched,
            ])
            try await node.remove("case.yaml")
        }

        @Test("A pod that is not enrolled, and a pod's own address, are never redirected") func untouched() async throws
        {
            try await node.apply("case.yaml", Self.route())
            try await node.check([
                Exchange("/", service: "echo-v1", to: Base.v1, answered: ["X-Mark": "weir"]),
                Exchange("/", service: Base.address(Base.v1), port: 8080, to: Base.v1, notAnswered: ["X-Mark"]),
                Exchange(
                    "/", service: Base.address(Base.v2), port: 8080, from: Base.consumerPod, to: Base.v2,
                    notAnswered: ["X-Mark"]),
            ])
            // Without a mesh and without kube-proxy nobody answers at a ClusterIP.
            var request = ClientRequest(Base.clusterIP("echo-v1"))
            request.timeout = 1
            let answers = try await node.requests(
                [request, ClientRequest(Base.address(Base.v1), port: 8080)], from: Base.outsider)
            #expect(answers[0].error != nil, "\(answers[0].summary)")
            #expect(answers[1].status == 200, "\(answers[1].summary)")
            try await node.remove("case.yaml")
        }

        @Test("Hairpin: a pod whose request comes back to itself") func hairpin() async throws {
            try await node.apply("case.yaml", Self.route())
            for family in [4, 6] {
                var request = ClientRequest(Base.clusterIP("echo-v1", family: family), host: "echo-v1")
                request.count = 20
                request.reuse = true
                let answers = try await node.requests([request], from: Base.v1)
                for answer in answers {
                    #expect(answer.status == 200 && answer.header("x-mark") == "weir", "\(answer.summary)")
                    #expect(answer.echo?.pod == "echo-v1")
                }
            }
            try await node.remove("case.yaml")
            // And without a route, by the kernel's choice alone.
            try await node.check([Exchange("/", service: "echo-v1", to: Base.v1, notAnswered: ["X-Mark"])])
        }

        @Test("A backend is reached over the family that the client dialled") func family() async throws {
            try await node.apply("case.yaml", Self.route(parent: "echo", mark: "family", backend: "echo-v2"))
            for family in [4, 6] {
                var request = ClientRequest(Base.clusterIP("echo", family: family), host: "echo")
                request.count = 20
                let own = Base.address(Base.v1, family: family)
                for answer in try await node.requests([request], from: Base.v1) {
                    #expect(answer.header("x-mark") == "family", "\(answer.summary)")
                    #expect(answer.echo?.client.contains(own) == true, "\(answer.echo?.client ?? "")")
                }
            }
            try await node.remove("case.yaml")
        }

        @Test("A live edit is obeyed, also on a connection that was there before; a deleted route stops to act")
        func liveEdit() async throws {
            try await node.apply("case.yaml", Self.route(parent: "echo", mark: "one", backend: "echo-v1"))
            let log = try TemporaryFolder(prefix: "wn-live")
            let load = try await node.load(Base.v1, log.path + "/log", connections: 2, ["--header", "X-Mark"])
            do {
                try await node.apply("case.yaml", Self.route(parent: "echo", mark: "two", backend: "echo-v2"))
                let edited = monotonicNanoseconds()
                try await Task.sleep(for: .milliseconds(300))
                load.closeInput()
                _ = try await load.wait()
                let log = try LoadLog(log.path + "/log")
                #expect(log.records.allSatisfy { $0.status == 200 }, "\(log.summary)")
                #expect(
                    log.records.contains { log.mark($0) == "one" } && log.records.contains { log.mark($0) == "two" })
                #expect(log.records.allSatisfy { $0.begin < edited || log.mark($0) == "two" }, "\(log.summary)")
            } catch {
                load.signal(SIGKILL, group: true)
                throw error
            }
            try await node.remove("case.yaml")
            var request = ClientRequest("echo")
            request.count = 30
            let answers = try await node.requests([request], from: Base.v1)
            #expect(answers.allSatisfy { $0.status == 200 && $0.header("x-mark") == nil })
            #expect(Set(answers.compactMap { $0.echo?.pod }) == ["echo-v1", "echo-v2"])
        }

        @Test("Weir leaves routes for others alone and says nothing of them") func silent() async throws {
            try await node.apply(
                "case.yaml",
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: HTTPRoute
                metadata: {name: gateway-route, namespace: gateway-conformance-mesh}
                spec:
                  parentRefs: [{name: somebody}, {kind: Service, name: echo}]
                  rules: [{backendRefs: [{name: echo-v1, port: 80}]}]
                """)
            let route = try await node.routes().first { $0.metadata.name == "gateway-route" }
            #expect(route?.status?.parents.isEmpty != false)
            let services = try await node.weir("services", "-o", "json")
            #expect(!services.contains("gateway-route"))
            let status = try await node.json(AgentReport.self, "status")
            #expect(status.refused.isEmpty && status.problems.isEmpty, "\(status)")
            try await node.remove("case.yaml")
        }

        @Test("Metrics are well formed, and bounded whatever is asked") func metrics() async throws {
            try await node.apply("case.yaml", Self.route(parent: "echo"))
            func series(_ text: String) -> Set<String> {
                Set(
                    text.split(separator: "\n").filter { !$0.hasPrefix("#") }
                        .map { String($0[..<($0.lastIndex(of: " ") ?? $0.endIndex)]) })
            }
            func traffic(_ range: Range<Int>) -> [ClientRequest] {
                range.map { index in
                    var request = ClientRequest("echo", target: "/\(index)?q=\(index)")
                    request.method = index % 2 == 0 ? "GET" : "M\(index)"
                    request.headers.append(["X-Request", "\(index)"])
                    request.reuse = true
                    return request
                }
            }
            _ = try await node.requests(traffic(0..<50), from: Base.v1)
            let before = try await node.metrics()
            _ = try await node.requests(traffic(50..<300), from: Base.v1)
            let after = try await node.metrics()
            #expect(series(after).subtracting(series(before)).isEmpty, "\(series(after).subtracting(series(before)))")
            var types: [Substring: Substring] = [:]
            for line in after.split(separator: "\n") {
                if line.hasPrefix("# TYPE ") {
                    let words = line.split(separator: " ")
                    #expect(words.count == 4 && types.updateValue(words[3], forKey: words[2]) == nil, "\(line)")
                } else if !line.hasPrefix("#") {
                    let well = try #/[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? [-+0-9.eEInfNa]+/#
                        .wholeMatch(in: line)
                    #expect(well != nil, "\(line)")
                }
            }
            #expect(
                series(after).contains { $0.contains(#"parent_name="echo""#) && $0.contains(#"route_name="marked""#) })
            try await node.remove("case.yaml")
        }

        @Test("A second agent on the same state or pins is refused") func secondAgent() async throws {
            let other = try TemporaryFolder(prefix: "wn-second")
            for arguments in [
                ["--state", node.state, "--pins", node.pins + "-2"], ["--state", other.path, "--pins", node.pins],
            ] {
                let start = ContinuousClock.now
                let output = try await ChildProcess.run(
                    [
                        node.weir, "agent", "--manifests", node.manifests, "--cgroup", node.cgroup,
                        "--metrics-address", "off",
                    ] + arguments, timeout: .seconds(15))
                #expect(output.status != 0)
                #expect(start.duration(to: .now) < .seconds(10))
                #expect(output.error.contains("agent"), "\(output.error)")
            }
            // The first one is not disturbed.
            try await node.check([Exchange("/", service: "echo-v1", to: Base.v1)])
        }

        @Test("A pod leaves the mesh and comes back by its label") func labels() async throws {
            let base = node.fill(try Base.text)
            let label = "labels: {app: echo, version: v2}"
            try await node.apply("case.yaml", Self.route(parent: "echo", backend: "echo-v1"))
            let inside = Exchange("/", from: Base.v2, to: Base.v1, answered: ["X-Mark": "weir"])
            try await node.check([inside])
            try await node.apply(
                "base.yaml",
                base.replacing(label, with: "labels: {app: echo, version: v2, weir.dev/mesh: disabled}"))
            var request = ClientRequest(Base.clusterIP("echo"))
            request.timeout = 1
            let outside = try await node.request(request, from: Base.v2)
            #expect(outside.header("x-mark") == nil, "\(outside.summary)")
            // Another pod's requests still reach it, and are still redirected.
            try await node.check([Exchange("/", to: Base.v1, answered: ["X-Mark": "weir"])])
            try await node.apply("base.yaml", base)
            try await node.check([inside])
            try await node.remove("case.yaml")
        }

        @Test("A program that runs as a pod gets its signals") func signals() async throws {
            let sleep = try node.start(Base.v1, ["sleep", "60"])
            #expect(
                await eventually(within: .seconds(10)) {
                    (try? String(contentsOfFile: "/proc/\(sleep.pid)/comm", encoding: .utf8)) == "sleep\n"
                })
            sleep.signal(SIGTERM)
            #expect(try await sleep.wait(timeout: .seconds(5)).status == 128 + SIGTERM)
        }

        @Test("Status of a ready agent, its pods and endpoints") func views() async throws {
            struct Pod: Decodable {
                var namespace: String
                var name: String
                var enrolled: Bool
                var state: String
            }
            let status = try await node.json(AgentReport.self, "status")
            #expect(status.ready)
            #expect(status.pid == node.agent?.pid)
            let pods = try await node.json([Pod].self, "pods")
            let enrolled = Set(pods.filter(\.enrolled).map { "\($0.namespace)/\($0.name)" })
            #expect(enrolled == [Base.v1, Base.v2, Base.v3, Base.consumerPod, "\(Base.mesh)/websocket"])
            #expect(pods.first { $0.name == "outsider" }?.state == "opted-out")
            let endpoints = try await node.weir("endpoints", "-o", "json")
            #expect(endpoints.contains(Base.address(Base.v1)) && endpoints.contains(Base.address(Base.v2, family: 6)))
            for command in ["status", "pods", "services", "routes", "endpoints", "version"] {
                for format in ["table", "wide", "json", "yaml"] {
                    #expect(try await !node.weir(command, "-o", format).isEmpty || command == "routes")
                }
            }
        }
    }
}
