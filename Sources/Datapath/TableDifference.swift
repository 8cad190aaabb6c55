package import Model

/// A frontend's port as traffic names it.
package struct FrontendPort: Hashable, Sendable {
    package let address: IPAddress
    package let port: UInt16
    package let transport: Transport

    package init(address: IPAddress, port: UInt16, transport: Transport) {
        self.address = address
        self.port = port
        self.transport = transport
    }
}

/// What must be done to make the kernel hold one set of tables where it holds another.
package struct TableDifference: Sendable {
    package struct Change: Sendable {
        package let at: FrontendPort
        /// For people.
        package let service: ObjectName
        package let index: UInt32
        package let plan: PortPlan
        /// The endpoints are not those that the kernel holds for this port.
        package let retarget: Bool
    }
    /// Ports that are new, or whose plan or index differs.
    package private(set) var changed: [Change] = []
    /// Ports that are to be forgotten; none of them is in `changed`.
    package private(set) var removed: Set<FrontendPort> = []
    /// Frontend indices that stand for a new address.
    package private(set) var readdressed: [(index: UInt32, address: IPAddress)] = []

    package init(from old: Tables, to new: Tables) {
        // Rows that are not shared, by the ports they hold: an address may have moved from one index to another.
        var before: [FrontendPort: (index: UInt32, plan: PortPlan)] = [:]
        for (index, row) in old.rows.enumerated() {
            guard let row, index >= new.rows.count || new.rows[index] !== row else { continue }
            for plan in row.ports { before[row.port(plan)] = (UInt32(index), plan) }
        }
        for (index, row) in new.rows.enumerated() {
            guard let row else { continue }
            let previous = index < old.rows.count ? old.rows[index] : nil
            if previous === row { continue }
            if previous?.frontend.address != row.frontend.address {
                readdressed.append((UInt32(index), row.frontend.address))
            }
            for plan in row.ports {
                let at = row.port(plan)
                let held = before.removeValue(forKey: at)
                if let held, held.index == UInt32(index), held.plan == plan { continue }
                changed.append(
                    Change(
                        at: at, service: row.frontend.service.name, index: UInt32(index), plan: plan,
                        retarget: held == nil || held?.plan.targets != plan.targets))
            }
        }
        removed = Set(before.keys)
    }

    package var isEmpty: Bool { changed.isEmpty && removed.isEmpty && readdressed.isEmpty }
}

extension Row {
    func port(_ plan: PortPlan) -> FrontendPort {
        FrontendPort(address: frontend.address, port: plan.port, transport: plan.transport)
    }
}
