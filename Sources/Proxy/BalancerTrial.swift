import CLinux
package import Model

/// A worker's balancing over the endpoints of one backend, without sockets or clock: what tests drive. Endpoints are named by
/// their index in the backend.
package final class BalancerTrial {
    private var states = EndpointStates(now: 0)
    private var random: RandomSource
    private let memory = Arena()
    private let backend: PlannedBackend
    private let count: Int

    package init(_ backend: Backend, seed: UInt64) {
        random = RandomSource(seed: seed)
        count = backend.endpoints.count
        let endpoints = memory.copy(
            backend.endpoints.enumerated().map { index, endpoint in
                PlannedEndpoint(
                    address: clinux_address(
                        high: endpoint.address.high, low: endpoint.address.low, port: endpoint.port),
                    slot: UInt32(index), identity: UInt64(index + 1))
            })
        self.backend = PlannedBackend(
            endpoints: endpoints.baseAddress!, count: count, forIPv4: .init(backend.endpoints(forIPv4: true)),
            forIPv6: .init(backend.endpoints(forIPv4: false)), service: memory.text(""), port: backend.port)
        states.grow(to: count)
    }

    package func choose(isIPv4: Bool = true, tried: [Int] = [], now: UInt64) -> Int? {
        var slots = InlineArray<8, UInt32>(repeating: .max)
        for (position, index) in tried.enumerated() { slots[position] = UInt32(index) }
        let chosen = states.choose(
            backend, isIPv4: isIPv4, tried: slots, triedCount: tried.count, alsoOtherFamily: true, now: now, &random)
        return chosen.map { Int($0.pointee.slot) }
    }

    package func begin(_ index: Int) { states.begin(backend.endpoints + index) }
    package func end(_ index: Int) { states.end(slot: UInt32(index), identity: UInt64(index + 1)) }

    package func avoid(_ index: Int, now: UInt64) {
        states.avoid(slot: UInt32(index), identity: UInt64(index + 1), now: now)
    }

    package func noteSuccess(_ index: Int) {
        states.noteSuccess(slot: UInt32(index), identity: UInt64(index + 1))
    }

    package func noteFailure(_ index: Int, now: UInt64) -> Bool {
        states.noteFailure(slot: UInt32(index), identity: UInt64(index + 1), now: now)
    }

    package func preferred(_ endpoint: Endpoint, now: UInt64) -> Int? {
        states.preferred(
            backend, high: endpoint.address.high, low: endpoint.address.low, port: endpoint.port, now: now
        ).map { Int($0.pointee.slot) }
    }

    package func health(now: UInt64) -> [EndpointHealth] { states.health(now: now) }
}
