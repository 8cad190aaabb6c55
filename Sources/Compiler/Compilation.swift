package import Model
package import Resources

/// What one compile gives: the same decision for the kernel tables, the proxy, the statuses and `weir explain`.
package struct Compilation: Sendable {
    package let snapshot: Snapshot
    /// `status.parents` of ours, for every route that has a parentRef of ours; other controllers' entries are not in it.
    package let statuses: [ObjectKey: [RouteParentStatus]]
    /// Our entries in `status.ancestors`, for every policy that targets a Service.
    package let policyStatuses: [ObjectKey: [PolicyAncestorStatus]]
    package let mesh: MeshDecision
    package let problems: [Problem]
    /// Parents and fields that are for other controllers, and without effect here.
    package let ignored: [Problem]
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
