import Model
import Testing

@Suite struct BackendsTests {
    private func backends(_ weights: [UInt32]) -> Backends {
        Backends(
            weights.map {
                WeightedBackend(
                    service: ObjectName(namespace: "n", name: "s"), port: 80, weight: $0,
                    target: .invalid(.backendNotFound),
                    filters: [])
            })
    }

    @Test(arguments: [[70, 30], [1], [0, 5, 0, 3, 0], [1, 0], [1_000_000, 1]] as [[UInt32]])
    func sharesAreExact(_ weights: [UInt32]) {
        let backends = backends(weights)
        var counts = [UInt32](repeating: 0, count: weights.count)
        for ticket in 0..<backends.total { counts[backends.pick(ticket)] += 1 }
        #expect(counts == weights)
    }

    @Test func endpointsByFamily() throws {
        func endpoint(_ address: String, _ port: UInt16 = 80, pod: String? = nil) throws -> Endpoint {
            Endpoint(
                address: try #require(IPAddress(address)), port: port,
                pod: pod.map { ObjectName(namespace: "n", name: $0) })
        }
        func backend(_ endpoints: [Endpoint]) -> Backend {
            Backend(service: ObjectName(namespace: "n", name: "s"), port: 80, appProtocol: nil, endpoints: endpoints)
        }
        let both = backend([
            try endpoint("::1"), try endpoint("10.0.0.2"), try endpoint("10.0.0.1"), try endpoint("10.0.0.1", pod: "p"),
            try endpoint("fd00::1"),
        ])
        #expect(both.endpoints.map(\.address.description) == ["10.0.0.1", "10.0.0.2", "::1", "fd00::1"])
        #expect(both.endpoints[0].pod?.name == "p")
        #expect(both.endpoints(forIPv4: true) == 0..<2)
        #expect(both.endpoints(forIPv4: false) == 2..<4)
        let one = backend([try endpoint("10.0.0.1")])
        #expect(one.endpoints(forIPv4: false) == 0..<1)
        #expect(backend([]).endpoints(forIPv4: true).isEmpty)
    }
}
