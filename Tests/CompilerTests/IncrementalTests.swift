import Compiler
import Foundation
import Model
import Resources
import Testing
import Yams

/// What the compiler remembers saves work and changes nothing.
@Suite struct IncrementalTests {
    private func service(_ name: String, _ ip: String, namespace: String = "default", more: String = "") -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: \(namespace)}
        spec: {clusterIP: \(ip), ports: [{name: http, port: 80}, {name: alt, port: 81}]\(more)}

        """
    }

    private func slice(_ service: String, _ endpoints: String, namespace: String = "default") -> String {
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: \(service), namespace: \(namespace), labels: {kubernetes.io/service-name: \(service)}}
        addressType: IPv4
        ports: [{name: http, port: 8000}]
        endpoints: [\(endpoints)]

        """
    }

    private func route(
        _ name: String, parent: String, backend: String, path: String = "/", namespace: String = "default"
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: \(name), namespace: \(namespace)}
        spec:
          parentRefs: [{group: '', kind: Service, namespace: default, name: \(parent), port: 80}]
          rules: [{matches: [{path: {value: \(path)}}], backendRefs: [{namespace: default, name: \(backend), port: 80}]}]

        """
    }

    private func name(_ name: String) -> ObjectName { ObjectName(namespace: "default", name: name) }

    @Test func unchangedObjectsKeepTheirIdentity() throws {
        var mesh = Mesh()
        let first = try mesh.apply(
            [
                service("a", "10.96.0.1"), service("b", "10.96.0.2"), slice("b", "{addresses: [10.1.0.1]}"),
                route("r", parent: "a", backend: "b"),
            ].joined(separator: "---\n"))
        #expect(first.changed)
        #expect(first.snapshot.generation == 1)
        let a = try #require(first.snapshot.service(name("a")))
        let b = try #require(first.snapshot.service(name("b")))

        let second = try mesh.apply(route("other", parent: "b", backend: "a"))
        #expect(second.snapshot.generation == 2)
        #expect(second.snapshot.service(name("a")) === a)
        let newB = try #require(second.snapshot.service(name("b")))
        #expect(newB !== b)
        #expect(newB.ports[0] !== b.ports[0])
        #expect(newB.ports[0].plain === b.ports[0].plain)
        #expect(newB.ports[1] === b.ports[1])

        // An equal object, a status, a Namespace, a Pod that nobody selects: nothing to do.
        for event in [
            route("other", parent: "b", backend: "a"),
            route("other", parent: "b", backend: "a") + "status: {parents: []}\n",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n",
        ] {
            let same = try mesh.apply(event)
            #expect(!same.changed)
            #expect(same.snapshot === second.snapshot)
        }

        // New endpoints of a backend concern the tables that lead to it, and no others.
        let third = try mesh.apply(slice("b", "{addresses: [10.1.0.2]}"))
        #expect(third.changed)
        let tableA = third.snapshot.service(name("a"))?.ports[0].producer
        #expect(tableA != nil && tableA !== a.ports[0].producer)
        #expect(third.snapshot.service(name("b"))?.ports[0].producer === newB.ports[0].producer)

        let gone = mesh.apply(.delete(ObjectKey(kind: .httpRoute, namespace: "default", name: "r")))
        #expect(gone.snapshot.service(name("a"))?.ports[0].producer == nil)
        #expect(gone.statuses.count == 1)
    }

    /// Mirrors and authorization services are followed as backends are.
    @Test(arguments: [
        "{type: RequestMirror, requestMirror: {backendRef: {name: c, port: 80}}}",
        "{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: c, port: 80}, http: {}}}",
    ]) func servicesThatFiltersName(_ filter: String) throws {
        var mesh = Mesh()
        func resolved(_ compilation: Compilation) -> String? {
            compilation.statuses.values.joined().first?.conditions?.first { $0.type == "ResolvedRefs" }?.status
        }
        let filtered = route("r", parent: "a", backend: "b")
            .split(separator: "backendRefs").joined(separator: "filters: [\(filter)], backendRefs")
        let first = try mesh.apply(
            [service("a", "10.96.0.1"), service("b", "10.96.0.2"), filtered].joined(separator: "---\n"))
        #expect(resolved(first) == "False")
        #expect(first.problems.count == 1)
        let second = try mesh.apply(service("c", "10.96.0.3") + "---\n" + slice("c", "{addresses: [10.1.0.3]}"))
        #expect(resolved(second) == "True")
        #expect(second.problems.isEmpty)
        let table = second.snapshot.service(name("a"))?.ports[0].producer
        let third = try mesh.apply(slice("c", "{addresses: [10.1.0.4]}"))
        #expect(third.snapshot.service(name("a"))?.ports[0].producer !== table)
        let gone = mesh.apply(.delete(ObjectKey(kind: .service, namespace: "default", name: "c")))
        #expect(resolved(gone) == "False")
    }

    /// A change of a GRPCRoute's status alone leaves its table what it is.
    @Test func grpcRoutesKeepTheirTables() throws {
        var mesh = Mesh()
        let grpc = route("r", parent: "a", backend: "b").split(separator: "kind: HTTPRoute")
            .joined(separator: "kind: GRPCRoute").split(separator: "path: {value: /}")
            .joined(separator: "method: {service: a.B}")
        let first = try mesh.apply(
            [service("a", "10.96.0.1"), service("b", "10.96.0.2"), grpc].joined(separator: "---\n"))
        let table = try #require(first.snapshot.service(name("a"))?.ports[0].producer)
        #expect(table.kind == .grpc)
        let second = try mesh.apply(grpc + "status: {parents: []}\n")
        #expect(!second.changed)
        let third = try mesh.apply(route("other", parent: "a", backend: "b"))
        #expect(third.snapshot.service(name("a"))?.ports[0].producer === table)
    }

    @Test func endpointsThatTrafficMayGoTo() throws {
        func addresses(_ endpoints: String) throws -> [String] {
            var mesh = Mesh()
            let compilation = try mesh.apply(service("a", "10.96.0.1") + "---\n" + slice("a", endpoints))
            let port = try #require(compilation.snapshot.service(name("a"))?.port(80))
            return port.plain.endpoints.map { "\($0.address):\($0.port)" }
        }
        let ready = "{addresses: [10.1.0.1], conditions: {ready: true}}, {addresses: [10.1.0.2]}"
        let unready = "{addresses: [10.1.0.3], conditions: {ready: false}}"
        let leaving = "{addresses: [10.1.0.4], conditions: {ready: false, serving: true, terminating: true}}"
        let leavingReady = "{addresses: [10.1.0.5], conditions: {ready: true, serving: true, terminating: true}}"
        let left = "{addresses: [10.1.0.6], conditions: {ready: false, serving: false, terminating: true}}"
        #expect(
            try addresses("\(unready), \(ready), \(leaving), \(leavingReady)") == ["10.1.0.1:8000", "10.1.0.2:8000"])
        #expect(try addresses("\(unready), \(left), \(leaving)") == ["10.1.0.4:8000"])
        #expect(try addresses("\(leavingReady), \(left)") == ["10.1.0.5:8000"])
        #expect(try addresses(unready) == [])
        #expect(try addresses("{addresses: [10.1.0.1]}, {addresses: [10.1.0.1]}") == ["10.1.0.1:8000"])
    }

    @Test func indicesStayAndRest() throws {
        var mesh = Mesh()
        func index(_ address: String, _ snapshot: Snapshot) throws -> UInt32? {
            snapshot.frontend(address: try #require(IPAddress(address)))?.index
        }
        func key(_ name: String) -> ObjectKey { ObjectKey(kind: .service, namespace: "default", name: name) }
        let first = try mesh.apply(
            service("a", "10.96.0.1", more: ", clusterIPs: [10.96.0.1, 'fd00::1']") + "---\n"
                + service("b", "10.96.0.2"))
        let indices = try ["10.96.0.1", "fd00::1", "10.96.0.2"].map { try index($0, first.snapshot) }
        #expect(Set(indices) == [1, 2, 3])
        #expect(first.snapshot.frontends[0] == nil)

        let second = mesh.apply(.delete(key("a")))
        #expect(try index("10.96.0.1", second.snapshot) == nil)
        #expect(try index("10.96.0.2", second.snapshot) == indices[2])
        // Its indices are out of use for ten seconds, even for the same address.
        mesh.now += 9.9
        let third = try mesh.apply(service("a", "10.96.0.1"))
        #expect(try index("10.96.0.1", third.snapshot) == 4)
        mesh.now += 0.1
        let fourth = try mesh.apply(service("c", "10.96.0.3"))
        let reused = try #require(try index("10.96.0.3", fourth.snapshot))
        #expect(reused <= 2)
        // A Service that is made anew in one change keeps its address's index.
        let fifth = mesh.apply(
            .batch([.delete(key("c"))] + (try events(service("c", "10.96.0.3", more: ", type: LoadBalancer")))))
        #expect(try index("10.96.0.3", fifth.snapshot) == reused)
    }

    @Test func anAddressNamedTwicePassesOn() throws {
        var mesh = Mesh()
        let address = try #require(IPAddress("10.96.0.1"))
        let first = try mesh.apply(service("b", "10.96.0.1"))
        let index = first.snapshot.frontend(address: address)?.index
        let second = try mesh.apply(service("a", "10.96.0.1"))
        #expect(second.snapshot.frontend(address: address)?.service.name.name == "b")
        #expect(second.problems.map(\.message) == ["10.96.0.1 belongs to Service default/b"])
        #expect(second.problems.first?.object.name.name == "a")
        let third = mesh.apply(.delete(ObjectKey(kind: .service, namespace: "default", name: "b")))
        #expect(third.snapshot.frontend(address: address)?.service.name.name == "a")
        #expect(third.snapshot.frontend(address: address)?.index == index)
        #expect(third.problems.isEmpty)
    }

    @Test func consumersAndProducersAreApart() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            [
                service("a", "10.96.0.1"), route("p", parent: "a", backend: "a"),
                route("c", parent: "a", backend: "a", path: "/only", namespace: "client"),
            ].joined(separator: "---\n"))
        let port = try #require(compilation.snapshot.service(name("a"))?.port(80))
        let request = Bytes(method: "GET", target: "/", authority: "a", headers: [])
        #expect(port.routes(forClientIn: "default").flatMap { request.match($0) } == 0)
        #expect(port.routes(forClientIn: "elsewhere").flatMap { request.match($0) } == 0)
        // No fall-through from consumer to producer.
        let theirs = try #require(port.routes(forClientIn: "client"))
        #expect(request.match(theirs) == nil)
        #expect(theirs.group == .consumer(namespace: "client"))
        #expect(compilation.snapshot.service(name("a"))?.port(81)?.routes(forClientIn: "client") == nil)
    }

    @Test func aNewCompilerSaysTheSame() throws {
        var random = SystemLike(state: 11)
        var mesh = Mesh()
        let encoder = YAMLEncoder()
        for step in 0..<300 {
            let event = try change(&random)
            let compilation = mesh.apply(event)
            guard step % 5 == 4 else { continue }
            var fresh = Compiler()
            var all = Changes()
            all.objects = Set(
                mesh.inventory.services.keys.map { ObjectKey(kind: .service, name: $0) }
                    + mesh.inventory.httpRoutes.keys.map { ObjectKey(kind: .httpRoute, name: $0) }
                    + mesh.inventory.grpcRoutes.keys.map { ObjectKey(kind: .grpcRoute, name: $0) }
                    + mesh.inventory.xBackendTrafficPolicies.keys.map {
                        ObjectKey(kind: .xBackendTrafficPolicy, name: $0)
                    })
            let again = fresh.compile(mesh.inventory, touching: all, now: 0, timestamp: Mesh.start)
            let seen = try encoder.encode(try Outcome(compilation, requests: []))
            #expect(seen == (try encoder.encode(try Outcome(again, requests: []))), "step \(step)")
            #expect(
                compilation.snapshot.frontends.compactMap { $0?.address.description }.sorted()
                    == again.snapshot.frontends.compactMap { $0?.address.description }.sorted())
        }
    }

    private func change(_ random: inout SystemLike) throws -> Event {
        let service = "s\(random.next(5))"
        let ip = "10.96.0.\(service.dropFirst())"
        let other = "s\(random.next(5))"
        let routeName = "r\(random.next(6))"
        let namespace = random.next(3) == 0 ? "client" : "default"
        switch random.next(12) {
        case 0: return .delete(ObjectKey(kind: .service, namespace: "default", name: service))
        case 1, 2:
            let more = ["", ", selector: {a: b}", ", type: NodePort", ", type: ExternalName"][random.next(4)]
            return .batch(try events(self.service(service, random.next(4) == 0 ? "None" : ip, more: more)))
        case 3:
            return .batch(try events(slice(service, "{addresses: [10.1.0.\(random.next(3))]}")))
        case 4: return .delete(ObjectKey(kind: .endpointSlice, namespace: "default", name: service))
        case 5: return .delete(ObjectKey(kind: .httpRoute, namespace: namespace, name: routeName))
        case 10:
            return .delete(
                ObjectKey(kind: .xBackendTrafficPolicy, namespace: "default", name: "p\(random.next(3))"))
        case 11:
            let percent = [10, 20, 200][random.next(3)]
            return .batch(
                try events(
                    PolicyTests.policy(
                        "p\(random.next(3))", targets: service == other ? [service] : [service, other],
                        "retryConstraint: {budget: {percent: \(percent)}}")))
        case 6:
            let grpc = route(routeName, parent: service, backend: other, namespace: namespace)
                .split(separator: "kind: HTTPRoute").joined(separator: "kind: GRPCRoute")
                .split(separator: "matches: [{path: {value: /}}], ").joined()
            return random.next(2) == 0
                ? .delete(ObjectKey(kind: .grpcRoute, namespace: namespace, name: routeName)) : .batch(try events(grpc))
        default:
            return .batch(
                try events(
                    route(
                        routeName, parent: service, backend: other, path: ["/", "/a"][random.next(2)],
                        namespace: namespace)))
        }
    }

    private struct SystemLike {
        var state: UInt64

        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
    }
}
