import Model
import Resources

/// What is so about one parentRef of one route, before it is written as conditions.
struct RouteVerdicts {
    private let accepted: (status: Bool, verdict: Verdict)
    private let resolvedRefs: (status: Bool, verdict: Verdict)
    private let partiallyInvalid: String?

    /// `lost` are the ports of this parent that a route of a kind of higher rank has.
    init(_ route: CompiledRoute, _ attachment: Attachment, lost: [UInt16: RouteKind]) {
        let kept = attachment.ports.filter { lost[$0] == nil }
        if let failure = attachment.failure {
            accepted = (false, failure)
        } else if let winner = attachment.ports.compactMap({ lost[$0] }).first, kept.isEmpty {
            accepted = (
                false,
                Verdict(
                    .conflicted,
                    "\(winner.rawValue)s have \(Self.list(attachment.ports)) of Service \(attachment.service)")
            )
        } else if let refusal = route.refusal {
            accepted = (false, refusal)
        } else {
            let lostPorts = attachment.ports.filter { lost[$0] != nil }
            let message =
                lostPorts.isEmpty
                ? "in force on \(Self.list(kept)) of Service \(attachment.service)"
                : "in force on \(Self.list(kept)) of Service \(attachment.service); lost to routes of another kind: \(Self.list(lostPorts))"
            accepted = (true, Verdict(.accepted, message))
        }
        if let unresolved = route.unresolved {
            resolvedRefs = (false, unresolved)
        } else {
            resolvedRefs = (true, Verdict(.resolvedRefs, "every reference resolves"))
        }
        partiallyInvalid = accepted.status ? route.partiallyInvalid : nil
    }

    private static func list(_ ports: [UInt16]) -> String {
        (ports.count == 1 ? "port " : "ports ") + ports.map(String.init).joined(separator: ", ")
    }

    /// `lastTransitionTime` stays as in `previous` unless the status differs.
    func conditions(generation: Int64, timestamp: String, previous: [Condition]) -> [Condition] {
        func condition(_ type: String, _ status: Bool, _ verdict: Verdict) -> Condition {
            Condition(type, status, verdict, generation: generation, timestamp: timestamp, previous: previous)
        }
        var conditions = [
            condition("Accepted", accepted.status, accepted.verdict),
            condition("ResolvedRefs", resolvedRefs.status, resolvedRefs.verdict),
        ]
        if let partiallyInvalid {
            conditions.append(condition("PartiallyInvalid", true, Verdict(.unsupportedValue, partiallyInvalid)))
        }
        return conditions
    }
}
