import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// Reads per connection and turn: a fast pair must not starve the others.
    private static var budget: Int { 16 }

    /// Moves what can be moved of the request and its response. True when the exchange is over.
    mutating func relay(_ c: Client, _ x: Exchange) -> Bool {
        guard x.pointee.phase == .sent else {
            return x.pointee.phase == .held ? relayHeld(c, x) : c.pointee.phase != .exchange
        }
        if !x.pointee.isRequestComplete {
            relayRequest(c, x)
            guard c.pointee.phase == .exchange else { return true }
        }
        guard x.pointee.answerer == .http1 else {
            if clientHasRoom(x) { giveResponseCredit(x) }
            if x.pointee.isTunnel { endClientSide(c, x) }
            return c.pointee.phase != .exchange
        }
        let u = upstream(x.pointee.upstream)
        if u.pointee.readable && u.pointee.state == .active { relayResponse(x, u) }
        return c.pointee.phase != .exchange
    }

    // MARK: The request's body, over HTTP/1

    /// Reads on while the endpoint takes it.
    mutating func relayRequest(_ c: Client, _ x: Exchange) {
        for _ in 0..<Self.budget {
            guard x.pointee.phase == .sent ? upstreamHasRoom(x) : isContentAwaited(x) else { return }
            let isStored = !c.pointee.input.isVacant
            if isStored && !c.pointee.starved {
                passBody(c, x, c.pointee.input.bytes, isStored: true)
            } else if c.pointee.readable {
                let received: Received
                if isStored {
                    received = receive(c, into: c.pointee.input.reserve(4096, &buffers))
                    if case .bytes(let count) = received {
                        c.pointee.input.commit(count)
                        passBody(c, x, c.pointee.input.bytes, isStored: true)
                    }
                } else {
                    received = receive(c, into: scratch)
                    if case .bytes(let count) = received {
                        passBody(c, x, UnsafeRawBufferPointer(rebasing: scratch[..<count]), isStored: false)
                    }
                }
                switch received {
                case .bytes: break
                case .none: return
                case .end where x.pointee.isTunnel:
                    x.pointee.isRequestComplete = true
                    forwardContent(x, .nothing, isEnd: true)
                    return finishTunnelIfOver(x)
                // The body was not over: what the endpoint has got is no request.
                case .end, .failed: return clientLeft(c)
                }
            } else {
                return
            }
            if c.pointee.phase != .exchange || x.pointee.isRequestComplete { return }
        }
        makeReady(x)
    }

    private mutating func passBody(_ c: Client, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, isStored: Bool) {
        x.pointee.lastProgress = now
        let scan: BodyScan
        if x.pointee.isRequestRaw {
            scan = scanBody(&x.pointee.requestBody, bytes)
        } else {
            scan = passContent(of: x, bytes)
        }
        if scan.outcome == .invalid {
            x.pointee.keepAlive = false
            return fail(x, .badRequest) { $0.append(scan.error.text) }
        }
        x.pointee.bytesIn &+= UInt64(scan.consumed)
        x.pointee.isRequestComplete = scan.outcome == .complete
        if x.pointee.isRequestRaw {
            let u = upstream(x.pointee.upstream)
            let body = UnsafeRawBufferPointer(rebasing: bytes[..<scan.consumed])
            if scan.hasForbiddenTrailers {
                var rewritten = ByteQueue()
                dropForbiddenTrailers(body, scan.trailers, into: &rewritten)
                send(u, x, rewritten.bytes)
                rewritten.clear(&buffers)
            } else {
                send(u, x, body)
            }
        }
        if isStored {
            c.pointee.input.consume(scan.consumed, &buffers)
        } else {
            c.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...]), &buffers)
        }
        c.pointee.starved = !x.pointee.isRequestComplete && !c.pointee.input.isVacant
    }

    // MARK: The response, over HTTP/1

    mutating func relayResponse(_ x: Exchange, _ u: Upstream) {
        for _ in 0..<Self.budget {
            // A client that does not read stops the endpoint.
            guard u.pointee.readable, clientHasRoom(x) else { return }
            let isStored = !u.pointee.input.isVacant
            let room = isStored ? u.pointee.input.reserve(4096, &buffers) : scratch
            let received = clinux_recv(u.pointee.fd, room.baseAddress, room.count, 0)
            if received > 0 {
                u.pointee.readable = received == room.count || u.pointee.hungUp
                count(.bytesFromUpstreams, UInt64(received))
                if isStored { u.pointee.input.commit(received) }
                let bytes = isStored ? u.pointee.input.bytes : UnsafeRawBufferPointer(rebasing: room[..<received])
                if u.pointee.isHeadAwaited {
                    readResponse(x, u, bytes, isStored: isStored)
                } else {
                    passResponse(x, u, head: .nothing, bytes, isStored: isStored)
                }
            } else if received == -Int(EAGAIN) {
                u.pointee.readable = false
                return
            } else {
                return upstreamEnded(x, u, isReset: received < 0)
            }
            guard x.pointee.phase == .sent, u.pointee.state == .active else { return }
        }
        makeReady(x)
    }

    private mutating func upstreamEnded(_ x: Exchange, _ u: Upstream, isReset: Bool) {
        u.pointee.ended = true
        u.pointee.readable = false
        u.pointee.keepAlive = false
        if u.pointee.isHeadAwaited {
            return attemptFailed(x, x.pointee.isOnReused && !u.pointee.hasAnswered ? .stale : .reset)
        }
        if !isReset, case .end = u.pointee.body.finish() {
            if x.pointee.asker != .http1 { passEnd(x, trailers: .nothing) }
            return complete(x, u)
        }
        cut(x)
    }

    /// Reads heads, interim ones included, until the final one.
    private mutating func readResponse(
        _ x: Exchange, _ u: Upstream, _ bytes: UnsafeRawBufferPointer, isStored: Bool
    ) {
        u.pointee.hasAnswered = true
        var rest = bytes
        while true {
            switch u.pointee.parser.parse(rest, fields: fields) {
            case .incomplete:
                if isStored {
                    u.pointee.input.consume(bytes.count - rest.count, &buffers)
                } else {
                    u.pointee.input.append(rest, &buffers)
                }
                return
            case .invalid(let error):
                if retriesUnreadable(x) { return }
                return fail(x, .upstreamInvalid) { writer in
                    writer.append("the backend's response is malformed: ")
                    writer.append(error.text)
                }
            case .head(let head):
                let behind = UnsafeRawBufferPointer(rebasing: rest[head.length...])
                if head.status == 101 && (!x.pointee.wantsUpgrade || head.upgrade.isEmpty) {
                    return fail(x, .upstreamInvalid) { $0.append("the backend switched protocols unasked") }
                }
                if head.status >= 200 {
                    if let rule = x.pointee.rule, rule.pointee.hasRetry, retries(x, head, over: u, behind: behind) {
                        return
                    }
                    noteAnswer(x, status: head.status)
                    if x.pointee.isReplayable { forgetReplay(x) }
                    if x.pointee.session != nil { tellSession(x) }
                    x.pointee.status = head.status
                    u.pointee.isHeadAwaited = false
                    u.pointee.keepAlive = head.keepAlive
                    u.pointee.body = BodyDecoder(head.framing)
                }
                if x.pointee.asker != .http1 {
                    if head.status == 101 { return openStreamTunnel(x, u, rest, head, behind, isStored: isStored) }
                    if x.pointee.wantsUpgrade && 200..<300 ~= head.status {
                        // Over HTTP/2 such a status opens the tunnel.
                        return fail(x, .upstreamInvalid) { $0.append("the backend did not switch protocols") }
                    }
                    passHead(x, rest, head, isEnd: head.status >= 200 && u.pointee.body.isDone)
                    guard x.pointee.phase == .sent, u.pointee.state == .active else { return }
                    if head.status >= 200 {
                        if isStored { u.pointee.input.consume(bytes.count - behind.count, &buffers) }
                        return passResponse(
                            x, u, head: .nothing, isStored ? u.pointee.input.bytes : behind, isStored: isStored)
                    }
                    rest = behind
                    continue
                }
                if head.status >= 200 {
                    x.pointee.unchunks = x.pointee.isHTTP10 && head.framing.isChunked
                    if head.framing.endsWithConnection || x.pointee.unchunks || isDraining
                        || !x.pointee.isRequestComplete
                    {
                        x.pointee.keepAlive = false
                    }
                }
                if head.status >= 200 || head.status == 101 || !x.pointee.isHTTP10 {
                    guard let length = writeResponseHead(x, rest, head) else {
                        return fail(x, .upstreamInvalid) { $0.append("the backend's response head is too large") }
                    }
                    let written = UnsafeRawBufferPointer(rebasing: out[..<length])
                    if head.status == 101 {
                        x.pointee.status = 101
                        return openTunnel(client(x.pointee.client), x, u, head: written, behind)
                    }
                    if head.status >= 200 {
                        x.pointee.isHeadSent = true
                        releasePlan(x)
                        if isStored { u.pointee.input.consume(bytes.count - behind.count, &buffers) }
                        // `behind` points into `input` or `scratch`; consuming in front moves nothing unless it is all.
                        return passResponse(
                            x, u, head: written, isStored ? u.pointee.input.bytes : behind, isStored: isStored)
                    }
                    guard send(client(x.pointee.client), written, .nothing) else { return }
                }
                rest = behind
            }
        }
    }

    /// Forwards a part of the response's body, and the head before it when it is the first part.
    mutating func passResponse(
        _ x: Exchange, _ u: Upstream, head: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, isStored: Bool
    ) {
        var rewritten = ByteQueue()
        defer { rewritten.clear(&buffers) }
        let scan: BodyScan
        if x.pointee.asker != .http1 {
            scan = passContent(from: u, x, bytes)
            // Whoever cannot be sent to any more has ended the exchange.
            guard x.pointee.phase == .sent, u.pointee.state == .active else { return }
        } else {
            var body: UnsafeRawBufferPointer
            if x.pointee.unchunks {
                scan = copyContent(&u.pointee.body, bytes, into: &rewritten)
                body = rewritten.bytes
            } else {
                scan = scanBody(&u.pointee.body, bytes)
                body = UnsafeRawBufferPointer(rebasing: bytes[..<scan.consumed])
                if scan.hasForbiddenTrailers {
                    dropForbiddenTrailers(body, scan.trailers, into: &rewritten)
                    body = rewritten.bytes
                }
            }
            x.pointee.bytesOut &+= UInt64(body.count)
            guard send(client(x.pointee.client), head, body) else { return }
        }
        switch scan.outcome {
        case .invalid: return cut(x)
        case .complete:
            // Bytes behind the response belong to nothing: the connection is not to be trusted.
            if scan.consumed < bytes.count { u.pointee.keepAlive = false }
            u.pointee.input.clear(&buffers)
            complete(x, u)
        case .more:
            if isStored {
                u.pointee.input.consume(scan.consumed, &buffers)
            } else {
                u.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...]), &buffers)
            }
        }
    }

    /// The endpoint has sent all of the response. One that has not got the whole request cannot be asked again.
    private mutating func complete(_ x: Exchange, _ u: Upstream) {
        if x.pointee.isTunnel { return responseDone(x) }
        if x.pointee.isRequestComplete {
            release(u)
        } else {
            reset(u)
        }
        responseDone(x)
    }

    /// The response has been read whole and handed on: over, once the client's stream has taken it.
    mutating func responseDone(_ x: Exchange) {
        x.pointee.isResponseComplete = true
        if x.pointee.isTunnel { return finishTunnelIfOver(x) }
        if x.pointee.asker != .http2 || x.pointee.toClient.hasEnded { finish(x) }
    }
}
