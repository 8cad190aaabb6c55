/// One rule of one route, ready to act on.
package final class Rule: Sendable {
    package let route: RouteReference
    /// 0-based position in the route's spec.rules.
    package let index: Int
    package let name: String?
    package let action: RuleAction
    package let filters: [Filter]
    package let timeouts: Timeouts
    package let retry: Retry?
    /// What the route itself says; it wins over the backend's traffic policy.
    package let sessionPersistence: SessionPersistence?

    package init(
        route: RouteReference, index: Int, name: String?, action: RuleAction, filters: [Filter], timeouts: Timeouts,
        retry: Retry? = nil, sessionPersistence: SessionPersistence? = nil
    ) {
        self.route = route
        self.index = index
        self.name = name
        self.action = action
        self.filters = filters
        self.timeouts = timeouts
        self.retry = retry
        self.sessionPersistence = sessionPersistence
    }
}

package struct RouteReference: Hashable, Sendable {
    package let kind: RouteKind
    package let name: ObjectName

    package init(kind: RouteKind, name: ObjectName) {
        self.kind = kind
        self.name = name
    }
}

package enum RuleAction: Sendable {
    case redirect(Redirect)
    case forward(Backends)
    /// Answer 500: a filter that cannot be honoured, no backendRefs, or weights that are all zero.
    case fail(Reason)
}

/// A rule's backendRefs with their weights.
package struct Backends: Sendable {
    /// In the order of spec.backendRefs, weight 0 included.
    package let all: [WeightedBackend]
    /// The sum of the weights, at least 1.
    package let total: UInt64

    package init(_ all: [WeightedBackend]) {
        precondition(all.contains { $0.weight > 0 })
        self.all = all
        total = all.reduce(0) { $0 + UInt64($1.weight) }
    }

    /// The backendRef that owns `ticket`, which is uniform over 0..<total: exact shares, nothing redistributed.
    package func pick(_ ticket: UInt64) -> Int {
        var rest = ticket
        for index in all.indices {
            let weight = UInt64(all[index].weight)
            if rest < weight { return index }
            rest -= weight
        }
        return all.count - 1
    }
}

package struct WeightedBackend: Sendable {
    package enum Target: Sendable {
        case backend(Backend)
        /// This share is answered 500 (`backend-not-found`, …) and never redistributed.
        case invalid(Reason)
    }
    /// As written in the route, for people and metrics.
    package let service: ObjectName
    package let port: UInt16?
    package let weight: UInt32
    package let target: Target
    package let filters: [Filter]

    package init(service: ObjectName, port: UInt16?, weight: UInt32, target: Target, filters: [Filter]) {
        self.service = service
        self.port = port
        self.weight = weight
        self.target = target
        self.filters = filters
    }
}

/// Zero or absent in the route is nil: no limit.
package struct Timeouts: Hashable, Sendable {
    /// The whole transaction, from the request's first byte, in nanoseconds.
    package let request: UInt64?
    /// One attempt at a backend, in nanoseconds.
    package let backendRequest: UInt64?

    package init(request: UInt64?, backendRequest: UInt64?) {
        self.request = request
        self.backendRequest = backendRequest
    }
}
