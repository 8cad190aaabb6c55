package import Model

/// Whether a request that failed is sent again (GEP-1731), as a pure decision.
///
/// Without a rule's `retry` a request moves on only when nothing of it can have been processed, or when its method is
/// idempotent and a connection that had served before ended under it (RFC 9110 section 9.2.2). A rule's `retry` adds
/// tries with a wait before each: after a listed status; after a failure to connect; after a reset or a `backendRequest`
/// timeout when the method is idempotent, or when the rule lists the status that the failure would be answered with, 502
/// and 504: who lists it asks for those requests to be sent again.
package struct RetryPolicy: BitwiseCopyable {
    package enum Failure: BitwiseCopyable {
        /// The endpoint could not be connected.
        case connect
        /// Nothing was processed: REFUSED_STREAM, a stream above GOAWAY's last one, nothing could be written.
        case refused
        /// A connection that had served before ended, or broke, before anything of the response came.
        case stale
        /// The connection or stream broke after the request, or a part of it, was sent; so did an unreadable response.
        case reset
        /// The attempt took longer than `backendRequest`.
        case timeout
        case status(UInt16)
    }

    /// What is known of the request when an attempt has failed.
    package struct Request: BitwiseCopyable {
        /// Retries so far that the rule was charged for, and moves so far that it was not.
        package var retries: Int
        package var moves: Int
        /// RFC 9110 section 9.2.2.
        package var isIdempotent: Bool
        /// Everything of it that was sent, or taken from the client, is still held.
        package var isReplayable: Bool
        /// The head of a final response is on its way to the client.
        package var isHeadSent: Bool
        /// Another endpoint is left that was not tried.
        package var hasOtherEndpoint: Bool
        /// Nanoseconds to the request's deadline; `UInt64.max`: none.
        package var timeLeft: UInt64

        package init(
            retries: Int, moves: Int, isIdempotent: Bool, isReplayable: Bool, isHeadSent: Bool, hasOtherEndpoint: Bool,
            timeLeft: UInt64
        ) {
            self.retries = retries
            self.moves = moves
            self.isIdempotent = isIdempotent
            self.isReplayable = isReplayable
            self.isHeadSent = isHeadSent
            self.hasOtherEndpoint = hasOtherEndpoint
            self.timeLeft = timeLeft
        }
    }

    package enum Decision: BitwiseCopyable, Equatable {
        /// At once, free of charge: counts as a move.
        case move
        /// After so many nanoseconds, on any endpoint, the ones that were tried included: counts as a retry.
        case retry(after: UInt64)
        /// The failure, or the response with that status, goes to the client.
        case giveUp
        /// As `giveUp`; it would have been sent again if it were still held. To be counted.
        case notReplayable
        /// 503: the backend's retry budget is spent.
        case overBudget
        /// 504: the request's deadline comes before the wait is over.
        case deadline
    }

    /// Nanoseconds: the first wait is up to this long where the rule says nothing.
    package static let defaultBackoff: UInt64 = 25_000_000
    /// Waits stop growing at so many times the first one.
    private static let growth: UInt64 = 10

    /// Retries of one request, whatever the rule says.
    package static let attemptLimit = 255

    /// Ascending, in memory that outlives it.
    private let codes: UnsafeBufferPointer<UInt16>
    private let attempts: Int
    private let backoff: UInt64
    /// The rule says a shortest wait.
    private let hasMinimum: Bool

    /// No `retry` in the rule.
    package init() {
        codes = UnsafeBufferPointer(start: nil, count: 0)
        attempts = 0
        backoff = 0
        hasMinimum = false
    }

    /// `codes` are those of `retry`.
    package init(_ retry: Retry, codes: UnsafeBufferPointer<UInt16>) {
        self.codes = codes
        attempts = min(retry.attempts, Self.attemptLimit)
        backoff = min(retry.backoff ?? Self.defaultBackoff, 1 << 50)
        hasMinimum = retry.backoff != nil
    }

    /// Whether a response of this status may have to be thrown away: asked of every response.
    package func lists(_ status: UInt16) -> Bool {
        for code in codes where code == status { return true }
        return false
    }

    /// `moveLimit` is how often a request may move on free of charge. `budget` is charged for a retry that it allows; nil:
    /// the backend has none.
    package func decide(
        _ failure: Failure, _ request: Request, moveLimit: Int, budget: UnsafeMutablePointer<RetryBudgetState>?,
        now: UInt64, random: inout RandomSource
    ) -> Decision {
        if request.isHeadSent { return .giveUp }
        if isFree(failure, request), request.moves < moveLimit { return request.isReplayable ? .move : .notReplayable }
        guard request.retries < attempts, isAsked(failure, request) else { return .giveUp }
        guard request.isReplayable else { return .notReplayable }
        let wait = wait(request.retries, &random)
        guard wait < request.timeLeft else { return .deadline }
        if let budget, !budget.pointee.takeRetry(now: now) { return .overBudget }
        return .retry(after: wait)
    }

    private func isFree(_ failure: Failure, _ request: Request) -> Bool {
        switch failure {
        case .connect: request.hasOtherEndpoint
        case .refused: true
        // A rule that says how often counts these too.
        case .stale: request.isIdempotent && attempts == 0
        case .reset, .timeout, .status: false
        }
    }

    private func isAsked(_ failure: Failure, _ request: Request) -> Bool {
        switch failure {
        case .connect, .refused: true
        case .stale, .reset: request.isIdempotent || lists(502)
        case .timeout: request.isIdempotent || lists(504)
        case .status(let status): lists(status)
        }
    }

    /// Doubles from try to try, up to ten times the first. Without a backoff in the rule anything up to that (full jitter);
    /// with one, it is the least, and up to as much again is added.
    private func wait(_ retries: Int, _ random: inout RandomSource) -> UInt64 {
        let longest = min(backoff &<< UInt64(min(max(retries, 0), 8)), backoff &* Self.growth)
        let jitter = random.below(longest &+ 1)
        return hasMinimum ? longest &+ jitter : jitter
    }
}

extension RandomSource {
    /// Whether one of `denominator` requests falls among the first `numerator`: for mirrors, each decided by itself.
    package mutating func samples(_ numerator: UInt64, of denominator: UInt64) -> Bool {
        numerator >= denominator || (numerator > 0 && below(denominator) < numerator)
    }
}
