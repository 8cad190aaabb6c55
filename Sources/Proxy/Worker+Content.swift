import Glibc
import HTTPWire
import Model
import Reactor

// Content between sides that frame it differently. HTTP/1 on both sides goes the shorter way of `Worker+Relay`.
extension Worker {
    // MARK: Back-pressure

    @inline(__always)
    func clientHasRoom(_ x: Exchange) -> Bool {
        switch x.pointee.asker {
        case .http1: client(x.pointee.client).pointee.output.isVacant
        case .http2: x.pointee.toClient.queue.isVacant
        case .mirror, .check: true
        }
    }

    @inline(__always)
    func upstreamHasRoom(_ x: Exchange) -> Bool {
        switch x.pointee.answerer {
        case .none: return false
        case .http1:
            let u = upstream(x.pointee.upstream)
            return u.pointee.state == .active && u.pointee.output.isVacant && !u.pointee.isWriteBroken
        case .http2:
            return x.pointee.toUpstream.queue.isVacant && session(x.pointee.upstream).pointee.state != .connecting
        }
    }

    /// The endpoint has room again: the client may send more.
    mutating func pullRequest(_ x: Exchange) {
        switch x.pointee.asker {
        case .http1: makeReady(x)
        case .http2: giveRequestCredit(x)
        case .mirror, .check: break
        }
    }

    /// The client has room again: the endpoint may send more.
    mutating func pullResponse(_ x: Exchange) {
        switch x.pointee.answerer {
        case .none: break
        case .http1: makeReady(x)
        case .http2: giveResponseCredit(x)
        }
    }

    // MARK: Towards the endpoint

    /// The content in `bytes`, received over HTTP/1, as the endpoint wants it. Its end is passed on too.
    mutating func passContent(of x: Exchange, _ bytes: UnsafeRawBufferPointer) -> BodyScan {
        var decoder = x.pointee.requestBody
        let scan = passContent(of: x, &decoder, bytes)
        x.pointee.requestBody = decoder
        return scan
    }

    mutating func passContent(
        of x: Exchange, _ decoder: inout BodyDecoder, _ bytes: UnsafeRawBufferPointer
    ) -> BodyScan {
        var scan = BodyScan()
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...])
            switch decoder.next(rest) {
            case .payload(let range, let consumed):
                scan.consumed += consumed
                let isEnd = scan.consumed == bytes.count && decoder.isDone
                takeContent(x, UnsafeRawBufferPointer(rebasing: rest[range]), isEnd: isEnd)
                if isEnd {
                    scan.outcome = .complete
                    return scan
                }
            case .trailers(let range, let consumed):
                scan.consumed += consumed
                takeTrailers(x, UnsafeRawBufferPointer(rebasing: rest[range]))
            case .end(let consumed):
                scan.consumed += consumed
                scan.outcome = .complete
                if !x.pointee.toUpstream.ends { takeContent(x, .nothing, isEnd: true) }
                return scan
            case .needsMore(let consumed):
                scan.consumed += consumed
                return scan
            case .invalid(let error):
                scan.error = error
                scan.outcome = .invalid
                return scan
            }
        }
    }

    /// A part of the request's content has come: for the endpoint, and for whoever gets a copy.
    mutating func takeContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        if x.pointee.phase == .held { return keepHeld(x, bytes, isEnd: isEnd) }
        if x.pointee.firstMirror != Slab.none { mirrorContent(x, bytes, isEnd: isEnd) }
        forwardContent(x, bytes, isEnd: isEnd)
    }

    mutating func takeTrailers(_ x: Exchange, _ lines: UnsafeRawBufferPointer) {
        if x.pointee.phase == .held { return keepHeldTrailers(x, lines) }
        if x.pointee.firstMirror != Slab.none { mirrorTrailers(x, lines) }
        forwardTrailers(x, lines)
    }

    /// A part of the request's content goes to the endpoint.
    mutating func forwardContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        if isEnd { x.pointee.toUpstream.ends = true }
        switch x.pointee.answerer {
        case .none: keepContent(x, bytes, isEnd: isEnd)
        case .http1:
            let u = upstream(x.pointee.upstream)
            if x.pointee.asker == .http2 && isTunnelAwaited(x) {
                return x.pointee.toUpstream.queue.append(bytes, &buffers)
            }
            // What is kept to be sent again is what is on the wire.
            if x.pointee.chunksRequest {
                sendChunk(u, x, bytes, isEnd: isEnd)
            } else if !bytes.isEmpty {
                queue(u, x, bytes)
            }
            if isEnd && x.pointee.isTunnel { makeDirty(u) }
        case .http2:
            if x.pointee.isReplayable { keepForReplay(x, bytes) }
            let s = session(x.pointee.upstream)
            send(s, x.pointee.upstreamStream, x, bytes, isEnd: isEnd)
        }
    }

    private mutating func queue(_ u: Upstream, _ x: Exchange, _ bytes: UnsafeRawBufferPointer) {
        if x.pointee.isReplayable { keepForReplay(x, bytes) }
        guard !u.pointee.isWriteBroken else { return }
        u.pointee.output.append(bytes, &buffers)
        if u.pointee.state != .connecting { makeDirty(u) }
    }

    private mutating func sendChunk(_ u: Upstream, _ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { room in
            if !bytes.isEmpty {
                var writer = HeadWriter(room)
                writer.chunk(size: UInt64(bytes.count))
                queue(u, x, UnsafeRawBufferPointer(rebasing: room[..<writer.count]))
                queue(u, x, bytes)
                writer = HeadWriter(room)
                writer.endOfChunk()
                queue(u, x, UnsafeRawBufferPointer(rebasing: room[..<writer.count]))
            }
            guard isEnd else { return }
            var writer = HeadWriter(room)
            writer.lastChunk()
            writer.endOfHead()
            queue(u, x, UnsafeRawBufferPointer(rebasing: room[..<writer.count]))
        }
    }

    /// The trailer section goes to the endpoint, and with it the end.
    mutating func forwardTrailers(_ x: Exchange, _ lines: UnsafeRawBufferPointer) {
        x.pointee.toUpstream.ends = true
        if x.pointee.isReplayable && !lines.isEmpty && !x.pointee.chunksRequest {
            // Kept content says nothing of trailers.
            forgetReplay(x)
            if x.pointee.phase == .waiting { return failWaiting(x) }
        }
        switch x.pointee.answerer {
        case .none:
            guard x.pointee.chunksRequest, x.pointee.isReplayable else { break }
            chunkEnd(lines, into: &x.pointee.replay)
        case .http1:
            guard x.pointee.chunksRequest else { return }
            let u = upstream(x.pointee.upstream)
            var text = ByteQueue()
            chunkEnd(lines, into: &text)
            queue(u, x, text.bytes)
            text.clear(&buffers)
        case .http2:
            sendTrailers(session(x.pointee.upstream), x.pointee.upstreamStream, x, lines)
        }
    }

    /// The last chunk with a trailer section, without fields that must not be forwarded.
    private mutating func chunkEnd(_ lines: UnsafeRawBufferPointer, into text: inout ByteQueue) {
        text.append(UnsafeRawBufferPointer(start: ("0\r\n" as StaticString).utf8Start, count: 3), &buffers)
        dropForbiddenTrailers(lines, 0..<lines.count, into: &text)
        text.append(UnsafeRawBufferPointer(start: ("\r\n" as StaticString).utf8Start, count: 2), &buffers)
    }

    // MARK: Towards the client

    /// The content in `bytes`, received over HTTP/1, as the client wants it. Its end is passed on too.
    mutating func passContent(from u: Upstream, _ x: Exchange, _ bytes: UnsafeRawBufferPointer) -> BodyScan {
        var scan = BodyScan()
        var hasEnded = x.pointee.toClient.ends
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...])
            switch u.pointee.body.next(rest) {
            case .payload(let range, let consumed):
                scan.consumed += consumed
                let isEnd = scan.consumed == bytes.count && u.pointee.body.isDone
                passContent(x, UnsafeRawBufferPointer(rebasing: rest[range]), isEnd: isEnd)
                guard x.pointee.phase == .sent else { return scan }
                if isEnd {
                    scan.outcome = .complete
                    return scan
                }
            case .trailers(let range, let consumed):
                scan.consumed += consumed
                passEnd(x, trailers: UnsafeRawBufferPointer(rebasing: rest[range]))
                hasEnded = true
            case .end(let consumed):
                scan.consumed += consumed
                scan.outcome = .complete
                if !hasEnded { passEnd(x, trailers: .nothing) }
                return scan
            case .needsMore(let consumed):
                scan.consumed += consumed
                return scan
            case .invalid(let error):
                scan.error = error
                scan.outcome = .invalid
                return scan
            }
        }
    }

    /// The response's head goes to the client; `fields` are its fields, with ranges of `bytes`. `isEnd` says that nothing
    /// comes behind it.
    mutating func passHead(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead, isEnd: Bool) {
        let isFinal = head.status >= 200 || x.pointee.isTunnel
        if isFinal { x.pointee.isHeadSent = true }
        switch x.pointee.asker {
        case .http1: passHeadOverHTTP1(x, bytes, head, isEnd: isEnd)
        case .http2:
            if isEnd { x.pointee.toClient.ends = true }
            passHeadOverHTTP2(x, bytes, head, isEnd: isEnd)
        case .mirror: break
        case .check: checkAnswered(x, bytes, head)
        }
        if isFinal { releasePlan(x) }
    }

    /// A response that came over HTTP/2.
    private mutating func passHeadOverHTTP1(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead, isEnd: Bool
    ) {
        let c = client(x.pointee.client)
        if head.status >= 200 {
            let mayChunk = !x.pointee.isHTTP10 && !x.pointee.isHEAD
            x.pointee.chunksResponse = head.framing.endsWithConnection && mayChunk
            // Trailers need chunks (RFC 9112 section 7.1.2), whatever length the endpoint told.
            if mayChunk && x.pointee.acceptsTrailers && !isEnd, case .length = head.framing { chunk(x, head) }
            if isDraining || !x.pointee.isRequestComplete
                || head.framing.endsWithConnection && !x.pointee.chunksResponse && !x.pointee.isHEAD
            {
                x.pointee.keepAlive = false
            }
        } else if x.pointee.isHTTP10 {
            return
        }
        guard var length = writeResponseHead(x, bytes, head) else {
            return fail(x, .upstreamInvalid) { $0.append("the backend's response head is too large") }
        }
        if isEnd && !x.pointee.isHEAD && head.status != 204 && head.status != 304 && !hasLength(head) {
            // The frame that it came in told its length.
            var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: out[(length - 2)...]))
            writer.field("Content-Length", decimal: 0)
            writer.endOfHead()
            length += writer.count - 2
        }
        c.pointee.output.append(UnsafeRawBufferPointer(rebasing: out[..<length]), &buffers)
        makeDirty(c)
    }

    private func chunk(_ x: Exchange, _ head: ResponseHead) {
        x.pointee.chunksResponse = true
        for index in 0..<head.fieldCount {
            if case .contentLength = fields[index].known { fields[index].hopByHop = true }
        }
    }

    private func hasLength(_ head: ResponseHead) -> Bool {
        for index in 0..<head.fieldCount {
            if case .contentLength = fields[index].known { return true }
        }
        return false
    }

    /// A part of the response's content goes to the client.
    mutating func passContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        x.pointee.bytesOut &+= UInt64(bytes.count)
        switch x.pointee.asker {
        case .http1:
            let c = client(x.pointee.client)
            if !x.pointee.isHEAD {
                if x.pointee.chunksResponse && !bytes.isEmpty {
                    var writer = HeadWriter(c.pointee.output.reserve(bytes.count + 32, &buffers))
                    writer.chunk(of: bytes)
                    c.pointee.output.commit(writer.count)
                } else {
                    c.pointee.output.append(bytes, &buffers)
                }
            }
            makeDirty(c)
            if isEnd { passEnd(x, trailers: .nothing) }
        case .http2:
            if isEnd { x.pointee.toClient.ends = true }
            send(session(x.pointee.client), x.pointee.clientStream, x, bytes, isEnd: isEnd)
        case .mirror: break
        case .check: checkContent(x, bytes)
        }
    }

    /// The response is over, with a trailer section when `lines` has any.
    mutating func passEnd(_ x: Exchange, trailers lines: UnsafeRawBufferPointer) {
        guard !x.pointee.toClient.ends || x.pointee.asker == .http1 else { return }
        switch x.pointee.asker {
        case .http1:
            guard x.pointee.chunksResponse else { return }
            let c = client(x.pointee.client)
            var text = ByteQueue()
            chunkEnd(lines, into: &text)
            c.pointee.output.append(text.bytes, &buffers)
            text.clear(&buffers)
            makeDirty(c)
        case .http2:
            x.pointee.toClient.ends = true
            sendTrailers(session(x.pointee.client), x.pointee.clientStream, x, lines)
        case .mirror: break
        case .check: checkTrailers(x, lines)
        }
    }
}

extension HeadWriter {
    /// Content as one chunk; nothing for none, which would be the last.
    mutating func chunk(of content: UnsafeRawBufferPointer) {
        guard !content.isEmpty else { return }
        chunk(size: UInt64(content.count))
        append(content)
        endOfChunk()
    }
}
