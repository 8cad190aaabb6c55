import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

// What HTTP/2 connections of clients and to endpoints have in common.
extension Worker {
    /// Reads per session and turn.
    private static var readBudget: Int { 4 }
    /// A peer that makes us answer and does not read the answers is not read either.
    private static var unreadLimit: Int { 1 << 20 }

    /// A session for a socket that is not in the loop yet.
    mutating func makeSession(
        fd: Int32, role: HTTP2Session.Role, state: HTTP2Session.State, dialled: Dialled, slot: UInt32 = .max,
        identity: UInt64 = 0
    ) -> Session {
        let index = sessions.allocate()
        let s = session(index)
        let connection = UnsafeMutablePointer<HTTP2Connection>.allocate(capacity: 1)
        connection.initialize(
            to: HTTP2Connection(
                role: role == .client ? .server : .client, limits: settings.http2, head: settings.head))
        let token = Self.token(.session, index, generation: sessions.generation(index))
        s.initialize(
            to: HTTP2Session(
                fd: fd, index: index, timer: timers.create(token: token), role: role, state: state, dialled: dialled,
                slot: slot, identity: identity, connection: connection, lastProgress: now))
        count(role == .client ? .clientSessions : .upstreamSessions)
        write(s, HTTP2Connection.controlRoom) { connection, writer in connection.start(into: &writer) }
        return s
    }

    func token(of s: Session) -> UInt64 {
        Self.token(.session, s.pointee.index, generation: sessions.generation(s.pointee.index))
    }

    /// Lets the connection write frames; they leave at the end of the turn.
    @inline(__always)
    mutating func write(
        _ s: Session, _ room: Int, _ body: (inout HTTP2Connection, inout HeadWriter) -> Void
    ) {
        var writer = HeadWriter(s.pointee.output.reserve(room, &buffers))
        body(&s.pointee.connection.pointee, &writer)
        if writer.count > 0 {
            s.pointee.output.commit(writer.count)
            makeDirty(s)
        } else if s.pointee.output.isVacant {
            s.pointee.output.clear(&buffers)
        }
    }

    // MARK: Reading

    mutating func sessionEvent(_ s: Session, _ event: Epoll.Event) {
        switch s.pointee.state {
        case .closed: return
        case .connecting:
            if event.isError || event.isHangup || clinux_take_error(s.pointee.fd) != 0 {
                return sessionConnectFailed(s)
            }
            guard event.isWritable else { return }
            sessionConnected(s)
        case .open, .closing: break
        }
        if event.isError { return sessionBroke(s) }
        if event.isReadable || event.isReadClosed {
            s.pointee.readable = true
            if event.isReadClosed { s.pointee.hungUp = true }
        }
        if event.isWritable && !s.pointee.writable {
            s.pointee.writable = true
            flush(s)
        }
        advance(s)
    }

    private mutating func sessionConnected(_ s: Session) {
        s.pointee.state = .open
        s.pointee.lastProgress = now
        timers.set(s.pointee.timer, now &+ settings.upstreamIdleTimeout)
        // Requests wait with what does not fit into the replay.
        let connection = s.pointee.connection
        var next = connection.pointee.firstSlot
        while let slot = next {
            next = connection.pointee.slot(after: slot)
            let x = exchange(connection.pointee.user(slot))
            if upstreamHasRoom(x) { pullRequest(x) }
        }
    }

    mutating func advance(_ s: Session) {
        for _ in 0..<Self.readBudget {
            guard s.pointee.readable, s.pointee.state == .open || s.pointee.state == .closing,
                s.pointee.output.count < Self.unreadLimit
            else { return }
            let received = clinux_recv(s.pointee.fd, scratch.baseAddress, scratch.count, 0)
            if received > 0 {
                s.pointee.readable = received == scratch.count || s.pointee.hungUp
                s.pointee.lastProgress = now
                count(s.pointee.role == .client ? .bytesFromClients : .bytesFromUpstreams, UInt64(received))
                if s.pointee.state == .open {
                    read(s, UnsafeRawBufferPointer(rebasing: scratch[..<received]))
                } else {
                    s.pointee.discarded &+= received
                    if s.pointee.discarded > settings.discardLimit { return abort(s) }
                }
            } else if received == -Int(EAGAIN) {
                s.pointee.readable = false
                return
            } else {
                s.pointee.readable = false
                s.pointee.ended = true
                return sessionBroke(s)
            }
        }
        if s.pointee.state == .open { makeReady(s) }
    }

    /// Received frames, one after the other.
    mutating func read(_ s: Session, _ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        var hasNewSettings = false
        while s.pointee.state == .open {
            var writer = HeadWriter(s.pointee.output.reserve(HTTP2Connection.controlRoom, &buffers))
            let step = s.pointee.connection.pointee.next(
                rest, text: decoded, fields: fields, now: now, into: &writer)
            if writer.count > 0 {
                s.pointee.output.commit(writer.count)
                makeDirty(s)
            }
            let taken = rest
            rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
            switch step.event {
            case .needsMore:
                if s.pointee.output.isVacant { s.pointee.output.clear(&buffers) }
                // Some peers say in a second frame what they forgot in the first.
                if hasNewSettings { sendHeldRequests(s) }
                return
            case .nothing: break
            case .request(let slot, let head, let isEnd): beginStream(s, slot, head, isEnd: isEnd)
            case .refused(_, let error): count(answer: error.reason)
            case .response(let slot, let head, let isEnd): streamAnswered(s, slot, head, isEnd: isEnd)
            case .trailers(let slot, _, let length):
                let lines = UnsafeRawBufferPointer(rebasing: decoded[..<length])
                let x = exchange(s.pointee.connection.pointee.user(slot))
                if s.pointee.role == .client {
                    x.pointee.isRequestComplete = true
                    takeTrailers(x, lines)
                } else {
                    passEnd(x, trailers: lines)
                    streamComplete(s, x)
                }
            case .data(let slot, let range, let isEnd):
                let x = exchange(s.pointee.connection.pointee.user(slot))
                let content = UnsafeRawBufferPointer(rebasing: taken[range])
                if s.pointee.role == .client {
                    requestContent(x, content, isEnd: isEnd)
                } else {
                    responseContent(s, x, content, isEnd: isEnd)
                }
            case .reset(let slot, let code, _):
                let x = exchange(s.pointee.connection.pointee.user(slot))
                if s.pointee.role == .client { streamLeft(s, x) } else { streamReset(s, x, code) }
            case .writable(let slot):
                let x = exchange(s.pointee.connection.pointee.user(slot))
                enqueueIfNeeded(x, s)
                makeDirty(s)
            case .connectionWritable:
                enqueueAll(s)
                makeDirty(s)
            case .settings:
                guard s.pointee.role == .upstream else { break }
                noteSettings(s)
                hasNewSettings = true
            case .goAway: sessionRefuses(s)
            case .failed(let failure):
                if let flood = failure.flood { count(flood) }
                return fail(s)
            }
        }
    }

    // MARK: The end

    /// Takes no new streams; closes when the last one is over.
    mutating func retire(_ s: Session) {
        guard !s.pointee.isRetiring else { return }
        s.pointee.isRetiring = true
        if s.pointee.role == .upstream { unpool(s) }
        if s.pointee.state == .open {
            write(s, HTTP2Connection.controlRoom) { connection, writer in connection.drain(into: &writer) }
        }
        closeIfRetired(s)
    }

    func isRetired(_ s: Session) -> Bool {
        let connection = s.pointee.connection
        if connection.pointee.firstSlot != nil { return false }
        return s.pointee.role == .upstream || connection.pointee.isDrained
    }

    /// Of a session that takes no new streams, when the last is over. A client has a while to answer that it knows.
    mutating func closeIfRetired(_ s: Session) {
        guard s.pointee.isRetiring, s.pointee.state == .open, s.pointee.connection.pointee.firstSlot == nil else {
            return
        }
        guard isRetired(s) else { return timers.set(s.pointee.timer, now &+ settings.lingerTimeout) }
        s.pointee.state = .closing
        makeDirty(s)
    }

    /// A connection error of the peer's: its streams are over, what explains it is sent.
    private mutating func fail(_ s: Session) {
        dropStreams(s)
        s.pointee.state = .closing
        makeDirty(s)
    }

    /// All was sent: the sending side is closed, and what still comes thrown away for a while, lest a reset destroy what was
    /// sent (RFC 9113 section 5.4.1).
    mutating func endSession(_ s: Session) {
        guard !s.pointee.shutDown else { return }
        if s.pointee.hungUp || s.pointee.role == .upstream { return close(s) }
        s.pointee.shutDown = true
        shutdown(s.pointee.fd, Int32(SHUT_WR))
        timers.set(s.pointee.timer, now &+ settings.lingerTimeout)
    }

    mutating func sessionExpired(_ s: Session) {
        switch s.pointee.state {
        case .closed: return
        case .connecting: sessionConnectFailed(s)
        case .closing: close(s)
        case .open:
            let timeout = s.pointee.role == .client ? settings.idleTimeout : settings.upstreamIdleTimeout
            let isIdle = s.pointee.connection.pointee.firstSlot == nil
            if s.pointee.isRetiring && isIdle {
                // The PING that went with GOAWAY was not answered.
                s.pointee.state = .closing
                return makeDirty(s)
            }
            if now &- s.pointee.lastProgress < timeout {
                return timers.set(s.pointee.timer, s.pointee.lastProgress &+ timeout)
            }
            if !s.pointee.output.isVacant { return sessionBroke(s) }
            if !isIdle { return timers.set(s.pointee.timer, now &+ timeout) }
            retire(s)
        }
    }

    /// The peer is gone.
    mutating func sessionBroke(_ s: Session) {
        guard s.pointee.state != .closed else { return }
        dropStreams(s)
        close(s)
    }

    mutating func abort(_ s: Session) {
        guard s.pointee.state != .closed else { return }
        _ = clinux_set_reset_on_close(s.pointee.fd)
        dropStreams(s)
        close(s)
    }

    private mutating func dropStreams(_ s: Session) {
        // Requests that are sent again must not come back here.
        s.pointee.isRetiring = true
        if s.pointee.role == .upstream { unpool(s) }
        let connection = s.pointee.connection
        while let slot = connection.pointee.firstSlot {
            let x = exchange(connection.pointee.user(slot))
            if s.pointee.role == .client { clientStreamLost(s, x) } else { upstreamStreamLost(s, x) }
        }
    }

    /// Its streams are gone.
    private mutating func close(_ s: Session) {
        guard s.pointee.state != .closed else { return }
        if s.pointee.role == .upstream { unpool(s) }
        s.pointee.state = .closed
        Glibc.close(s.pointee.fd)
        timers.destroy(s.pointee.timer)
        s.pointee.output.clear(&buffers)
        uncount(s.pointee.role == .client ? .clientSessions : .upstreamSessions)
        if s.pointee.role == .client, let origin = origins[Int(s.pointee.dialled.origin)] {
            origin.connections.subtract(1, ordering: .relaxed)
        }
        deadSessions.append(s.pointee.index)
    }

    /// At the end of the turn in which it was closed.
    mutating func free(_ s: Session) {
        s.pointee.connection.deinitialize(count: 1)
        s.pointee.connection.deallocate()
        sessions.free(s.pointee.index)
    }
}
