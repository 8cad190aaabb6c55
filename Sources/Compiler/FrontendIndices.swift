import Model

/// Gives each ClusterIP the index that stands for it in 127.64.0.0/10 and fdc0:6d65:7368::/64.
///
/// An address keeps its index for as long as a Service has it. Afterwards the index stays out of use for `quarantine`,
/// because a connection that was redirected to it may still wait to be accepted. Index 0 is never given.
struct FrontendIndices {
    /// Seconds.
    static let quarantine = 10.0
    /// The kernel's table of frontends has this many entries (`WEIR_MAX_FRONTENDS`).
    static let limit: UInt32 = 1 << 17

    private(set) var byAddress: [IPAddress: UInt32] = [:]
    private var free: [UInt32] = []
    private var resting: [(index: UInt32, until: Double)] = []
    private var next: UInt32 = 1

    /// The address's index, a new one when it has none; nil when all are taken.
    mutating func take(_ address: IPAddress, now: Double) -> UInt32? {
        if let index = byAddress[address] { return index }
        while let first = resting.first, first.until <= now {
            free.append(first.index)
            resting.removeFirst()
        }
        let index: UInt32
        if let freed = free.popLast() {
            index = freed
        } else if next < Self.limit {
            index = next
            next += 1
        } else {
            return nil
        }
        byAddress[address] = index
        return index
    }

    mutating func release(_ address: IPAddress, now: Double) {
        guard let index = byAddress.removeValue(forKey: address) else { return }
        resting.append((index, now + Self.quarantine))
    }
}
