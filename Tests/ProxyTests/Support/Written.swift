import HTTPWire

/// The bytes that `body` writes, which must fit.
func written(_ capacity: Int = 1 << 16, _ body: (inout HeadWriter) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(buffer))
        body(&writer)
        precondition(!writer.overflowed)
        count = writer.count
    }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// Bytes that outlive the test, as the planner's do.
func lasting(_ text: String) -> UnsafeRawBufferPointer { lasting(Array(text.utf8)) }

func lasting(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    copy.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(copy)
}

/// A request's head and its fields, which outlive the test.
struct ParsedHead {
    let bytes: UnsafeRawBufferPointer
    let fields: UnsafeMutableBufferPointer<FieldRange>

    /// Lines of `name: value`.
    init(_ lines: [String]) {
        bytes = lasting((["GET /a?b HTTP/1.1", "Host: echo"] + lines).joined(separator: "\r\n") + "\r\n\r\n")
        let room = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
        var parser = RequestHeadParser()
        guard case .head(let head) = parser.parse(bytes, fields: room) else { preconditionFailure("\(lines)") }
        fields = UnsafeMutableBufferPointer(rebasing: room[..<head.fieldCount])
    }
}
