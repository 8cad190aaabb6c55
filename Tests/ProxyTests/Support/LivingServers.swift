import Synchronization

/// Servers that no mesh knows yet. An optimised build lets go of a server when it was used last, which in many tests is
/// when its port was read: whoever makes a mesh next keeps those that were made before.
final class LivingServers: Sendable {
    static let shared = LivingServers()
    private let servers = Mutex<[any AnyObject & Sendable]>([])

    func add(_ server: any AnyObject & Sendable) {
        servers.withLock { $0.append(server) }
    }

    func take() -> [any AnyObject & Sendable] {
        servers.withLock { servers in
            defer { servers = [] }
            return servers
        }
    }
}
