import CLinux
import Glibc
package import Model
import Reactor
import Synchronization

/// An enrolled pod as the proxy needs it. The descriptors become the proxy's to close.
package struct ProxyPod: Sendable {
    /// The cookie of its network namespace: the pod's identity. A sandbox that is replaced is another pod.
    package let cookie: UInt64
    package let name: ObjectName
    /// The pod's network namespace, in which upstream sockets are made; nil: the agent's own.
    package let networkNamespace: Int32?
    /// Listening TCP sockets inside the pod's namespace. Their connections tell the dialled frontend by their local address.
    package let listeners: [Int32]

    package init(cookie: UInt64, name: ObjectName, networkNamespace: Int32?, listeners: [Int32]) {
        self.cookie = cookie
        self.name = name
        self.networkNamespace = networkNamespace
        self.listeners = listeners
    }
}

/// Where connections come from: a pod, or a plain listener. Shared by all workers; the last to let go closes its
/// descriptors.
final class Origin: Sendable {
    enum Destination {
        /// The local address of an accepted connection holds the frontend's index.
        case byAddress
        /// Every connection counts as dialled to the plan's listen entry of this index.
        case listen(Int)
    }

    /// In every worker's table, free for reuse once the last reference is gone.
    let slot: Int
    let name: ObjectName?
    /// The client's namespace, interned by `Planner`.
    let namespace: UInt32
    let destination: Destination
    let networkNamespace: Int32?
    let listeners: [Int32]
    /// Open connections of this origin's clients, over all workers.
    let connections = Atomic<Int>(0)
    private let areListenersClosed = Atomic<Bool>(false)
    private let released: @Sendable (Int) -> Void

    init(
        slot: Int, name: ObjectName?, namespace: UInt32, destination: Destination, networkNamespace: Int32?,
        listeners: [Int32], released: @escaping @Sendable (Int) -> Void
    ) {
        self.slot = slot
        self.name = name
        self.namespace = namespace
        self.destination = destination
        self.networkNamespace = networkNamespace
        self.listeners = listeners
        self.released = released
        for listener in listeners {
            // Accepted sockets inherit these.
            _ = clinux_set_option(listener, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            _ = clinux_set_option(listener, SOL_SOCKET, SO_KEEPALIVE, 1)
            _ = fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK)
        }
    }

    /// Closes the listeners before everything else goes. Only when no loop has them any more.
    func closeListeners() {
        if !areListenersClosed.exchange(true, ordering: .relaxed) { for listener in listeners { close(listener) } }
    }

    deinit {
        closeListeners()
        if let networkNamespace { close(networkNamespace) }
        released(slot)
    }
}
