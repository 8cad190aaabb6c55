import Model

extension Tables {
    /// These tables without what `next` lacks: ports that are no longer known and clients that are no longer redirected.
    /// Nobody is redirected who was not, and no target changes, so applying it first makes the kernel forget before the
    /// proxy does. Who stays redirected is so throughout: where everyone was and some namespaces stay, those get entries
    /// of their own.
    package func narrowed(to next: Tables) -> Tables {
        var rows: [Row?] = []
        var isNarrower = false
        for (index, row) in self.rows.enumerated() {
            let later = index < next.rows.count ? next.rows[index] : nil
            let kept = row.flatMap { $0 === later ? $0 : $0.narrowed(to: later) }
            if kept !== row { isNarrower = true }
            rows.append(kept)
        }
        return isNarrower ? Tables(rows: rows, refused: refused) : self
    }
}

extension Row {
    /// Nil when nothing is left; the row itself when nothing goes.
    fileprivate func narrowed(to next: Row?) -> Row? {
        guard let next, next.frontend.address == frontend.address else { return nil }
        let kept = ports.compactMap { plan -> PortPlan? in
            guard let later = next.ports.first(where: { $0.port == plan.port && $0.transport == plan.transport }) else {
                return nil
            }
            return PortPlan(
                port: plan.port, transport: plan.transport,
                redirected: plan.redirectedAlso(by: later),
                targets: later.targets == nil ? nil : plan.targets)
        }
        if kept == ports { return self }
        return kept.isEmpty ? nil : Row(frontend, serviceLB: serviceLB, ports: kept)
    }
}

extension PortPlan {
    /// The scopes of those clients that both plans redirect.
    fileprivate func redirectedAlso(by other: PortPlan) -> [UInt32] {
        if redirected.first == ScopeIDs.everyone { return other.redirected }
        if other.redirected.first == ScopeIDs.everyone { return redirected }
        return redirected.filter { other.redirected.contains($0) }
    }
}
