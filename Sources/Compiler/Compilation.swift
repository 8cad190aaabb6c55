package import Model
package import Resources

/// What one compile gives: the same decision for the kernel tables, the proxy, the statuses and `weir explain`.
package struct Compilation: Sendable {
    package let snapshot: Snapshot
    /// `status.parents` of ours, for every route that has a parentRef of ours; other controllers' entries are not in it.
    package let statuses: [ObjectKey: [RouteParentStatus]]
    package let problems: [Problem]
    /// False when the snapshot is the previous one.
    package let changed: Bool
}

/// Something in an object that is in force otherwise than its author may expect.
package struct Problem: Hashable, Sendable {
    package let object: ObjectKey
    /// Path from the object's root: `spec.rules[0].filters[1]`.
    package let field: String?
    package let message: String

    package init(object: ObjectKey, field: String?, message: String) {
        self.object = object
        self.field = field
        self.message = message
    }
}

/// The Gateway API's condition reasons that a Service parent can have.
enum ConditionReason: String {
    case accepted = "Accepted"
    case noMatchingParent = "NoMatchingParent"
    case unsupportedValue = "UnsupportedValue"
    case incompatibleFilters = "IncompatibleFilters"
    case conflicted = "Conflicted"
    case resolvedRefs = "ResolvedRefs"
    case refNotPermitted = "RefNotPermitted"
    case invalidKind = "InvalidKind"
    case backendNotFound = "BackendNotFound"
    case unsupportedProtocol = "UnsupportedProtocol"
}

/// A condition's reason and message, before it has a generation and a time.
struct Verdict: Hashable {
    let reason: ConditionReason
    let message: String

    init(_ reason: ConditionReason, _ message: String) {
        self.reason = reason
        self.message = message
    }
}
