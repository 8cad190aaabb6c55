/// Runs of the `slots` map. A freed run rests before it is given out again, because a program that read the service's
/// entry just before the swap may still read it.
package struct Regions: Sendable {
    package struct Region: Hashable, Sendable {
        package let base: UInt32
        package let count: UInt32

        package init(base: UInt32, count: UInt32) {
            self.base = base
            self.count = count
        }

        package var end: UInt32 { base + count }
    }

    /// Nanoseconds that a freed region rests.
    package static let rest: UInt64 = 1_000_000_000

    /// Sorted by base; neighbours are merged.
    private var free: [Region]
    /// Oldest first.
    private var resting: [(region: Region, since: UInt64)] = []

    package init(capacity: UInt32) {
        free = [Region(base: 0, count: capacity)]
    }

    /// Forgets what was given out, but not what rests.
    package mutating func reset(capacity: UInt32) {
        free = [Region(base: 0, count: capacity)]
        for (region, _) in resting { claim(region) }
    }

    /// Marks a region as in use that some earlier allocator gave out; parts in use already stay so.
    package mutating func claim(_ taken: Region) {
        free = free.flatMap { run -> [Region] in
            guard taken.base < run.end && run.base < taken.end else { return [run] }
            let before = taken.base > run.base ? Region(base: run.base, count: taken.base - run.base) : nil
            let after = taken.end < run.end ? Region(base: taken.end, count: run.end - taken.end) : nil
            return [before, after].compactMap { $0 }
        }
    }

    /// The first free run of `count` slots (at least 1); nil when there is none.
    package mutating func allocate(_ count: UInt32) -> Region? {
        precondition(count > 0)
        guard let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
        let run = free[index]
        if run.count == count {
            free.remove(at: index)
        } else {
            free[index] = Region(base: run.base + count, count: run.count - count)
        }
        return Region(base: run.base, count: count)
    }

    /// `now` never goes backwards from call to call.
    package mutating func release(_ region: Region, now: UInt64) {
        resting.append((region, now))
    }

    /// Makes regions allocatable that have rested long enough by `now`.
    package mutating func wake(now: UInt64) {
        let rested = resting.prefix { now >= $0.since + Self.rest }.map(\.region)
        resting.removeFirst(rested.count)
        for region in rested { giveBack(region) }
    }

    private mutating func giveBack(_ region: Region) {
        var low = 0
        var high = free.count
        while low < high {
            let middle = (low + high) / 2
            if free[middle].base < region.base { low = middle + 1 } else { high = middle }
        }
        free.insert(region, at: low)
        if low + 1 < free.count, free[low].end == free[low + 1].base {
            free[low] = Region(base: free[low].base, count: free[low].count + free[low + 1].count)
            free.remove(at: low + 1)
        }
        if low > 0, free[low - 1].end == free[low].base {
            free[low - 1] = Region(base: free[low - 1].base, count: free[low - 1].count + free[low].count)
            free.remove(at: low)
        }
    }
}
