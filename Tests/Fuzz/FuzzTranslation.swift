// A request that came over HTTP/1.1 goes over HTTP/2 and comes out as HTTP/1.1 again, as between two proxies.

/// A request as it is meant.
private struct Meant: Equatable {
    var method: [UInt8] = []
    var target: [UInt8] = []
    var authority: [UInt8] = []
    /// Names in lower case; cookies apart, because their lines become one.
    var fields: [[UInt8]] = []
    var cookies: [[UInt8]] = []
    var content: [UInt8] = []
    var trailers: [[UInt8]] = []
}

nonisolated(unsafe) private let text = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 65536 + HeaderBlockDecoder.slack, alignment: 16)

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTranslation(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: size)
    var parser = RequestHeadParser()
    guard case .head(let head) = parser.parse(bytes, fields: fieldBuffer), head.form != .authority,
        !head.ranges.authority.isEmpty
    else { return 0 }
    var meant = meaning(bytes, head)
    // As the route does for a client that names the origin in its target.
    if head.form == .absolute { meant.target = origin(bytes, head) }
    guard let rest = read(UnsafeRawBufferPointer(rebasing: bytes[head.length...]), head.framing, into: &meant) else {
        return 0
    }
    check(rest >= 0, "more was read than there is")
    let stream = overHTTP2(bytes, head, meant)
    check(stream == meant, "over HTTP/2 it means something else")

    // `text` holds the canonical head of what came out last: written as an endpoint that speaks HTTP/1.1 gets it.
    let again = UnsafeRawBufferPointer(rebasing: text[..<lastHead.length])
    let isChunked = lastHead.framing == .untilClose
    var wire = written { writer in
        let end = Int(lastHead.target.end) + 11
        writer.append(UnsafeRawBufferPointer(rebasing: again[..<end]))
        for field in fieldBuffer.prefix(lastHead.fieldCount) where !field.hopByHop { writer.field(field, of: again) }
        if isChunked { writer.append("Transfer-Encoding: chunked\r\n") }
        writer.endOfHead()
        if isChunked, !stream.content.isEmpty {
            writer.chunk(size: UInt64(stream.content.count))
            stream.content.withUnsafeBytes { writer.append($0) }
            writer.endOfChunk()
        } else {
            stream.content.withUnsafeBytes { writer.append($0) }
        }
        if isChunked {
            writer.lastChunk()
            for line in stream.trailers {
                line.withUnsafeBytes { writer.append($0) }
                writer.append("\r\n")
            }
            writer.endOfHead()
        }
    }
    // What would be the next request on the connection.
    let count = wire.count
    wire += Array("GET /next HTTP/1.1\r\n".utf8)
    wire.withUnsafeBytes { wire in
        var parser = RequestHeadParser()
        guard case .head(let last) = parser.parse(wire, fields: fieldBuffer) else {
            return check(false, "what was written is no request")
        }
        var result = meaning(wire, last)
        let rest = read(UnsafeRawBufferPointer(rebasing: wire[last.length...]), last.framing, into: &result)
        check(rest == wire.count - count, "its end is elsewhere: a request could hide in it")
        // A body with a length has no place for trailers.
        var expected = stream
        if !isChunked { expected.trailers = [] }
        check(result == expected, "over HTTP/1.1 it means something else")
    }
    return 0
}

private func meaning(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead) -> Meant {
    var meant = Meant()
    meant.method = Array(bytes[head.ranges.method])
    meant.target = Array(bytes[head.target])
    meant.authority = Array(bytes[head.ranges.authority])
    for field in fieldBuffer.prefix(head.fieldCount) where !field.hopByHop && field.known != .host {
        if field.known == .cookie {
            for pair in bytes[field.value].split(separator: 0x3b) {
                let pair = Array(pair.drop { $0 == 0x20 || $0 == 0x09 }.reversed().drop { $0 == 0x20 || $0 == 0x09 })
                if !pair.isEmpty { meant.cookies.append(pair.reversed()) }
            }
        } else {
            meant.fields.append(line(bytes, field))
        }
    }
    return meant
}

private func line(_ bytes: UnsafeRawBufferPointer, _ field: FieldRange) -> [UInt8] {
    bytes[field.name].map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 } + [0x3a, 0x20] + bytes[field.value]
}

/// RFC 9112 section 3.2.1, and 3.2.4 for OPTIONS.
private func origin(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead) -> [UInt8] {
    if head.ranges.authority.end == head.target.end, bytes[head.ranges.method].elementsEqual("OPTIONS".utf8) {
        return [0x2a]
    }
    return Array(bytes[head.ranges.path]) + (head.ranges.hasQuery ? [0x3f] + Array(bytes[head.ranges.query]) : [])
}

/// Reads a whole body into `meant`; the bytes behind it, or nil when it is not whole or not valid.
private func read(_ bytes: UnsafeRawBufferPointer, _ framing: BodyFraming, into meant: inout Meant) -> Int? {
    var decoder = BodyDecoder(framing)
    var position = 0
    while true {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        switch decoder.next(rest) {
        case .payload(let range, let consumed):
            meant.content += rest[range]
            position += consumed
        case .trailers(let range, let consumed):
            let section = rest[range]
            let lines = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
            defer { lines.deallocate() }
            let count = TrailerFields.parse(section, fields: lines) ?? 0
            for field in lines.prefix(count) where !field.known.isForbiddenInTrailers {
                meant.trailers.append(line(section, field))
            }
            position += consumed
        case .end(let consumed): return bytes.count - position - consumed
        case .needsMore, .invalid: return nil
        }
    }
}

/// Of what `overHTTP2` read last.
nonisolated(unsafe) private var lastHead = RequestHead()

/// Sends the request from a client's connection to a server's, and reads it there.
private func overHTTP2(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead, _ meant: Meant) -> Meant {
    var client = HTTP2Connection(role: .client, limits: HTTP2Limits(), head: HeadLimits())
    var server = HTTP2Connection(role: .server, limits: HTTP2Limits(), head: HeadLimits())
    let slot = client.open(user: 0)!
    let source = UnsafeMutableBufferPointer(rebasing: fieldBuffer[..<head.fieldCount])
    let lines: [UInt8] = Array(meant.trailers.map { $0 + [13, 10] }.joined())
    let ends = meant.content.isEmpty && lines.isEmpty
    let sent = written { writer in
        client.start(into: &writer)
        meant.target.withUnsafeBytes { target in
            client.writeRequest(
                slot, method: bytes[head.ranges.method], scheme: "http", authority: bytes[head.ranges.authority],
                target: target, extendedProtocol: UnsafeRawBufferPointer(start: nil, count: 0), bytes, source,
                lines: UnsafeRawBufferPointer(start: nil, count: 0), acceptsTrailers: true, isEnd: ends, into: &writer)
        }
        if !meant.content.isEmpty {
            meant.content.withUnsafeBytes { client.writeData(slot, $0, isEnd: lines.isEmpty, into: &writer) }
        }
        if !lines.isEmpty {
            let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
            defer { fields.deallocate() }
            lines.withUnsafeBytes { lines in
                let count = TrailerFields.parse(lines, fields: fields)!
                client.writeTrailers(slot, lines, UnsafeMutableBufferPointer(rebasing: fields[..<count]), into: &writer)
            }
        }
    }
    var result = Meant()
    var isOver = false
    sent.withUnsafeBytes { sent in
        var position = 0
        while !isOver {
            let rest = UnsafeRawBufferPointer(rebasing: sent[position...])
            var step: HTTP2Connection.Step?
            _ = written { writer in
                // Trailers need room of their own: the head stays in `text`.
                step = server.next(
                    rest, text: result.method.isEmpty ? text : trailerText,
                    fields: result.method.isEmpty
                        ? fieldBuffer : trailerFields, now: 1, into: &writer)
            }
            position += step!.consumed
            switch step!.event {
            case .request(_, let head, let isEnd):
                lastHead = head
                result = meaning(UnsafeRawBufferPointer(rebasing: text[..<head.length]), head)
                isOver = isEnd
            case .data(_, let range, let isEnd):
                result.content += rest[range]
                isOver = isEnd
            case .trailers(_, let count, _):
                let bytes = UnsafeRawBufferPointer(trailerText)
                for field in trailerFields.prefix(count) { result.trailers.append(line(bytes, field)) }
                isOver = true
            case .needsMore, .failed, .refused, .reset: check(false, "what HTTP/1.1 allows is refused over HTTP/2")
            default: break
            }
        }
    }
    return result
}

nonisolated(unsafe) private let trailerText = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 65536 + HeaderBlockDecoder.slack, alignment: 16)
nonisolated(unsafe) private let trailerFields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
