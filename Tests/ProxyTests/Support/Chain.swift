import Foundation
import Model
import Proxy
import Reactor
import Synchronization

/// A server over HTTP/1 that keeps the requests that it gets, and answers each with 200 and its name.
final class Recorder: Sendable {
    private final class Box: Sendable {
        let messages = Mutex<[Message]>([])
    }

    private let kept: Box
    let server: ScriptedServer
    /// Speaks HTTP/2, and hands on to `server`.
    private let bridge: Mesh?

    var port: UInt16 { bridge?.port ?? server.port }
    var requests: [Message] { kept.messages.withLock { $0 } }
    var count: Int { requests.count }

    init(_ name: String = "recorder", overHTTP2: Bool = false, head: String = "", delay: Double = 0) throws {
        let kept = Box()
        server = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                kept.messages.withLock { $0.append(request) }
                if delay > 0 { usleep(UInt32(delay * 1e6)) }
                try wire.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\n\(head)\r\n"
                        + (request.start.hasPrefix("HEAD ") ? "" : name))
            }
        }
        bridge = overHTTP2 ? try bridgeToHTTP1(server.port) : nil
        self.kept = kept
    }

    /// The requests once there are `count` of them, or those that came in time.
    func wait(_ count: Int = 1, within seconds: Double = 10) -> [Message] {
        let deadline = Clock.now() + UInt64(seconds * 1e9)
        while true {
            let messages = requests
            if messages.count >= count || Clock.now() > deadline { return messages }
            usleep(2000)
        }
    }
}

/// A backend of one endpoint that speaks HTTP/2 or HTTP/1.
func backend(_ name: String, _ port: UInt16, http2: Bool) -> Backend {
    Backend(
        service: ObjectName(namespace: "default", name: name), port: 80,
        appProtocol: http2 ? "kubernetes.io/h2c" : nil,
        endpoints: [Endpoint(address: IPAddress(v4: 0x7f00_0001), port: port, pod: nil)])
}

func weighted(_ name: String, _ port: UInt16, http2: Bool, filters: [Filter] = []) -> WeightedBackend {
    WeightedBackend(
        service: ObjectName(namespace: "default", name: name), port: 80, weight: 1,
        target: .backend(backend(name, port, http2: http2)), filters: filters)
}

/// Takes HTTP/2, and hands on to a port over HTTP/1.
func bridgeToHTTP1(_ port: UInt16) throws -> Mesh { try Mesh(rules: forward(weighted("bridge", port, http2: false))) }

/// A mesh and the way to it: over HTTP/1, or through another mesh that goes on over HTTP/2.
final class Entrance: Sendable {
    let mesh: Mesh
    private let bridge: Mesh?

    init(_ mesh: Mesh, overHTTP2: Bool) throws {
        self.mesh = mesh
        bridge = overHTTP2 ? try Mesh(rules: forward(weighted("bridge", mesh.port, http2: true))) : nil
    }

    func connect() throws -> Wire { try Wire(port: bridge?.port ?? mesh.port) }
}

/// Waits until something holds.
func eventually(within seconds: Double = 10, _ condition: () -> Bool) -> Bool {
    let deadline = Clock.now() + UInt64(seconds * 1e9)
    while !condition() {
        if Clock.now() > deadline { return false }
        usleep(2000)
    }
    return true
}
