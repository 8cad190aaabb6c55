import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// False when no idle connection took it.
    mutating func sendOverIdle(
        _ x: Exchange, _ endpoint: UnsafePointer<PlannedEndpoint>, _ head: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer
    ) -> Bool {
        let key = Pools<UpstreamConnection>.key(origin: x.pointee.origin, slot: endpoint.pointee.slot)
        while true {
            let index = pools.youngest(key)
            if index == Slab.none { return false }
            let u = upstream(index)
            if u.pointee.identity != endpoint.pointee.identity {
                close(u)
                continue
            }
            takeOut(u)
            let isKept = x.pointee.isReplayable
            let isReplayable = x.pointee.isIdempotent && (isKept || head.count &+ body.count <= Self.replayLimit)
            if !isReplayable {
                // What must not be sent twice is not sent to an end that is known to be gone.
                var byte: UInt8 = 0
                if clinux_recv(u.pointee.fd, &byte, 1, Int32(MSG_PEEK)) != -Int(EAGAIN) {
                    close(u)
                    continue
                }
            }
            bind(u, to: x, endpoint)
            let sent =
                body.isEmpty
                ? clinux_send(u.pointee.fd, head.baseAddress, head.count)
                : clinux_send2(u.pointee.fd, head.baseAddress, head.count, body.baseAddress, body.count)
            if sent < 0 && sent != -Int(EAGAIN) {
                // Nothing has left: another connection may take it, whatever the method.
                unbind(u)
                close(u)
                continue
            }
            queueRest(u, head, body, sent: max(sent, 0))
            x.pointee.isOnReused = true
            if isReplayable && !isKept { keep(x, head, body) }
            return true
        }
    }

    private mutating func queueRest(
        _ u: Upstream, _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, sent: Int
    ) {
        count(.bytesToUpstreams, UInt64(sent))
        if sent == head.count &+ body.count { return }
        u.pointee.writable = false
        if sent < head.count {
            u.pointee.output.append(UnsafeRawBufferPointer(rebasing: head[sent...]), &buffers)
            u.pointee.output.append(body, &buffers)
        } else {
            u.pointee.output.append(UnsafeRawBufferPointer(rebasing: body[(sent - head.count)...]), &buffers)
        }
    }

    /// False when the endpoint refused at once, or no socket could be made.
    mutating func sendOverNew(
        _ x: Exchange, _ endpoint: UnsafePointer<PlannedEndpoint>, _ head: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer
    ) -> Bool {
        var address = endpoint.pointee.address
        let (fd, result) = connect(&address, origin: x.pointee.origin)
        guard fd >= 0 else { return false }
        let index = upstreams.allocate()
        let token = Self.token(.upstream, index, generation: upstreams.generation(index))
        let u = upstream(index)
        u.initialize(
            to: UpstreamConnection(
                fd: fd, index: index, timer: timers.create(token: token), origin: x.pointee.origin,
                slot: endpoint.pointee.slot, identity: endpoint.pointee.identity))
        count(.upstreams)
        bind(u, to: x, endpoint)
        guard epoll.add(fd, Epoll.socket, token: token) else {
            unbind(u)
            close(u)
            return false
        }
        if result == 0 {
            u.pointee.writable = true
            let sent = clinux_send2(fd, head.baseAddress, head.count, body.baseAddress, body.count)
            // A failure shows when the response is read.
            queueRest(u, head, body, sent: max(sent, 0))
        } else {
            u.pointee.state = .connecting
            u.pointee.output.append(head, &buffers)
            u.pointee.output.append(body, &buffers)
            timers.set(u.pointee.timer, now &+ settings.connectTimeout)
        }
        return true
    }

    /// A socket that is connected (result 0) or being connected (-EINPROGRESS); negative when the endpoint refused at once
    /// or no socket could be made.
    mutating func connect(_ address: inout clinux_address, origin: UInt32) -> (fd: Int32, result: Int32) {
        let fd = makeSocket(origin, isIPv4: clinux_is_ipv4(&address) != 0)
        guard fd >= 0 else { return (fd, fd) }
        count(.upstreamConnects)
        let result = clinux_connect(fd, &address)
        if result == 0 || result == -EINPROGRESS { return (fd, result) }
        Glibc.close(fd)
        return (result, result)
    }

    /// In the namespace of the pod whose request it is, so that its address is the source.
    private func makeSocket(_ slot: UInt32, isIPv4: Bool) -> Int32 {
        guard let origin = origins[Int(slot)] else { return -EINVAL }
        let family = isIPv4 ? AF_INET : AF_INET6
        let fd: Int32
        if let namespace = origin.networkNamespace {
            guard clinux_set_netns(namespace) == 0 else { return -errno }
            fd = clinux_tcp_socket(family)
            // In a foreign namespace every later socket would be the wrong pod's.
            precondition(clinux_set_netns(homeNamespace) == 0, "cannot return to the agent's network namespace")
        } else {
            fd = clinux_tcp_socket(family)
        }
        if fd >= 0 { clinux_tune_upstream(fd) }
        return fd
    }

    /// The connection serves the exchange's request from now on.
    private mutating func bind(_ u: Upstream, to x: Exchange, _ endpoint: UnsafePointer<PlannedEndpoint>) {
        u.pointee.exchange = x.pointee.index
        u.pointee.state = .active
        u.pointee.keepAlive = false
        u.pointee.isHeadAwaited = true
        u.pointee.hasAnswered = false
        u.pointee.parser = ResponseHeadParser(limits: settings.head, toHEAD: x.pointee.isHEAD)
        x.pointee.answerer = .http1
        x.pointee.upstream = u.pointee.index
        x.pointee.endpoint = endpoint
        endpoints.begin(endpoint)
    }

    /// Undoes `bind`, but for the endpoint's count, which `close` and `release` take back.
    func unbind(_ u: Upstream) {
        guard u.pointee.exchange != Slab.none else { return }
        let x = exchange(u.pointee.exchange)
        x.pointee.answerer = .none
        x.pointee.upstream = Slab.none
        u.pointee.exchange = Slab.none
    }

    /// The response has been read whole: to the pool when another request may follow.
    mutating func release(_ u: Upstream) {
        let isWhole = u.pointee.output.isVacant && u.pointee.input.isVacant && !u.pointee.isWriteBroken
        guard u.pointee.keepAlive, isWhole, !u.pointee.hungUp, !u.pointee.ended, !isDraining,
            endpoints.isCurrent(slot: u.pointee.slot, identity: u.pointee.identity), settings.idleUpstreams > 0
        else { return close(u) }
        unbind(u)
        endpoints.end(slot: u.pointee.slot, identity: u.pointee.identity)
        u.pointee.state = .idle
        count(.idleUpstreams)
        timers.set(u.pointee.timer, now &+ settings.upstreamIdleTimeout)
        let key = Pools<UpstreamConnection>.key(origin: u.pointee.origin, slot: u.pointee.slot)
        let surplus = pools.push(key, u, limit: settings.idleUpstreams, upstreams)
        if surplus != Slab.none { close(upstream(surplus)) }
    }

    private mutating func takeOut(_ u: Upstream) {
        pools.remove(Pools<UpstreamConnection>.key(origin: u.pointee.origin, slot: u.pointee.slot), u, upstreams)
        uncount(.idleUpstreams)
        u.pointee.state = .active
    }

    mutating func close(_ u: Upstream) {
        switch u.pointee.state {
        case .closed: return
        case .idle: takeOut(u)
        case .connecting, .active, .unwanted, .tunnel:
            unbind(u)
            endpoints.end(slot: u.pointee.slot, identity: u.pointee.identity)
        }
        u.pointee.state = .closed
        Glibc.close(u.pointee.fd)
        timers.destroy(u.pointee.timer)
        u.pointee.output.clear(&buffers)
        u.pointee.input.clear(&buffers)
        uncount(.upstreams)
        deadUpstreams.append(u.pointee.index)
    }

    /// Closes it with a reset, which tells the endpoint that nobody waits for its response.
    mutating func reset(_ u: Upstream) {
        guard u.pointee.state != .closed else { return }
        _ = clinux_set_reset_on_close(u.pointee.fd)
        close(u)
    }

    // MARK: Events

    mutating func upstreamEvent(_ u: Upstream, _ event: Epoll.Event) {
        switch u.pointee.state {
        case .closed: return
        case .idle:
            // Nothing may come on an idle connection but its end.
            if event.isReadable || event.isReadClosed || event.isError { close(u) }
        case .unwanted: readUnwanted(u)
        case .connecting:
            if event.isError || event.isHangup || clinux_take_error(u.pointee.fd) != 0 { return connectFailed(u) }
            guard event.isWritable else { return }
            u.pointee.state = .active
            u.pointee.writable = true
            flush(u)
            advance(exchange(u.pointee.exchange))
        case .active, .tunnel:
            if event.isReadable || event.isReadClosed || event.isError {
                u.pointee.readable = true
                if event.isReadClosed || event.isError { u.pointee.hungUp = true }
            }
            if event.isWritable && !u.pointee.writable {
                u.pointee.writable = true
                flush(u)
            }
            advance(exchange(u.pointee.exchange))
        }
    }

    private mutating func connectFailed(_ u: Upstream) {
        let x = exchange(u.pointee.exchange)
        noteConnectFailure(x, slot: u.pointee.slot, identity: u.pointee.identity)
        var request = u.pointee.output
        u.pointee.output = ByteQueue()
        close(u)
        attempt(x, head: request.bytes, body: .nothing)
        request.clear(&buffers)
        advance(x)
    }

    mutating func upstreamExpired(_ u: Upstream) {
        switch u.pointee.state {
        // The exchange's own timer says how long its endpoint may take.
        case .closed, .tunnel, .active: return
        case .idle: close(u)
        case .unwanted: reset(u)
        case .connecting: connectFailed(u)
        }
    }

    // MARK: Sending

    /// Sends a part of the request, or queues what does not fit. An endpoint that takes no more may still answer.
    mutating func send(_ u: Upstream, _ x: Exchange, _ bytes: UnsafeRawBufferPointer) {
        if x.pointee.isReplayable { keepForReplay(x, bytes) }
        guard u.pointee.output.isVacant && u.pointee.writable && !bytes.isEmpty else {
            return u.pointee.output.append(bytes, &buffers)
        }
        let sent = clinux_send(u.pointee.fd, bytes.baseAddress, bytes.count)
        if sent >= 0 || sent == -Int(EAGAIN) {
            queueRest(u, bytes, .nothing, sent: max(sent, 0))
        } else {
            writeBroke(u)
        }
    }

    /// The request will not be sent again.
    mutating func forgetReplay(_ x: Exchange) {
        x.pointee.isReplayable = false
        x.pointee.replay.clear(&buffers)
    }

    mutating func keepForReplay(_ x: Exchange, _ bytes: UnsafeRawBufferPointer) {
        if x.pointee.replay.count + bytes.count <= Self.replayLimit + Int(x.pointee.replayHead) {
            x.pointee.replay.append(bytes, &buffers)
        } else {
            forgetReplay(x)
        }
    }

    /// The response may have come before, and is read to its end.
    private mutating func writeBroke(_ u: Upstream) {
        u.pointee.writable = false
        u.pointee.isWriteBroken = true
        u.pointee.readable = true
        u.pointee.hungUp = true
        u.pointee.output.clear(&buffers)
    }

    mutating func flush(_ u: Upstream) {
        while !u.pointee.output.isVacant {
            let bytes = u.pointee.output.bytes
            let sent = clinux_send(u.pointee.fd, bytes.baseAddress, bytes.count)
            if sent >= 0 {
                count(.bytesToUpstreams, UInt64(sent))
                u.pointee.output.consume(sent, &buffers)
                continue
            }
            if sent != -Int(EAGAIN) { return writeBroke(u) }
            u.pointee.writable = false
            return
        }
    }
}
