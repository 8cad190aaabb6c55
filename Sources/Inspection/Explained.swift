/// What Weir would do with one request, and why: the answer to `weir explain`.
///
/// What has no value, here and in the parts, is written as null rather than left out: scripts rely on the keys.
package struct Explained: Codable, Sendable, Equatable {
    package enum Outcome: String, Codable, Sendable {
        /// Weir does not touch it: the ordinary path.
        case pass
        case forward
        case redirect
        /// Weir answers itself with `status` and `reason`.
        case error
    }

    package struct Route: Codable, Sendable, Equatable {
        package var kind: String
        package var namespace: String
        package var name: String
        /// 0-based.
        package var rule: Int
        package var ruleName: String?

        package init(kind: String, namespace: String, name: String, rule: Int, ruleName: String?) {
            self.kind = kind
            self.namespace = namespace
            self.name = name
            self.rule = rule
            self.ruleName = ruleName
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(kind, forKey: .kind)
            try container.encode(namespace, forKey: .namespace)
            try container.encode(name, forKey: .name)
            try container.encode(rule, forKey: .rule)
            try container.encode(ruleName, forKey: .ruleName)
        }
    }

    /// One match of one rule, in order of precedence.
    package struct Tried: Codable, Sendable, Equatable {
        package var route: Route
        /// 0-based position in the rule's matches.
        package var match: Int
        package var conditions: String
        package var matched: Bool
        /// The first condition that failed: what it is about, what the route wants, what the request has.
        package var failed: String?
        package var wanted: String?
        package var seen: String?

        package init(
            route: Route, match: Int, conditions: String, matched: Bool, failed: String?, wanted: String?,
            seen: String?
        ) {
            self.route = route
            self.match = match
            self.conditions = conditions
            self.matched = matched
            self.failed = failed
            self.wanted = wanted
            self.seen = seen
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(route, forKey: .route)
            try container.encode(match, forKey: .match)
            try container.encode(conditions, forKey: .conditions)
            try container.encode(matched, forKey: .matched)
            try container.encode(failed, forKey: .failed)
            try container.encode(wanted, forKey: .wanted)
            try container.encode(seen, forKey: .seen)
        }
    }

    package struct Filter: Codable, Sendable, Equatable {
        package var type: String
        package var detail: String

        package init(type: String, detail: String) {
            self.type = type
            self.detail = detail
        }
    }

    package struct Backend: Codable, Sendable, Equatable {
        package var namespace: String
        package var name: String
        package var port: UInt16?
        package var weight: UInt32
        /// Why this share is answered 500 or 503; nil when it is served.
        package var reason: String?
        package var endpoints: [String]
        package var filters: [Filter]
        /// What the Service's XBackendTrafficPolicy asks for; nil where the rule's own session persistence wins.
        package var sessionPersistence: SessionPersistence?
        package var retryBudget: RetryBudget?

        package init(
            namespace: String, name: String, port: UInt16?, weight: UInt32, reason: String?, endpoints: [String],
            filters: [Filter]
        ) {
            self.namespace = namespace
            self.name = name
            self.port = port
            self.weight = weight
            self.reason = reason
            self.endpoints = endpoints
            self.filters = filters
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(namespace, forKey: .namespace)
            try container.encode(name, forKey: .name)
            try container.encode(port, forKey: .port)
            try container.encode(weight, forKey: .weight)
            try container.encode(reason, forKey: .reason)
            try container.encode(endpoints, forKey: .endpoints)
            try container.encode(filters, forKey: .filters)
            try container.encode(sessionPersistence, forKey: .sessionPersistence)
            try container.encode(retryBudget, forKey: .retryBudget)
        }
    }

    package struct Timeouts: Codable, Sendable, Equatable {
        package var requestMilliseconds: Double?
        package var backendRequestMilliseconds: Double?

        package init(requestMilliseconds: Double?, backendRequestMilliseconds: Double?) {
            self.requestMilliseconds = requestMilliseconds
            self.backendRequestMilliseconds = backendRequestMilliseconds
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(requestMilliseconds, forKey: .requestMilliseconds)
            try container.encode(backendRequestMilliseconds, forKey: .backendRequestMilliseconds)
        }
    }

    package struct Retry: Codable, Sendable, Equatable {
        /// Tries after the first.
        package var attempts: Int
        /// Statuses that are retried.
        package var codes: [UInt16]
        package var backoffMilliseconds: Double?

        package init(attempts: Int, codes: [UInt16], backoffMilliseconds: Double?) {
            self.attempts = attempts
            self.codes = codes
            self.backoffMilliseconds = backoffMilliseconds
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(attempts, forKey: .attempts)
            try container.encode(codes, forKey: .codes)
            try container.encode(backoffMilliseconds, forKey: .backoffMilliseconds)
        }
    }

    package var outcome: Outcome
    package var status: UInt16?
    /// The value that `x-weir-reason` would have, or why the request passes by.
    package var reason: String?
    /// One sentence for people.
    package var message: String
    /// `namespace/name:port` of the Service that the request is dialled to.
    package var service: String?
    package var generation: UInt64
    /// `producer`, `consumer`, or nil.
    package var group: String?
    package var route: Route?
    /// The step of the precedence rules by which the winner beat the next match; nil when nothing else matched.
    package var precedence: String?
    package var tried: [Tried]
    package var filters: [Filter]
    package var backends: [Backend]
    package var timeouts: Timeouts?
    package var retry: Retry?
    /// The rule's own; it wins over the backends'.
    package var sessionPersistence: SessionPersistence?
    package var location: String?

    package init(outcome: Outcome, message: String, generation: UInt64) {
        self.outcome = outcome
        self.message = message
        self.generation = generation
        tried = []
        filters = []
        backends = []
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(outcome, forKey: .outcome)
        try container.encode(status, forKey: .status)
        try container.encode(reason, forKey: .reason)
        try container.encode(message, forKey: .message)
        try container.encode(service, forKey: .service)
        try container.encode(generation, forKey: .generation)
        try container.encode(group, forKey: .group)
        try container.encode(route, forKey: .route)
        try container.encode(precedence, forKey: .precedence)
        try container.encode(tried, forKey: .tried)
        try container.encode(filters, forKey: .filters)
        try container.encode(backends, forKey: .backends)
        try container.encode(timeouts, forKey: .timeouts)
        try container.encode(retry, forKey: .retry)
        try container.encode(sessionPersistence, forKey: .sessionPersistence)
        try container.encode(location, forKey: .location)
    }
}

/// The request that `weir explain` asks about.
package struct ExplainRequest: Codable, Sendable, Equatable {
    /// `namespace/pod`.
    package var from: String
    package var method: String
    package var url: String
    /// In order; a `Host` entry replaces the URL's authority.
    package var headers: [Header]

    package struct Header: Codable, Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(from: String, method: String, url: String, headers: [Header]) {
        self.from = from
        self.method = method
        self.url = url
        self.headers = headers
    }
}
