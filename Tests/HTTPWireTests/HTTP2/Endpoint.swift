import HTTP2Rows
import HTTPWire
import Testing

/// One end of a connection with an application on it, which is told what `HTTP2Connection` tells. What it wants to send
/// collects in `output`.
class Endpoint {
    var connection: HTTP2Connection
    var output: [UInt8] = []
    /// Nanoseconds.
    var now: UInt64 = 1
    private(set) var failure: HTTP2Failure?
    private let text = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 65536 + HeaderBlockDecoder.slack, alignment: 16)
    private let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)

    init(_ role: HTTP2Connection.Role, limits: HTTP2Limits = HTTP2Limits(), head: HeadLimits = HeadLimits()) {
        connection = HTTP2Connection(role: role, limits: limits, head: head)
        let garbage = ByteRange(start: .max, count: .max)
        fields.initialize(repeating: FieldRange(name: garbage, value: garbage))
        write { $0.start(into: &$1) }
    }

    deinit {
        text.deallocate()
        fields.deallocate()
    }

    /// Lets `body` write, `room` bytes at most.
    func write(room: Int = 0, _ body: (inout HTTP2Connection, inout HeadWriter) -> Void) {
        let space = room + HTTP2Connection.controlRoom
        output += [UInt8](unsafeUninitializedCapacity: space) { buffer, count in
            // Exactly the room that was promised.
            var writer = HeadWriter(
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<space]))
            body(&connection, &writer)
            precondition(!writer.overflowed, "the writer had too little room")
            count = writer.count
        }
    }

    /// All of it; returns after `failed` or `needsMore`.
    func receive(_ bytes: [UInt8]) {
        let guarded = GuardedBytes(bytes)
        var position = 0
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: guarded.bytes[position...])
            let step = next(rest)
            precondition(step.consumed >= 0 && step.consumed <= rest.count, "more consumed than there is")
            position += step.consumed
            switch step.event {
            case .needsMore:
                precondition(position == bytes.count, "needs more before all was taken")
                return
            case .nothing: break
            case .failed(let failure):
                self.failure = failure
                failed(failure)
                return
            case .data(let slot, let range, let isEnd):
                precondition(Int(range.end) <= step.consumed && (isEnd || !range.isEmpty))
                data(slot, UnsafeRawBufferPointer(rebasing: rest[Int(range.start)..<Int(range.end)]), isEnd: isEnd)
            case .request(let slot, let head, let isEnd):
                let bytes = UnsafeRawBufferPointer(rebasing: text[..<head.length])
                request(slot, head, bytes, lines(head.fieldCount), isEnd: isEnd)
            case .response(let slot, let head, let isEnd):
                let bytes = UnsafeRawBufferPointer(rebasing: text[..<head.length])
                response(slot, head, bytes, lines(head.fieldCount), isEnd: isEnd)
            case .trailers(let slot, let count, let length):
                precondition(length <= text.count)
                trailers(slot, lines(count))
            default: event(step.event)
            }
        }
    }

    private func next(_ bytes: UnsafeRawBufferPointer) -> HTTP2Connection.Step {
        var step: HTTP2Connection.Step?
        write { step = $0.next(bytes, text: text, fields: fields, now: now, into: &$1) }
        return step!
    }

    private func lines(_ count: Int) -> [(name: String, value: String)] {
        fields.prefix(count).map { field in
            let name = text[Int(field.name.start)..<Int(field.name.end)]
            let value = text[Int(field.value.start)..<Int(field.value.end)]
            return (HTTPWireTests.text(name), HTTPWireTests.text(value))
        }
    }

    // `#expect` does not take apart what cannot be copied.
    var streams: Int { connection.streams }
    var canOpen: Bool { connection.canOpen }
    var isDrained: Bool { connection.isDrained }
    var highestProcessed: UInt32 { connection.highestProcessed }
    func isClosed(_ slot: UInt32) -> Bool { connection.isClosed(slot) }
    func user(_ slot: UInt32) -> UInt32 { connection.user(slot) }
    func sendable(_ slot: UInt32) -> Int { connection.sendable(slot) }
    /// The caller's slots.
    var slots: [UInt32] {
        var slots: [UInt32] = []
        var slot = connection.firstSlot
        while let current = slot {
            slots.append(current)
            slot = connection.slot(after: current)
        }
        return slots
    }

    // For the application.
    func request(
        _ slot: UInt32, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {}
    func response(
        _ slot: UInt32, _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer,
        _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {}
    func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {}
    func trailers(_ slot: UInt32, _ fields: [(name: String, value: String)]) {}
    func event(_ event: HTTP2Connection.Event) {}
    func failed(_ failure: HTTP2Failure) {}

    // What the application does.
    func sendRequest(
        _ slot: UInt32, _ method: String = "GET", path: String = "/", _ more: Fields = [],
        acceptsTrailers: Bool = false,
        protocol name: String = "", isEnd: Bool = true
    ) {
        let (source, ranges) = wireLines(more)
        withUnsafeBytes(method, "example.com", path) { method, authority, path in
            Array(name.utf8).withUnsafeBytes { name in
                source.withUnsafeBytes { source in
                    var ranges = ranges
                    ranges.withUnsafeMutableBufferPointer { ranges in
                        write(
                            room: HTTP2Connection.headBound(
                                bytes: source.count + 100 + path.count, fields: ranges.count)
                        ) {
                            $0.writeRequest(
                                slot, method: method, scheme: "http", authority: authority, target: path,
                                extendedProtocol: name, source, ranges,
                                lines: UnsafeRawBufferPointer(start: nil, count: 0), acceptsTrailers: acceptsTrailers,
                                isEnd: isEnd, into: &$1)
                        }
                    }
                }
            }
        }
    }

    func sendResponse(_ slot: UInt32, _ status: UInt16 = 200, _ more: Fields = [], isEnd: Bool = true) {
        var (source, ranges) = wireLines(more)
        source.withUnsafeBytes { source in
            ranges.withUnsafeMutableBufferPointer { ranges in
                write(room: HTTP2Connection.headBound(bytes: source.count, fields: ranges.count)) {
                    $0.writeResponse(
                        slot, status: status, source, ranges, lines: UnsafeRawBufferPointer(start: nil, count: 0),
                        isEnd: isEnd, into: &$1)
                }
            }
        }
    }

    func sendTrailers(_ slot: UInt32, _ more: Fields) {
        var (source, ranges) = wireLines(more)
        source.withUnsafeBytes { source in
            ranges.withUnsafeMutableBufferPointer { ranges in
                write(room: HTTP2Connection.headBound(bytes: source.count, fields: ranges.count)) {
                    $0.writeTrailers(slot, source, ranges, into: &$1)
                }
            }
        }
    }

    func sendData(_ slot: UInt32, _ bytes: [UInt8], isEnd: Bool) {
        bytes.withUnsafeBytes { bytes in
            write(room: bytes.count + 9 * connection.frames(bytes.count)) {
                $0.writeData(slot, bytes, isEnd: isEnd, into: &$1)
            }
        }
    }

    func reset(_ slot: UInt32, _ code: HTTP2ErrorCode) {
        write { $0.reset(slot, code, into: &$1) }
    }

    /// Takes what is to be sent.
    func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }
}

private func withUnsafeBytes(
    _ first: String, _ second: String, _ third: String,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
) {
    Array(first.utf8).withUnsafeBytes { first in
        Array(second.utf8).withUnsafeBytes { second in
            Array(third.utf8).withUnsafeBytes { third in body(first, second, third) }
        }
    }
}

/// Fields as lines, and where they are.
private func wireLines(_ fields: Fields) -> ([UInt8], [FieldRange]) {
    var source: [UInt8] = []
    var ranges: [FieldRange] = []
    for (name, value) in fields {
        let start = source.count
        source += bytes(name) + bytes(": ")
        let valueStart = source.count
        source += bytes(value)
        ranges.append(
            FieldRange(
                name: ByteRange(start: UInt32(start), count: UInt32(bytes(name).count)),
                value: ByteRange(start: UInt32(valueStart), count: UInt32(source.count - valueStart))))
        source += bytes("\r\n")
    }
    return (source, ranges)
}
