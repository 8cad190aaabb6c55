import Glibc

/// A TCP connection to a port of 127.0.0.1 whose bytes a test writes itself. Reads give up after 20 s.
final class RawConnection {
    struct Failure: Error {
        let attempt: String
        let code = errno
    }

    let socket: Int32
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(attempt: "connect") }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure(attempt: "send") }
            rest = rest.dropFirst(count)
        }
    }

    func receive(count: Int) throws -> [UInt8] {
        while received.count < count {
            guard try fill() else { throw Failure(attempt: "receive \(count) bytes: the stream ended") }
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    /// Everything up to and including `end`.
    func receive(upTo end: String) throws -> String {
        let end = Array(end.utf8)
        var start = 0
        while true {
            if received.count >= end.count {
                for index in start...(received.count - end.count) where received[index...].starts(with: end) {
                    return String(decoding: try receive(count: index + end.count), as: UTF8.self)
                }
                start = received.count - end.count + 1
            }
            guard try fill() else { throw Failure(attempt: "receive up to \(end): the stream ended") }
        }
    }

    func receiveAll() throws -> [UInt8] {
        while try fill() {}
        defer { received = [] }
        return received
    }

    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(socket, &buffer, buffer.count)
        guard count >= 0 else { throw Failure(attempt: "receive") }
        received += buffer[..<count]
        return count > 0
    }
}
