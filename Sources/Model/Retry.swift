/// HTTPRouteRetry (GEP-1731): when a request is sent again.
package struct Retry: Hashable, Sendable {
    /// Response statuses that are retried, ascending. Failures to connect and attempts that exceed `backendRequest` are
    /// retried whatever is listed, as long as it is safe.
    package let codes: [UInt16]
    /// Extra tries after the first, at least 1.
    package let attempts: Int
    /// Nanoseconds before the first retry; later ones wait longer. nil: the proxy's default.
    package let backoff: UInt64?

    package init(codes: [UInt16], attempts: Int, backoff: UInt64?) {
        self.codes = codes
        self.attempts = attempts
        self.backoff = backoff
    }
}

/// The retry constraint of an XBackendTrafficPolicy (GEP-3388): over it, a failure that would be retried is answered 503.
package struct RetryBudget: Hashable, Sendable {
    /// Of the requests of an interval, this share may be retries; 0...100.
    package let percent: Int
    /// Nanoseconds; 1 s to 1 h.
    package let interval: UInt64
    /// So many retries per `minimumInterval` are allowed whatever the share.
    package let minimumCount: Int
    /// Nanoseconds.
    package let minimumInterval: UInt64

    package init(percent: Int, interval: UInt64, minimumCount: Int, minimumInterval: UInt64) {
        self.percent = percent
        self.interval = interval
        self.minimumCount = minimumCount
        self.minimumInterval = minimumInterval
    }
}

/// What an XBackendTrafficPolicy says of a Service as a destination.
package struct TrafficPolicy: Hashable, Sendable {
    package let retryBudget: RetryBudget?
    package let sessionPersistence: SessionPersistence?

    package init(retryBudget: RetryBudget?, sessionPersistence: SessionPersistence?) {
        self.retryBudget = retryBudget
        self.sessionPersistence = sessionPersistence
    }
}
