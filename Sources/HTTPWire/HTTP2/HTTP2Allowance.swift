/// What is left of one of the budgets in `HTTP2Limits`.
struct HTTP2Allowance: BitwiseCopyable {
    private var tokens: Int32
    /// When time last gave tokens back.
    private var filledAt: UInt64 = 0

    init(_ budget: HTTP2Limits.Budget) {
        tokens = budget.burst
    }

    /// Nothing is given for the time before.
    mutating func begin(_ now: UInt64) {
        filledAt = now
    }

    @inline(__always)
    mutating func earn(_ count: Int32, _ budget: HTTP2Limits.Budget) {
        tokens = min(tokens &+ count, budget.burst)
    }

    /// Whether there was enough.
    @inline(__always)
    mutating func spend(_ cost: Int32, _ budget: HTTP2Limits.Budget, _ now: UInt64) -> Bool {
        if tokens >= cost {
            tokens &-= cost
            return true
        }
        return refillAndSpend(cost, budget, now)
    }

    /// Time is looked at only when the tokens are used up.
    @inline(never)
    private mutating func refillAndSpend(_ cost: Int32, _ budget: HTTP2Limits.Budget, _ now: UInt64) -> Bool {
        guard budget.perSecond > 0, now > filledAt else { return false }
        let elapsed = min(now &- filledAt, 1 << 40)
        let back = (elapsed >> 10) &* UInt64(budget.perSecond) / (1_000_000_000 >> 10)
        guard back > 0 else { return false }
        filledAt = now
        earn(Int32(truncatingIfNeeded: min(back, UInt64(budget.burst))), budget)
        guard tokens >= cost else { return false }
        tokens &-= cost
        return true
    }
}
