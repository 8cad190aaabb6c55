import CLinux
import Glibc
import HTTPWire

/// `weir echo`: an HTTP/1.1 and HTTP/2 server that answers each request with the request, as `EchoAnswer` describes it, or
/// as `EchoOptions` asks, and gRPC calls as `EchoCall` says. A connection that begins with HTTP/2's preface speaks HTTP/2
/// (RFC 9113 section 3.3), on every port. One thread per connection: nothing that one client does can hold up another.
package struct EchoServer: Sendable {
    package struct Configuration: Sendable {
        /// Ports to listen on, on every address; 0 lets the kernel choose.
        package var ports: [UInt16]
        package var pod: String
        package var namespace: String
        /// What gRPC calls are told besides.
        package var ingress = ""
        package var service = ""
        /// A descriptor that gets one byte once all ports listen, and is closed; nil for none.
        package var notify: Int32?

        package init(ports: [UInt16], pod: String, namespace: String, notify: Int32? = nil) {
            self.ports = ports
            self.pod = pod
            self.namespace = namespace
            self.notify = notify
        }

        /// Reads POD_NAME (else the host's name), POD_NAMESPACE, INGRESS_NAME, SERVICE_NAME and NOTIFY_FD from this
        /// process's environment.
        package init(ports: [UInt16]) {
            var name = [CChar](repeating: 0, count: 256)
            gethostname(&name, name.count - 1)
            self.init(
                ports: ports,
                pod: Program.variable("POD_NAME")
                    ?? name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) },
                namespace: Program.variable("POD_NAMESPACE") ?? "",
                notify: Program.variable(EchoServer.notifyVariable).flatMap(Int32.init))
            ingress = Program.variable("INGRESS_NAME") ?? ""
            service = Program.variable("SERVICE_NAME") ?? ""
        }
    }

    static let notifyVariable = "NOTIFY_FD"

    /// The ports in force, in the order asked for.
    package let ports: [UInt16]
    private let configuration: Configuration
    private let listeners: [Int32]
    private let memory = EchoMemory()

    /// Binds and listens.
    /// - Throws: PlaygroundError that names the port at fault.
    package init(_ configuration: Configuration) throws(PlaygroundError) {
        guard !configuration.ports.isEmpty else { throw PlaygroundError("no port to listen on") }
        Self.allowManyConnections()
        var listeners: [Int32] = []
        var ports: [UInt16] = []
        for port in configuration.ports {
            do throws(PlaygroundError) {
                let (listener, bound) = try Self.listen(port)
                listeners.append(listener)
                ports.append(bound)
            } catch {
                listeners.forEach { close($0) }
                throw error
            }
        }
        self.configuration = configuration
        self.listeners = listeners
        self.ports = ports
    }

    /// Starts to accept, on a thread for each port, and says so on `notify`.
    package func start() throws(PlaygroundError) {
        for listener in listeners {
            let (configuration, memory) = (configuration, memory)
            try Thread.start { Self.accept(on: listener, configuration, memory) }
        }
        if let notify = configuration.notify {
            var byte: UInt8 = 10
            _ = Glibc.write(notify, &byte, 1)
            close(notify)
        }
    }

    /// Serves until the process is ended by a signal.
    package func run() throws(PlaygroundError) -> Never {
        try start()
        while true { pause() }
    }

    private static func accept(on listener: Int32, _ configuration: Configuration, _ memory: EchoMemory) {
        while true {
            let connection = accept(listener)
            if connection < 0 {
                // Out of descriptors or memory: connections in the queue wait until others end.
                if errno != EINTR && errno != ECONNABORTED { poll(nil, 0, 20) }
                continue
            }
            do throws(PlaygroundError) {
                try Thread.start { serve(connection, configuration, memory) }
            } catch {
                close(connection)
            }
        }
    }

    private static func serve(_ connection: Int32, _ configuration: Configuration, _ memory: EchoMemory) {
        var socket = EchoSocket(connection)
        if socket.begins(with: Array(HTTP2Connection.preface.description.utf8)) {
            var conversation = EchoHTTP2Connection(socket, configuration, memory)
            conversation.serve()
        } else {
            var conversation = EchoConnection(socket, configuration, memory)
            conversation.serve()
        }
    }

    private static func accept(_ listener: Int32) -> Int32 {
        let connection = Glibc.accept(listener, nil, nil)
        if connection >= 0 { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
        return connection
    }

    /// One dual-stack socket; plain IPv4 where the kernel has no IPv6.
    private static func listen(_ port: UInt16) throws(PlaygroundError) -> (Int32, UInt16) {
        var one: Int32 = 1
        var zero: Int32 = 0
        let size = socklen_t(MemoryLayout<Int32>.size)
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        var listener = socket(AF_INET6, type, 0)
        var result: Int32
        if listener >= 0 {
            setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, size)
            setsockopt(listener, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &zero, size)
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        } else {
            listener = socket(AF_INET, type, 0)
            guard listener >= 0 else { throw PlaygroundError("cannot make a socket", errno: errno) }
            setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, size)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        guard result == 0, Glibc.listen(listener, 4096) == 0 else {
            let code = errno
            close(listener)
            throw PlaygroundError("cannot listen on port \(port)", errno: code)
        }
        return (listener, SocketName.own(of: listener).port)
    }

    private static func allowManyConnections() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    }
}

/// The address of one end of a connection.
struct SocketName: CustomStringConvertible {
    let address: NetworkAddress?
    let port: UInt16

    static func own(of socket: Int32) -> Self { Self { getsockname(socket, $0, $1) } }
    static func peer(of socket: Int32) -> Self { Self { getpeername(socket, $0, $1) } }

    private init(_ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask($0, &size) }
        }
        let bytes = withUnsafeBytes(of: &storage) { Array($0) }
        guard result == 0 else {
            address = nil
            port = 0
            return
        }
        port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        if storage.ss_family == sa_family_t(AF_INET) {
            address = NetworkAddress(bytes: Array(bytes[4..<8]))
        } else if bytes[8..<18].allSatisfy({ $0 == 0 }) && bytes[18] == 0xff && bytes[19] == 0xff {
            address = NetworkAddress(bytes: Array(bytes[20..<24]))
        } else {
            address = NetworkAddress(bytes: Array(bytes[8..<24]))
        }
    }

    var description: String {
        guard let address else { return "" }
        return address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

/// A detached thread with a small stack, of which there may be thousands.
private enum Thread {
    private final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) throws(PlaygroundError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 256 << 10)
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            work.release()
            throw PlaygroundError("cannot start a thread", errno: code)
        }
    }
}
