import Glibc
import HTTPWire
import Reactor
import Synchronization

/// Writes the workers' log lines from a thread of its own. A worker never waits for it: what does not fit is dropped.
final class LogWriter: @unchecked Sendable {
    /// Blocks of lines that may wait, over all workers.
    private static let limit = 64
    private struct State {
        var waiting: [[UInt8]] = []
        var isStopped = false
    }
    private let state = Mutex(State())
    private let gate = Gate()
    private let descriptor: Int32

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// False when the writer is behind and the block was dropped.
    func post(_ block: [UInt8]) -> Bool {
        let isTaken = state.withLock { state in
            guard state.waiting.count < Self.limit else { return false }
            state.waiting.append(block)
            return true
        }
        gate.open()
        return isTaken
    }

    /// What was posted is written before `run` returns.
    func stop() {
        state.withLock { $0.isStopped = true }
        gate.open()
    }

    func run() {
        while true {
            let (blocks, isStopped) = state.withLock { state in
                let blocks = state.waiting
                state.waiting = []
                return (blocks, state.isStopped)
            }
            for block in blocks { write(block) }
            if !blocks.isEmpty { continue }
            if isStopped { return }
            _ = gate.wait(until: .now + .seconds(3600)) {
                state.withLock { !$0.waiting.isEmpty || $0.isStopped }
            }
        }
    }

    private func write(_ block: [UInt8]) {
        block.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return }
                offset += count
            }
        }
    }
}

/// A worker's log lines on their way to the writer.
struct AccessLog: ~Copyable {
    /// A block is handed over when it has this many bytes, or after `patience`.
    private static let blockSize = 32 << 10
    private static let patience: UInt64 = 100_000_000

    private let writer: LogWriter?
    private var block: [UInt8] = []
    private var lines: UInt64 = 0
    private var handed: UInt64 = 0

    init(writer: LogWriter?) { self.writer = writer }

    var isOn: Bool { writer != nil }

    /// `timeout` of epoll_wait, shortened so that waiting lines are handed over in time.
    func shortened(_ timeout: Int32) -> Int32 {
        block.isEmpty ? timeout : timeout < 0 ? 100 : min(timeout, 100)
    }

    mutating func append(_ line: UnsafeRawBufferPointer) {
        block.append(contentsOf: line)
        lines += 1
    }

    mutating func flush(now: UInt64, _ dropped: UnsafeMutablePointer<Cell>, isLast: Bool = false) {
        guard let writer, !block.isEmpty else { return }
        guard block.count >= Self.blockSize || now &- handed >= Self.patience || isLast else { return }
        if !writer.post(block) { dropped.add(lines) }
        block = []
        lines = 0
        handed = now
    }
}
