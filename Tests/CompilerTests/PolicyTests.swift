import Compiler
import Model
import Resources
import Testing

/// XBackendTrafficPolicy (GEP-3388): what each Service gets, and which objects a change touches.
@Suite struct PolicyTests {
    static func policy(
        _ name: String, targets: [String] = ["echo"], _ spec: String = "retryConstraint: {}", created: String? = nil,
        status: String = ""
    ) -> String {
        let targets = targets.map { "{group: '', kind: Service, name: \($0)}" }.joined(separator: ", ")
        return """
            apiVersion: gateway.networking.x-k8s.io/v1alpha1
            kind: XBackendTrafficPolicy
            metadata: {name: \(name), namespace: default, generation: 3\(created.map { ", creationTimestamp: '\($0)'" } ?? "")}
            spec: {targetRefs: [\(targets)], \(spec)}
            \(status)

            """
    }

    private static func key(_ name: String) -> ObjectKey {
        ObjectKey(kind: .xBackendTrafficPolicy, namespace: "default", name: name)
    }

    private func backend(_ compilation: Compilation, _ service: String = "echo", port: UInt16 = 80) throws -> Backend {
        let service = try #require(compilation.snapshot.service(ObjectName(namespace: "default", name: service)))
        return try #require(service.port(port)).plain
    }

    private func percent(_ compilation: Compilation, _ service: String = "echo") throws -> Int? {
        try backend(compilation, service).trafficPolicy?.retryBudget?.percent
    }

    private func budget(_ percent: Int) -> String { "retryConstraint: {budget: {percent: \(percent)}}" }

    struct Translation: CustomTestStringConvertible {
        let spec: String
        let says: String
        var testDescription: String { spec }

        init(_ spec: String, _ says: String) {
            self.spec = spec
            self.says = says
        }
    }

    static let translations = [
        Translation("retryConstraint: {}", "retries 20 % in 10000000000 ns, or 10 in 1000000000 ns"),
        Translation(
            "retryConstraint: {budget: {percent: 0, interval: 1s}, minRetryRate: {count: 1, interval: 1h}}",
            "retries 0 % in 1000000000 ns, or 1 in 3600000000000 ns"),
        Translation(
            "retryConstraint: {minRetryRate: {count: 7}}", "retries 20 % in 10000000000 ns, or 7 in 1000000000 ns"),
        Translation("sessionPersistence: {sessionName: s}", "cookie s path /"),
        Translation("sessionPersistence: {}", "cookie weir-session-f95327d9a52ab3e1 path /"),
        Translation(
            "sessionPersistence: {type: Header, header: {name: X-S}}, retryConstraint: {}",
            "retries 20 % in 10000000000 ns, or 10 in 1000000000 ns; header x-s"),
    ]

    @Test(arguments: translations) func isTranslated(_ row: Translation) throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(StatusTests.services + "---\n" + Self.policy("p", row.spec))
        // The Service as a whole: each of its ports.
        for port in [80, 8080] as [UInt16] {
            let policy = try #require(try backend(compilation, port: port).trafficPolicy)
            #expect(Outcome.policy(policy) == row.says)
        }
        #expect(try backend(compilation, "node-port").trafficPolicy == nil)
    }

    @Test func theOldestHasTheServiceThenTheFirstByName() throws {
        var mesh = Mesh()
        func reasons(_ compilation: Compilation) -> [String] {
            compilation.policyStatuses.sorted { $0.key < $1.key }.map {
                "\($0.key.name.name) \($0.value[0].conditions[0].reason)"
            }
        }
        var seen = try mesh.apply(StatusTests.services + "---\n" + Self.policy("m", budget(1)))
        #expect(try percent(seen) == 1)
        seen = try mesh.apply(Self.policy("a", budget(2)))
        #expect(try percent(seen) == 2)
        #expect(reasons(seen) == ["a Accepted", "m Conflicted"])
        seen = try mesh.apply(Self.policy("z", budget(3), created: "2026-01-01T00:00:00Z"))
        #expect(try percent(seen) == 3)
        #expect(reasons(seen) == ["a Conflicted", "m Conflicted", "z Accepted"])
        #expect(
            seen.problems.map { "\($0.object.name.name) \($0.field ?? ""): \($0.message)" } == [
                "a spec.targetRefs[0]: Service default/echo has XBackendTrafficPolicy default/z",
                "m spec.targetRefs[0]: Service default/echo has XBackendTrafficPolicy default/z",
            ])
        // One that is refused competes for nothing.
        seen = try mesh.apply(Self.policy("z", budget(300), created: "2026-01-01T00:00:00Z"))
        #expect(try percent(seen) == 2)
        #expect(reasons(seen) == ["a Accepted", "m Conflicted", "z Invalid"])
        seen = mesh.apply(.delete(Self.key("a")))
        #expect(reasons(seen) == ["m Accepted", "z Invalid"])
        seen = mesh.apply(.batch([.delete(Self.key("m")), .delete(Self.key("z"))]))
        #expect(try backend(seen).trafficPolicy == nil)
        #expect(seen.policyStatuses.isEmpty && seen.problems.isEmpty)
    }

    @Test func aServiceThatComesOrGoesIsTold() throws {
        var mesh = Mesh()
        func accepted(_ compilation: Compilation) -> [String] {
            compilation.policyStatuses.values.joined().flatMap(\.conditions)
                .map { "\($0.status) \($0.reason) \($0.lastTransitionTime)" }
        }
        #expect(accepted(try mesh.apply(Self.policy("p"), timestamp: "T1")) == ["False TargetNotFound T1"])
        #expect(accepted(try mesh.apply(StatusTests.services, timestamp: "T2")) == ["True Accepted T2"])
        let other = try mesh.apply(Self.policy("p", budget(3)), timestamp: "T3")
        #expect(accepted(other) == ["True Accepted T2"])
        let gone = mesh.apply(.delete(ObjectKey(kind: .service, namespace: "default", name: "echo")), timestamp: "T4")
        #expect(accepted(gone) == ["False TargetNotFound T4"])
    }

    @Test func timesAndForeignEntriesAreKept() throws {
        var mesh = Mesh()
        let foreign = "{ancestorRef: {name: g}, controllerName: example.org/other, conditions: []}"
        let own = """
            {ancestorRef: {group: gateway.networking.x-k8s.io, kind: XMesh, name: weir}, controllerName: weir.dev/mesh, \
            conditions: [{type: Accepted, status: "True", reason: Accepted, message: m, lastTransitionTime: T0}]}
            """
        let compilation = try mesh.apply(
            StatusTests.services + "---\n" + Self.policy("p", status: "status: {ancestors: [\(foreign), \(own)]}"),
            timestamp: "T1")
        let ancestors = try #require(compilation.policyStatuses[Self.key("p")])
        #expect(ancestors.map(\.controllerName) == ["weir.dev/mesh"])
        #expect(ancestors[0].conditions.map(\.lastTransitionTime) == ["T0"])
        #expect(ancestors[0].ancestorRef.kind == "XMesh" && ancestors[0].ancestorRef.name == "weir")
        // No room for an entry of ours: not in force, and said elsewhere.
        let full = try mesh.apply(
            Self.policy(
                "p", status: "status: {ancestors: [\(Array(repeating: foreign, count: 16).joined(separator: ", "))]}"))
        #expect(full.policyStatuses.isEmpty)
        #expect(full.problems.map(\.field) == ["status.ancestors"])
        #expect(try backend(full).trafficPolicy == nil)
    }

    /// Of other controllers, perhaps: no status, but not in silence.
    @Test func onesThatTargetNoServiceHaveNoStatus() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            Self.policy("p").split(separator: "group: ''").joined(separator: "group: x.org"))
        #expect(compilation.policyStatuses.isEmpty)
        #expect(compilation.problems.map(\.message) == ["a Service.x.org cannot be a target: echo"])
    }

    @Test func onlyTheServicesConcernedAreMadeAnew() throws {
        func route(_ name: String, to backend: String) -> String {
            StatusTests.route(
                parent: "{group: '', kind: Service, name: \(name), port: 80}",
                rules: "[{backendRefs: [{name: \(backend), port: 80}]}]", name: name)
        }
        var mesh = Mesh()
        let first = try mesh.apply(
            [StatusTests.services, route("echo", to: "node-port"), route("node-port", to: "echo")]
                .joined(separator: "---\n"))
        func ports(_ compilation: Compilation, _ name: String) throws -> [Model.ServicePort] {
            try #require(compilation.snapshot.service(ObjectName(namespace: "default", name: name))).ports
        }
        let second = try mesh.apply(Self.policy("p"))
        #expect(second.changed)
        // echo's own backends, and the table that leads to them; not its table, which leads elsewhere.
        #expect(try ports(second, "echo")[0].plain !== ports(first, "echo")[0].plain)
        #expect(try ports(second, "echo")[0].producer === ports(first, "echo")[0].producer)
        #expect(try ports(second, "node-port")[0].plain === ports(first, "node-port")[0].plain)
        #expect(try ports(second, "node-port")[0].producer !== ports(first, "node-port")[0].producer)
        #expect(try ports(second, "protocols").elementsEqual(ports(first, "protocols"), by: ===))
        guard case .forward(let backends) = try ports(second, "node-port")[0].producer?.rules[0].action,
            case .backend(let backend) = backends.all[0].target
        else {
            Issue.record("no backend")
            return
        }
        #expect(backend.trafficPolicy?.retryBudget?.percent == 20)
        // The same demand in other words, a status, a loser: nothing to do.
        for same in [
            Self.policy("p", "retryConstraint: {budget: {interval: 10000ms}}"),
            Self.policy("p", status: "status: {ancestors: []}"), Self.policy("q", budget(3)),
        ] {
            #expect(try mesh.apply(same).snapshot === second.snapshot)
        }
    }
}
