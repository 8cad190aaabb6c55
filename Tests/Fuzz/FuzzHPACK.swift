import CNghttp2

/// One connection's decoder, and nghttp2's beside it.
private final class Peers {
    var decoder: HeaderBlockDecoder
    var inflater: OpaquePointer?

    init(_ capacity: Int) {
        decoder = HeaderBlockDecoder(tableCapacity: capacity)
        check(nghttp2_hd_inflate_new(&inflater) == 0, "no inflater")
        if capacity > 4096 { nghttp2_hd_inflate_change_table_size(inflater, capacity) }
    }

    deinit { nghttp2_hd_inflate_del(inflater) }

    /// The block's fields as lines, or nil for a compression error.
    func reference(_ block: UnsafeRawBufferPointer) -> [(name: [UInt8], value: [UInt8])]? {
        var fields: [(name: [UInt8], value: [UInt8])] = []
        var position = 0
        while true {
            var field = nghttp2_nv()
            var flags: Int32 = 0
            let start = block.baseAddress.map { $0.assumingMemoryBound(to: UInt8.self) + position }
            let result = nghttp2_hd_inflate_hd2(inflater, &field, &flags, start, block.count - position, 1)
            if result < 0 { return nil }
            position += result
            if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                fields.append(
                    (
                        Array(UnsafeBufferPointer(start: field.name, count: field.namelen)),
                        Array(UnsafeBufferPointer(start: field.value, count: field.valuelen))
                    ))
            } else if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) == 0, position == block.count {
                return fields
            }
            if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
                nghttp2_hd_inflate_end_headers(inflater)
                return fields
            }
        }
    }
}

private func text(_ fields: [(name: [UInt8], value: [UInt8])]) -> [UInt8] {
    fields.flatMap { $0.name + [0x3a, 0x20] + $0.value + [13, 10] }
}

/// Room that the address sanitizer watches on both sides.
private func withRoom<Result>(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { room.deallocate() }
    room.initializeMemory(as: UInt8.self, repeating: 0xee)
    return body(room)
}

private func run(
    _ block: UnsafeRawBufferPointer, _ peers: Peers, kind: UInt8, limits: HeadLimits
) -> BlockOutcome {
    let expected = peers.reference(block)
    var outcome = BlockOutcome.compression
    withRoom(limits.head + HeaderBlockDecoder.slack) { room in
        switch kind & 7 {
        case 0:
            outcome = peers.decoder.skip(block)
        case 1:
            var count = 0
            var length = 0
            outcome = peers.decoder.trailers(
                block, text: room, fields: fieldBuffer, limits: limits, count: &count, length: &length)
            guard case .ok = outcome else { break }
            check(length <= limits.head && count <= limits.fields, "more than the limits")
            checkFields(Array(fieldBuffer.prefix(count)), UnsafeRawBufferPointer(room), from: 0, to: length)
        case 2, 3:
            var head = ResponseHead()
            outcome = peers.decoder.response(
                block, isEnd: kind & 8 != 0, toHEAD: kind & 16 != 0, text: room, fields: fieldBuffer, limits: limits,
                into: &head)
            guard case .ok = outcome else { break }
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<head.length])
            let fields = Array(fieldBuffer.prefix(head.fieldCount))
            checkFields(fields, bytes, from: 13, to: head.length)
            var parser = ResponseHeadParser(limits: limits)
            guard case .head(let other) = plain(parser.parse(bytes, fields: fieldBuffer), \.fieldCount).result else {
                fatalError("the parser refuses a response")
            }
            check(
                other.status == head.status && other.length == head.length && other.fieldCount == head.fieldCount,
                "the parser reads another response")
        default:
            var head = RequestHead()
            outcome = peers.decoder.request(
                block, isEnd: kind & 8 != 0, allowsExtendedConnect: kind & 16 != 0, text: room, fields: fieldBuffer,
                limits: limits, into: &head)
            guard case .ok = outcome else { break }
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<head.length])
            let fields = Array(fieldBuffer.prefix(head.fieldCount))
            checkFields(fields, bytes, from: Int(head.target.end), to: head.length)
            check(fields.count <= limits.fields && fields[0].known == .host, "the fields are wrong")
            var parser = RequestHeadParser(limits: limits)
            let again = plain(parser.parse(bytes, fields: fieldBuffer), \.fieldCount)
            guard case .head(let other) = again.result else { fatalError("the parser refuses a request") }
            check(
                other.ranges == head.ranges && other.form == head.form && other.target == head.target
                    && other.length == head.length && other.expectsContinue == head.expectsContinue,
                "the parser reads another request")
            check(again.fields.count == fields.count, "the parser reads other fields")
            for (left, right) in zip(again.fields, fields) {
                check(
                    left.name == right.name && left.value == right.value && left.known == right.known
                        && left.hopByHop == right.hopByHop, "the parser reads another field")
            }
            let isJoined = expected!.contains { $0.name == Array("cookie".utf8) || $0.name == Array("host".utf8) }
            if !isJoined, !head.isExtendedConnect {
                let lines = expected!.filter { $0.name.first != UInt8(ascii: ":") }
                let start = Int(fields[0].value.end) + 2
                check(Array(bytes[start...].dropLast(2)) == text(lines), "nghttp2 reads other fields")
            }
        }
    }
    if case .compression = outcome {
        check(expected == nil, "nghttp2 takes what we do not")
    } else {
        check(expected != nil, "we take what nghttp2 does not")
    }
    return outcome
}

/// The first byte says how large tables and limits are. Then blocks, each with a byte that says what it is of and one that
/// says how long it is. At the end both tables must be the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let peers = Peers(start[0] & 1 == 0 ? 4096 : 65536)
    let limits = start[0] & 2 == 0 ? HeadLimits() : HeadLimits(head: 100, target: 10, fields: 4)
    var position = 1
    while position + 2 <= count {
        let kind = start[position]
        let length = min(Int(start[position + 1]), count - position - 2)
        let bytes = UnsafeRawBufferPointer(start: start + position + 2, count: length)
        let outcome = withExactCopy(bytes, length) { run($0, peers, kind: kind, limits: limits) }
        if case .compression = outcome { return 0 }
        position += 2 + length
    }
    check(
        peers.decoder.table.size == nghttp2_hd_inflate_get_dynamic_table_size(peers.inflater),
        "the tables differ in size")
    for index in 0..<peers.decoder.table.count {
        let entry = peers.decoder.table.entry(index)
        let line = peers.decoder.table.line(entry)
        guard let field = nghttp2_hd_inflate_get_table_entry(peers.inflater, 62 + index)?.pointee else {
            fatalError("nghttp2 has fewer entries")
        }
        let name = UnsafeRawBufferPointer(start: field.name, count: field.namelen)
        let value = UnsafeRawBufferPointer(start: field.value, count: field.valuelen)
        check(
            UnsafeRawBufferPointer(start: line, count: Int(entry.nameCount)).holdsSame(name)
                && UnsafeRawBufferPointer(start: line + entry.valueOffset, count: Int(entry.valueCount)).holdsSame(
                    value),
            "an entry differs")
    }
    check(nghttp2_hd_inflate_get_num_table_entries(peers.inflater) == 61 + peers.decoder.table.count, "more entries")
    return 0
}
