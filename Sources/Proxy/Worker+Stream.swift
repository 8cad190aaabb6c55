import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// Requests that came over HTTP/2.
extension Worker {
    /// The client began with HTTP/2's preface: the socket goes on as a session.
    mutating func becomeHTTP2(_ c: Client, _ bytes: UnsafeRawBufferPointer, isStored: Bool) {
        var received = ByteQueue()
        if isStored {
            received = c.pointee.input
            c.pointee.input = ByteQueue()
        }
        let s = makeSession(fd: c.pointee.fd, role: .client, state: .open, dialled: c.pointee.dialled)
        s.pointee.readable = c.pointee.readable
        s.pointee.writable = c.pointee.writable
        s.pointee.hungUp = c.pointee.hungUp
        leaveSlab(c)
        timers.set(s.pointee.timer, now &+ settings.idleTimeout)
        if epoll.modify(s.pointee.fd, Epoll.socket, token: token(of: s)) {
            read(s, isStored ? received.bytes : bytes)
            if isDraining && s.pointee.state == .open { retire(s) }
            if s.pointee.state == .open && s.pointee.readable { makeReady(s) }
        } else {
            sessionBroke(s)
        }
        received.clear(&buffers)
    }

    /// A request's head is in `decoded` and `fields`.
    mutating func beginStream(_ s: Session, _ slot: UInt32, _ head: RequestHead, isEnd: Bool) {
        let x = makeExchange(
            asker: .http2, client: s.pointee.index, clientStream: slot, origin: s.pointee.dialled.origin,
            isIPv4: s.pointee.dialled.isIPv4)
        s.pointee.connection.pointee.setUser(slot, x.pointee.index)
        let bytes = UnsafeRawBufferPointer(rebasing: decoded[..<head.length])
        let method = note(x, bytes, head)
        x.pointee.isRequestComplete = isEnd
        x.pointee.toUpstream.ends = isEnd
        let dialled = dialled(of: s)
        if log.isOn { beginLog(x, dialled, bytes, head) }
        if route(x, dialled, bytes, head, method) {
            dispatch(x, bytes, head, .nothing)
        } else if x.pointee.phase == .held {
            beginHeld(x, head, .nothing)
        }
    }

    @inline(__always)
    func dialled(of s: Session) -> UnsafeMutablePointer<Dialled> {
        UnsafeMutableRawPointer(s).advanced(by: MemoryLayout<HTTP2Session>.offset(of: \.dialled)!)
            .assumingMemoryBound(to: Dialled.self)
    }

    /// Content of a request. Its credit goes back when the endpoint has taken it.
    mutating func requestContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        x.pointee.lastProgress = now
        x.pointee.bytesIn &+= UInt64(bytes.count)
        x.pointee.requestCredit &+= UInt32(truncatingIfNeeded: bytes.count)
        if isEnd { x.pointee.isRequestComplete = true }
        takeContent(x, bytes, isEnd: isEnd)
        if isEnd { return finishTunnelIfOver(x) }
        // When the response is there, nobody takes the rest.
        if upstreamHasRoom(x) || x.pointee.isResponseComplete { giveRequestCredit(x) }
    }

    mutating func giveRequestCredit(_ x: Exchange) {
        let credit = Int(x.pointee.requestCredit)
        guard credit > 0, x.pointee.asker == .http2, !x.pointee.isFreed, !isTunnelAwaited(x) else { return }
        x.pointee.requestCredit = 0
        let slot = x.pointee.clientStream
        write(session(x.pointee.client), HTTP2Connection.controlRoom) { connection, writer in
            connection.consumed(slot, credit, into: &writer)
        }
    }

    /// The endpoint, over HTTP/1, has yet to agree to what the client wants: bytes that came sooner would be another request
    /// to one that does not.
    func isTunnelAwaited(_ x: Exchange) -> Bool {
        x.pointee.wantsUpgrade && x.pointee.answerer == .http1 && !x.pointee.isTunnel
    }

    // MARK: Answering

    /// The response's head, with the route's changes.
    mutating func passHeadOverHTTP2(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead, isEnd: Bool
    ) {
        let isFinal = head.status >= 200
        // Interim responses are not the route's to change.
        let edits = isFinal ? x.pointee.reference?.pointee.responseEdits ?? .none : .none
        let all = UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])
        if isFinal && x.pointee.auth != Slab.none { editResponse(x, bytes, all) }
        dropFields(all, bytes, edits)
        var lines = edits.lines
        let hasDate = !isFinal || Self.hasDate(all)
        if !hasDate || !x.pointee.responseLines.isVacant {
            var writer = HeadWriter(out)
            writer.append(edits.lines)
            writer.append(x.pointee.responseLines.bytes)
            if !hasDate { writer.field("date", date.bytes(now: now)) }
            lines = UnsafeRawBufferPointer(rebasing: out[..<writer.count])
        }
        let slot = x.pointee.clientStream
        let status = x.pointee.isTunnel && head.status == 101 ? 200 : head.status
        let room = HTTP2Connection.headBound(bytes: bytes.count + lines.count, fields: all.count)
        write(session(x.pointee.client), room) { connection, writer in
            connection.writeResponse(
                slot, status: status, bytes, all, lines: lines, isEnd: isEnd, into: &writer)
        }
        if isEnd { x.pointee.toClient.hasEnded = true }
    }

    /// Marks the fields that the route takes away.
    func dropFields(
        _ fields: UnsafeMutableBufferPointer<FieldRange>, _ bytes: UnsafeRawBufferPointer, _ edits: PlannedEdits
    ) {
        guard !edits.dropped.isEmpty else { return }
        for index in 0..<fields.count
        where edits.drops(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name])) {
            fields[index].hopByHop = true
        }
    }

    /// Weir's own answer: `writer` holds field lines at the start of `out`.
    mutating func answerStream(_ x: Exchange, _ writer: inout HeadWriter, _ body: UnsafeRawBufferPointer) {
        let slot = x.pointee.clientStream
        var status = x.pointee.status
        var content = body
        if x.pointee.isGRPC {
            status = 200
            content = .nothing
            writer.append("content-type: application/grpc\r\n")
            // Without the end of the line.
            writer.appendGRPCStatus(
                Reason.all[Int(x.pointee.reason)], UnsafeRawBufferPointer(rebasing: body.dropLast()))
        } else {
            writer.describe(body)
            if x.pointee.isHEAD { content = .nothing }
        }
        let lines = UnsafeRawBufferPointer(rebasing: out[..<writer.count])
        let isEnd = content.isEmpty
        x.pointee.isHeadSent = true
        x.pointee.toClient.ends = true
        x.pointee.toClient.hasEnded = isEnd
        x.pointee.bytesOut = UInt64(content.count)
        let s = session(x.pointee.client)
        let none = UnsafeMutableBufferPointer<FieldRange>(start: nil, count: 0)
        write(s, HTTP2Connection.headBound(bytes: lines.count, fields: 32)) { connection, writer in
            connection.writeResponse(slot, status: status, .nothing, none, lines: lines, isEnd: isEnd, into: &writer)
        }
        if !isEnd { send(s, slot, x, content, isEnd: true) }
        responseDone(x)
    }

    /// Ends a gRPC call whose response has begun and cannot be finished: the trailers tell why.
    mutating func endCall(_ x: Exchange) {
        let known = x.pointee.reason != ExchangeState.noReason
        let reason = known ? Reason.all[Int(x.pointee.reason)] : .upstreamReset
        x.pointee.reason = UInt8(reason.ordinal)
        count(answer: reason)
        dropUpstream(x)
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: out[(out.count - 4096)...]))
        writer.append("x-weir-reason: ")
        writer.append(string: reason.rawValue)
        writer.append("\r\n")
        var text = reason.rawValue
        text.withUTF8 { writer.appendGRPCStatus(reason, UnsafeRawBufferPointer($0)) }
        let lines = UnsafeRawBufferPointer(rebasing: out[(out.count - 4096)..<(out.count - 4096 + writer.count)])
        sendTrailers(session(x.pointee.client), x.pointee.clientStream, x, lines)
        responseDone(x)
    }

    // MARK: The end of streams

    /// The response is written whole. A client that has not sent all of its request need not (RFC 9113 section 8.1).
    mutating func finishStream(_ x: Exchange) {
        let s = session(x.pointee.client)
        let slot = x.pointee.clientStream
        if !s.pointee.connection.pointee.isClosed(slot) {
            write(s, HTTP2Connection.controlRoom) { connection, writer in
                connection.reset(slot, .noError, into: &writer)
            }
        }
        dropUpstream(x)
        leaveStream(s, x)
    }

    /// The stream is over for both sides.
    private mutating func leaveStream(_ s: Session, _ x: Exchange) {
        unqueue(x, s)
        let hadCredit = x.pointee.requestCredit > 0
        s.pointee.connection.pointee.release(x.pointee.clientStream)
        if hadCredit {
            write(s, HTTP2Connection.controlRoom) { connection, writer in connection.announceCredit(into: &writer) }
        }
        free(x)
        if s.pointee.isRetiring { closeIfRetired(s) }
    }

    /// Ends a stream whose response cannot be finished.
    mutating func cancelStream(_ x: Exchange, _ code: HTTP2ErrorCode) {
        let s = session(x.pointee.client)
        let slot = x.pointee.clientStream
        dropUpstream(x)
        logExchange(x)
        if !s.pointee.connection.pointee.isClosed(slot) {
            write(s, HTTP2Connection.controlRoom) { connection, writer in
                connection.reset(slot, code, into: &writer)
            }
        }
        leaveStream(s, x)
    }

    /// The client reset the stream, or broke its rules on it.
    mutating func streamLeft(_ s: Session, _ x: Exchange) {
        count(.clientAborts)
        clientStreamLost(s, x)
    }

    /// The stream is no more.
    mutating func clientStreamLost(_ s: Session, _ x: Exchange) {
        dropUpstream(x)
        logExchange(x)
        let slot = x.pointee.clientStream
        if !s.pointee.connection.pointee.isClosed(slot) {
            write(s, HTTP2Connection.controlRoom) { connection, writer in
                connection.reset(slot, .cancel, into: &writer)
            }
        }
        leaveStream(s, x)
    }

    /// The exchange's pod is gone, and everything of it.
    mutating func abandon(_ x: Exchange) {
        dropUpstream(x)
        free(x)
    }
}

extension HeadWriter {
    /// What gRPC's trailers say: the status, and why in words.
    mutating func appendGRPCStatus(_ reason: Reason, _ text: UnsafeRawBufferPointer) {
        field("grpc-status", decimal: UInt64(GRPCStatus(reason).rawValue))
        append("grpc-message: ")
        GRPCStatus.appendMessage(text, to: &self)
        append("\r\n")
    }
}
