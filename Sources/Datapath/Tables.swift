import CDatapath
package import Model

/// What the kernel is to hold for a snapshot, as a value: per frontend address and port, which clients are redirected to
/// the proxy, and which endpoints the kernel balances over.
package struct Tables: Sendable {
    /// By frontend index. A frontend whose service is the same object as in the previous tables shares its row.
    package let rows: [Row?]
    /// Frontends that the maps have no room for, in words.
    package let refused: [String]

    package static let empty = Tables(rows: [], refused: [])

    init(rows: [Row?], refused: [String]) {
        self.rows = rows
        self.refused = refused
    }

    /// With `serviceLB`, every port also gets its ready endpoints of its frontend's family: all traffic of a port that
    /// no route claims, and that of a claimed one while no agent lives. Passing the `previous` tables, made with the
    /// same `scopes`, only saves time. `capacity` is the number of entries that the kernel's map of services holds;
    /// frontends beyond it are refused, those with the highest indices first.
    package init(
        snapshot: Snapshot, serviceLB: Bool, scopes: inout ScopeIDs, previous: Tables = .empty,
        capacity: Int = Int(WEIR_MAX_SERVICES)
    ) {
        var rows: [Row?] = []
        var room = capacity
        rows.reserveCapacity(snapshot.frontends.count)
        var refused: [String] = []
        for (index, frontend) in snapshot.frontends.enumerated() {
            guard let frontend else {
                rows.append(nil)
                continue
            }
            guard index < Int(WEIR_MAX_FRONTENDS) else {
                refused.append(
                    "service \(frontend.service.name): its frontend index \(index) is beyond the kernel table's "
                        + "\(WEIR_MAX_FRONTENDS); it is not redirected")
                continue
            }
            let row: Row
            if index < previous.rows.count, let known = previous.rows[index],
                known.frontend.service === frontend.service, known.frontend.address == frontend.address,
                known.serviceLB == serviceLB
            {
                row = known
            } else {
                row = Row(frontend, serviceLB: serviceLB, scopes: &scopes)
            }
            guard row.entryCount <= room else {
                refused.append(
                    "service \(frontend.service.name): the kernel table's \(capacity) entries are taken; "
                        + "\(frontend.address) is not redirected")
                rows.append(nil)
                continue
            }
            room -= row.entryCount
            rows.append(row)
        }
        self.rows = rows
        self.refused = refused
    }
}

/// One frontend's part of the tables.
package final class Row: Sendable {
    package let frontend: Frontend
    package let serviceLB: Bool
    /// At most one for each port and transport.
    package let ports: [PortPlan]
    /// How many entries of the kernel's map of services it takes.
    let entryCount: Int

    init(_ frontend: Frontend, serviceLB: Bool, ports: [PortPlan]) {
        self.frontend = frontend
        self.serviceLB = serviceLB
        self.ports = ports
        entryCount = ports.reduce(0) { $0 + $1.scopes.count }
    }

    convenience init(_ frontend: Frontend, serviceLB: Bool, scopes: inout ScopeIDs) {
        var plans: [PortPlan] = []
        for port in frontend.service.ports {
            guard
                let plan = PortPlan(port, isIPv4: frontend.address.isIPv4, serviceLB: serviceLB, scopes: &scopes),
                !plans.contains(where: { $0.port == plan.port && $0.transport == plan.transport })
            else { continue }
            plans.append(plan)
        }
        self.init(frontend, serviceLB: serviceLB, ports: plans)
    }
}

/// What becomes of traffic to one port of a frontend.
package struct PortPlan: Hashable, Sendable {
    package struct Target: Hashable, Sendable {
        package let address: IPAddress
        package let port: UInt16

        package init(address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    package let port: UInt16
    package let transport: Transport
    /// The scopes whose clients are redirected, ascending; just `ScopeIDs.everyone` when that is among them.
    package let redirected: [UInt32]
    /// Where the kernel balances over; nil leaves that to others, and none at all refuses the call.
    package let targets: [Target]?

    /// Nil for a plan that says nothing.
    init?(port: UInt16, transport: Transport, redirected: [UInt32], targets: [Target]?) {
        if redirected.isEmpty && targets == nil { return nil }
        self.port = port
        self.transport = transport
        self.redirected = redirected
        self.targets = targets
    }

    /// Nil for a port that the kernel need not know.
    init?(_ port: ServicePort, isIPv4: Bool, serviceLB: Bool, scopes: inout ScopeIDs) {
        guard port.transport != .sctp else { return nil }
        self.port = port.port
        transport = port.transport
        if port.transport != .tcp {
            redirected = []
        } else if port.producer != nil {
            redirected = [ScopeIDs.everyone]
        } else {
            redirected = port.consumers.keys.sorted().map { scopes.id(for: $0) }.sorted()
        }
        targets =
            serviceLB
            ? port.plain.endpoints.lazy.filter { $0.address.isIPv4 == isIPv4 }
                .map { Target(address: $0.address, port: $0.port) } : nil
        if redirected.isEmpty && targets == nil { return nil }
    }

    /// The scopes that have an entry in the kernel.
    package var scopes: [UInt32] {
        targets == nil || redirected.first == ScopeIDs.everyone ? redirected : [ScopeIDs.everyone] + redirected
    }
}
