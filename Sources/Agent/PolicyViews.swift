import Inspection
import Model

extension Explained.SessionPersistence {
    init(_ persistence: SessionPersistence) {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        let absolute = persistence.absoluteTimeout.map { Double($0) / 1e6 }
        let idle = persistence.idleTimeout.map { Double($0) / 1e6 }
        switch persistence.carrier {
        case .cookie(let name, let path, let isPermanent):
            self.init(
                type: "Cookie", name: text(name), path: text(path), isPermanent: isPermanent,
                absoluteTimeoutMilliseconds: absolute, idleTimeoutMilliseconds: idle)
        case .header(let name):
            self.init(
                type: "Header", name: text(name), path: nil, isPermanent: false, absoluteTimeoutMilliseconds: absolute,
                idleTimeoutMilliseconds: idle)
        }
    }
}

extension Explained.Backend {
    /// What the Service's policy adds; `rule` is the rule's own session persistence, which wins over the policy's.
    mutating func add(_ policy: TrafficPolicy?, over rule: SessionPersistence?) {
        if rule == nil { sessionPersistence = policy?.sessionPersistence.map(Explained.SessionPersistence.init) }
        retryBudget = policy?.retryBudget.map {
            Explained.RetryBudget(
                percent: $0.percent, intervalMilliseconds: Double($0.interval) / 1e6, minimumCount: $0.minimumCount,
                minimumIntervalMilliseconds: Double($0.minimumInterval) / 1e6)
        }
    }
}
