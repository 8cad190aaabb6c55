import Model
import Resources

/// The XBackendTrafficPolicies of the cluster, and which of them each Service has.
///
/// Of several that target a Service the most senior has it; one that is refused competes for none.
struct PolicyTable {
    private var policies: [ObjectKey: CompiledPolicy] = [:]
    private var byService: [ObjectName: Set<ObjectKey>] = [:]
    private var winners: [ObjectName: ObjectKey] = [:]
    /// Our entries; none for a policy without a Service among its targets, which is nobody's business here.
    private(set) var statuses: [ObjectKey: [PolicyAncestorStatus]] = [:]
    private let ancestor: ParentReference

    init(meshName: String) {
        ancestor = ParentReference(group: ResourceKind.xMesh.group, kind: ResourceKind.xMesh.rawValue, name: meshName)
    }

    /// What the policy that has the Service asks of it.
    subscript(service: ObjectName) -> TrafficPolicy? {
        winners[service].flatMap { policies[$0]?.asks[service] }
    }

    /// The policies that target a Service, whether they have it or not.
    func targeting(_ service: ObjectName) -> Set<ObjectKey> { byService[service] ?? [] }

    /// Makes sense of one policy again; returns the Services that it targets or targeted.
    mutating func recompile(_ key: ObjectKey, _ inventory: Inventory) -> Set<ObjectName> {
        let old = policies[key]?.services ?? []
        for service in old {
            byService[service]?.remove(key)
            if byService[service]?.isEmpty == true { byService[service] = nil }
        }
        let new = inventory.xBackendTrafficPolicies[key.name].map { CompiledPolicy($0, key) }
        policies[key] = new
        for service in new?.services ?? [] { byService[service, default: []].insert(key) }
        let concerned = Set(old + (new?.services ?? []))
        for service in concerned {
            winners[service] =
                targeting(service).compactMap { policies[$0] }.filter { $0.refusal == nil }
                .min { $0.seniority < $1.seniority }?.key
        }
        return concerned
    }

    /// Writes the status entry of one policy again; returns what there is to say about it.
    mutating func restate(_ key: ObjectKey, _ inventory: Inventory, timestamp: String) -> [Problem] {
        guard let policy = policies[key] else {
            statuses[key] = nil
            return []
        }
        let outcomes = policy.targets.map { outcome($0, of: policy, inventory) }
        var problems = policy.refusal.map { [$0] } ?? []
        for (index, outcome) in outcomes.enumerated() {
            guard case .failure(let verdict) = outcome else { continue }
            problems.append(Problem(object: key, field: "spec.targetRefs[\(index)]", message: verdict.message))
        }
        guard !policy.services.isEmpty, policy.refusal?.field != "status.ancestors" else {
            statuses[key] = nil
            return problems
        }
        let (accepted, verdict) = Self.verdict(policy, outcomes)
        let previous = statuses[key]?.first?.conditions ?? policy.written
        statuses[key] = [
            PolicyAncestorStatus(
                ancestorRef: ancestor, controllerName: Compiler.controllerName,
                conditions: [
                    Condition(
                        "Accepted", accepted, verdict, generation: policy.generation, timestamp: timestamp,
                        previous: previous)
                ])
        ]
        return problems
    }

    private enum Outcome {
        case inForce(ObjectName)
        case failure(Verdict)
    }

    private func outcome(_ target: CompiledPolicy.Target, of policy: CompiledPolicy, _ inventory: Inventory) -> Outcome
    {
        switch target {
        case .other(let message): return .failure(Verdict(.targetNotFound, message))
        case .service(let name):
            guard let service = inventory.services[NamespacedName(name)] else {
                return .failure(Verdict(.targetNotFound, "Service \(name) does not exist"))
            }
            if service.spec.type == "ExternalName" {
                let message = "Service \(name) is of type ExternalName, which cannot be a backend"
                return .failure(Verdict(.targetNotFound, message))
            }
            if let winner = winners[name], winner != policy.key, policy.refusal == nil {
                return .failure(Verdict(.conflicted, "Service \(name) has \(winner)"))
            }
            return .inForce(name)
        }
    }

    /// True when the policy is in force for one Service at least; the first failure gives the reason else.
    private static func verdict(_ policy: CompiledPolicy, _ outcomes: [Outcome]) -> (Bool, Verdict) {
        if let refusal = policy.refusal {
            return (false, Verdict(.invalid, "\(refusal.field.map { "\($0): " } ?? "")\(refusal.message)"))
        }
        var services: [ObjectName] = []
        var failures: [Verdict] = []
        for outcome in outcomes {
            switch outcome {
            case .inForce(let name): services.append(name)
            case .failure(let verdict): failures.append(verdict)
            }
        }
        let failed = failures.map(\.message).joined(separator: "; ")
        if services.isEmpty, let first = failures.first { return (false, Verdict(first.reason, failed)) }
        let list = services.map { "\($0)" }.joined(separator: ", ")
        let message =
            "in force for requests that routes lead to \(services.count == 1 ? "Service" : "Services") \(list)"
        return (true, Verdict(.accepted, failed.isEmpty ? message : "\(message); not for others: \(failed)"))
    }
}
