import Resources

/// The Gateway API's condition reasons that Weir writes.
enum ConditionReason: String {
    case accepted = "Accepted"
    // Routes with a Service parent.
    case noMatchingParent = "NoMatchingParent"
    case unsupportedValue = "UnsupportedValue"
    case incompatibleFilters = "IncompatibleFilters"
    case resolvedRefs = "ResolvedRefs"
    case refNotPermitted = "RefNotPermitted"
    case invalidKind = "InvalidKind"
    case backendNotFound = "BackendNotFound"
    case unsupportedProtocol = "UnsupportedProtocol"
    // Routes and policies.
    case conflicted = "Conflicted"
    // Policies.
    case invalid = "Invalid"
    case targetNotFound = "TargetNotFound"
    // The mesh.
    case invalidParameters = "InvalidParameters"
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

extension Condition {
    /// `lastTransitionTime` stays as in `previous` unless the status differs.
    init(
        _ type: String, _ status: Bool, _ verdict: Verdict, generation: Int64, timestamp: String, previous: [Condition]
    ) {
        let status = status ? "True" : "False"
        let old = previous.first { $0.type == type && $0.status == status }
        self.init(
            type: type, status: status, observedGeneration: generation,
            lastTransitionTime: old?.lastTransitionTime ?? timestamp, reason: verdict.reason.rawValue,
            // The API's limit of a condition's message.
            message: String(verdict.message.prefix(32_768)))
    }
}
