import Model
import Resources

/// One XBackendTrafficPolicy (GEP-3388), made sense of by itself: what it asks for each Service that it targets, before
/// it competes with others for them.
struct CompiledPolicy {
    enum Target {
        /// A Service of the policy's namespace as a whole.
        case service(ObjectName)
        /// What cannot be a target, in words.
        case other(String)
    }

    let key: ObjectKey
    let seniority: Seniority
    let generation: Int64
    /// In the order of `spec.targetRefs`.
    let targets: [Target]
    /// By Service; empty exactly when the policy is refused or targets none.
    let asks: [ObjectName: TrafficPolicy]
    /// Why it is in force nowhere, whatever it targets.
    let refusal: Problem?
    /// The condition's times as the object came with them.
    let written: [Condition]

    var services: [ObjectName] {
        targets.compactMap { if case .service(let name) = $0 { name } else { nil } }
    }

    init(_ object: XBackendTrafficPolicy, _ key: ObjectKey) {
        self.key = key
        let name = ObjectName(key.name)
        seniority = Seniority(creationTimestamp: object.metadata.creationTimestamp, name: name)
        generation = object.metadata.generation ?? 1
        targets = object.spec.targetRefs.map { ref in
            if ref.group.isEmpty, ref.kind == "Service" {
                return .service(ObjectName(namespace: name.namespace, name: ref.name))
            }
            let kind = ref.group.isEmpty ? ref.kind : "\(ref.kind).\(ref.group)"
            return .other("a \(kind) cannot be a target: \(ref.name)")
        }
        let ancestors = object.status?.ancestors ?? []
        written = ancestors.first { $0.controllerName == Compiler.controllerName }?.conditions ?? []
        var asks: [ObjectName: TrafficPolicy] = [:]
        var refusal: Problem?
        do throws(Refusal) {
            // The list holds 16, and a policy whose status cannot be told must not be in force (PolicyStatus).
            if ancestors.count(where: { $0.controllerName != Compiler.controllerName }) >= 16 {
                throw Refusal(field: "status.ancestors", message: "is full: there is no room for this mesh's entry")
            }
            let budget = try Self.budget(object.spec.retryConstraint)
            for case .service(let service) in targets {
                var persistence: Model.SessionPersistence?
                if let wanted = object.spec.sessionPersistence {
                    switch TranslatedPersistence(wanted, ofPolicy: name, for: service) {
                    case .persistence(let one): persistence = one
                    case .refused(let below, let message):
                        throw Refusal(field: "spec.sessionPersistence\(below)", message: message)
                    }
                }
                asks[service] = TrafficPolicy(retryBudget: budget, sessionPersistence: persistence)
            }
        } catch {
            asks = [:]
            refusal = Problem(object: key, field: error.field, message: error.message)
        }
        self.asks = asks
        self.refusal = refusal
    }

    private struct Refusal: Error {
        let field: String
        let message: String
    }

    private static func budget(_ constraint: RetryConstraint?) throws(Refusal) -> Model.RetryBudget? {
        guard let constraint else { return nil }
        let field = "spec.retryConstraint"
        let hour: UInt64 = 3_600_000_000_000
        let budget = constraint.budget ?? Resources.RetryBudget()
        guard (0...100).contains(budget.percent) else {
            throw Refusal(field: "\(field).budget.percent", message: "\(budget.percent) is not between 0 and 100")
        }
        guard let interval = GatewayDuration(budget.interval), (1_000_000_000...hour).contains(interval.nanoseconds)
        else {
            throw Refusal(field: "\(field).budget.interval", message: "'\(budget.interval)' is not between 1s and 1h")
        }
        let count = constraint.minRetryRate?.count ?? 10
        guard (1...1_000_000).contains(count) else {
            throw Refusal(field: "\(field).minRetryRate.count", message: "\(count) is not between 1 and 1000000")
        }
        let text = constraint.minRetryRate?.interval ?? "1s"
        guard let minimum = GatewayDuration(text), (1...hour).contains(minimum.nanoseconds) else {
            throw Refusal(field: "\(field).minRetryRate.interval", message: "'\(text)' is not between 1ms and 1h")
        }
        return Model.RetryBudget(
            percent: budget.percent, interval: interval.nanoseconds, minimumCount: count,
            minimumInterval: minimum.nanoseconds)
    }
}
