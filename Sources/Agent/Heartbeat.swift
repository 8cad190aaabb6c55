import Datapath
import Glibc
import Proxy
import Reactor
import Synchronization

/// Tells the kernel that the proxy is alive: five times a second, and only while every worker answers. When a worker
/// hangs, connects take the ordinary path after the datapath's `heartbeatMaxAge`.
final class Heartbeat: Sendable {
    private let stopped = Atomic<Bool>(false)

    init(_ datapath: Datapath, _ proxy: Proxy) throws(SystemError) {
        let thread = try Thread.start("weir-heartbeat") {
            while !self.stopped.load(ordering: .relaxed) {
                if proxy.isResponsive(within: .milliseconds(500)) { datapath.heartbeat() }
                usleep(200_000)
            }
        }
        pthread_detach(thread)
    }

    func stop() {
        stopped.store(true, ordering: .relaxed)
    }
}
