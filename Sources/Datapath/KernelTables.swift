import BPF
import CDatapath
import Model

/// What one `apply` did.
package struct Applied: Sendable, Equatable {
    /// Kernel entries written and deleted.
    package var updated = 0
    package var removed = 0
    /// Endpoints written.
    package var slots = 0
    /// Ports whose endpoints found no room; they keep what they had.
    package var refused: [String] = []
}

/// The service tables in the kernel: `svcs`, `slots` and `rev`. What the kernel holds is known at all times, also what
/// an earlier agent left there, so only differences are written.
struct KernelTables: ~Copyable {
    private struct Held {
        var entries: [(scope: UInt32, value: weir_service)] = []
        var region: Regions.Region?
    }

    private let services: Map
    private let slots: MappedArray<weir_slot>
    private let reverse: MappedArray<weir_address>
    private var regions: Regions
    private var held: [FrontendPort: Held] = [:]
    /// How many entries of `services` they are.
    private var entryCount = 0
    private var generation: UInt32 = 0
    /// What `held` was made from; nil when the kernel must be read first, whose endpoints are then not known.
    private var tables: Tables?

    init(services: consuming Map, slots: borrowing Map, reverse: borrowing Map) throws(DatapathError) {
        let mappedSlots = try withBPF { () throws(BPFError) in try MappedArray<weir_slot>(slots) }
        let mappedReverse = try withBPF { () throws(BPFError) in try MappedArray<weir_address>(reverse) }
        regions = Regions(capacity: UInt32(mappedSlots.count))
        self.slots = mappedSlots
        self.reverse = mappedReverse
        self.services = services
    }

    /// Makes the kernel hold `new`. Endpoints are written to a fresh region and put in force by one update of the
    /// service's entry, so a connect sees the old set or the new one. `now` is CLOCK_MONOTONIC nanoseconds. After an
    /// error the next call compares with the kernel itself.
    mutating func apply(_ new: Tables, now: UInt64) throws(DatapathError) -> Applied {
        if tables == nil { try readBack() }
        do {
            return try write(new, now: now)
        } catch {
            tables = nil
            throw error
        }
    }

    private mutating func write(_ new: Tables, now: UInt64) throws(DatapathError) -> Applied {
        regions.wake(now: now)
        let difference = TableDifference(from: tables ?? .empty, to: new)
        var applied = Applied(refused: new.refused)
        var keys: [weir_service_key] = []
        var values: [weir_service] = []
        var obsolete: [weir_service_key] = []
        var released: [Regions.Region] = []
        for (index, address) in difference.readdressed { reverse[Int(index)] = weir_address(address) }
        for change in difference.changed {
            let before = held[change.at]
            var after = Held(region: before?.region)
            var generationInForce = before?.entries.first?.value.generation ?? 0
            var balances = change.plan.targets != nil
            if change.retarget {
                if let targets = change.plan.targets, !targets.isEmpty {
                    if let region = regions.allocate(UInt32(targets.count)) {
                        generation &+= 1
                        generationInForce = generation
                        fill(region, with: targets)
                        applied.slots += targets.count
                        after.region = region
                    } else {
                        applied.refused.append(
                            "service \(change.service): \(change.at.transport.rawValue) port \(change.at.port): no room for its "
                                + "\(targets.count) endpoints in the kernel's table")
                        balances = after.region != nil
                    }
                } else {
                    after.region = nil
                }
                if let region = before?.region, region != after.region { released.append(region) }
            }
            // Everyone's entry last: clients that get one of their own are in none but the old one until then.
            for scope in change.plan.scopes.reversed() {
                let value = weir_service(
                    flags: change.plan.flags(for: scope, balances: balances), index: change.index,
                    base: after.region?.base ?? 0, count: after.region?.count ?? 0, generation: generationInForce,
                    pad: 0)
                after.entries.append((scope, value))
                if let old = before?.entries.first(where: { $0.scope == scope }),
                    weir_service.isEqual(old.value, value)
                {
                    continue
                }
                keys.append(weir_service_key(change.at, scope: scope))
                values.append(value)
            }
            for old in before?.entries ?? [] where !change.plan.scopes.contains(old.scope) {
                obsolete.append(weir_service_key(change.at, scope: old.scope))
            }
            entryCount += after.entries.count - (before?.entries.count ?? 0)
            held[change.at] = after
        }
        // After a restart the kernel may hold ports that no tables of this agent ever named.
        var gone = difference.removed
        if tables == nil {
            let wanted = Set(difference.changed.lazy.map(\.at))
            gone.formUnion(held.keys.filter { !wanted.contains($0) })
        }
        for at in gone {
            guard let before = held.removeValue(forKey: at) else { continue }
            entryCount -= before.entries.count
            obsolete += before.entries.map { weir_service_key(at, scope: $0.scope) }
            if let region = before.region { released.append(region) }
        }
        // What takes the place of something is there before that goes, unless there is no room for both.
        let makeRoomFirst = entryCount + obsolete.count > services.capacity
        try withBPF { () throws(BPFError) in
            if makeRoomFirst { for key in obsolete { try services.remove(key) } }
            try services.update(keys, values)
            if !makeRoomFirst { for key in obsolete { try services.remove(key) } }
        }
        for region in released { regions.release(region, now: now) }
        tables = new
        applied.updated = keys.count
        applied.removed = obsolete.count
        return applied
    }

    private func fill(_ region: Regions.Region, with targets: [PortPlan.Target]) {
        let table = AliasTable(weights: [UInt32](repeating: 1, count: targets.count))
        for (position, target) in targets.enumerated() {
            slots[Int(region.base) + position] = weir_slot(
                address: weir_address(target.address), port: target.port.bigEndian, pad: 0, generation: generation,
                threshold: table.slots[position].threshold, alias: table.slots[position].alias)
        }
    }

    private mutating func readBack() throws(DatapathError) {
        var found: [FrontendPort: Held] = [:]
        var newest = generation
        regions.reset(capacity: UInt32(slots.count))
        let entries = try withBPF { () throws(BPFError) -> [(weir_service_key, weir_service)] in
            var entries: [(weir_service_key, weir_service)] = []
            for key in try services.keys(of: weir_service_key.self) {
                if let value = try services.lookup(key, as: weir_service.self) { entries.append((key, value)) }
            }
            return entries
        }
        for (key, value) in entries {
            newest = max(newest, value.generation)
            var port = found[key.frontendPort] ?? Held()
            port.entries.append((key.scope, value))
            if value.count > 0 {
                let region = Regions.Region(base: value.base, count: value.count)
                port.region = region
                regions.claim(region)
            }
            found[key.frontendPort] = port
        }
        held = found
        entryCount = entries.count
        generation = newest
    }
}

extension PortPlan {
    func flags(for scope: UInt32, balances: Bool) -> UInt32 {
        (redirected.contains(scope) ? UInt32(WEIR_SERVICE_L7) : 0)
            | (balances ? UInt32(WEIR_SERVICE_LB) : 0)
    }
}
