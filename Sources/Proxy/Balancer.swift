import CLinux
import Reactor

/// A worker's random numbers: wyrand, for balancing only.
struct RandomSource: BitwiseCopyable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    @inline(__always)
    mutating func next() -> UInt64 {
        state &+= 0xa076_1d64_78bd_642f
        let product = state.multipliedFullWidth(by: state ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }

    /// Uniform over 0..<bound, off by less than bound / 2^64.
    @inline(__always)
    mutating func below(_ bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }
}

/// What a worker knows of the endpoints, by slot.
struct EndpointStates: ~Copyable {
    private struct State: BitwiseCopyable {
        /// The endpoint it speaks of; 0: none.
        var identity: UInt64 = 0
        /// Requests that this worker has sent there and that are not over.
        var outstanding: UInt32 = 0
        /// In units of 2^20 ns since the worker began: connecting failed, others come first until then.
        var avoidUntil: UInt32 = 0
    }
    /// How long an endpoint that refused a connection comes last.
    private static let avoidance: UInt32 = 1000

    private var states = UnsafeMutablePointer<State>.allocate(capacity: 64)
    private var capacity = 64
    private let origin: UInt64

    init(now: UInt64) {
        origin = now
        states.initialize(repeating: State(), count: capacity)
    }

    deinit { states.deallocate() }

    mutating func grow(to limit: Int) {
        guard limit > capacity else { return }
        let larger = max(limit, capacity * 2)
        let new = UnsafeMutablePointer<State>.allocate(capacity: larger)
        new.moveInitialize(from: states, count: capacity)
        (new + capacity).initialize(repeating: State(), count: larger - capacity)
        states.deallocate()
        states = new
        capacity = larger
    }

    /// The endpoint is in no plan any more: connections to it are not kept.
    mutating func remove(slot: UInt32, identity: UInt64) {
        guard Int(slot) < capacity, states[Int(slot)].identity == identity else { return }
        states[Int(slot)] = State()
    }

    /// False when the slot belongs to a later endpoint or to none.
    func isCurrent(slot: UInt32, identity: UInt64) -> Bool { states[Int(slot)].identity == identity }

    mutating func begin(_ endpoint: UnsafePointer<PlannedEndpoint>) {
        let state = states + Int(endpoint.pointee.slot)
        if state.pointee.identity == endpoint.pointee.identity {
            state.pointee.outstanding &+= 1
        } else if state.pointee.identity < endpoint.pointee.identity {
            state.pointee = State(identity: endpoint.pointee.identity, outstanding: 1)
        }
    }

    mutating func end(slot: UInt32, identity: UInt64) {
        let state = states + Int(slot)
        if state.pointee.identity == identity, state.pointee.outstanding > 0 { state.pointee.outstanding &-= 1 }
    }

    mutating func avoid(slot: UInt32, identity: UInt64, now: UInt64) {
        guard states[Int(slot)].identity == identity else { return }
        states[Int(slot)].avoidUntil = UInt32(truncatingIfNeeded: (now &- origin) >> 20) &+ Self.avoidance
    }

    func outstanding(slot: UInt32) -> UInt32 { states[Int(slot)].outstanding }

    private func load(_ endpoint: UnsafePointer<PlannedEndpoint>, _ tick: UInt32) -> UInt64 {
        let state = states[Int(endpoint.pointee.slot)]
        guard state.identity == endpoint.pointee.identity else { return 0 }
        return UInt64(state.outstanding) | (state.avoidUntil > tick ? 1 << 32 : 0)
    }

    /// Power of two choices on outstanding requests, among the endpoints of the family that the client dialled; after a
    /// failure any of these whose slot is not in `tried`, then any of the other family's; nil when none is left.
    func choose(
        _ backend: PlannedBackend, isIPv4: Bool, tried: InlineArray<8, UInt32>, triedCount: Int, now: UInt64,
        _ random: inout RandomSource
    ) -> UnsafePointer<PlannedEndpoint>? {
        let own = isIPv4 ? backend.forIPv4 : backend.forIPv6
        let count = own.count
        if count == 0 { return nil }
        let endpoints = backend.endpoints + own.first
        if triedCount == 0 {
            if count == 1 { return endpoints }
            let first = Int(random.below(UInt64(count)))
            var second = Int(random.below(UInt64(count - 1)))
            if second >= first { second += 1 }
            let tick = UInt32(truncatingIfNeeded: (now &- origin) >> 20)
            return load(endpoints + second, tick) < load(endpoints + first, tick)
                ? endpoints + second : endpoints + first
        }
        // After a failure: the first untried one from a random place on.
        let start = Int(random.below(UInt64(count)))
        for offset in 0..<count {
            let index = start + offset < count ? start + offset : start + offset - count
            if !Self.contains(tried, triedCount, endpoints[index].slot) { return endpoints + index }
        }
        for index in 0..<backend.count where !Self.contains(tried, triedCount, backend.endpoints[index].slot) {
            return backend.endpoints + index
        }
        return nil
    }

    private static func contains(_ tried: InlineArray<8, UInt32>, _ count: Int, _ slot: UInt32) -> Bool {
        for position in 0..<min(count, 8) where tried[position] == slot { return true }
        return false
    }
}
