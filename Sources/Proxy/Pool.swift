import Reactor

/// The idle upstream connections of a worker: for each pair of origin and endpoint slot a list, youngest first. A hash
/// table with linear probing; lists that ran empty keep their entry until the table is rebuilt.
struct Pools: ~Copyable {
    private struct Entry: BitwiseCopyable {
        /// origin << 32 | slot; `vacant` when unused.
        var key = UInt64.max
        var youngest = Slab.none
        var oldest = Slab.none
        var count: UInt32 = 0
    }
    private static let vacant = UInt64.max

    private var entries = UnsafeMutablePointer<Entry>.allocate(capacity: 64)
    private var capacity = 64
    private var used = 0

    init() { entries.initialize(repeating: Entry(), count: capacity) }
    deinit { entries.deallocate() }

    @inline(__always)
    static func key(origin: UInt32, slot: UInt32) -> UInt64 { UInt64(origin) << 32 | UInt64(slot) }

    @inline(__always)
    private func place(_ key: UInt64) -> Int {
        var hash = key &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash) & (capacity - 1)
    }

    private func find(_ key: UInt64) -> UnsafeMutablePointer<Entry>? {
        var index = place(key)
        while entries[index].key != key {
            if entries[index].key == Self.vacant { return nil }
            index = (index + 1) & (capacity - 1)
        }
        return entries + index
    }

    func youngest(_ key: UInt64) -> UInt32 { find(key)?.pointee.youngest ?? Slab.none }

    /// Puts `upstream` in front. Returns the oldest of the list, still in it, when it now has more than `limit`.
    mutating func push(_ key: UInt64, _ upstream: Upstream, limit: Int, _ slab: borrowing Slab) -> UInt32 {
        let entry = find(key) ?? insert(key)
        upstream.pointee.older = entry.pointee.youngest
        upstream.pointee.younger = Slab.none
        if entry.pointee.youngest != Slab.none {
            Self.upstream(slab, entry.pointee.youngest).pointee.younger = upstream.pointee.index
        } else {
            entry.pointee.oldest = upstream.pointee.index
        }
        entry.pointee.youngest = upstream.pointee.index
        entry.pointee.count &+= 1
        return Int(entry.pointee.count) > limit ? entry.pointee.oldest : Slab.none
    }

    mutating func remove(_ key: UInt64, _ upstream: Upstream, _ slab: borrowing Slab) {
        guard let entry = find(key) else { return }
        let older = upstream.pointee.older
        let younger = upstream.pointee.younger
        if older != Slab.none {
            Self.upstream(slab, older).pointee.younger = younger
        } else {
            entry.pointee.oldest = younger
        }
        if younger != Slab.none {
            Self.upstream(slab, younger).pointee.older = older
        } else {
            entry.pointee.youngest = older
        }
        entry.pointee.count &-= 1
    }

    private static func upstream(_ slab: borrowing Slab, _ index: UInt32) -> Upstream {
        slab.element(index).assumingMemoryBound(to: UpstreamConnection.self)
    }

    private mutating func insert(_ key: UInt64) -> UnsafeMutablePointer<Entry> {
        if (used + 1) * 2 > capacity { rebuild() }
        var index = place(key)
        while entries[index].key != Self.vacant { index = (index + 1) & (capacity - 1) }
        entries[index] = Entry(key: key)
        used += 1
        return entries + index
    }

    /// Leaves the empty lists out, and doubles when too few were empty.
    private mutating func rebuild() {
        let old = entries
        let oldCapacity = capacity
        var live = 0
        for index in 0..<oldCapacity where old[index].key != Self.vacant && old[index].count > 0 { live += 1 }
        if live * 4 > capacity { capacity *= 2 }
        entries = .allocate(capacity: capacity)
        entries.initialize(repeating: Entry(), count: capacity)
        used = live
        for index in 0..<oldCapacity where old[index].key != Self.vacant && old[index].count > 0 {
            var target = place(old[index].key)
            while entries[target].key != Self.vacant { target = (target + 1) & (capacity - 1) }
            entries[target] = old[index]
        }
        old.deallocate()
    }
}
