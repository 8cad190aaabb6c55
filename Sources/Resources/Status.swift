package struct RouteStatus: Codable, Hashable, Sendable {
    package var parents: [RouteParentStatus]

    package init(parents: [RouteParentStatus]) {
        self.parents = parents
    }
}

/// What one controller says about one parentRef.
package struct RouteParentStatus: Codable, Hashable, Sendable {
    /// As in the spec.
    package var parentRef: ParentReference
    /// A domain-prefixed path.
    package var controllerName: String
    package var conditions: [Condition]?

    package init(parentRef: ParentReference, controllerName: String, conditions: [Condition]? = nil) {
        self.parentRef = parentRef
        self.controllerName = controllerName
        self.conditions = conditions
    }
}

package struct PolicyStatus: Codable, Hashable, Sendable {
    package var ancestors: [PolicyAncestorStatus]

    package init(ancestors: [PolicyAncestorStatus]) {
        self.ancestors = ancestors
    }
}

package struct PolicyAncestorStatus: Codable, Hashable, Sendable {
    package var ancestorRef: ParentReference
    package var controllerName: String
    package var conditions: [Condition]

    package init(ancestorRef: ParentReference, controllerName: String, conditions: [Condition]) {
        self.ancestorRef = ancestorRef
        self.controllerName = controllerName
        self.conditions = conditions
    }
}

/// metav1.Condition.
package struct Condition: Codable, Hashable, Sendable {
    package var type: String
    /// True, False or Unknown.
    package var status: String
    package var observedGeneration: Int64?
    /// RFC 3339; changes only with `status`.
    package var lastTransitionTime: String
    package var reason: String
    package var message: String

    package init(
        type: String, status: String, observedGeneration: Int64? = nil, lastTransitionTime: String, reason: String,
        message: String
    ) {
        self.type = type
        self.status = status
        self.observedGeneration = observedGeneration
        self.lastTransitionTime = lastTransitionTime
        self.reason = reason
        self.message = message
    }
}
