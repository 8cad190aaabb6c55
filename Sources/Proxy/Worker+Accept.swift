import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

extension Worker {
    /// Takes what waits on a listener, at most 64 connections a turn. True when there may be more.
    @discardableResult
    mutating func acceptSome(_ index: Int) -> Bool {
        guard index < listeners.count, listeners[index].fd >= 0 else { return false }
        let listener = listeners[index]
        for _ in 0..<64 {
            let fd = clinux_accept(listener.fd)
            if fd >= 0 {
                admit(fd, origin: listener.origin)
                continue
            }
            switch -fd {
            case EAGAIN: return false
            // The connection died in the queue, or the signal came first: the next one may be fine.
            case ECONNABORTED, EINTR, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
                ENETUNREACH:
                continue
            case EMFILE, ENFILE:
                count(.acceptErrors)
                shed(listener.fd)
                return false
            default:
                count(.acceptErrors)
                return false
            }
        }
        return true
    }

    /// Without a descriptor to accept with, the listener would stay readable and the loop spin: the reserve takes one
    /// connection and closes it.
    private mutating func shed(_ listener: Int32) {
        guard reserve >= 0 else { return }
        Glibc.close(reserve)
        let fd = clinux_accept(listener)
        if fd >= 0 { Glibc.close(fd) }
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    private mutating func admit(_ fd: Int32, origin slot: UInt32) {
        guard let origin = origins[Int(slot)] else {
            Glibc.close(fd)
            return
        }
        var destination: UInt32 = 0
        var port: UInt16 = 0
        let isListen: Bool
        var isIPv4 = true
        switch origin.destination {
        case .listen(let entry):
            destination = UInt32(entry)
            isListen = true
        case .byAddress:
            var address = clinux_address()
            guard clinux_local_address(fd, &address) == 0 else {
                Glibc.close(fd)
                return
            }
            // 127.64.0.0/10 + index, or fdc0:6d65:7368::/64 + index.
            isIPv4 = clinux_is_ipv4(&address) != 0
            destination =
                isIPv4
                ? UInt32(truncatingIfNeeded: address.low) & 0x3f_ffff : UInt32(clamping: address.low)
            port = address.port
            isListen = false
        }
        count(.accepted)
        let index = clients.allocate()
        let token = Self.token(.client, index, generation: clients.generation(index))
        let c = client(index)
        let timer = timers.create(token: token)
        let x = makeExchange(asker: .http1, client: index, origin: slot, isIPv4: isIPv4, timer: timer)
        c.initialize(
            to: ClientConnection(
                fd: fd, index: index, timer: timer, exchange: x.pointee.index,
                dialled: Dialled(
                    origin: slot, destination: destination, isListen: isListen, isIPv4: isIPv4, port: port),
                parser: RequestHeadParser(limits: settings.head)))
        count(.clients)
        let open = origin.connections.add(1, ordering: .relaxed).newValue
        guard epoll.add(fd, Epoll.socket, token: token) else {
            count(.acceptErrors)
            close(c)
            return
        }
        timers.set(c.pointee.timer, now &+ settings.idleTimeout)
        if open > settings.connectionsPerPod {
            count(.refused)
            x.pointee.started = now
            c.pointee.phase = .exchange
            answer(x, .tooManyConnections) { $0.append("the pod has too many connections open") }
        }
    }

    // MARK: The end of connections

    /// Closes a client in order: what the kernel still has to send is sent.
    mutating func close(_ c: Client) {
        guard c.pointee.phase != .closed else { return }
        Glibc.close(c.pointee.fd)
        leaveSlab(c)
        if let origin = origins[Int(c.pointee.dialled.origin)] { origin.connections.subtract(1, ordering: .relaxed) }
    }

    /// The connection is no more, or no longer HTTP/1.
    mutating func leaveSlab(_ c: Client) {
        let x = exchange(c.pointee.exchange)
        dropUpstream(x)
        if c.pointee.phase == .tunnel { uncount(.tunnels) }
        c.pointee.phase = .closed
        free(x)
        timers.destroy(c.pointee.timer)
        c.pointee.input.clear(&buffers)
        c.pointee.output.clear(&buffers)
        uncount(.clients)
        deadClients.append(c.pointee.index)
    }

    /// Closes a client with a reset, and cancels what it waits for.
    mutating func abort(_ c: Client) {
        guard c.pointee.phase != .closed else { return }
        if c.pointee.phase == .exchange { logExchange(exchange(c.pointee.exchange)) }
        _ = clinux_set_reset_on_close(c.pointee.fd)
        close(c)
    }

    /// The client reset its connection, or left in the middle of its request.
    mutating func clientLeft(_ c: Client) {
        if c.pointee.phase == .exchange { count(.clientAborts) }
        abort(c)
    }
}
