private func parse(_ parser: inout RequestHeadParser, _ bytes: UnsafeRawBufferPointer) -> Plain<RequestHead> {
    plain(parser.parse(bytes, fields: fieldBuffer), \.fieldCount)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    // Small limits too: they are reached only by chance otherwise.
    _ = parseEveryWay(bytes, RequestHeadParser(limits: HeadLimits(head: 60, target: 6, fields: 3)), parse)
    let whole = parseEveryWay(bytes, RequestHeadParser(), parse)
    guard case .head(let head) = whole.result else { return 0 }

    check(head.length <= count && head.start < head.length, "the head is beyond the bytes")
    let ranges = head.ranges
    for range in [ranges.method, ranges.path, ranges.query, ranges.authority, head.target, head.upgrade] {
        check(Int(range.start) + Int(range.count) <= head.length, "a range is beyond the head")
    }
    check(bytes[ranges.method].allSatisfy(isToken) && !ranges.method.isEmpty, "the method is not a token")
    check(
        bytes[head.target].allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "#") }, "the target holds a bad byte")
    check(head.form == .authority || !ranges.path.isEmpty, "the path is empty")
    check(bytes[head.length - 2] == 13 && bytes[head.length - 1] == 10, "the head does not end with CRLF")
    checkFields(whole.fields, bytes, from: Int(head.target.end), to: head.length)
    check(whole.fields.lazy.filter { $0.known == .host }.count <= 1, "several Hosts")
    check(whole.fields.lazy.filter { $0.known == .contentLength }.count <= 1, "several lengths")
    let isCoded = whole.fields.contains { $0.known == .transferEncoding }
    check(isCoded == (head.framing == .chunked), "a coding without chunks, or chunks without a coding")

    // The head alone says the same.
    var parser = RequestHeadParser()
    let alone = withExactCopy(bytes, head.length) { parse(&parser, $0) }
    check(alone == whole, "the head alone differs from the head with bytes behind it")

    guard head.version == .http11 else { return 0 }
    let again = written { writer in
        writer.requestLine(method: bytes[ranges.method], target: bytes[head.target])
        for field in whole.fields { writer.field(field, of: bytes) }
        writer.endOfHead()
    }
    // One space is written where there may have been none: a head near the limit may grow past it.
    if again.count > 65536 { return 0 }
    again.withUnsafeBytes { copy in
        var parser = RequestHeadParser()
        let second = parse(&parser, copy)
        guard case .head(let other) = second.result else { fatalError("written again, it is refused") }
        check(
            other.form == head.form && other.framing == head.framing && other.keepAlive == head.keepAlive
                && other.expectsContinue == head.expectsContinue && ranges.hasQuery == other.ranges.hasQuery
                && bytes[ranges.path].holdsSame(copy[other.ranges.path])
                && bytes[ranges.query].holdsSame(copy[other.ranges.query])
                && bytes[ranges.authority].holdsSame(copy[other.ranges.authority])
                && bytes[head.upgrade].holdsSame(copy[other.upgrade]) && other.length == again.count,
            "written again, the head differs")
        checkSameFields(whole.fields, bytes, second.fields, copy)
    }
    return 0
}
