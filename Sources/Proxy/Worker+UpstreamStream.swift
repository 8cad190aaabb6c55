import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// Requests that go on over HTTP/2.
extension Worker {
    // MARK: Sending

    /// Sends a routed request for the first time; see `dispatch`.
    mutating func dispatchHTTP2(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, _ body: UnsafeRawBufferPointer,
        hasMore: Bool
    ) {
        let text = UnsafeRawBufferPointer(rebasing: bytes[head.start..<head.length])
        x.pointee.replayHead = UInt32(text.count)
        x.pointee.isReplayable = text.count <= Self.replayLimit
        if x.pointee.isReplayable { x.pointee.replay.append(text, &buffers) }
        x.pointee.isRequestRaw = false
        beginAttempt(x)
        x.pointee.isExtendedConnect = head.isExtendedConnect || asksForWebSocket(x, bytes, head)
        let isWhole = x.pointee.isRequestComplete && body.isEmpty && !hasMore && !x.pointee.isExtendedConnect
        x.pointee.toUpstream.ends = isWhole
        guard attemptHTTP2(x, bytes, head, isEnd: isWhole), !isWhole, x.pointee.asker == .http1 else { return }
        guard !body.isEmpty else { return }
        var decoder = BodyDecoder(head.framing)
        _ = passContent(of: x, &decoder, body)
    }

    /// The head of the request at hand, from what is kept to be sent again; its fields are in `fields`.
    private func keptHead(_ x: Exchange) -> RequestHead? {
        var parser = RequestHeadParser(limits: settings.head)
        guard case .head(var head) = parser.parse(x.pointee.replay.bytes, fields: fields) else { return nil }
        guard x.pointee.isExtendedConnect else { return head }
        // The text of a head that came over HTTP/2 has no Connection field that would say so.
        for index in 0..<head.fieldCount {
            if case .upgrade = fields[index].known { head.upgrade = fields[index].value }
        }
        return head
    }

    /// The endpoint's SETTINGS are there: requests that depend on them go out.
    mutating func sendHeldRequests(_ s: Session) {
        let connection = s.pointee.connection
        var next = connection.pointee.firstSlot
        while let slot = next {
            next = connection.pointee.slot(after: slot)
            let x = exchange(connection.pointee.user(slot))
            guard x.pointee.toUpstream.isHeld else { continue }
            guard let head = keptHead(x) else {
                fail(x, .upstreamReset) { $0.append("the request cannot be sent") }
                continue
            }
            x.pointee.toUpstream.isHeld = false
            guard writeHead(s, slot, x, x.pointee.replay.bytes, head, isEnd: false) else { continue }
            enqueueIfNeeded(x, s)
            makeDirty(s)
        }
    }

    /// Sends a request once more, from `replay`.
    mutating func resendHTTP2(_ x: Exchange) {
        let stored = x.pointee.replay.bytes
        guard let head = keptHead(x) else {
            return fail(x, .upstreamReset) { $0.append("the request cannot be sent again") }
        }
        let content = UnsafeRawBufferPointer(rebasing: stored[Int(x.pointee.replayHead)...])
        let isEnd = x.pointee.toUpstream.ends
        clear(&x.pointee.toUpstream)
        x.pointee.toUpstream = StreamOutput()
        x.pointee.toUpstream.ends = isEnd
        guard attemptHTTP2(x, stored, head, isEnd: isEnd && content.isEmpty) else { return }
        if !content.isEmpty {
            // What is sent again is kept already.
            x.pointee.isReplayable = false
            forwardContent(x, content, isEnd: isEnd)
            x.pointee.isReplayable = true
        }
        if !isEnd && upstreamHasRoom(x) { pullRequest(x) }
    }

    /// Opens a stream to an endpoint of the backend; on to the next endpoint when connecting fails at once. False when none
    /// is left, and then the request has been answered.
    private mutating func attemptHTTP2(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, isEnd: Bool
    ) -> Bool {
        while let endpoint = nextEndpoint(x) {
            if let s = sessionWithRoom(x, endpoint),
                let slot = s.pointee.connection.pointee.open(user: x.pointee.index)
            {
                x.pointee.answerer = .http2
                x.pointee.upstream = s.pointee.index
                x.pointee.upstreamStream = slot
                x.pointee.endpoint = endpoint
                endpoints.begin(endpoint)
                if !s.pointee.connection.pointee.canOpen { unpool(s) }
                if x.pointee.isExtendedConnect && !s.pointee.connection.pointee.hasSettings && x.pointee.isReplayable {
                    x.pointee.toUpstream.isHeld = true
                    return true
                }
                return writeHead(s, slot, x, bytes, head, isEnd: isEnd)
            }
            noteConnectFailure(x, slot: endpoint.pointee.slot, identity: endpoint.pointee.identity)
        }
        return false
    }

    /// False when the request has been answered instead.
    private mutating func writeHead(
        _ s: Session, _ slot: UInt32, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, isEnd: Bool
    ) -> Bool {
        guard !head.ranges.authority.isEmpty else {
            // RFC 9113 section 8.3.1.
            fail(x, .badRequest) { $0.append("the backend speaks HTTP/2, for which the request lacks Host") }
            return false
        }
        var isEnd = isEnd
        if x.pointee.isExtendedConnect && !s.pointee.connection.pointee.allowsExtendedConnect {
            guard x.pointee.asker == .http1 else {
                fail(x, .upstreamInvalid) { $0.append("the backend does not take extended CONNECT") }
                return false
            }
            // Whoever asks for an upgrade takes no for an answer (RFC 9110 section 7.8).
            x.pointee.isExtendedConnect = false
            x.pointee.toUpstream.ends = true
            isEnd = true
        }
        if writeRequest(s, slot, x, bytes, head, isEnd: isEnd) { return true }
        dropUpstream(x)
        answer(x, .headTooLarge) { $0.append("the request's head is too large with its route's changes") }
        return false
    }

    private mutating func writeRequest(
        _ s: Session, _ slot: UInt32, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, isEnd: Bool
    ) -> Bool {
        guard let reference = x.pointee.reference else { return false }
        let edits = reference.pointee.requestEdits
        let all = UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])
        dropFields(all, bytes, edits)
        var writer = HeadWriter(out)
        var authority = UnsafeRawBufferPointer(rebasing: bytes[head.ranges.authority])
        var targetEnd = 0
        if let rewrites = reference.pointee.rewrites {
            writeTarget(rewrites, bytes, head, &writer)
            targetEnd = writer.count
            rewrites._withUnsafeGuaranteedRef { rewrites in
                guard let hostname = rewrites.hostname else { return }
                hostname.withUnsafeBytes { writer.append($0) }
                authority = UnsafeRawBufferPointer(rebasing: out[targetEnd..<writer.count])
            }
        } else if head.isAbsolute {
            writer.appendOrigin(bytes, head)
            targetEnd = writer.count
        }
        guard !writer.overflowed else { return false }
        let target =
            targetEnd > 0
            ? UnsafeRawBufferPointer(rebasing: out[..<targetEnd]) : UnsafeRawBufferPointer(rebasing: bytes[head.target])
        let upgrade =
            x.pointee.isExtendedConnect ? UnsafeRawBufferPointer(rebasing: bytes[head.upgrade]) : .nothing
        if x.pointee.isExtendedConnect { dropKey(all, bytes) }
        let acceptsTrailers = head.acceptsTrailers || Self.acceptsTrailers(bytes, all)
        x.pointee.acceptsTrailers = acceptsTrailers
        let method = UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method])
        // What `bytes` has of these is counted twice, as the encoder does.
        let parts = method.count + authority.count + target.count + upgrade.count
        let room = HTTP2Connection.headBound(
            bytes: bytes.count + parts + edits.lines.count, fields: all.count)
        write(s, room) { connection, writer in
            connection.writeRequest(
                slot, method: method, scheme: "http",
                authority: authority, target: target, extendedProtocol: upgrade, bytes, all, lines: edits.lines,
                acceptsTrailers: acceptsTrailers, isEnd: isEnd, into: &writer)
        }
        x.pointee.toUpstream.hasEnded = isEnd
        return true
    }

    /// Whether the text of a head has TE with `trailers`: over HTTP/2 it is the only thing that TE may say.
    private static func acceptsTrailers(
        _ bytes: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>
    ) -> Bool {
        for index in 0..<fields.count {
            guard case .te = fields[index].known else { continue }
            for item in bytes[fields[index].value].split(separator: 0x2c) {
                var item = item
                while let first = item.first, first == 0x20 || first == 0x09 { item.removeFirst() }
                while let last = item.last, last == 0x20 || last == 0x09 { item.removeLast() }
                if FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: item), "trailers") { return true }
            }
        }
        return false
    }

    // MARK: Sessions to endpoints

    /// An open session to the endpoint that takes another stream, or a new one; nil when the endpoint refused at once.
    private mutating func sessionWithRoom(_ x: Exchange, _ endpoint: UnsafePointer<PlannedEndpoint>) -> Session? {
        let key = Pools<HTTP2Session>.key(origin: x.pointee.origin, slot: endpoint.pointee.slot)
        while true {
            let index = sessionPools.youngest(key)
            if index == Slab.none { break }
            let s = session(index)
            if s.pointee.identity == endpoint.pointee.identity && s.pointee.connection.pointee.canOpen { return s }
            unpool(s)
            if s.pointee.identity != endpoint.pointee.identity { retire(s) }
        }
        var address = endpoint.pointee.address
        let (fd, result) = connect(&address, origin: x.pointee.origin)
        guard fd >= 0 else { return nil }
        let dialled = Dialled(
            origin: x.pointee.origin, destination: .max, isListen: false, isIPv4: x.pointee.isIPv4, port: 0)
        let s = makeSession(
            fd: fd, role: .upstream, state: result == 0 ? .open : .connecting, dialled: dialled,
            slot: endpoint.pointee.slot, identity: endpoint.pointee.identity)
        // Else a burst would be sent to be refused.
        let streams = sessionPools.hint(key)
        if streams > 0 { s.pointee.connection.pointee.assume(streams: streams) }
        guard epoll.add(fd, Epoll.socket, token: token(of: s)) else {
            sessionBroke(s)
            return nil
        }
        s.pointee.writable = result == 0
        timers.set(
            s.pointee.timer, now &+ (result == 0 ? settings.upstreamIdleTimeout : settings.connectTimeout))
        pool(s)
        return s
    }

    /// Offers the session to requests when it takes another stream.
    mutating func pool(_ s: Session) {
        guard !s.pointee.isPooled, !s.pointee.isRetiring, s.pointee.state == .open || s.pointee.state == .connecting,
            s.pointee.connection.pointee.canOpen
        else { return }
        s.pointee.isPooled = true
        _ = sessionPools.push(key(of: s), s, limit: .max, sessions)
    }

    /// The endpoint has said how many streams it takes.
    mutating func noteSettings(_ s: Session) {
        sessionPools.setHint(key(of: s), s.pointee.connection.pointee.allowedStreams)
        pool(s)
    }

    mutating func unpool(_ s: Session) {
        guard s.pointee.isPooled else { return }
        s.pointee.isPooled = false
        sessionPools.remove(key(of: s), s, sessions)
    }

    private func key(of s: Session) -> UInt64 {
        Pools<HTTP2Session>.key(origin: s.pointee.dialled.origin, slot: s.pointee.slot)
    }

    mutating func sessionConnectFailed(_ s: Session) {
        let connection = s.pointee.connection
        unpool(s)
        while let slot = connection.pointee.firstSlot {
            let x = exchange(connection.pointee.user(slot))
            loseStream(s, x)
            noteConnectFailure(x, slot: s.pointee.slot, identity: s.pointee.identity)
            if x.pointee.isReplayable {
                resendHTTP2(x)
            } else {
                fail(x, .connectFailed) { $0.append("the endpoint could not be connected") }
            }
        }
        sessionBroke(s)
    }

    /// The endpoint takes no new streams; those that it has not processed go elsewhere.
    mutating func sessionRefuses(_ s: Session) {
        guard s.pointee.role == .upstream else {
            // A client that says so sends no more; what it asked for is answered.
            s.pointee.isRetiring = true
            return
        }
        s.pointee.isRetiring = true
        unpool(s)
        let connection = s.pointee.connection
        var next = connection.pointee.firstSlot
        while let slot = next {
            next = connection.pointee.slot(after: slot)
            guard connection.pointee.isClosed(slot) else { continue }
            let x = exchange(connection.pointee.user(slot))
            loseStream(s, x)
            attemptFailed(x, .refused)
        }
        closeIfRetired(s)
    }

    // MARK: Receiving

    /// A response's head is in `decoded` and `fields`.
    mutating func streamAnswered(_ s: Session, _ slot: UInt32, _ head: ResponseHead, isEnd: Bool) {
        let x = exchange(s.pointee.connection.pointee.user(slot))
        if head.status >= 200 {
            if retries(x, head) { return }
            let isUnavailable =
                isEnd && x.pointee.isGRPC && saysUnavailable(UnsafeRawBufferPointer(decoded), head.fieldCount)
            noteAnswer(x, status: isUnavailable ? 503 : head.status)
            if x.pointee.isReplayable { forgetReplay(x) }
            if x.pointee.session != nil { tellSession(x) }
            x.pointee.status = head.status
        }
        let bytes = UnsafeRawBufferPointer(rebasing: decoded[..<head.length])
        if x.pointee.isExtendedConnect && 200..<300 ~= head.status {
            return openTunnelOverHTTP2(x, bytes, head, isEnd: isEnd)
        }
        passHead(x, bytes, head, isEnd: isEnd)
        guard x.pointee.phase == .sent, x.pointee.answerer == .http2 else { return }
        if isEnd {
            if x.pointee.asker == .http1 { passEnd(x, trailers: .nothing) }
            streamComplete(s, x)
        }
    }

    mutating func responseContent(_ s: Session, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        x.pointee.responseCredit &+= UInt32(truncatingIfNeeded: bytes.count)
        passContent(x, bytes, isEnd: isEnd)
        guard x.pointee.phase == .sent, x.pointee.answerer == .http2 else { return }
        if isEnd { return streamComplete(s, x) }
        if clientHasRoom(x) { giveResponseCredit(x) }
    }

    mutating func giveResponseCredit(_ x: Exchange) {
        let credit = Int(x.pointee.responseCredit)
        guard credit > 0, x.pointee.answerer == .http2 else { return }
        x.pointee.responseCredit = 0
        let slot = x.pointee.upstreamStream
        write(session(x.pointee.upstream), HTTP2Connection.controlRoom) { connection, writer in
            connection.consumed(slot, credit, into: &writer)
        }
    }

    /// The response has been received whole.
    mutating func streamComplete(_ s: Session, _ x: Exchange) {
        if !x.pointee.isTunnel { dropUpstreamStream(x) }
        responseDone(x)
    }

    /// The endpoint reset the stream, or broke its rules on it.
    mutating func streamReset(_ s: Session, _ x: Exchange, _ code: HTTP2ErrorCode) {
        loseStream(s, x)
        if x.pointee.isHeadSent { return cut(x) }
        attemptFailed(x, code == .refusedStream ? .refused : .reset)
    }

    /// The connection is gone.
    mutating func upstreamStreamLost(_ s: Session, _ x: Exchange) {
        let isReused = s.pointee.hasServed
        loseStream(s, x)
        if x.pointee.isHeadSent { return cut(x) }
        attemptFailed(x, isReused ? .stale : .reset)
    }

    // MARK: Letting go

    /// The exchange needs its stream no more: one that is not over is cancelled.
    mutating func dropUpstreamStream(_ x: Exchange) {
        let s = session(x.pointee.upstream)
        let slot = x.pointee.upstreamStream
        if s.pointee.connection.pointee.isClosed(slot) { s.pointee.hasServed = true }
        loseStream(s, x)
    }

    /// Takes the exchange and its stream apart.
    private mutating func loseStream(_ s: Session, _ x: Exchange) {
        let slot = x.pointee.upstreamStream
        unqueue(x, s)
        x.pointee.answerer = .none
        x.pointee.upstream = Slab.none
        x.pointee.upstreamStream = Slab.none
        let hadCredit = x.pointee.responseCredit > 0
        x.pointee.responseCredit = 0
        if !s.pointee.connection.pointee.isClosed(slot) {
            write(s, HTTP2Connection.controlRoom) { connection, writer in
                connection.reset(slot, .cancel, into: &writer)
            }
        }
        s.pointee.connection.pointee.release(slot)
        if hadCredit {
            write(s, HTTP2Connection.controlRoom) { connection, writer in connection.announceCredit(into: &writer) }
        }
        endpoints.end(slot: s.pointee.slot, identity: s.pointee.identity)
        if s.pointee.isRetiring { closeIfRetired(s) } else { pool(s) }
    }
}
