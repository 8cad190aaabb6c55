import Reactor

/// An element of a slab that is in one list at most.
protocol Pooled: BitwiseCopyable {
    var index: UInt32 { get }
    var older: UInt32 { get set }
    var younger: UInt32 { get set }
}

extension UpstreamConnection: Pooled {}
extension HTTP2Session: Pooled {}

/// The connections of a worker that another request may use: for each pair of origin and endpoint slot a list, youngest first. A hash
/// table with linear probing; lists that ran empty keep their entry until the table is rebuilt.
struct Pools<Element: Pooled>: ~Copyable {
    private struct Entry: BitwiseCopyable {
        /// origin << 32 | slot; `vacant` when unused.
        var key = UInt64.max
        var youngest = Slab.none
        var oldest = Slab.none
        var count: UInt32 = 0
        /// See `hint`.
        var hint: UInt32 = 0
    }
    private static var vacant: UInt64 { .max }

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
    mutating func push(_ key: UInt64, _ element: UnsafeMutablePointer<Element>, limit: Int, _ slab: borrowing Slab)
        -> UInt32
    {
        let entry = find(key) ?? insert(key)
        element.pointee.older = entry.pointee.youngest
        element.pointee.younger = Slab.none
        if entry.pointee.youngest != Slab.none {
            Self.element(slab, entry.pointee.youngest).pointee.younger = element.pointee.index
        } else {
            entry.pointee.oldest = element.pointee.index
        }
        entry.pointee.youngest = element.pointee.index
        entry.pointee.count &+= 1
        return Int(entry.pointee.count) > limit ? entry.pointee.oldest : Slab.none
    }

    /// What the last connection told of its endpoint; 0: nothing.
    func hint(_ key: UInt64) -> UInt32 { find(key)?.pointee.hint ?? 0 }

    mutating func setHint(_ key: UInt64, _ hint: UInt32) { find(key)?.pointee.hint = hint }

    mutating func remove(_ key: UInt64, _ element: UnsafeMutablePointer<Element>, _ slab: borrowing Slab) {
        guard let entry = find(key) else { return }
        let older = element.pointee.older
        let younger = element.pointee.younger
        if older != Slab.none {
            Self.element(slab, older).pointee.younger = younger
        } else {
            entry.pointee.oldest = younger
        }
        if younger != Slab.none {
            Self.element(slab, younger).pointee.older = older
        } else {
            entry.pointee.youngest = older
        }
        entry.pointee.count &-= 1
    }

    private static func element(_ slab: borrowing Slab, _ index: UInt32) -> UnsafeMutablePointer<Element> {
        slab.element(index).assumingMemoryBound(to: Element.self)
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
