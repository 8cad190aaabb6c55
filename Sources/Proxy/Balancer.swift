import CLinux
import Reactor

/// A worker's random numbers: wyrand, for balancing only.
package struct RandomSource: BitwiseCopyable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    @inline(__always)
    package mutating func next() -> UInt64 {
        state &+= 0xa076_1d64_78bd_642f
        let product = state.multipliedFullWidth(by: state ^ 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low
    }

    /// Uniform over 0..<bound, off by less than bound / 2^64.
    @inline(__always)
    package mutating func below(_ bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }
}

/// What a worker knows of the endpoints, by slot.
///
/// An endpoint that fails five times in a row is ejected: for 30 s (`ejection`) the first time, as much more each time up to
/// ten times that, and one step less again for every 30 s that it was well since. Ejected endpoints are not chosen, unless more than half of the
/// ones to choose from are ejected: then it is likelier that something else is wrong, and all are chosen from as if none were.
struct EndpointStates: ~Copyable {
    private struct State: BitwiseCopyable {
        /// The endpoint it speaks of; 0: none.
        var identity: UInt64 = 0
        /// Requests that this worker has sent there and that are not over.
        var outstanding: UInt32 = 0
        /// Failures without a success between them.
        var failures: UInt16 = 0
        /// How often it was ejected, less the times that it was well for.
        var ejections: UInt16 = 0
        /// Connecting failed: others come first until then.
        var avoidUntil: UInt64 = 0
        /// 0: not ejected yet.
        var ejectedUntil: UInt64 = 0
    }
    /// Nanoseconds that an endpoint which refused a connection comes last.
    private static let avoidance: UInt64 = 1_000_000_000
    private static let failureLimit: UInt16 = 5
    /// Ejections grow to so many times the first one.
    private static let growth: UInt64 = 10
    /// Nanoseconds of the first ejection, at least 1, which is also what later ones grow by and how long it takes to forget
    /// one.
    private let ejection: UInt64

    private var states = UnsafeMutablePointer<State>.allocate(capacity: 64)
    private var capacity = 64
    /// From then on no endpoint is avoided or ejected, so that the usual choice looks at neither.
    private var troubledUntil: UInt64

    init(now: UInt64, ejection: UInt64 = 30_000_000_000) {
        troubledUntil = now
        self.ejection = max(ejection, 1)
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
        states[Int(slot)].avoidUntil = now &+ Self.avoidance
        troubledUntil = max(troubledUntil, now &+ Self.avoidance)
    }

    func outstanding(slot: UInt32) -> UInt32 { states[Int(slot)].outstanding }

    // MARK: Ejection

    /// Whether an answer counts as the endpoint's failure: what a gateway would say of it (502, 503, 504).
    @inline(__always)
    static func isFailure(status: UInt16) -> Bool { status &- 502 < 3 }

    /// It answered, and not with a failure.
    @inline(__always)
    mutating func noteSuccess(slot: UInt32, identity: UInt64) {
        let state = states + Int(slot)
        if state.pointee.failures != 0, state.pointee.identity == identity { state.pointee.failures = 0 }
    }

    /// It could not be connected, reset, timed out, or answered with a failure: `isFailure(status:)`, or gRPC's UNAVAILABLE.
    /// True when that ejects it.
    mutating func noteFailure(slot: UInt32, identity: UInt64, now: UInt64) -> Bool {
        let state = states + Int(slot)
        // What comes back late from an ejected endpoint says nothing new.
        guard state.pointee.identity == identity, state.pointee.ejectedUntil <= now else { return false }
        state.pointee.failures &+= 1
        guard state.pointee.failures >= Self.failureLimit else { return false }
        let forgotten = (now &- state.pointee.ejectedUntil) / ejection
        let remembered = UInt64(state.pointee.ejections)
        let ejections = remembered > forgotten ? remembered &- forgotten : 0
        let times = min(ejections &+ 1, Self.growth)
        let duration = times &* ejection
        state.pointee.failures = 0
        state.pointee.ejections = UInt16(times)
        state.pointee.ejectedUntil = now &+ duration
        troubledUntil = max(troubledUntil, now &+ duration)
        return true
    }

    /// Every endpoint that is ejected or whose last answer was a failure, for people.
    func health(now: UInt64) -> [EndpointHealth] {
        (0..<capacity).compactMap { slot in
            let state = states[slot]
            guard state.failures > 0 || state.ejectedUntil > now else { return nil }
            return EndpointHealth(
                slot: UInt32(slot), identity: state.identity,
                ejectedUntil: state.ejectedUntil > now ? state.ejectedUntil : nil, failures: Int(state.failures))
        }
    }

    // MARK: Choosing

    @inline(__always)
    private func load(_ endpoint: UnsafePointer<PlannedEndpoint>) -> UInt32 {
        let state = states + Int(endpoint.pointee.slot)
        return state.pointee.identity == endpoint.pointee.identity ? state.pointee.outstanding : 0
    }

    private func load(_ endpoint: UnsafePointer<PlannedEndpoint>, avoiding now: UInt64) -> UInt64 {
        let state = states[Int(endpoint.pointee.slot)]
        guard state.identity == endpoint.pointee.identity else { return 0 }
        return UInt64(state.outstanding) | (state.avoidUntil > now ? 1 << 32 : 0)
    }

    private func isEjected(_ endpoint: UnsafePointer<PlannedEndpoint>, _ now: UInt64) -> Bool {
        let state = states + Int(endpoint.pointee.slot)
        return state.pointee.ejectedUntil > now && state.pointee.identity == endpoint.pointee.identity
    }

    /// Whether at most half of them are ejected, so that the ejections hold.
    private func ejectionsHold(_ endpoints: UnsafePointer<PlannedEndpoint>, _ count: Int, _ now: UInt64) -> Bool {
        var ejected = 0
        for index in 0..<count where isEjected(endpoints + index, now) { ejected &+= 1 }
        return ejected &* 2 <= count
    }

    /// Power of two choices on outstanding requests, among the endpoints of the family that the client dialled; after a
    /// failure any of these whose slot is not in `tried`, then any of the other family's if `alsoOtherFamily`; nil when none
    /// is left. Ejected ones come last after a failure.
    func choose(
        _ backend: PlannedBackend, isIPv4: Bool, tried: InlineArray<8, UInt32>, triedCount: Int,
        alsoOtherFamily: Bool, now: UInt64, _ random: inout RandomSource
    ) -> UnsafePointer<PlannedEndpoint>? {
        let own = isIPv4 ? backend.forIPv4 : backend.forIPv6
        let count = own.count
        if count == 0 { return nil }
        let endpoints = backend.endpoints + own.first
        if triedCount == 0 {
            if count == 1 { return endpoints }
            if now < troubledUntil { return chooseAmongTroubled(endpoints, count, now, &random) }
            let (first, second) = Self.pair(count, &random)
            return load(endpoints + second) < load(endpoints + first) ? endpoints + second : endpoints + first
        }
        return chooseAgain(backend, own, tried, triedCount, alsoOtherFamily, now, &random)
    }

    /// After a failure: the first untried one from a random place on.
    @inline(never)
    private func chooseAgain(
        _ backend: PlannedBackend, _ own: PlannedBackend.Share, _ tried: InlineArray<8, UInt32>, _ triedCount: Int,
        _ alsoOtherFamily: Bool, _ now: UInt64, _ random: inout RandomSource
    ) -> UnsafePointer<PlannedEndpoint>? {
        let count = own.count
        let endpoints = backend.endpoints + own.first
        let start = Int(random.below(UInt64(count)))
        var last: UnsafePointer<PlannedEndpoint>?
        for offset in 0..<count {
            let endpoint = endpoints + (start + offset < count ? start + offset : start + offset - count)
            if Self.contains(tried, triedCount, endpoint.pointee.slot) { continue }
            if now >= troubledUntil || !isEjected(endpoint, now) { return endpoint }
            if last == nil { last = endpoint }
        }
        if last != nil || !alsoOtherFamily { return last }
        for index in 0..<backend.count where !Self.contains(tried, triedCount, backend.endpoints[index].slot) {
            return backend.endpoints + index
        }
        return nil
    }

    /// Two different ones of `count`, which is at least 2.
    @inline(__always)
    private static func pair(_ count: Int, _ random: inout RandomSource) -> (Int, Int) {
        let first = Int(truncatingIfNeeded: random.below(UInt64(truncatingIfNeeded: count)))
        var second = Int(truncatingIfNeeded: random.below(UInt64(truncatingIfNeeded: count &- 1)))
        if second >= first { second &+= 1 }
        return (first, second)
    }

    /// The same choice where some endpoint is avoided or ejected, which may be none of these.
    @inline(never)
    private func chooseAmongTroubled(
        _ endpoints: UnsafePointer<PlannedEndpoint>, _ count: Int, _ now: UInt64, _ random: inout RandomSource
    ) -> UnsafePointer<PlannedEndpoint>? {
        var (first, second) = Self.pair(count, &random)
        if isEjected(endpoints + first, now) || isEjected(endpoints + second, now),
            ejectionsHold(endpoints, count, now)
        {
            first = healthy(endpoints, count, first, now, &random)
            second = healthy(endpoints, count, second, now, &random)
        }
        return load(endpoints + second, avoiding: now) < load(endpoints + first, avoiding: now)
            ? endpoints + second : endpoints + first
    }

    /// `index`, or another one when it is ejected; at least half are not.
    private func healthy(
        _ endpoints: UnsafePointer<PlannedEndpoint>, _ count: Int, _ index: Int, _ now: UInt64,
        _ random: inout RandomSource
    ) -> Int {
        var index = index
        var draws = 0
        while isEjected(endpoints + index, now) {
            // By lot, so that nobody's neighbour gets all of its share; that fails ten times in a row for one in 1024.
            draws &+= 1
            index = draws <= 10 ? Int(random.below(UInt64(count))) : index &+ 1 == count ? 0 : index &+ 1
            if draws > count &+ 10 { break }
        }
        return index
    }

    /// The endpoint with this address and port, in `IPAddress`'s halves, for a session: nil when the backend has it no more,
    /// or it is ejected.
    func preferred(
        _ backend: PlannedBackend, high: UInt64, low: UInt64, port: UInt16, now: UInt64
    ) -> UnsafePointer<PlannedEndpoint>? {
        // They are sorted as `Endpoint` is: IPv4 first, then by address and port.
        var start = 0
        var end = backend.count
        while start < end {
            let middle = (start &+ end) / 2
            let address = backend.endpoints[middle].address
            if Self.isBefore(address.high, address.low, address.port, high, low, port) {
                start = middle &+ 1
            } else {
                end = middle
            }
        }
        guard start < backend.count else { return nil }
        let endpoint = backend.endpoints + start
        let address = endpoint.pointee.address
        guard address.high == high, address.low == low, address.port == port else { return nil }
        if now < troubledUntil, backend.count > 1, isEjected(endpoint, now),
            ejectionsHold(backend.endpoints, backend.count, now)
        {
            return nil
        }
        return endpoint
    }

    private static func isBefore(
        _ high: UInt64, _ low: UInt64, _ port: UInt16, _ otherHigh: UInt64, _ otherLow: UInt64, _ otherPort: UInt16
    ) -> Bool {
        let isIPv4 = high == 0 && low >> 32 == 0xffff
        let isOtherIPv4 = otherHigh == 0 && otherLow >> 32 == 0xffff
        if isIPv4 != isOtherIPv4 { return isIPv4 }
        if high != otherHigh { return high < otherHigh }
        if low != otherLow { return low < otherLow }
        return port < otherPort
    }

    private static func contains(_ tried: InlineArray<8, UInt32>, _ count: Int, _ slot: UInt32) -> Bool {
        for position in 0..<min(count, 8) where tried[position] == slot { return true }
        return false
    }
}
