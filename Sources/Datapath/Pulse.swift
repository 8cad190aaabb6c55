import BPF
import CDatapath
import CLinux
import Glibc
import Synchronization

/// The agent's sign of life in the kernel's memory, and the switch for all redirection.
struct Pulse: ~Copyable, @unchecked Sendable {
    private let configuration: MappedArray<weir_config>
    /// Also orders the writes: no beat that began before `stop` may land after it.
    private let allowed = Mutex(false)

    /// No sign of life until `allow`: what an earlier agent left in the tables must not be acted on.
    init(_ map: consuming Map, agents: [UInt64], maxAge: UInt64) throws(DatapathError) {
        configuration = try withBPF { () throws(BPFError) in try MappedArray(map) }
        let ids = agents + [UInt64](repeating: 0, count: 4 - agents.count)
        configuration[0] = weir_config(heartbeat: 0, max_age: maxAge, agents: (ids[0], ids[1], ids[2], ids[3]))
    }

    func allow() {
        allowed.withLock { allowed in
            allowed = true
            configuration.base.pointee.heartbeat = clinux_monotonic_nanoseconds()
        }
    }

    func beat() {
        allowed.withLock { allowed in
            if allowed { configuration.base.pointee.heartbeat = clinux_monotonic_nanoseconds() }
        }
    }

    func stop() {
        allowed.withLock { allowed in
            allowed = false
            configuration.base.pointee.heartbeat = 0
        }
    }
}
