import Compiler
import Model
import Resources
import Testing

@Suite(.serialized) struct CostTests {
    /// One changed route among hundreds, and ten thousand Services.
    @Test func oneRouteAmongManyServices() throws {
        var objects: [Event] = []
        for index in 0..<10_000 {
            objects.append(
                .upsert(
                    .service(
                        Service(
                            metadata: ObjectMeta(name: "service-\(index)", namespace: "default"),
                            spec: ServiceSpec(
                                clusterIP: "10.\(100 + index / 65_536).\(index / 256 % 256).\(index % 256)",
                                ports: [ServicePort(name: "http", port: 80), ServicePort(name: "grpc", port: 81)])))))
        }
        func route(_ index: Int, weight: Int) -> Event {
            let rules = (0..<4).map { rule in
                HTTPRouteRule(
                    matches: [HTTPRouteMatch(path: HTTPPathMatch(value: "/\(index)/\(rule)"))],
                    backendRefs: [
                        HTTPBackendRef(name: "service-\(index)", port: 80, weight: weight),
                        HTTPBackendRef(name: "service-\(index + 1)", port: 80),
                    ])
            }
            return .upsert(
                .httpRoute(
                    HTTPRoute(
                        metadata: ObjectMeta(name: "route-\(index)", namespace: "default"),
                        spec: HTTPRouteSpec(
                            parentRefs: [
                                ParentReference(group: "", kind: "Service", name: "service-\(index)", port: 80)
                            ],
                            rules: rules))))
        }
        for index in 0..<500 { objects.append(route(index, weight: 1)) }
        var mesh = Mesh()
        let clock = ContinuousClock()
        let changes = mesh.inventory.apply(.batch(objects))
        var last: Compilation?
        let first = clock.measure {
            last = mesh.compiler.compile(mesh.inventory, touching: changes, now: 0, timestamp: Mesh.start)
        }
        var times: [Duration] = []
        for round in 0..<50 {
            let changes = mesh.inventory.apply(route(round * 7, weight: 2 + round))
            times.append(
                clock.measure {
                    // The one before is still in use elsewhere, as in the agent.
                    let next = mesh.compiler.compile(
                        mesh.inventory, touching: changes, now: Double(round), timestamp: Mesh.start)
                    #expect(next.changed)
                    #expect(next.snapshot !== last?.snapshot)
                    last = next
                })
        }
        let median = times.sorted()[times.count / 2]
        print("compile of 10,000 Services and 500 routes: \(first); of one changed route: \(median)")
        #expect(median < .milliseconds(20))
        #expect(last?.snapshot.services.count == 10_000)
    }
}
