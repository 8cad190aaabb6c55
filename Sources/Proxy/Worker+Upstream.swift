import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    private static let replayLimit = 65536

    /// Sends the request's beginning to an endpoint of its backend: over an idle connection unless `isFresh`, else over a
    /// new one; on to the next endpoint when connecting fails at once. Answers when none is left.
    mutating func attempt(
        _ c: Client, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer, isFresh: Bool = false
    ) {
        let exchange = exchange(of: c)
        guard let reference = exchange.pointee.reference else {
            return fail(c, .upstreamReset) { $0.append("the request's route is gone") }
        }
        let backend = reference.pointee.backend
        while true {
            let tries = exchange.pointee.attempts
            guard tries < settings.connectAttempts,
                let endpoint = endpoints.choose(
                    backend, isIPv4: c.pointee.isIPv4, tried: exchange.pointee.tried, triedCount: Int(tries), now: now,
                    &random)
            else {
                return fail(c, tries == 0 ? .noReadyEndpoint : .connectFailed) { writer in
                    writer.append(tries == 0 ? "no ready endpoint of " : "no endpoint could be connected of ")
                    writer.append(backend.service)
                    writer.append(byte: 0x3a)
                    writer.append(decimal: UInt64(backend.port))
                }
            }
            if !isFresh, sendOverIdle(c, endpoint, head, body) { return }
            if c.pointee.phase == .closed { return }
            if sendOverNew(c, endpoint, head, body) { return }
            noteConnectFailure(c, slot: endpoint.pointee.slot, identity: endpoint.pointee.identity)
        }
    }

    private mutating func noteConnectFailure(_ c: Client, slot: UInt32, identity: UInt64) {
        let exchange = exchange(of: c)
        count(.connectFailures)
        endpoints.avoid(slot: slot, identity: identity, now: now)
        let tries = Int(exchange.pointee.attempts)
        if tries < 8 { exchange.pointee.tried[tries] = slot }
        exchange.pointee.attempts &+= 1
        if tries > 0 { count(.connectRetries) }
    }

    /// False when no idle connection took it.
    private mutating func sendOverIdle(
        _ c: Client, _ endpoint: UnsafePointer<PlannedEndpoint>, _ head: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer
    ) -> Bool {
        let key = Pools.key(origin: c.pointee.origin, slot: endpoint.pointee.slot)
        while true {
            let index = pools.youngest(key)
            if index == Slab.none { return false }
            let u = upstream(index)
            if u.pointee.identity != endpoint.pointee.identity {
                close(u)
                continue
            }
            takeOut(u)
            let exchange = exchange(of: c)
            let total = head.count &+ body.count
            u.pointee.isReplayable = exchange.pointee.isIdempotent && total <= Self.replayLimit
            if !u.pointee.isReplayable {
                // What must not be sent twice is not sent to an end that is known to be gone.
                var byte: UInt8 = 0
                if clinux_recv(u.pointee.fd, &byte, 1, Int32(MSG_PEEK)) != -Int(EAGAIN) {
                    close(u)
                    continue
                }
            }
            bind(u, to: c, endpoint)
            let sent =
                body.isEmpty
                ? clinux_send(u.pointee.fd, head.baseAddress, head.count)
                : clinux_send2(u.pointee.fd, head.baseAddress, head.count, body.baseAddress, body.count)
            if sent < 0 && sent != -Int(EAGAIN) {
                // Nothing has left: another connection may take it, whatever the method.
                c.pointee.exchange.upstream = Slab.none
                u.pointee.client = Slab.none
                close(u)
                continue
            }
            queueRest(u, head, body, sent: max(sent, 0))
            if u.pointee.isReplayable {
                u.pointee.replay.append(head, &buffers)
                u.pointee.replay.append(body, &buffers)
            }
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
    private mutating func sendOverNew(
        _ c: Client, _ endpoint: UnsafePointer<PlannedEndpoint>, _ head: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer
    ) -> Bool {
        var address = endpoint.pointee.address
        let fd = makeSocket(c.pointee.origin, isIPv4: clinux_is_ipv4(&address) != 0)
        guard fd >= 0 else { return false }
        count(.upstreamConnects)
        let result = clinux_connect(fd, &address)
        guard result == 0 || result == -EINPROGRESS else {
            Glibc.close(fd)
            return false
        }
        let index = upstreams.allocate()
        let token = Self.token(.upstream, index, generation: upstreams.generation(index))
        let u = upstream(index)
        u.initialize(
            to: UpstreamConnection(
                fd: fd, index: index, timer: timers.create(token: token), origin: c.pointee.origin,
                slot: endpoint.pointee.slot, identity: endpoint.pointee.identity))
        count(.upstreams)
        bind(u, to: c, endpoint)
        guard epoll.add(fd, Epoll.socket, token: token) else {
            c.pointee.exchange.upstream = Slab.none
            u.pointee.client = Slab.none
            close(u)
            return false
        }
        if result == 0 {
            u.pointee.state = .active
            u.pointee.writable = true
            let sent = clinux_send2(fd, head.baseAddress, head.count, body.baseAddress, body.count)
            // A failure shows when the response is read.
            queueRest(u, head, body, sent: max(sent, 0))
        } else {
            u.pointee.state = .connecting
            u.pointee.output.append(head, &buffers)
            u.pointee.output.append(body, &buffers)
            let timeout = min(settings.connectTimeout, c.pointee.exchange.backendTimeout)
            timers.set(u.pointee.timer, now &+ timeout)
        }
        return true
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

    /// The connection serves the client's request from now on.
    private mutating func bind(_ u: Upstream, to c: Client, _ endpoint: UnsafePointer<PlannedEndpoint>) {
        let exchange = exchange(of: c)
        u.pointee.client = c.pointee.index
        u.pointee.state = .active
        u.pointee.keepAlive = false
        u.pointee.isHeadAwaited = true
        u.pointee.hasAnswered = false
        u.pointee.parser = ResponseHeadParser(limits: settings.head, toHEAD: exchange.pointee.isHEAD)
        exchange.pointee.upstream = u.pointee.index
        endpoints.begin(endpoint)
        let timeout = exchange.pointee.backendTimeout
        timers.set(u.pointee.timer, timeout == TimerWheel.never ? timeout : now &+ timeout)
    }

    /// Undoes `bind`: the client has no upstream connection, the endpoint one request less.
    private mutating func unbind(_ u: Upstream) {
        if u.pointee.client != Slab.none {
            client(u.pointee.client).pointee.exchange.upstream = Slab.none
            u.pointee.client = Slab.none
        }
        endpoints.end(slot: u.pointee.slot, identity: u.pointee.identity)
    }

    /// The response has been read whole: to the pool when another request may follow.
    mutating func release(_ u: Upstream) {
        let isWhole = u.pointee.output.isVacant && u.pointee.input.isVacant && !u.pointee.isWriteBroken
        guard u.pointee.keepAlive, isWhole, !u.pointee.hungUp, !u.pointee.ended, !isDraining,
            endpoints.isCurrent(slot: u.pointee.slot, identity: u.pointee.identity), settings.idleUpstreams > 0
        else { return close(u) }
        unbind(u)
        u.pointee.replay.clear(&buffers)
        u.pointee.state = .idle
        u.pointee.isReused = true
        count(.idleUpstreams)
        timers.set(u.pointee.timer, now &+ settings.upstreamIdleTimeout)
        let key = Pools.key(origin: u.pointee.origin, slot: u.pointee.slot)
        let surplus = pools.push(key, u, limit: settings.idleUpstreams, upstreams)
        if surplus != Slab.none { close(upstream(surplus)) }
    }

    private mutating func takeOut(_ u: Upstream) {
        pools.remove(Pools.key(origin: u.pointee.origin, slot: u.pointee.slot), u, upstreams)
        uncount(.idleUpstreams)
        u.pointee.state = .active
    }

    mutating func close(_ u: Upstream) {
        switch u.pointee.state {
        case .closed: return
        case .idle: takeOut(u)
        case .connecting, .active, .tunnel: unbind(u)
        }
        u.pointee.state = .closed
        Glibc.close(u.pointee.fd)
        timers.destroy(u.pointee.timer)
        u.pointee.output.clear(&buffers)
        u.pointee.input.clear(&buffers)
        u.pointee.replay.clear(&buffers)
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
        case .connecting:
            if event.isError || event.isHangup || clinux_take_error(u.pointee.fd) != 0 { return connectFailed(u) }
            guard event.isWritable else { return }
            connected(u)
        case .active, .tunnel:
            let c = client(u.pointee.client)
            if event.isReadable || event.isReadClosed || event.isError {
                u.pointee.readable = true
                if event.isReadClosed || event.isError { u.pointee.hungUp = true }
            }
            if event.isWritable && !u.pointee.writable {
                u.pointee.writable = true
                flush(u)
            }
            advance(c)
        }
    }

    private mutating func connected(_ u: Upstream) {
        u.pointee.state = .active
        u.pointee.writable = true
        let c = client(u.pointee.client)
        let timeout = c.pointee.exchange.backendTimeout
        // The attempt began when connecting began; what that took is at most the connect timeout and is granted again.
        timers.set(u.pointee.timer, timeout == TimerWheel.never ? timeout : now &+ timeout)
        flush(u)
        advance(c)
    }

    private mutating func connectFailed(_ u: Upstream) {
        let c = client(u.pointee.client)
        noteConnectFailure(c, slot: u.pointee.slot, identity: u.pointee.identity)
        var request = u.pointee.output
        u.pointee.output = ByteQueue()
        close(u)
        attempt(c, head: request.bytes, body: .nothing)
        request.clear(&buffers)
        advance(c)
    }

    mutating func upstreamExpired(_ u: Upstream) {
        switch u.pointee.state {
        case .closed, .tunnel: return
        case .idle: close(u)
        case .connecting:
            let c = client(u.pointee.client)
            if c.pointee.exchange.backendTimeout <= settings.connectTimeout { return attemptExpired(c) }
            connectFailed(u)
        case .active: attemptExpired(client(u.pointee.client))
        }
    }

    private mutating func attemptExpired(_ c: Client) {
        fail(c, .backendRequestTimeout) { $0.append("the backend took longer than its route allows") }
        advance(c)
    }

    /// The connection ended, or broke, with nothing of a response.
    mutating func upstreamFailed(_ u: Upstream) {
        let c = client(u.pointee.client)
        let mayReplay = u.pointee.isReused && u.pointee.isReplayable && !u.pointee.hasAnswered
        guard mayReplay else {
            return fail(c, .upstreamReset) { $0.append("the backend closed the connection before it answered") }
        }
        count(.staleRetries)
        var request = u.pointee.replay
        u.pointee.replay = ByteQueue()
        close(u)
        attempt(c, head: request.bytes, body: .nothing, isFresh: true)
        request.clear(&buffers)
    }

    // MARK: Sending

    /// Sends a part of the request's body, or queues what does not fit. An endpoint that takes no more may still answer.
    mutating func send(_ u: Upstream, _ bytes: UnsafeRawBufferPointer) {
        if u.pointee.isReplayable {
            if u.pointee.replay.count + bytes.count <= Self.replayLimit {
                u.pointee.replay.append(bytes, &buffers)
            } else {
                u.pointee.isReplayable = false
                u.pointee.replay.clear(&buffers)
            }
        }
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
