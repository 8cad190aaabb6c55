private func parse(_ parser: inout ResponseHeadParser, _ bytes: UnsafeRawBufferPointer) -> Plain<ResponseHead> {
    plain(parser.parse(bytes, fields: fieldBuffer), \.fieldCount)
}

/// The first byte says what the request was.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let toHEAD = start[0] & 1 != 0
    let toCONNECT = start[0] & 2 != 0
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    let small = HeadLimits(head: 60, fields: 3)
    _ = parseEveryWay(bytes, ResponseHeadParser(limits: small, toHEAD: toHEAD, toCONNECT: toCONNECT), parse)
    let fresh = ResponseHeadParser(toHEAD: toHEAD, toCONNECT: toCONNECT)
    let whole = parseEveryWay(bytes, fresh, parse)
    guard case .head(let head) = whole.result else { return 0 }

    check(head.length <= bytes.count, "the head is beyond the bytes")
    check((100...999).contains(head.status), "the status is out of range")
    for range in [head.reason, head.upgrade] {
        check(Int(range.start) + Int(range.count) <= head.length, "a range is beyond the head")
    }
    checkFields(whole.fields, bytes, from: 12, to: head.length)
    if head.status < 200 || head.status == 204 || head.status == 304 || toHEAD {
        check(head.framing == .none, "a response without content has a body")
    }
    if head.framing == .untilClose { check(!head.keepAlive, "a body until close keeps the connection") }
    if !toCONNECT {
        check(whole.fields.lazy.filter { $0.known == .contentLength }.count <= 1, "several lengths")
        let isCoded = whole.fields.contains { $0.known == .transferEncoding }
        check(head.framing != .chunked || isCoded, "chunks without a coding")
    }

    guard head.version == .http11 else { return 0 }
    let again = written { writer in
        writer.statusLine(head.status, reason: bytes[head.reason])
        for field in whole.fields { writer.field(field, of: bytes) }
        writer.endOfHead()
    }
    if again.count > 65536 { return 0 }
    again.withUnsafeBytes { copy in
        var parser = fresh
        let second = parse(&parser, copy)
        guard case .head(let other) = second.result else { fatalError("written again, it is refused") }
        check(
            other.status == head.status && other.framing == head.framing && other.keepAlive == head.keepAlive
                && bytes[head.reason].holdsSame(copy[other.reason])
                && bytes[head.upgrade].holdsSame(copy[other.upgrade]),
            "written again, the head differs")
        checkSameFields(whole.fields, bytes, second.fields, copy)
    }
    return 0
}
