import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// Reads per connection and turn: a fast pair must not starve the others.
    private static let budget = 16

    /// Moves what can be moved of the request and its response. True when the exchange is over.
    mutating func relay(_ c: Client) -> Bool {
        guard c.pointee.exchange.upstream != Slab.none else { return false }
        if !c.pointee.exchange.isRequestComplete {
            relayRequest(c)
            guard c.pointee.phase == .exchange else { return true }
        }
        let index = c.pointee.exchange.upstream
        guard index != Slab.none else { return false }
        let u = upstream(index)
        if u.pointee.readable && u.pointee.state == .active { relayResponse(c, u) }
        return c.pointee.phase != .exchange
    }

    // MARK: The request's body

    private mutating func relayRequest(_ c: Client) {
        for _ in 0..<Self.budget {
            let u = upstream(c.pointee.exchange.upstream)
            guard u.pointee.state == .active, u.pointee.output.isVacant, !u.pointee.isWriteBroken else { return }
            let isStored = !c.pointee.input.isVacant
            if isStored && !c.pointee.starved {
                passBody(c, u, c.pointee.input.bytes, isStored: true)
            } else if c.pointee.readable {
                let received: Received
                if isStored {
                    received = receive(c, into: c.pointee.input.reserve(4096, &buffers))
                    if case .bytes(let count) = received {
                        c.pointee.input.commit(count)
                        passBody(c, u, c.pointee.input.bytes, isStored: true)
                    }
                } else {
                    received = receive(c, into: scratch)
                    if case .bytes(let count) = received {
                        passBody(c, u, UnsafeRawBufferPointer(rebasing: scratch[..<count]), isStored: false)
                    }
                }
                switch received {
                case .bytes: break
                case .none: return
                // The body was not over: what the endpoint has got is no request.
                case .end, .failed: return clientLeft(c)
                }
            } else {
                return
            }
            if c.pointee.phase != .exchange || c.pointee.exchange.isRequestComplete { return }
        }
        makeReady(c)
    }

    private mutating func passBody(_ c: Client, _ u: Upstream, _ bytes: UnsafeRawBufferPointer, isStored: Bool) {
        let exchange = exchange(of: c)
        c.pointee.lastProgress = now
        let scan = scanBody(&exchange.pointee.requestBody, bytes)
        if scan.outcome == .invalid {
            exchange.pointee.keepAlive = false
            return fail(c, .badRequest) { $0.append(scan.error.text) }
        }
        exchange.pointee.bytesIn &+= UInt64(scan.consumed)
        exchange.pointee.isRequestComplete = scan.outcome == .complete
        let body = UnsafeRawBufferPointer(rebasing: bytes[..<scan.consumed])
        if scan.hasForbiddenTrailers {
            var rewritten = ByteQueue()
            dropForbiddenTrailers(body, scan.trailers, into: &rewritten)
            send(u, rewritten.bytes)
            rewritten.clear(&buffers)
        } else {
            send(u, body)
        }
        if isStored {
            c.pointee.input.consume(scan.consumed, &buffers)
        } else {
            c.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...]), &buffers)
        }
        c.pointee.starved = !exchange.pointee.isRequestComplete && !c.pointee.input.isVacant
    }

    // MARK: The response

    private mutating func relayResponse(_ c: Client, _ u: Upstream) {
        for _ in 0..<Self.budget {
            // A client that does not read stops the endpoint.
            guard u.pointee.readable, c.pointee.output.isVacant else { return }
            let isStored = !u.pointee.input.isVacant
            let room = isStored ? u.pointee.input.reserve(4096, &buffers) : scratch
            let received = clinux_recv(u.pointee.fd, room.baseAddress, room.count, 0)
            if received > 0 {
                u.pointee.readable = received == room.count || u.pointee.hungUp
                count(.bytesFromUpstreams, UInt64(received))
                if isStored { u.pointee.input.commit(received) }
                let bytes = isStored ? u.pointee.input.bytes : UnsafeRawBufferPointer(rebasing: room[..<received])
                if u.pointee.isHeadAwaited {
                    readResponse(c, u, bytes, isStored: isStored)
                } else {
                    passResponse(c, u, head: .nothing, bytes, isStored: isStored)
                }
            } else if received == -Int(EAGAIN) {
                u.pointee.readable = false
                return
            } else {
                return upstreamEnded(c, u, isReset: received < 0)
            }
            guard c.pointee.phase == .exchange, u.pointee.state == .active else { return }
        }
        makeReady(c)
    }

    private mutating func upstreamEnded(_ c: Client, _ u: Upstream, isReset: Bool) {
        u.pointee.ended = true
        u.pointee.readable = false
        u.pointee.keepAlive = false
        if u.pointee.isHeadAwaited { return upstreamFailed(u) }
        if !isReset, case .end = u.pointee.body.finish() { return complete(c, u) }
        cut(c)
    }

    /// Reads heads, interim ones included, until the final one.
    private mutating func readResponse(_ c: Client, _ u: Upstream, _ bytes: UnsafeRawBufferPointer, isStored: Bool) {
        if !u.pointee.hasAnswered {
            u.pointee.hasAnswered = true
            u.pointee.isReplayable = false
            u.pointee.replay.clear(&buffers)
        }
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
                return fail(c, .upstreamInvalid) { writer in
                    writer.append("the backend's response is malformed: ")
                    writer.append(error.text)
                }
            case .head(let head):
                let exchange = exchange(of: c)
                let behind = UnsafeRawBufferPointer(rebasing: rest[head.length...])
                if head.status == 101 && (!exchange.pointee.wantsUpgrade || head.upgrade.isEmpty) {
                    return fail(c, .upstreamInvalid) { $0.append("the backend switched protocols unasked") }
                }
                if head.status >= 200 {
                    exchange.pointee.status = head.status
                    u.pointee.isHeadAwaited = false
                    u.pointee.keepAlive = head.keepAlive
                    u.pointee.body = BodyDecoder(head.framing)
                    exchange.pointee.unchunks = exchange.pointee.isHTTP10 && head.framing.isChunked
                    if head.framing.endsWithConnection || exchange.pointee.unchunks || isDraining
                        || !exchange.pointee.isRequestComplete
                    {
                        exchange.pointee.keepAlive = false
                    }
                }
                if head.status >= 200 || head.status == 101 || !exchange.pointee.isHTTP10 {
                    guard let length = writeResponseHead(c, rest, head) else {
                        return fail(c, .upstreamInvalid) { $0.append("the backend's response head is too large") }
                    }
                    let written = UnsafeRawBufferPointer(rebasing: out[..<length])
                    if head.status == 101 {
                        exchange.pointee.status = 101
                        return openTunnel(c, u, head: written, behind)
                    }
                    if head.status >= 200 {
                        exchange.pointee.isHeadSent = true
                        releasePlan(c)
                        if isStored { u.pointee.input.consume(bytes.count - behind.count, &buffers) }
                        // `behind` points into `input` or `scratch`; consuming in front moves nothing unless it is all.
                        return passResponse(
                            c, u, head: written, isStored ? u.pointee.input.bytes : behind, isStored: isStored)
                    }
                    guard send(c, written, .nothing) else { return }
                }
                rest = behind
            }
        }
    }

    /// Forwards a part of the response's body, and the head before it when it is the first part.
    private mutating func passResponse(
        _ c: Client, _ u: Upstream, head: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer, isStored: Bool
    ) {
        let exchange = exchange(of: c)
        var rewritten = ByteQueue()
        defer { rewritten.clear(&buffers) }
        let scan: BodyScan
        var body: UnsafeRawBufferPointer
        if exchange.pointee.unchunks {
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
        exchange.pointee.bytesOut &+= UInt64(body.count)
        guard send(c, head, body) else { return }
        switch scan.outcome {
        case .invalid: return cut(c)
        case .complete:
            // Bytes behind the response belong to nothing: the connection is not to be trusted.
            if scan.consumed < bytes.count { u.pointee.keepAlive = false }
            u.pointee.input.clear(&buffers)
            complete(c, u)
        case .more:
            if isStored {
                u.pointee.input.consume(scan.consumed, &buffers)
            } else {
                u.pointee.input.append(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...]), &buffers)
            }
        }
    }

    /// The response is over. An endpoint that has not got the whole request cannot be asked again.
    private mutating func complete(_ c: Client, _ u: Upstream) {
        if c.pointee.exchange.isRequestComplete {
            release(u)
        } else {
            reset(u)
        }
        finish(c)
    }

    /// Ends an exchange that cannot succeed: with an answer, or, when its head is out, with the connection.
    mutating func fail(_ c: Client, _ reason: Reason, _ text: (inout HeadWriter) -> Void) {
        if c.pointee.exchange.isHeadSent {
            c.pointee.exchange.reason = UInt8(reason.ordinal)
            return cut(c)
        }
        let index = c.pointee.exchange.upstream
        c.pointee.exchange.upstream = Slab.none
        if index != Slab.none {
            upstream(index).pointee.client = Slab.none
            reset(upstream(index))
        }
        answer(c, reason, text)
    }
}
