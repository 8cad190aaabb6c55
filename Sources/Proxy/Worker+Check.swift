import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// What an authorization service is asked, and what it answers: an exchange of its own, over any connection to the service's
// endpoints that the pod has. Whatever keeps it from its end (no endpoint, a broken connection, the deadline) is a failure,
// and a request about which a service cannot be asked is refused.
extension Worker {
    /// From the question to the end of the answer.
    private static var checkTimeout: UInt64 { 5_000_000_000 }
    /// Bytes of an answer's content.
    private static var answerLimit: Int { 65536 }

    /// Asks the service at hand about a held request.
    mutating func ask(_ x: Exchange, _ a: AuthorizationPointer) {
        let auth = a.pointee.current
        a.pointee.step = .answered
        a.pointee.verdict = .failed
        guard auth.pointee.failure == nil else { return }
        var text = ByteQueue()
        var message = ByteQueue()
        defer {
            text.clear(&buffers)
            message.clear(&buffers)
        }
        let isWritten = auth.pointee.isGRPC ? writeCall(x, a, &text, &message) : writeRequest(a, &text)
        let content = auth.pointee.isGRPC ? message.bytes : a.pointee.sentContent
        let limits = HeadLimits(
            head: min(settings.head.head &+ 65536, 1 << 20), target: settings.head.target &+ 65536,
            fields: settings.head.fields)
        var parser = RequestHeadParser(limits: limits)
        guard isWritten, case .head(let head) = parser.parse(text.bytes, fields: fields) else { return }
        let k = makeExchange(
            asker: .check, client: x.pointee.index, origin: x.pointee.origin, isIPv4: x.pointee.isIPv4)
        holdPlan(k, of: x)
        k.pointee.reference = auth.pointee.reference
        k.pointee.isHEAD = !auth.pointee.isGRPC && x.pointee.isHEAD
        k.pointee.isGRPC = auth.pointee.isGRPC
        // A question may be asked twice.
        k.pointee.isIdempotent = true
        k.pointee.isRequestComplete = content.isEmpty
        k.pointee.toUpstream.ends = content.isEmpty
        k.pointee.requestDeadline = now &+ Self.checkTimeout
        a.pointee.step = .asking
        a.pointee.check = k.pointee.index
        count(.checks)
        dispatch(k, text.bytes, head, .nothing)
        guard !content.isEmpty, k.pointee.phase != .over else { return }
        k.pointee.isRequestComplete = true
        forwardContent(k, content, isEnd: true)
    }

    private mutating func writeRequest(_ a: AuthorizationPointer, _ text: inout ByteQueue) -> Bool {
        let auth = a.pointee.current
        let head = a.pointee.head
        let bytes = a.pointee.text.bytes
        let request = HTTPAuthRequest(
            method: UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]), target: target(bytes, head),
            host: UnsafeRawBufferPointer(rebasing: bytes[head.ranges.authority]), path: auth.pointee.path,
            bodyCount: a.pointee.sentContent.count, head: bytes,
            fields: a.pointee.fields, allowed: auth.pointee.allowedHeaders)
        var writer = HeadWriter(text.reserve(2 &* head.length &+ auth.pointee.path.count &+ 256, &buffers))
        request.write(to: &writer)
        guard !writer.overflowed else { return false }
        text.commit(writer.count)
        return true
    }

    /// Path and query, of a target in absolute form too.
    private func target(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead) -> UnsafeRawBufferPointer {
        guard head.isAbsolute else { return UnsafeRawBufferPointer(rebasing: bytes[head.target]) }
        let path = head.ranges.path
        // A path that the target leaves out is not among its bytes.
        guard path.start >= head.target.start, path.end <= head.target.end else {
            let root: StaticString = "/"
            return UnsafeRawBufferPointer(start: root.utf8Start, count: 1)
        }
        return UnsafeRawBufferPointer(rebasing: bytes[Int(path.start)..<Int(head.target.end)])
    }

    /// The call's head, and its message behind gRPC's five bytes.
    private mutating func writeCall(
        _ x: Exchange, _ a: AuthorizationPointer, _ text: inout ByteQueue, _ message: inout ByteQueue
    ) -> Bool {
        let auth = a.pointee.current
        let head = a.pointee.head
        let bytes = a.pointee.text.bytes
        let content = a.pointee.sentContent
        let size: Int64 =
            switch head.framing {
            case .length(let length): Int64(clamping: length)
            case .none: 0
            case .chunked, .untilClose: x.pointee.toUpstream.ends ? Int64(a.pointee.content.count) : -1
            }
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let begun =
            UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec) &- (now &- x.pointee.started)
        let (source, destination) = peers(x, a)
        let request = CheckRequest(
            source: source, destination: destination, seconds: begun / 1_000_000_000,
            nanoseconds: UInt32(truncatingIfNeeded: begun % 1_000_000_000), id: .nothing,
            method: UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]), target: target(bytes, head),
            host: UnsafeRawBufferPointer(rebasing: bytes[head.ranges.authority]), version: head.version, size: size,
            body: content, head: bytes, fields: a.pointee.fields, allowed: auth.pointee.allowedHeaders)
        var writer = HeadWriter(
            message.reserve(
                4 &* head.length &+ 32 &* head.fieldCount &+ content.count &+ 1024, &buffers))
        request.write(to: &writer)
        guard !writer.overflowed else { return false }
        message.commit(writer.count)

        writer = HeadWriter(text.reserve(auth.pointee.authority.count &+ 512, &buffers))
        writer.append("POST ")
        writer.append(CheckRequest.path)
        writer.append(" HTTP/1.1\r\n")
        writer.field("host", auth.pointee.authority)
        writer.append("content-type: application/grpc\r\nte: trailers\r\nuser-agent: weir\r\ngrpc-timeout: ")
        GRPCTimeout.append(Self.checkTimeout, to: &writer)
        writer.append("\r\n\r\n")
        guard !writer.overflowed else { return false }
        text.commit(writer.count)
        return true
    }

    /// The client, and the address that it dialled.
    private func peers(
        _ x: Exchange, _ a: AuthorizationPointer
    ) -> (source: CheckRequest.Peer, destination: CheckRequest.Peer) {
        let isHTTP1 = x.pointee.asker == .http1
        let fd = isHTTP1 ? client(x.pointee.client).pointee.fd : session(x.pointee.client).pointee.fd
        let dialled = isHTTP1 ? client(x.pointee.client).pointee.dialled : session(x.pointee.client).pointee.dialled
        var address = clinux_address()
        _ = clinux_peer_address(fd, &address)
        let source = CheckRequest.Peer(high: address.high, low: address.low, port: address.port)
        address = clinux_address()
        if dialled.isListen {
            _ = clinux_local_address(fd, &address)
        } else if x.pointee.plan >= 0,
            let frontend = plans[Int(x.pointee.plan)].plan?._withUnsafeGuaranteedRef({
                $0.address(ofFrontend: Int(dialled.destination))
            })
        {
            (address.high, address.low) = (frontend.high, frontend.low)
        }
        return (source, CheckRequest.Peer(high: address.high, low: address.low, port: a.pointee.dialledPort))
    }

    // MARK: The answer

    mutating func checkAnswered(_ k: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead) {
        guard head.status >= 200 else { return }
        let a = authorization(exchange(k.pointee.client).pointee.auth)
        a.pointee.clearAnswer(&buffers)
        a.pointee.answer = head
        a.pointee.answerText.append(UnsafeRawBufferPointer(rebasing: bytes[..<head.length]), &buffers)
        a.pointee.answerLines.append(
            UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])), &buffers)
    }

    mutating func checkContent(_ k: Exchange, _ bytes: UnsafeRawBufferPointer) {
        let a = authorization(exchange(k.pointee.client).pointee.auth)
        if a.pointee.answerContent.count &+ bytes.count > Self.answerLimit {
            a.pointee.isAnswerTooLong = true
        } else {
            a.pointee.answerContent.append(bytes, &buffers)
        }
    }

    mutating func checkTrailers(_ k: Exchange, _ lines: UnsafeRawBufferPointer) {
        let a = authorization(exchange(k.pointee.client).pointee.auth)
        a.pointee.answerTrailers.append(lines, &buffers)
    }

    /// The question is over. Whoever waits for it goes on in a turn of its own: others are being served in this one.
    mutating func checkEnded(_ k: Exchange) {
        let x = exchange(k.pointee.client)
        let a = authorization(x.pointee.auth)
        let isWhole = k.pointee.isResponseComplete && k.pointee.reason == ExchangeState.noReason
        a.pointee.check = Slab.none
        a.pointee.step = .answered
        a.pointee.verdict = isWhole ? a.pointee.judged() : .failed
        free(k)
        makeReady(x)
    }

    // MARK: Denial

    /// The service's own answer goes to the client.
    mutating func deny(_ x: Exchange, _ a: AuthorizationPointer) {
        var lines = ByteQueue()
        defer { lines.clear(&buffers) }
        if a.pointee.current.pointee.isGRPC {
            guard let message = a.pointee.message, let response = CheckResponse(message) else {
                return answerAuthFailed(x)
            }
            var writer = HeadWriter(lines.reserve(4 &* message.count &+ 128, &buffers))
            let hasType = response.appendDeniedFields(message, to: &writer)
            let body = UnsafeRawBufferPointer(rebasing: message[response.body])
            if !hasType && !body.isEmpty { writer.append("content-type: text/plain; charset=utf-8\r\n") }
            lines.commit(writer.count)
            return deny(x, response.deniedStatus, lines.bytes, body)
        }
        let bytes = a.pointee.answerText.bytes
        var writer = HeadWriter(lines.reserve(2 &* bytes.count &+ 64, &buffers))
        for field in a.pointee.answerFields where !field.hopByHop {
            guard !FieldEdits.isOwn(UnsafeRawBufferPointer(rebasing: bytes[field.name])) else { continue }
            writer.field(field, of: bytes)
        }
        lines.commit(writer.count)
        deny(x, a.pointee.answer.status, lines.bytes, a.pointee.answerContent.bytes)
    }

    private mutating func deny(
        _ x: Exchange, _ status: UInt16, _ lines: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer
    ) {
        x.pointee.status = status
        x.pointee.reason = UInt8(Reason.externalAuthDenied.ordinal)
        count(answer: .externalAuthDenied)
        if isDraining || (!x.pointee.isRequestComplete && x.pointee.expectsContinue) { x.pointee.keepAlive = false }
        let mayHaveContent = status != 204 && status != 205 && status != 304
        let content = mayHaveContent && !x.pointee.isHEAD ? body : .nothing
        var writer = HeadWriter(out)
        let isHTTP1 = x.pointee.asker == .http1
        if isHTTP1 { writer.statusLine(status) }
        writer.append("x-weir-reason: ")
        writer.append(string: Reason.externalAuthDenied.rawValue)
        writer.append("\r\n")
        writer.append(x.pointee.responseLines.bytes)
        if x.pointee.isGRPC && !isHTTP1 { return denyCall(x, &writer, status, lines, content) }
        writer.append(lines)
        if !Self.saysDate(lines) { writer.field("date", date.bytes(now: now)) }
        // What a HEAD's answer would have had is not known when it was asked about as HEAD.
        if mayHaveContent && (!x.pointee.isHEAD || !body.isEmpty) {
            writer.field("content-length", decimal: UInt64(body.count))
        }
        x.pointee.bytesOut = UInt64(content.count)
        guard isHTTP1 else { return denyStream(x, writer, status, content) }
        if !x.pointee.keepAlive {
            writer.append("connection: close\r\n")
        } else if x.pointee.isHTTP10 {
            writer.append("connection: keep-alive\r\n")
        }
        writer.append("\r\n")
        guard send(client(x.pointee.client), UnsafeRawBufferPointer(rebasing: out[..<writer.count]), content) else {
            return
        }
        finish(x)
    }

    /// A client of gRPC gets the status that its library would make of the service's, and the body as its message.
    private mutating func denyCall(
        _ x: Exchange, _ writer: inout HeadWriter, _ status: UInt16, _ lines: UnsafeRawBufferPointer,
        _ body: UnsafeRawBufferPointer
    ) {
        writer.append("content-type: application/grpc\r\n")
        let count = TrailerFields.parse(lines, fields: trailerFields) ?? 0
        for index in 0..<count {
            let name = UnsafeRawBufferPointer(rebasing: lines[trailerFields[index].name])
            if FieldEdits.isSame(name, "content-type") || FieldEdits.isSame(name, "content-encoding")
                || FieldEdits.isSame(name, "grpc-status") || FieldEdits.isSame(name, "grpc-message")
            {
                continue
            }
            writer.field(trailerFields[index], of: lines)
        }
        writer.field("grpc-status", decimal: UInt64(GRPCStatus(httpStatus: status).rawValue))
        if !body.isEmpty {
            writer.append("grpc-message: ")
            GRPCStatus.appendMessage(UnsafeRawBufferPointer(rebasing: body.prefix(1024)), to: &writer)
            writer.append("\r\n")
        }
        denyStream(x, writer, 200, .nothing)
    }

    private mutating func denyStream(
        _ x: Exchange, _ written: HeadWriter, _ status: UInt16, _ content: UnsafeRawBufferPointer
    ) {
        let lines = UnsafeRawBufferPointer(rebasing: out[..<written.count])
        let isEnd = content.isEmpty
        let slot = x.pointee.clientStream
        let s = session(x.pointee.client)
        x.pointee.isHeadSent = true
        x.pointee.toClient.ends = true
        x.pointee.toClient.hasEnded = isEnd
        let none = UnsafeMutableBufferPointer<FieldRange>(start: nil, count: 0)
        write(s, HTTP2Connection.headBound(bytes: lines.count, fields: lines.count / 4 &+ 8)) { connection, writer in
            connection.writeResponse(slot, status: status, .nothing, none, lines: lines, isEnd: isEnd, into: &writer)
        }
        if !isEnd { send(s, slot, x, content, isEnd: true) }
        responseDone(x)
    }

    private static func saysDate(_ lines: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while start &+ 5 <= lines.count {
            if FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: lines[start..<start &+ 5]), "date:") { return true }
            while start < lines.count, lines[start] != 0x0a { start &+= 1 }
            start &+= 1
        }
        return false
    }
}
