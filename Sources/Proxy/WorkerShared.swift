import Reactor
import Synchronization

/// What a worker and the proxy's owner both hold of it.
final class WorkerShared: Sendable {
    let inbox: Inbox<WorkerMessage>
    let cells = WorkerCells()
    let logWriter: LogWriter?
    private let gate: Gate
    private let drained = Atomic<Bool>(false)
    private let lastPing = Atomic<UInt64>(0)
    private let notAccepting = Atomic<Bool>(false)

    init(gate: Gate, logWriter: LogWriter?) throws(SystemError) {
        self.gate = gate
        self.logWriter = logWriter
        inbox = try Inbox()
    }

    /// The generation that the worker serves from now on.
    func acknowledge(_ generation: UInt64) {
        cells.cells[Counter.generation.rawValue].store(generation, ordering: .releasing)
        gate.open()
    }

    func reportDrained() {
        if !drained.exchange(true, ordering: .releasing) { gate.open() }
    }

    /// The worker accepts from no listener any more.
    func reportNotAccepting() {
        notAccepting.store(true, ordering: .releasing)
        gate.open()
    }

    func answer(ping: UInt64) {
        lastPing.store(ping, ordering: .releasing)
        gate.open()
    }

    /// An inquiry has been answered.
    func reportAnswer() { gate.open() }

    /// The last ping that was answered.
    var pong: UInt64 { lastPing.load(ordering: .acquiring) }
    var isNotAccepting: Bool { notAccepting.load(ordering: .acquiring) }
    var generation: UInt64 { cells.cells[Counter.generation.rawValue].load(ordering: .acquiring) }
    var isDrained: Bool { drained.load(ordering: .acquiring) }
}
