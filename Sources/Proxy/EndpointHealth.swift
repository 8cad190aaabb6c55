package import Model
import Synchronization

/// What a worker thinks of an endpoint that failed lately.
package struct EndpointHealth: Hashable, Sendable {
    package let slot: UInt32
    package let identity: UInt64
    /// On the worker's clock; nil: not ejected.
    package let ejectedUntil: UInt64?
    /// In a row.
    package let failures: Int
}

/// An endpoint that failed lately, or that some worker leaves out because it did.
package struct FailingEndpoint: Hashable, Sendable {
    package let address: IPAddress
    package let port: UInt16
    /// In a row, the most that a worker has seen. An ejection starts the count anew.
    package fileprivate(set) var failures: Int
    /// Workers that leave it out.
    package fileprivate(set) var ejections: Int
    /// Until the last of them uses it again; nil: none leaves it out.
    package fileprivate(set) var ejectedFor: Duration?

    package var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
        failures = 0
        ejections = 0
    }

    /// A worker's view at `now` is added.
    mutating func add(_ health: EndpointHealth, now: UInt64) {
        failures = max(failures, health.failures)
        guard let until = health.ejectedUntil, until > now else { return }
        ejections += 1
        let left = Duration.nanoseconds(Int64(clamping: until - now))
        ejectedFor = max(ejectedFor ?? .zero, left)
    }
}

/// A question to all workers, and their answers.
final class HealthInquiry: Sendable {
    private let answers = Mutex<[Int: [EndpointHealth]]>([:])

    func answer(worker: Int, _ health: [EndpointHealth]) { answers.withLock { $0[worker] = health } }
    var count: Int { answers.withLock { $0.count } }
    var all: [EndpointHealth] { answers.withLock { $0.values.flatMap { $0 } } }
}
