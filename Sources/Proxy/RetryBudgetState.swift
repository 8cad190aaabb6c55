package import Model

/// How much of a backend's retry budget (GEP-3388) a worker has used: requests and retries of the last interval, in eighths
/// of it. Each worker keeps its own; the minimum rate is shared out among them.
package struct RetryBudgetState: BitwiseCopyable {
    private static let buckets = 8

    private let percent: UInt64
    /// Nanoseconds of one bucket.
    private let span: UInt64
    /// When the current bucket is over.
    private var boundary: UInt64
    private var current = 0
    /// The upper half counts requests, retries among them, the lower half retries.
    private var counts = InlineArray<8, UInt64>(repeating: 0)
    private var sum: UInt64 = 0

    /// The minimum rate as a virtual schedule (ITU-T I.371, GCRA): nanoseconds between two retries, how far ahead of it
    /// they may run, and when the next one is due. 0: no minimum.
    private let spacing: UInt64
    private let tolerance: UInt64
    private var due: UInt64 = 0

    package init(_ budget: RetryBudget, workers: Int, now: UInt64) {
        percent = UInt64(min(max(budget.percent, 0), 100))
        span = max(budget.interval / UInt64(Self.buckets), 1)
        boundary = now &+ span
        let workers = UInt64(max(workers, 1))
        if budget.minimumCount > 0 && budget.minimumInterval > 0 {
            let window = min(budget.minimumInterval, 1 << 50)
            spacing = max(window &* min(workers, 1 << 10) / UInt64(budget.minimumCount), 1)
            tolerance = window > spacing ? window &- spacing : 0
        } else {
            spacing = 0
            tolerance = 0
        }
    }

    /// Once for each request that is sent to the backend for the first time.
    @inline(__always)
    package mutating func noteRequest(now: UInt64) {
        if now >= boundary { advance(now) }
        counts[current] &+= 1 << 32
        sum &+= 1 << 32
    }

    /// Charges one retry if it is within the budget: within the share of the requests, or within the minimum rate.
    package mutating func takeRetry(now: UInt64) -> Bool {
        if now >= boundary { advance(now) }
        let requests = sum >> 32
        let retries = sum & 0xffff_ffff
        let isWithinShare = (retries &+ 1) &* 100 <= percent &* (requests &+ 1)
        let isWithinRate = spacing > 0 && due <= now &+ tolerance
        guard isWithinShare || isWithinRate else { return false }
        counts[current] &+= 1 << 32 | 1
        sum &+= 1 << 32 | 1
        if spacing > 0 { due = max(due, now) &+ spacing }
        return true
    }

    private mutating func advance(_ now: UInt64) {
        let steps = (now &- boundary) / span &+ 1
        boundary &+= steps &* span
        if steps >= UInt64(Self.buckets) {
            counts = InlineArray(repeating: 0)
            sum = 0
            return
        }
        for _ in 0..<steps {
            current = (current &+ 1) & (Self.buckets &- 1)
            sum &-= counts[current]
            counts[current] = 0
        }
    }
}

/// A backend's retry budget, each worker's share of it. Lives as long as a plan needs it.
final class RetryBudgets: @unchecked Sendable {
    let budget: RetryBudget
    /// By worker; each is its worker's alone.
    let states: UnsafeMutablePointer<RetryBudgetState>

    init(_ budget: RetryBudget, workers: Int, now: UInt64) {
        self.budget = budget
        states = .allocate(capacity: workers)
        states.initialize(repeating: RetryBudgetState(budget, workers: workers, now: now), count: workers)
    }

    deinit { states.deallocate() }
}
