import Datapath
import Foundation
import Glibc
import Model
import Synchronization

/// A server on one socket and one thread. A TCP one answers each connection, once it sent something, with an HTTP
/// response whose body is `NAME LOCAL-ADDRESS LOCAL-PORT PEER-ADDRESS`; a UDP one answers each datagram with NAME.
final class Server: Sendable {
    private let ended = Atomic(false)
    private let done = DispatchSemaphore(value: 0)

    init(_ socket: CInt, says name: String, keeping pod: EnrolledPod?, owned: Bool = false) {
        let thread = Thread { [self] in
            while !ended.load(ordering: .acquiring) {
                var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                guard poll(&ready, 1, 10) == 1 else { continue }
                answer(socket, name)
            }
            if owned { close(socket) }
            withExtendedLifetime(pod) {}
            done.signal()
        }
        thread.start()
    }

    func stop() {
        ended.store(true, ordering: .releasing)
        done.wait()
    }

    private func answer(_ socket: CInt, _ name: String) {
        var type: CInt = 0
        var size = socklen_t(4)
        getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size)
        guard type == CInt(SOCK_STREAM.rawValue) else { return echo(socket, name) }
        let accepted = accept(socket, nil, nil)
        guard accepted >= 0 else { return }
        defer { close(accepted) }
        var flags = fcntl(accepted, F_GETFL)
        flags &= ~O_NONBLOCK
        _ = fcntl(accepted, F_SETFL, flags)
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(accepted, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var room = [UInt8](repeating: 0, count: 4096)
        guard recv(accepted, &room, room.count, 0) > 0 else { return }
        let local = Self.words(accepted, getsockname)
        let peer = Self.words(accepted, getpeername)
        let body = "\(name) \(local.address) \(local.port) \(peer.address)"
        let response = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
        _ = response.utf8CString.withUnsafeBytes { send(accepted, $0.baseAddress, $0.count - 1, CInt(MSG_NOSIGNAL)) }
    }

    private func echo(_ socket: CInt, _ name: String) {
        var from = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var room = [UInt8](repeating: 0, count: 2048)
        withUnsafeMutableBytes(of: &from) { from in
            let address = from.assumingMemoryBound(to: sockaddr.self).baseAddress!
            guard recvfrom(socket, &room, room.count, 0, address, &size) >= 0 else { return }
            _ = Array(name.utf8).withUnsafeBytes { sendto(socket, $0.baseAddress, $0.count, 0, address, size) }
        }
    }

    private static func words(
        _ socket: CInt, _ call: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
    ) -> (address: String, port: String) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes in
            let address = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress!
            guard call(socket, address, &size) == 0 else { return ("?", "?") }
            var host = [CChar](repeating: 0, count: 64)
            var port = [CChar](repeating: 0, count: 16)
            getnameinfo(address, size, &host, 64, &port, 16, NI_NUMERICHOST | NI_NUMERICSERV)
            return (
                String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self),
                String(decoding: port.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            )
        }
    }
}

/// Applies snapshots in turn on a thread of its own, as fast as it can.
final class Swapper: Sendable {
    private let ended = Atomic(false)
    private let swaps = Atomic(0)
    private let done = DispatchSemaphore(value: 0)

    init(_ datapath: Datapath, _ scopes: inout ScopeIDs, _ snapshots: [Snapshot], serviceLB: Bool = true) {
        let tables = snapshots.map { Tables(snapshot: $0, serviceLB: serviceLB, scopes: &scopes) }
        let thread = Thread { [self] in
            while !ended.load(ordering: .acquiring) {
                let turn = swaps.wrappingAdd(1, ordering: .relaxed).oldValue
                guard (try? datapath.apply(tables[turn % tables.count])) != nil else { break }
            }
            done.signal()
        }
        thread.start()
    }

    /// Returns how many snapshots were applied.
    func stop() -> Int {
        ended.store(true, ordering: .releasing)
        done.wait()
        return swaps.load(ordering: .relaxed)
    }
}
