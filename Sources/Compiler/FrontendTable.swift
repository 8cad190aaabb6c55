import Model

/// Which Service has which ClusterIP, and the places of ClusterIPs among the snapshot's frontends.
///
/// An address that several Services name belongs to the first that came; when that one goes, to the first by name of
/// the others, with the same index.
struct FrontendTable {
    private(set) var frontends: [Frontend?] = []
    private(set) var indices = FrontendIndices()
    private var wanted: [ObjectName: [IPAddress]] = [:]
    /// Services that name an address which another one has.
    private var waiting: [IPAddress: Set<ObjectName>] = [:]

    struct Outcome {
        /// Some frontend differs from before.
        var changed = false
        /// Services that can now have an address they waited for.
        var released: Set<ObjectName> = []
        /// Addresses that the Service does not get, with the reason in words.
        var refused: [String] = []
    }

    /// Gives `service` the addresses; nil or none gives up those it has.
    mutating func place(
        _ name: ObjectName, _ service: Model.Service?, at addresses: [IPAddress], now: Double
    ) -> Outcome {
        var outcome = Outcome()
        for address in wanted[name] ?? [] where !addresses.contains(address) {
            release(address, by: name, now: now, &outcome)
        }
        wanted[name] = addresses.isEmpty ? nil : addresses
        guard let service else { return outcome }
        for address in addresses {
            guard let index = indices.take(address, now: now) else {
                outcome.refused.append("all \(FrontendIndices.limit) indices are taken: \(address) is not served")
                continue
            }
            while frontends.count <= Int(index) { frontends.append(nil) }
            if let owner = frontends[Int(index)]?.service.name, owner != name {
                waiting[address, default: []].insert(name)
                outcome.refused.append("\(address) belongs to Service \(owner)")
                continue
            }
            waiting[address]?.remove(name)
            if frontends[Int(index)]?.service !== service {
                frontends[Int(index)] = Frontend(index: index, address: address, service: service)
                outcome.changed = true
            }
        }
        return outcome
    }

    private mutating func release(
        _ address: IPAddress, by name: ObjectName, now: Double, _ outcome: inout Outcome
    ) {
        waiting[address]?.remove(name)
        guard let index = indices.byAddress[address], frontends[Int(index)]?.service.name == name else { return }
        frontends[Int(index)] = nil
        outcome.changed = true
        if let heir = waiting[address]?.min() {
            outcome.released.insert(heir)
        } else {
            waiting[address] = nil
            indices.release(address, now: now)
        }
    }
}
