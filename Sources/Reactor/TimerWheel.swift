/// Deadlines of many connections at constant cost: a hierarchical wheel of seven levels of 64 slots, with ticks of
/// 2^20 ns (1.05 ms). A timer fires at or up to two ticks after its deadline, never before.
///
/// A timer whose deadline moves later stays where it is and is filed anew when its slot comes up, so that the usual case,
/// a keep-alive connection that puts its idle deadline off with every request, costs one store.
package struct TimerWheel: ~Copyable {
    package static let never = UInt64.max
    private static let none = UInt32.max
    private static let levels = 7
    private static let unfiled = UInt16.max
    private static let due = UInt16(levels * 64)

    private struct Timer: BitwiseCopyable {
        var token: UInt64
        /// In ticks; `never` when it is not to fire.
        var deadline: UInt64
        /// The tick that the slot it is filed in stands for, at the latest.
        var filed: UInt64
        var next: UInt32
        var previous: UInt32
        /// level * 64 + slot, `due`, or `unfiled`.
        var slot: UInt16
    }

    private let origin: UInt64
    /// Everything before this tick has been handed out or filed lower.
    private var elapsed: UInt64 = 0
    private var timers: UnsafeMutablePointer<Timer>
    private var capacity = 256
    private var used = 0
    private var firstFree = TimerWheel.none
    private let heads: UnsafeMutablePointer<UInt32>
    private let occupied: UnsafeMutablePointer<UInt64>

    package init(now: UInt64) {
        origin = now
        timers = .allocate(capacity: capacity)
        heads = .allocate(capacity: Self.levels * 64 + 1)
        heads.initialize(repeating: Self.none, count: Self.levels * 64 + 1)
        occupied = .allocate(capacity: Self.levels)
        occupied.initialize(repeating: 0, count: Self.levels)
    }

    deinit {
        timers.deallocate()
        heads.deallocate()
        occupied.deallocate()
    }

    /// A timer that does not run. `token` is what `expired` returns for it.
    package mutating func create(token: UInt64) -> UInt32 {
        let id: UInt32
        if firstFree != Self.none {
            id = firstFree
            firstFree = timers[Int(id)].next
        } else {
            if used == capacity {
                let larger = UnsafeMutablePointer<Timer>.allocate(capacity: capacity * 2)
                larger.moveInitialize(from: timers, count: capacity)
                timers.deallocate()
                timers = larger
                capacity *= 2
            }
            id = UInt32(used)
            used += 1
        }
        timers[Int(id)] = Timer(
            token: token, deadline: Self.never, filed: 0, next: Self.none, previous: Self.none, slot: Self.unfiled)
        return id
    }

    package mutating func destroy(_ id: UInt32) {
        unfile(id)
        timers[Int(id)].next = firstFree
        firstFree = id
    }

    /// Sets or moves the deadline, in nanoseconds of `Clock`; `never` stops the timer.
    package mutating func set(_ id: UInt32, _ deadline: UInt64) {
        let timer = timers + Int(id)
        if deadline == Self.never {
            timer.pointee.deadline = Self.never
            return
        }
        // Rounded up, and later than `elapsed`: a slot of the past would not come up again.
        let tick = max(((deadline > origin ? deadline &- origin : 0) >> 20) &+ 1, elapsed &+ 1)
        timer.pointee.deadline = tick
        if timer.pointee.slot != Self.unfiled {
            if timer.pointee.filed <= tick { return }
            unfile(id)
        }
        file(id)
    }

    /// The token of a timer whose deadline has passed at `now`, stopped; nil when there is none left.
    package mutating func expired(now: UInt64) -> UInt64? {
        let tick = (now &- origin) >> 20
        while true {
            let id = heads[Int(Self.due)]
            if id != Self.none {
                unfile(id)
                let timer = timers + Int(id)
                if timer.pointee.deadline == Self.never { continue }
                if timer.pointee.deadline > tick {
                    file(id)
                    continue
                }
                timer.pointee.deadline = Self.never
                return timer.pointee.token
            }
            guard let (slot, start) = nextSlot(), start <= tick else {
                elapsed = max(elapsed, tick)
                return nil
            }
            elapsed = max(elapsed, start)
            takeDue(slot)
        }
    }

    /// Milliseconds until `expired` may have something, rounded up; -1 when no timer runs. For epoll_wait.
    package func timeout(now: UInt64) -> Int32 {
        if heads[Int(Self.due)] != Self.none { return 0 }
        guard let (_, start) = nextSlot() else { return -1 }
        let at = origin &+ start << 20
        return at <= now ? 0 : Int32(min((at - now + 999_999) / 1_000_000, 3_600_000))
    }

    /// The first occupied slot and the tick at which it begins. Lower levels always come first: a timer is filed by the
    /// highest bit in which its tick differs from `elapsed`.
    private func nextSlot() -> (slot: Int, start: UInt64)? {
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(level * 6)
            let current = (elapsed >> shift) & 63
            let rotated = occupied[level] >> current | (current == 0 ? 0 : occupied[level] << (64 - current))
            let distance = UInt64(rotated.trailingZeroBitCount)
            let start = ((elapsed >> shift) &+ distance) << shift
            return (level * 64 + Int((current &+ distance) & 63), start)
        }
        return nil
    }

    private mutating func takeDue(_ slot: Int) {
        var id = heads[slot]
        heads[slot] = Self.none
        occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
        while id != Self.none {
            let next = timers[Int(id)].next
            link(id, to: Self.due)
            id = next
        }
    }

    private mutating func file(_ id: UInt32) {
        let tick = max(timers[Int(id)].deadline, elapsed &+ 1)
        let level = (63 - ((tick ^ elapsed) | 63).leadingZeroBitCount) / 6
        let slot = level * 64 + Int(tick >> UInt64(level * 6) & 63)
        timers[Int(id)].filed = tick
        link(id, to: UInt16(slot))
        occupied[level] |= 1 << UInt64(slot & 63)
    }

    private mutating func link(_ id: UInt32, to slot: UInt16) {
        let head = heads[Int(slot)]
        timers[Int(id)].next = head
        timers[Int(id)].previous = Self.none
        timers[Int(id)].slot = slot
        if head != Self.none { timers[Int(head)].previous = id }
        heads[Int(slot)] = id
    }

    private mutating func unfile(_ id: UInt32) {
        let timer = timers[Int(id)]
        guard timer.slot != Self.unfiled else { return }
        if timer.next != Self.none { timers[Int(timer.next)].previous = timer.previous }
        if timer.previous != Self.none {
            timers[Int(timer.previous)].next = timer.next
        } else {
            heads[Int(timer.slot)] = timer.next
            if timer.next == Self.none && timer.slot != Self.due {
                occupied[Int(timer.slot >> 6)] &= ~(1 << UInt64(timer.slot & 63))
            }
        }
        timers[Int(id)].slot = Self.unfiled
    }
}
