import HTTPWire
import Model
import Reactor

// Requests that wait for authorization services (GEP-1494). Nothing of such a request goes to a backend or a mirror before
// all services have allowed it: those of its rule, then those of the backendRef that it fell to. Of its content so much is
// read as a service wants along, and else what has come already; the rest waits in the client's socket, or for credit.
//
// A service's changes are made to the head that is held, so that everything behind sees the request as if the client had
// sent it that way: the next service, the route's own filters, retries and mirrors.
extension Worker {
    @inline(__always)
    func authorization(_ index: UInt32) -> AuthorizationPointer {
        authorizations.element(index).assumingMemoryBound(to: Authorization.self)
    }

    /// Holds a request whose head is whole until `auths` have allowed it.
    mutating func hold(
        _ x: Exchange, _ auths: UnsafeBufferPointer<PlannedAuth>, isOfRule: Bool, dialledPort: UInt16,
        _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) {
        if x.pointee.auth == Slab.none {
            x.pointee.auth = authorizations.allocate()
            authorization(x.pointee.auth).initialize(
                to: Authorization(auths: auths, isOfRule: isOfRule, dialledPort: dialledPort))
        }
        let a = authorization(x.pointee.auth)
        a.pointee.auths = auths
        a.pointee.isOfRule = isOfRule
        a.pointee.step = .content
        a.pointee.head = head
        a.pointee.text.clear(&buffers)
        a.pointee.text.append(UnsafeRawBufferPointer(rebasing: bytes[..<head.length]), &buffers)
        a.pointee.lines.clear(&buffers)
        a.pointee.lines.append(
            UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])), &buffers)
        x.pointee.phase = .held
    }

    /// Goes on with a request that `route` holds. `body` is what came of its body with it, framed as over HTTP/1.
    mutating func beginHeld(_ x: Exchange, _ head: RequestHead, _ body: UnsafeRawBufferPointer) {
        let a = authorization(x.pointee.auth)
        a.pointee.hasContent =
            x.pointee.asker == .http1 ? !BodyDecoder(head.framing).isDone : !x.pointee.isRequestComplete
        x.pointee.toUpstream.ends = !a.pointee.hasContent
        if !body.isEmpty {
            var decoder = BodyDecoder(head.framing)
            _ = passContent(of: x, &decoder, body)
        }
        arm(x)
        advanceHeld(x)
    }

    // MARK: Content

    mutating func keepHeld(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        authorization(x.pointee.auth).pointee.content.append(bytes, &buffers)
        if isEnd { x.pointee.toUpstream.ends = true }
        makeReady(x)
    }

    mutating func keepHeldTrailers(_ x: Exchange, _ lines: UnsafeRawBufferPointer) {
        authorization(x.pointee.auth).pointee.trailers.append(lines, &buffers)
        x.pointee.toUpstream.ends = true
        makeReady(x)
    }

    /// The service at hand wants more of the content.
    func isContentAwaited(_ x: Exchange) -> Bool {
        guard x.pointee.phase == .held else { return false }
        let a = authorization(x.pointee.auth)
        return a.pointee.step == .content && !x.pointee.toUpstream.ends
            && a.pointee.content.count <= a.pointee.current.pointee.maximumBody && a.pointee.sendsContent
    }

    /// Reads on for a held request. True when the client's phase may have changed.
    mutating func relayHeld(_ c: Client, _ x: Exchange) -> Bool {
        if !x.pointee.isRequestComplete {
            relayRequest(c, x)
            guard c.pointee.phase == .exchange else { return true }
        }
        advanceHeld(x)
        return c.pointee.phase != .exchange || x.pointee.phase == .sent
    }

    // MARK: Step by step

    /// Does what can be done for a held request now.
    mutating func advanceHeld(_ x: Exchange) {
        while x.pointee.phase == .held {
            let a = authorization(x.pointee.auth)
            switch a.pointee.step {
            case .content:
                guard hasContentToAsk(x, a) else { return }
                ask(x, a)
            case .asking: return
            case .answered: settle(x, a)
            }
        }
    }

    /// What the service wants of the content is there. A request that has more than it takes is refused.
    private mutating func hasContentToAsk(_ x: Exchange, _ a: AuthorizationPointer) -> Bool {
        let limit = a.pointee.current.pointee.maximumBody
        guard a.pointee.sendsContent, a.pointee.current.pointee.failure == nil else { return true }
        var length = UInt64(a.pointee.content.count)
        if case .length(let announced) = a.pointee.head.framing { length = max(length, announced) }
        if length > UInt64(limit) {
            answer(x, .externalAuthBodyTooLarge) { writer in
                writer.append("the route's authorization service takes bodies of at most ")
                writer.append(decimal: UInt64(limit))
                writer.append(" bytes")
            }
            return false
        }
        if x.pointee.toUpstream.ends { return true }
        if x.pointee.expectsContinue && a.pointee.content.isVacant { sayContinue(x, a) }
        if x.pointee.phase == .held && x.pointee.asker == .http2 { giveRequestCredit(x) }
        return false
    }

    /// The client is asked for its content here (RFC 9110 section 10.1.1), and whoever gets the request later is not.
    private mutating func sayContinue(_ x: Exchange, _ a: AuthorizationPointer) {
        x.pointee.expectsContinue = false
        let lines = a.pointee.fields
        for index in 0..<lines.count {
            if case .expect = lines[index].known { lines[index].hopByHop = true }
        }
        switch x.pointee.asker {
        case .http1:
            let text: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"
            send(
                client(x.pointee.client),
                UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), .nothing)
        case .http2:
            let slot = x.pointee.clientStream
            let none = UnsafeMutableBufferPointer<FieldRange>(start: nil, count: 0)
            write(session(x.pointee.client), HTTP2Connection.headBound(bytes: 0, fields: 1)) { connection, writer in
                connection.writeResponse(
                    slot, status: 100, .nothing, none, lines: .nothing, isEnd: false, into: &writer)
            }
        case .mirror, .check: break
        }
    }

    /// Acts on what the service said.
    private mutating func settle(_ x: Exchange, _ a: AuthorizationPointer) {
        switch a.pointee.verdict {
        case .failed: return answerAuthFailed(x)
        case .denied: return deny(x, a)
        case .allowed: break
        }
        guard carryOut(a) else { return answerAuthFailed(x) }
        a.pointee.clearAnswer(&buffers)
        a.pointee.auths = UnsafeBufferPointer(rebasing: a.pointee.auths.dropFirst())
        a.pointee.step = .content
        if a.pointee.auths.isEmpty { goOn(x, a) }
    }

    mutating func answerAuthFailed(_ x: Exchange) {
        answer(x, .externalAuthFailed) {
            $0.append("the route's authorization service gave no answer that can be used")
        }
    }

    /// All services of the rule, or of the backendRef, have allowed the request.
    private mutating func goOn(_ x: Exchange, _ a: AuthorizationPointer) {
        let head = a.pointee.head
        let count = min(head.fieldCount, fields.count)
        for index in 0..<count { fields[index] = a.pointee.fields[index] }
        // What is read from stays in one piece, whatever becomes of the request.
        var text = a.pointee.text
        a.pointee.text = ByteQueue()
        defer { text.clear(&buffers) }
        if a.pointee.isOfRule {
            guard let rule = x.pointee.rule else { return answerAuthFailed(x) }
            // Held anew for the backendRef's services, it goes on in `advanceHeld`.
            guard follow(x, rule, dialledPort: a.pointee.dialledPort, text.bytes, head) else { return }
        }
        var content = a.pointee.content
        var trailers = a.pointee.trailers
        a.pointee.content = ByteQueue()
        a.pointee.trailers = ByteQueue()
        let isWhole = x.pointee.toUpstream.ends
        let hasContent = a.pointee.hasContent
        x.pointee.toUpstream.ends = !hasContent
        dispatch(x, text.bytes, head, .nothing, hasMore: hasContent)
        if x.pointee.phase != .over {
            let isLast = isWhole && trailers.isVacant
            if !content.isVacant || isLast && hasContent { takeContent(x, content.bytes, isEnd: isLast) }
            if !trailers.isVacant { takeTrailers(x, trailers.bytes) }
            if !isWhole && upstreamHasRoom(x) { giveRequestCredit(x) }
        }
        content.clear(&buffers)
        trailers.clear(&buffers)
    }

    /// Makes the service's changes to the request, and keeps those to its response. False when the head grows beyond what
    /// can be handled.
    private mutating func carryOut(_ a: AuthorizationPointer) -> Bool {
        var edits = ByteQueue()
        defer { edits.clear(&buffers) }
        if a.pointee.current.pointee.isGRPC {
            guard let message = a.pointee.message, let response = CheckResponse(message) else { return false }
            let room = 4 &* message.count &+ 64
            var writer = HeadWriter(edits.reserve(room, &buffers))
            response.appendRequestEdits(message, to: &writer)
            guard !writer.overflowed else { return false }
            edits.commit(writer.count)
            writer = HeadWriter(a.pointee.responseEdits.reserve(room, &buffers))
            response.appendResponseEdits(message, to: &writer)
            guard !writer.overflowed else { return false }
            a.pointee.responseEdits.commit(writer.count)
        } else {
            let bytes = a.pointee.answerText.bytes
            var writer = HeadWriter(edits.reserve(4 &* bytes.count &+ 64, &buffers))
            HTTPAuthRequest.appendEdits(
                bytes, a.pointee.answerFields, allowed: a.pointee.current.pointee.allowedResponseHeaders, to: &writer)
            guard !writer.overflowed else { return false }
            edits.commit(writer.count)
        }
        return edits.isVacant || change(a, FieldEdits(edits.bytes))
    }

    /// Writes the held head anew with `edits`. Lines that the service sets are its own: a client's Connection field cannot
    /// take them away.
    private mutating func change(_ a: AuthorizationPointer, _ edits: FieldEdits) -> Bool {
        var head = a.pointee.head
        let old = a.pointee.text.bytes
        let lines = a.pointee.fields
        var text = ByteQueue()
        var changed = ByteQueue()
        var writer = HeadWriter(text.reserve(head.length &+ edits.bytes.count &+ 2, &buffers))
        var count = 0
        let end = head.length &- 2
        writer.append(UnsafeRawBufferPointer(rebasing: old[..<(lines.isEmpty ? end : Int(lines[0].name.start))]))
        for index in 0..<lines.count {
            var field = lines[index]
            let start = Int(field.name.start)
            let next = index &+ 1 < lines.count ? Int(lines[index &+ 1].name.start) : end
            if edits.drops(UnsafeRawBufferPointer(rebasing: old[field.name])) { continue }
            let shift = UInt32(truncatingIfNeeded: start &- writer.count)
            writer.append(UnsafeRawBufferPointer(rebasing: old[start..<next]))
            if Self.isWithin(a.pointee.head.ranges.authority, field, next) { head.ranges.authority.start &-= shift }
            if Self.isWithin(a.pointee.head.upgrade, field, next) { head.upgrade.start &-= shift }
            field.name.start &-= shift
            field.value.start &-= shift
            append(field, to: &changed)
            count &+= 1
        }
        let behind = writer.count
        edits.appendLines(old, lines, to: &writer)
        let isWhole = !writer.overflowed && writer.count &+ 2 <= head.length &+ edits.bytes.count &+ 2
        if isWhole {
            let added = writer.count
            writer.append("\r\n")
            text.commit(writer.count)
            let section = UnsafeRawBufferPointer(rebasing: text.bytes[behind..<added])
            if let more = TrailerFields.parse(section, fields: trailerFields), count &+ more <= fields.count {
                for index in 0..<more {
                    var field = trailerFields[index]
                    field.name.start &+= UInt32(truncatingIfNeeded: behind)
                    field.value.start &+= UInt32(truncatingIfNeeded: behind)
                    append(field, to: &changed)
                }
                head.length = writer.count
                head.fieldCount = count &+ more
                a.pointee.head = head
                swap(&a.pointee.text, &text)
                swap(&a.pointee.lines, &changed)
                text.clear(&buffers)
                changed.clear(&buffers)
                return true
            }
        }
        text.clear(&buffers)
        changed.clear(&buffers)
        return false
    }

    private mutating func append(_ field: FieldRange, to lines: inout ByteQueue) {
        lines.reserve(MemoryLayout<FieldRange>.stride, &buffers).storeBytes(of: field, as: FieldRange.self)
        lines.commit(MemoryLayout<FieldRange>.stride)
    }

    private static func isWithin(_ range: ByteRange, _ field: FieldRange, _ end: Int) -> Bool {
        range.start >= field.value.start && Int(range.end) < end
    }

    // MARK: The response

    /// What the services say of a final response: its lines that go are marked, those that come are put to the others.
    mutating func editResponse(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ lines: UnsafeMutableBufferPointer<FieldRange>
    ) {
        let a = authorization(x.pointee.auth)
        guard !a.pointee.responseEdits.isVacant else { return }
        let edits = FieldEdits(a.pointee.responseEdits.bytes)
        var writer = HeadWriter(x.pointee.responseLines.reserve(edits.bytes.count, &buffers))
        edits.appendLines(bytes, lines, to: &writer)
        x.pointee.responseLines.commit(writer.count)
        for index in 0..<lines.count
        where edits.drops(UnsafeRawBufferPointer(rebasing: bytes[lines[index].name])) {
            lines[index].hopByHop = true
        }
    }

    // MARK: The end

    /// The exchange is over, or the service need not be asked any more.
    mutating func dropAuthorization(_ x: Exchange) {
        let index = x.pointee.auth
        let a = authorization(index)
        x.pointee.auth = Slab.none
        if a.pointee.check != Slab.none {
            let k = exchange(a.pointee.check)
            a.pointee.check = Slab.none
            dropUpstream(k)
            free(k)
        }
        a.pointee.clear(&buffers)
        authorizations.free(index)
    }
}
