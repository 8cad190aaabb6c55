// Any bytes as an authorization service's answer: refused, or carried out without leaving the message, writing nothing that
// is no field.

private func checkLines(_ lines: [UInt8], hasAction: Bool) {
    var rest = lines[...]
    while !rest.isEmpty {
        guard let end = rest.firstIndex(of: 10) else { fatalError("a line does not end") }
        var line = rest[rest.startIndex..<end]
        rest = rest[(end + 1)...]
        check(line.popLast() == 13, "a line does not end with CRLF")
        if hasAction { check(FieldEdits.Action(rawValue: line.removeFirst()) != nil, "an unknown change") }
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        check(!name.isEmpty && name.allSatisfy(isToken), "a name is not a token")
        check(name.allSatisfy { !(65...90).contains($0) }, "a name is not in lower case")
        let value = line[name.endIndex...]
        check(value.starts(with: ": ".utf8), "a name without a value")
        check(value.allSatisfy { ($0 >= 32 && $0 != 127) || $0 == 9 }, "a value holds a control byte")
        let text = String(decoding: name, as: UTF8.self)
        check(
            !["host", "content-length", "transfer-encoding", "connection", "upgrade"].contains(text), "the proxy's own")
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if case .message(let range) = GRPCFraming.unary(bytes, limit: 1 << 16) {
        check(Int(range.end) == count, "the message is not what is behind its prefix")
    }
    guard let response = CheckResponse(bytes) else { return 0 }
    check(Int(response.body.end) <= count, "the body is beyond the message")
    check((200...599).contains(response.deniedStatus), "no status")
    let request = written { response.appendRequestEdits(bytes, to: &$0) }
    checkLines(request, hasAction: true)
    checkLines(written { response.appendResponseEdits(bytes, to: &$0) }, hasAction: true)
    checkLines(written { _ = response.appendDeniedFields(bytes, to: &$0) }, hasAction: false)
    request.withUnsafeBytes { request in
        let edits = FieldEdits(request)
        _ = edits.drops(bytes)
        checkLines(
            written { edits.appendLines(bytes, UnsafeMutableBufferPointer(start: nil, count: 0), to: &$0) },
            hasAction: false)
    }
    // Any bytes as changes, too: they end, and nothing is written twice.
    _ = FieldEdits(bytes).drops(bytes)
    let again = written {
        FieldEdits(bytes).appendLines(bytes, UnsafeMutableBufferPointer(start: nil, count: 0), to: &$0)
    }
    check(again.count <= count, "more lines than there are")
    return 0
}
