package import Model
import Synchronization

/// What a worker counts besides requests; gauges and counters alike.
enum Counter: Int, CaseIterable {
    case clients
    case upstreams
    case idleUpstreams
    case tunnels
    case accepted
    case refused
    case acceptErrors
    case upstreamConnects
    case connectFailures
    case connectRetries
    case staleRetries
    case clientAborts
    case cuts
    case bytesFromClients
    case bytesToClients
    case bytesFromUpstreams
    case bytesToUpstreams
    case bufferedBytes
    case accessLogDropped
    case generation
}

/// The counters at one moment. All but the ones named open, idle or buffered only grow.
package struct ProxyCounters: Sendable {
    package struct Requests: Sendable {
        package let labels: RequestLabels
        /// 1xx (upgrades) first, then 2xx … 5xx.
        package let byClass: [DurationHistogram]
    }
    package internal(set) var requests: [Requests] = []
    /// Answers that Weir itself gave.
    package internal(set) var ownAnswers: [(reason: Reason, count: UInt64)] = []
    package internal(set) var clientsOpen: UInt64 = 0
    package internal(set) var upstreamsOpen: UInt64 = 0
    package internal(set) var upstreamsIdle: UInt64 = 0
    package internal(set) var tunnelsOpen: UInt64 = 0
    package internal(set) var accepted: UInt64 = 0
    /// Closed because the pod has its share of connections.
    package internal(set) var refused: UInt64 = 0
    /// accept(2) failed: descriptors or memory ran out.
    package internal(set) var acceptErrors: UInt64 = 0
    package internal(set) var upstreamConnects: UInt64 = 0
    package internal(set) var connectFailures: UInt64 = 0
    package internal(set) var connectRetries: UInt64 = 0
    package internal(set) var staleRetries: UInt64 = 0
    /// Clients that left before their response was complete.
    package internal(set) var clientAborts: UInt64 = 0
    /// Connections cut because a response could not be finished after its head had been sent.
    package internal(set) var cuts: UInt64 = 0
    package internal(set) var bytesFromClients: UInt64 = 0
    package internal(set) var bytesToClients: UInt64 = 0
    package internal(set) var bytesFromUpstreams: UInt64 = 0
    package internal(set) var bytesToUpstreams: UInt64 = 0
    /// Memory that queues hold because a peer does not read, or a head is not whole.
    package internal(set) var bufferedBytes: UInt64 = 0
    package internal(set) var accessLogDropped: UInt64 = 0
    /// The generation each worker serves.
    package internal(set) var acknowledged: [UInt64] = []
}

/// One worker's cells: those of `Counter`, then the own answers by reason.
final class WorkerCells: @unchecked Sendable {
    static let count = Counter.allCases.count + Reason.allCases.count
    let cells: UnsafeMutablePointer<Cell>

    init() {
        cells = .allocate(capacity: Self.count)
        for index in 0..<Self.count { (cells + index).initialize(to: Cell(0)) }
    }

    deinit {
        cells.deinitialize(count: Self.count)
        cells.deallocate()
    }

    subscript(_ counter: Counter) -> UInt64 { cells[counter.rawValue].load(ordering: .relaxed) }
    subscript(_ reason: Int) -> UInt64 { cells[Counter.allCases.count + reason].load(ordering: .relaxed) }
}
