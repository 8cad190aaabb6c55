package import HTTPWire
package import Model
import Synchronization

/// What a worker counts besides requests; gauges and counters alike.
enum Counter: Int, CaseIterable {
    case clients
    case upstreams
    case idleUpstreams
    case tunnels
    case clientSessions
    case upstreamSessions
    case accepted
    case refused
    case acceptErrors
    case upstreamConnects
    case connectFailures
    case connectRetries
    case staleRetries
    case retries
    case unreplayable
    case ejections
    case checks
    case mirrorsSent
    case mirrorsDropped
    case mirrorsFailed
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
    /// Connections closed for what the peer asked for too often.
    package internal(set) var floods: [(flood: HTTP2Flood, count: UInt64)] = []
    package internal(set) var clientsOpen: UInt64 = 0
    package internal(set) var upstreamsOpen: UInt64 = 0
    package internal(set) var upstreamsIdle: UInt64 = 0
    package internal(set) var tunnelsOpen: UInt64 = 0
    /// HTTP/2 connections of clients, and to endpoints.
    package internal(set) var clientSessionsOpen: UInt64 = 0
    package internal(set) var upstreamSessionsOpen: UInt64 = 0
    package internal(set) var accepted: UInt64 = 0
    /// Closed because the pod has its share of connections.
    package internal(set) var refused: UInt64 = 0
    /// accept(2) failed: descriptors or memory ran out.
    package internal(set) var acceptErrors: UInt64 = 0
    package internal(set) var upstreamConnects: UInt64 = 0
    package internal(set) var connectFailures: UInt64 = 0
    package internal(set) var connectRetries: UInt64 = 0
    package internal(set) var staleRetries: UInt64 = 0
    /// Requests sent again because their route says so.
    package internal(set) var retries: UInt64 = 0
    /// Requests that would have been sent again, had their bodies not been too large to keep.
    package internal(set) var unreplayable: UInt64 = 0
    /// Endpoints left out for a while because they failed, by each worker for itself.
    package internal(set) var ejections: UInt64 = 0
    /// Questions put to authorization services.
    package internal(set) var checks: UInt64 = 0
    /// Copies of requests that were begun for mirrors, those cut off since they fell behind or their request ended early,
    /// and those that no endpoint took or answered in time.
    package internal(set) var mirrorsSent: UInt64 = 0
    package internal(set) var mirrorsDropped: UInt64 = 0
    package internal(set) var mirrorsFailed: UInt64 = 0
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

/// One worker's cells: those of `Counter`, then the own answers by reason, then the floods by name.
final class WorkerCells: @unchecked Sendable {
    static let floods = Counter.allCases.count + Reason.allCases.count
    static let count = floods + HTTP2Flood.allCases.count
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
    subscript(_ flood: HTTP2Flood) -> UInt64 {
        cells[Self.floods + Int(flood.rawValue)].load(ordering: .relaxed)
    }
    subscript(_ reason: Int) -> UInt64 { cells[Counter.allCases.count + reason].load(ordering: .relaxed) }
}
