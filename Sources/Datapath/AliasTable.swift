/// A weighted choice in constant time with exact shares (Vose's alias method): one slot uniformly, then that slot when a
/// uniform 32-bit number is below its threshold, else its alias.
package struct AliasTable: Equatable, Sendable {
    package struct Slot: Equatable, Sendable {
        package let threshold: UInt32
        package let alias: UInt32
    }
    package let slots: [Slot]

    /// `weights` are not all zero, and their sum times their number fits 63 bits.
    package init(weights: [UInt32]) {
        let count = UInt64(weights.count)
        let total = weights.reduce(0) { $0 + UInt64($1) }
        precondition(total > 0)
        // Shares scaled so that a slot's own is `total`: integers, so nothing is lost to rounding until the last step.
        var share = weights.map { UInt64($0) * count }
        var small = share.indices.filter { share[$0] < total }
        var large = share.indices.filter { share[$0] >= total }
        var slots = (0..<UInt32(count)).map { Slot(threshold: .max, alias: $0) }
        while let poor = small.popLast(), let rich = large.last {
            let threshold = share[poor].multipliedFullWidth(by: 1 << 32)
            slots[poor] = Slot(
                threshold: UInt32(total.dividingFullWidth(threshold).quotient), alias: UInt32(rich))
            share[rich] -= total - share[poor]
            if share[rich] < total {
                large.removeLast()
                small.append(rich)
            }
        }
        self.slots = slots
    }
}
