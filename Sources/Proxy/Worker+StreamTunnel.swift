import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// Tunnels with HTTP/2 on a side (RFC 8441). With HTTP/1 on both sides they are sockets only: see `Worker+Tunnel`.
extension Worker {
    // MARK: The handshake

    /// A client that speaks HTTP/2 sends no key: the endpoint gets one of ours. Writes its line.
    mutating func writeKey(_ x: Exchange, _ upgrade: UnsafeRawBufferPointer, _ writer: inout HeadWriter) {
        guard WebSocketHandshake.isWebSocket(upgrade) else { return }
        let length = WebSocketHandshake.keyLength + WebSocketHandshake.acceptLength
        var text = HeadWriter(x.pointee.handshake.reserve(length, &buffers))
        WebSocketHandshake.appendKey(random.next(), random.next(), to: &text)
        x.pointee.handshake.commit(text.count)
        writer.field("Sec-WebSocket-Key", x.pointee.handshake.bytes)
        noteAccept(x, x.pointee.handshake.bytes)
    }

    private mutating func noteAccept(_ x: Exchange, _ key: UnsafeRawBufferPointer) {
        withUnsafeTemporaryAllocation(byteCount: WebSocketHandshake.acceptLength, alignment: 1) { room in
            var text = HeadWriter(room)
            WebSocketHandshake.appendAccept(key, to: &text)
            x.pointee.handshake.append(UnsafeRawBufferPointer(room), &buffers)
        }
    }

    /// Whether a request that came over HTTP/1 asks for a WebSocket; its key's answer is kept then.
    mutating func asksForWebSocket(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead) -> Bool {
        guard x.pointee.asker == .http1, !head.upgrade.isEmpty, case .none = head.framing,
            WebSocketHandshake.isWebSocket(UnsafeRawBufferPointer(rebasing: bytes[head.upgrade]))
        else { return false }
        for index in 0..<head.fieldCount
        where WebSocketHandshake.isKey(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name])) {
            let key = UnsafeRawBufferPointer(rebasing: bytes[fields[index].value])
            guard key.count == WebSocketHandshake.keyLength else { return false }
            x.pointee.handshake.clear(&buffers)
            noteAccept(x, key)
            return true
        }
        return false
    }

    /// Marks the field that only one of the two versions has.
    func dropKey(_ fields: UnsafeMutableBufferPointer<FieldRange>, _ bytes: UnsafeRawBufferPointer) {
        for index in 0..<fields.count
        where WebSocketHandshake.isKey(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name])) {
            fields[index].hopByHop = true
        }
    }

    /// Whether the endpoint's Sec-WebSocket-Accept, which goes no further, is the one that its key asks for.
    private func takeAccept(
        _ x: Exchange, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        if x.pointee.handshake.isVacant { return true }
        let expected = UnsafeRawBufferPointer(
            rebasing: x.pointee.handshake.bytes[WebSocketHandshake.keyLength...])
        var isRight = false
        for index in 0..<fields.count
        where WebSocketHandshake.isAccept(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name])) {
            isRight = bytes[fields[index].value].elementsEqual(expected)
            fields[index].hopByHop = true
        }
        return isRight
    }

    // MARK: Opening

    /// The endpoint, over HTTP/1, has agreed to another protocol: the client's stream is a tunnel from here on.
    mutating func openStreamTunnel(
        _ x: Exchange, _ u: Upstream, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead,
        _ behind: UnsafeRawBufferPointer, isStored: Bool
    ) {
        guard takeAccept(x, UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount]), bytes) else {
            return fail(x, .upstreamInvalid) { $0.append("the backend's Sec-WebSocket-Accept is wrong") }
        }
        beginTunnel(x)
        u.pointee.isHeadAwaited = false
        u.pointee.keepAlive = false
        u.pointee.body = BodyDecoder(.untilClose)
        passHead(x, bytes, head, isEnd: false)
        record(x)
        // What the client sent before it knew waited here.
        if !x.pointee.toUpstream.queue.isVacant {
            u.pointee.output.append(x.pointee.toUpstream.queue.bytes, &buffers)
            x.pointee.toUpstream.queue.clear(&buffers)
        }
        makeDirty(u)
        let consumed = bytes.count - behind.count
        if isStored { u.pointee.input.consume(consumed, &buffers) }
        passResponse(x, u, head: .nothing, isStored ? u.pointee.input.bytes : behind, isStored: isStored)
    }

    /// The endpoint, over HTTP/2, has agreed to extended CONNECT: the head is the client's, whichever version it speaks.
    mutating func openTunnelOverHTTP2(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead, isEnd: Bool)
    {
        beginTunnel(x)
        if case .http1 = x.pointee.asker {
            guard writeSwitch(x, bytes, head) else {
                return fail(x, .upstreamInvalid) { $0.append("the backend's response head is too large") }
            }
            releasePlan(x)
            // What the client sends from here on is the tunnel's.
            x.pointee.requestBody = BodyDecoder(.untilClose)
            x.pointee.isRequestComplete = false
            client(x.pointee.client).pointee.starved = false
            makeReady(x)
        } else {
            passHead(x, bytes, head, isEnd: isEnd)
        }
        record(x)
        if isEnd { responseDone(x) }
    }

    private mutating func beginTunnel(_ x: Exchange) {
        x.pointee.isTunnel = true
        x.pointee.isHeadSent = true
        x.pointee.status = 101
        x.pointee.keepAlive = false
        x.pointee.requestDeadline = TimerWheel.never
        x.pointee.attemptDeadline = TimerWheel.never
        timers.set(x.pointee.timer, TimerWheel.never)
        count(.tunnels)
    }

    /// 101 for a client that speaks HTTP/1. False when the head is too large.
    private mutating func writeSwitch(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead) -> Bool {
        let all = UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])
        for index in 0..<all.count {
            if case .contentLength = all[index].known { all[index].hopByHop = true }
            if WebSocketHandshake.isAccept(UnsafeRawBufferPointer(rebasing: bytes[all[index].name])) {
                all[index].hopByHop = true
            }
        }
        var writer = HeadWriter(out)
        writer.statusLine(101)
        writer.appendFields(
            bytes, all, end: head.length - 2, x.pointee.reference?.pointee.responseEdits ?? .none, dropsHost: false)
        writer.append("Connection: Upgrade\r\nUpgrade: websocket\r\n")
        writer.field("Sec-WebSocket-Accept", x.pointee.handshake.bytes)
        writer.endOfHead()
        if writer.overflowed { return false }
        let c = client(x.pointee.client)
        c.pointee.output.append(UnsafeRawBufferPointer(rebasing: out[..<writer.count]), &buffers)
        makeDirty(c)
        return true
    }

    // MARK: The end

    /// Each direction ends by itself; the exchange is over when both are, and were delivered.
    mutating func finishTunnelIfOver(_ x: Exchange) {
        guard x.pointee.isTunnel, x.pointee.phase == .sent, x.pointee.isRequestComplete, x.pointee.isResponseComplete
        else { return }
        switch x.pointee.asker {
        case .http1: guard client(x.pointee.client).pointee.shutDown else { return }
        case .http2: guard x.pointee.toClient.hasEnded else { return }
        case .mirror, .check: break
        }
        switch x.pointee.answerer {
        case .none: break
        case .http1:
            let u = upstream(x.pointee.upstream)
            guard u.pointee.shutDown || u.pointee.isWriteBroken else { return }
            close(u)
        case .http2:
            guard x.pointee.toUpstream.hasEnded else { return }
            dropUpstreamStream(x)
        }
        if case .http1 = x.pointee.asker { return close(client(x.pointee.client)) }
        finish(x)
    }

    /// Of a tunnel whose client speaks HTTP/1: the endpoint's end is the client's, once all was sent.
    mutating func endClientSide(_ c: Client, _ x: Exchange) {
        guard x.pointee.isResponseComplete, c.pointee.output.isVacant else { return }
        if !c.pointee.shutDown {
            c.pointee.shutDown = true
            shutdown(c.pointee.fd, Int32(SHUT_WR))
        }
        finishTunnelIfOver(x)
    }
}
