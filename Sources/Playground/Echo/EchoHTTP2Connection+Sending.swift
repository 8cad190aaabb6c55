import HTTPWire

extension EchoHTTP2Connection {
    private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
    private static var noFields: UnsafeMutableBufferPointer<FieldRange> {
        UnsafeMutableBufferPointer(start: nil, count: 0)
    }

    /// Bytes of one stream's content that go out before another's turn.
    private static let share = 16 << 10

    mutating func sendContinue(_ slot: HTTP2Connection.Slot) {
        var writer = output.writer(HTTP2Connection.headBound(bytes: 0, fields: 0))
        connection.writeResponse(
            slot, status: 100, Self.nothing, Self.noFields, lines: Self.nothing, isEnd: false, into: &writer)
        output.commit(writer)
    }

    /// Writes what can go out now, each stream a share in turn, and finds the next deadline.
    mutating func send() {
        let now = Self.now()
        nextDeadline = nil
        turn &+= 1
        var moved = true
        while moved {
            moved = false
            let slots = order
            for index in slots.indices {
                guard let stream = streams[slots[(index + turn % slots.count) % slots.count]] else { continue }
                guard stream.reply?.isOver == false else { continue }
                if stream.readyAt <= now, step(stream, now) { moved = true }
                if aborts { return }
                if stream.readyAt > now { nextDeadline = min(nextDeadline ?? .max, stream.readyAt) }
            }
        }
    }

    /// - Returns: whether something was written.
    private mutating func step(_ stream: EchoStream, _ now: UInt64) -> Bool {
        guard let reply = stream.reply, output.count < Self.outputLimit else { return false }
        if let status = reply.status, !reply.isHeadSent {
            sendHead(stream, status, reply)
            if reply.pause > 0, stream.reply?.isOver == false {
                stream.readyAt = now + UInt64(reply.pause) * 1_000_000
            }
            return true
        }
        if !reply.content.isEmpty { return sendContent(stream) }
        if reply.content.isOpen { return false }
        finish(stream, reply.ending)
        return true
    }

    private mutating func sendHead(_ stream: EchoStream, _ status: UInt16, _ reply: EchoReply) {
        var isEnd = false
        if case .end = reply.ending { isEnd = reply.hasNoContent }
        let lines = reply.lines
        var writer = output.writer(
            HTTP2Connection.headBound(bytes: lines.count, fields: lines.count { $0 == UInt8(ascii: "\n") }))
        lines.withUnsafeBytes {
            connection.writeResponse(
                stream.slot, status: status, Self.nothing, Self.noFields, lines: $0, isEnd: isEnd, into: &writer)
        }
        output.commit(writer)
        stream.reply?.isHeadSent = true
        if isEnd { ended(stream) }
    }

    private mutating func sendContent(_ stream: EchoStream) -> Bool {
        guard let reply = stream.reply else { return false }
        let piece = reply.content.piece(min(Self.share, connection.sendable(stream.slot)))
        if piece.isEmpty { return false }
        var isEnd = false
        if case .end = reply.ending { isEnd = !reply.content.isOpen && UInt64(piece.count) == reply.content.count }
        var writer = output.writer(
            piece.count + 9 * connection.frames(piece.count) + HTTP2Connection.controlRoom)
        piece.withUnsafeBytes { connection.writeData(stream.slot, $0, isEnd: isEnd, into: &writer) }
        output.commit(writer)
        stream.reply?.content.sent(piece.count)
        giveCredit(stream, piece.count)
        if isEnd { ended(stream) }
        return true
    }

    /// What was held back goes with what answers it.
    private mutating func giveCredit(_ stream: EchoStream, _ sent: Int) {
        guard stream.held > 0 else { return }
        let count = stream.reply?.content.isEmpty == true ? stream.held : min(stream.held, sent)
        stream.held -= count
        consume(stream, count)
    }

    private mutating func finish(_ stream: EchoStream, _ ending: EchoReply.Ending) {
        switch ending {
        case .end:
            var writer = output.writer(HTTP2Connection.controlRoom)
            connection.writeData(stream.slot, Self.nothing, isEnd: true, into: &writer)
            output.commit(writer)
        case .trailers(let trailers):
            var source: [UInt8] = []
            var ranges: [FieldRange] = []
            for field in trailers {
                let start = UInt32(source.count)
                let value = start + UInt32(field.name.count) + 2
                ranges.append(
                    FieldRange(
                        name: ByteRange(start: start, count: UInt32(field.name.count)),
                        value: ByteRange(start: value, count: UInt32(field.value.count))))
                source += field.line
            }
            var writer = output.writer(HTTP2Connection.headBound(bytes: source.count, fields: ranges.count))
            source.withUnsafeBytes { bytes in
                ranges.withUnsafeMutableBufferPointer {
                    connection.writeTrailers(stream.slot, bytes, $0, into: &writer)
                }
            }
            output.commit(writer)
        case .reset(let code):
            var writer = output.writer(HTTP2Connection.controlRoom)
            connection.reset(stream.slot, code, into: &writer)
            output.commit(writer)
        case .abort:
            aborts = true
            return
        }
        ended(stream)
    }

    /// Our side of the stream is over.
    private mutating func ended(_ stream: EchoStream) {
        stream.reply?.isOver = true
        if stream.held > 0 {
            consume(stream, stream.held)
            stream.held = 0
        }
        if stream.options.close == .after {
            var writer = output.writer(HTTP2Connection.controlRoom)
            connection.drain(into: &writer)
            output.commit(writer)
        }
        releaseIfClosed(stream)
    }
}
