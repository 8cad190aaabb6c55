import Model
import Proxy
import Testing

@Suite struct RetryTests {
    private static func policy(_ codes: [UInt16] = [], attempts: Int, backoff: UInt64? = nil) -> RetryPolicy {
        let copy = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: codes.count)
        _ = copy.initialize(from: codes)
        return RetryPolicy(
            Retry(codes: codes, attempts: attempts, backoff: backoff), codes: UnsafeBufferPointer(copy))
    }

    private static func request(
        retries: Int = 0, moves: Int = 0, isIdempotent: Bool = true, isReplayable: Bool = true,
        isHeadSent: Bool = false,
        hasOther: Bool = true, timeLeft: UInt64 = .max
    ) -> RetryPolicy.Request {
        RetryPolicy.Request(
            retries: retries, moves: moves, isIdempotent: isIdempotent, isReplayable: isReplayable,
            isHeadSent: isHeadSent,
            hasOtherEndpoint: hasOther, timeLeft: timeLeft)
    }

    private static func decide(
        _ policy: RetryPolicy, _ failure: RetryPolicy.Failure, _ request: RetryPolicy.Request
    ) -> RetryPolicy.Decision {
        var random = RandomSource(seed: 3)
        return policy.decide(failure, request, moveLimit: 3, budget: nil, now: 0, random: &random)
    }

    /// What is decided, whatever the wait.
    enum Outcome: Equatable { case move, retry, giveUp, notReplayable, overBudget, deadline }

    private static func outcome(_ decision: RetryPolicy.Decision) -> Outcome {
        switch decision {
        case .move: .move
        case .retry: .retry
        case .giveUp: .giveUp
        case .notReplayable: .notReplayable
        case .overBudget: .overBudget
        case .deadline: .deadline
        }
    }

    struct Case {
        var rule: RetryPolicy
        var failure: RetryPolicy.Failure
        var request: RetryPolicy.Request
        var outcome: Outcome
    }

    private static var cases: [Case] {
        let none = RetryPolicy()
        let plain = policy(attempts: 3)
        let codes = policy([500, 502, 503, 504], attempts: 2)
        let post = request(isIdempotent: false)
        return [
            // Nothing of it was processed: whatever the method, with or without a rule.
            Case(rule: none, failure: .connect, request: post, outcome: .move),
            Case(rule: none, failure: .refused, request: post, outcome: .move),
            Case(rule: none, failure: .connect, request: request(moves: 3), outcome: .giveUp),
            Case(rule: none, failure: .connect, request: request(hasOther: false), outcome: .giveUp),
            Case(rule: plain, failure: .connect, request: request(hasOther: false), outcome: .retry),
            Case(rule: plain, failure: .connect, request: request(moves: 3, isIdempotent: false), outcome: .retry),
            Case(rule: plain, failure: .refused, request: request(moves: 3, isIdempotent: false), outcome: .retry),
            Case(rule: plain, failure: .connect, request: request(retries: 3, moves: 3), outcome: .giveUp),
            Case(rule: none, failure: .refused, request: request(isReplayable: false), outcome: .notReplayable),
            // A kept connection that ended.
            Case(rule: none, failure: .stale, request: request(), outcome: .move),
            Case(rule: none, failure: .stale, request: post, outcome: .giveUp),
            Case(rule: plain, failure: .stale, request: post, outcome: .giveUp),
            Case(rule: codes, failure: .stale, request: post, outcome: .retry),
            Case(rule: none, failure: .stale, request: request(isReplayable: false), outcome: .notReplayable),
            // It may have been processed.
            Case(rule: none, failure: .reset, request: request(), outcome: .giveUp),
            Case(rule: none, failure: .timeout, request: request(), outcome: .giveUp),
            Case(rule: plain, failure: .reset, request: request(), outcome: .retry),
            Case(rule: plain, failure: .reset, request: post, outcome: .giveUp),
            Case(rule: codes, failure: .reset, request: post, outcome: .retry),
            Case(rule: policy([500], attempts: 1), failure: .reset, request: post, outcome: .giveUp),
            Case(rule: plain, failure: .timeout, request: request(), outcome: .retry),
            Case(rule: plain, failure: .timeout, request: post, outcome: .giveUp),
            Case(rule: codes, failure: .timeout, request: post, outcome: .retry),
            Case(rule: plain, failure: .reset, request: request(isReplayable: false), outcome: .notReplayable),
            // HTTPRouteRetry: codes [500] attempts 3; a status that is not listed; another attempt too many.
            Case(
                rule: policy([500], attempts: 3), failure: .status(500), request: request(retries: 2), outcome: .retry),
            Case(
                rule: policy([500], attempts: 3), failure: .status(500), request: request(retries: 3), outcome: .giveUp),
            Case(rule: policy([500], attempts: 3), failure: .status(503), request: request(), outcome: .giveUp),
            Case(
                rule: codes, failure: .status(503), request: request(retries: 1, isIdempotent: false), outcome: .retry),
            Case(rule: codes, failure: .status(502), request: request(retries: 2), outcome: .giveUp),
            Case(rule: none, failure: .status(503), request: request(), outcome: .giveUp),
            Case(rule: codes, failure: .status(503), request: request(isReplayable: false), outcome: .notReplayable),
            Case(rule: codes, failure: .status(404), request: request(isReplayable: false), outcome: .giveUp),
            // Nothing once the client has a head.
            Case(rule: codes, failure: .reset, request: request(isHeadSent: true), outcome: .giveUp),
            Case(rule: none, failure: .refused, request: request(isHeadSent: true), outcome: .giveUp),
            // HTTPRouteRetryWithTimeouts: the request's timeout caps everything.
            Case(rule: codes, failure: .status(500), request: request(timeLeft: 0), outcome: .deadline),
            Case(
                rule: policy([500], attempts: 5, backoff: 100), failure: .status(500), request: request(timeLeft: 100),
                outcome: .deadline),
            Case(
                rule: policy([500], attempts: 5, backoff: 100), failure: .status(500), request: request(timeLeft: 201),
                outcome: .retry),
        ]
    }

    @Test("what is sent again, and what is not", arguments: cases.indices)
    func decisions(_ index: Int) {
        let one = Self.cases[index]
        #expect(Self.outcome(Self.decide(one.rule, one.failure, one.request)) == one.outcome, "case \(index): \(one)")
    }

    @Test func waits() {
        var random = RandomSource(seed: 5)
        func wait(_ policy: RetryPolicy, _ retries: Int) -> UInt64? {
            let decision = policy.decide(
                .status(500), Self.request(retries: retries), moveLimit: 3, budget: nil, now: 0, random: &random)
            guard case .retry(let wait) = decision else { return nil }
            return wait
        }
        let jittered = Self.policy([500], attempts: 100)
        let configured = Self.policy([500], attempts: 100, backoff: 1_000_000)
        for (retries, factor) in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (5, 10), (99, 10)] as [(Int, UInt64)] {
            let free = (0..<500).compactMap { _ in wait(jittered, retries) }
            #expect(free.count == 500)
            #expect(free.max()! <= 25_000_000 * factor && free.max()! > 20_000_000 * factor)
            #expect(free.min()! < 5_000_000 * factor)
            let least = (0..<500).compactMap { _ in wait(configured, retries) }
            #expect(least.min()! >= 1_000_000 * factor, "the rule's backoff is a minimum")
            #expect(least.max()! <= 2_000_000 * factor)
        }
        #expect(wait(Self.policy([500], attempts: 1, backoff: .max), 0)! >= 1 << 50)
        #expect(wait(jittered, 100) == nil)
    }

    private static let second: UInt64 = 1_000_000_000

    /// A budget of which retries are taken in several goes.
    private final class Budget {
        var state: RetryBudgetState

        init(percent: Int, minimumCount: Int = 0, workers: Int = 1) {
            state = RetryBudgetState(
                RetryBudget(
                    percent: percent, interval: 8 * second, minimumCount: minimumCount, minimumInterval: second),
                workers: workers, now: 0)
        }

        func note(_ count: Int = 1, now: UInt64) {
            for _ in 0..<count { state.noteRequest(now: now) }
        }

        /// How many of 50 retries are allowed.
        func take(now: UInt64) -> Int { (0..<50).count { _ in state.takeRetry(now: now) } }
    }

    @Test func budgetIsAShareOfTheRequests() {
        let budget = Budget(percent: 20)
        budget.note(80, now: 1)
        #expect(budget.take(now: 2) == 20, "20 of 100 requests are retries")
        #expect(budget.take(now: 7 * Self.second) == 0)
        budget.note(4, now: 7 * Self.second)
        #expect(budget.take(now: 7 * Self.second) == 1)
        #expect(budget.take(now: 100 * Self.second) == 0, "the interval is over")
        budget.note(8, now: 100 * Self.second)
        #expect(budget.take(now: 100 * Self.second) == 2)
    }

    @Test func budgetSlides() {
        let budget = Budget(percent: 50)
        // One request in each eighth: what is older than the interval counts no more.
        for tick in 0..<40 as Range<UInt64> { budget.note(now: tick * Self.second) }
        #expect(budget.take(now: 39 * Self.second) == 8)
    }

    @Test func allAndNothing() {
        let none = Budget(percent: 0)
        let all = Budget(percent: 100)
        for now in 0..<100 as Range<UInt64> {
            none.note(now: now)
            #expect(none.take(now: now) == 0)
            #expect(all.take(now: now) == 50)
        }
    }

    @Test func minimumRate() {
        let budget = Budget(percent: 0, minimumCount: 10)
        #expect(budget.take(now: 0) == 10)
        #expect(budget.take(now: Self.second / 2) == 5)
        #expect(budget.take(now: 20 * Self.second) == 10, "what is not used is not saved up")
        #expect(Budget(percent: 0, minimumCount: 10, workers: 5).take(now: 0) == 2, "workers share it")
        let single = Budget(percent: 0, minimumCount: 1, workers: 4)
        #expect((0..<8).map { single.take(now: UInt64($0) * Self.second) } == [1, 0, 0, 0, 1, 0, 0, 0])
    }

    @Test func overBudget() {
        var random = RandomSource(seed: 1)
        let budget = Budget(percent: 0, minimumCount: 1)
        func decide(_ failure: RetryPolicy.Failure) -> RetryPolicy.Decision {
            Self.policy([500], attempts: 3).decide(
                failure, Self.request(), moveLimit: 3, budget: &budget.state, now: 0, random: &random)
        }
        let decisions = [RetryPolicy.Failure.status(500), .status(500), .status(503), .connect].map(decide)
        #expect(Self.outcome(decisions[0]) == .retry)
        #expect(decisions[1] == .overBudget)
        #expect(decisions[2] == .giveUp, "what would not be retried is passed on")
        #expect(decisions[3] == .move, "moving on is free")
    }

    @Test(
        "HTTPRouteRequestPercentageMirror", arguments: [(0, 100), (20, 100), (25, 50), (35, 100), (100, 100), (7, 7)])
    func mirrorSamples(_ numerator: UInt64, _ denominator: UInt64) {
        var random = RandomSource(seed: numerator &+ 11)
        let count = (0..<20_000).count { _ in random.samples(numerator, of: denominator) }
        let share = Double(numerator) / Double(denominator)
        let band = 4 * (20_000 * share * (1 - share)).squareRoot()
        #expect(abs(Double(count) - 20_000 * share) <= band)
    }
}
