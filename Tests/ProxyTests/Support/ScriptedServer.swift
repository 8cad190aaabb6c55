import CLinux
import Foundation
import Synchronization

/// A server on 127.0.0.1 (or ::1) that runs a script for each connection, on a thread of its own.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)
    private let stopped = Mutex(false)

    /// The script gets the connection and its number, from 0. The connection is closed when it returns or throws.
    init(ipv6: Bool = false, port: UInt16 = 0, _ script: @escaping @Sendable (Wire, Int) throws -> Void) throws {
        let fd = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        _ = clinux_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        var address =
            ipv6
            ? clinux_address(high: 0, low: 1, port: port) : clinux_address(high: 0, low: 0xffff_7f00_0001, port: port)
        guard clinux_bind(fd, &address) == 0, listen(fd, 1024) == 0, clinux_local_address(fd, &address) == 0 else {
            throw Wire.Failure(description: "cannot listen")
        }
        listener = fd
        self.port = address.port
        Foundation.Thread.detachNewThread { [weak self] in
            // Closed here, so that nobody accepts from a later descriptor of this number.
            defer { close(fd) }
            while true {
                let connection = accept4(fd, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
                guard connection >= 0 else { return }
                guard let self else {
                    close(connection)
                    return
                }
                let number = self.accepted.withLock { count in
                    defer { count += 1 }
                    return count
                }
                Foundation.Thread.detachNewThread {
                    let wire = Wire(fd: connection)
                    try? script(wire, number)
                    wire.close()
                }
            }
        }
        LivingServers.shared.add(self)
    }

    deinit { stop() }

    /// Connections are refused from here on.
    func stop() {
        stopped.withLock { stopped in
            if !stopped { shutdown(listener, Int32(SHUT_RDWR)) }
            stopped = true
        }
    }

    /// Connections so far.
    var connections: Int { accepted.withLock { $0 } }

    /// Answers every request with what it got: the name, then the request line, fields and body.
    static func echo(_ name: String = "echo", ipv6: Bool = false, port: UInt16 = 0) throws -> ScriptedServer {
        try ScriptedServer(ipv6: ipv6, port: port) { wire, _ in
            while let request = try wire.receiveRequest() {
                var text = "\(name)\n\(request.start)\n"
                for field in request.fields { text += "\(field.name): \(field.value)\n" }
                text += "\n" + request.text
                let head = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\nX-Server: \(name)\r\n\r\n"
                try wire.send(head + (request.start.hasPrefix("HEAD ") ? "" : text))
            }
        }
    }
}

/// A port of 127.0.0.1 on which nothing listens.
func refusedPort() throws -> UInt16 {
    let server = try ScriptedServer { _, _ in }
    let port = server.port
    server.stop()
    return port
}

/// A port of 127.0.0.1 whose connections the kernel takes and nobody ever reads.
final class SilentPort: Sendable {
    let port: UInt16
    private let listener: Int32

    init() throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = clinux_address(high: 0, low: 0xffff_7f00_0001, port: 0)
        guard clinux_bind(fd, &address) == 0, listen(fd, 4096) == 0, clinux_local_address(fd, &address) == 0 else {
            throw Wire.Failure(description: "cannot listen")
        }
        listener = fd
        port = address.port
    }

    deinit { close(listener) }
}
