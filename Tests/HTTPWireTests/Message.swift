import Glibc
import HTTPWire

/// Bytes written as text: each scalar below U+0100 is one byte.
func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8($0.value) }
}

/// Bytes shown as text, one scalar each.
func text(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
}

/// Bytes that end where a page begins that nobody may read: a parser that reads beyond them dies.
struct GuardedBytes: ~Copyable {
    private let mapping: UnsafeMutableRawPointer
    private let size: Int
    let bytes: UnsafeRawBufferPointer

    init(_ content: [UInt8]) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let readable = (content.count + page - 1) / page * page
        size = readable + page
        mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(mapping != MAP_FAILED)
        let start = mapping + readable - content.count
        content.withUnsafeBytes { source in
            if let first = source.baseAddress { start.copyMemory(from: first, byteCount: source.count) }
        }
        precondition(mprotect(mapping + readable, page, PROT_NONE) == 0)
        bytes = UnsafeRawBufferPointer(start: start, count: content.count)
    }

    deinit { munmap(mapping, size) }
}

/// A head as plain values, for comparing.
struct PlainField: Hashable, CustomStringConvertible {
    var name: String
    var value: String
    var known: KnownField
    var hopByHop: Bool

    var description: String { "\(name)=\(value)\(hopByHop ? "!" : "")" }
}

enum PlainHead: Hashable {
    case incomplete
    case request(RequestHead, [PlainField])
    case response(ResponseHead, [PlainField])
    case invalid(HeadError)
}

private func plain(
    _ fields: UnsafeMutableBufferPointer<FieldRange>, _ count: Int, _ bytes: UnsafeRawBufferPointer
) -> [PlainField] {
    fields.prefix(count).map { field in
        PlainField(
            name: text(bytes[field.name]), value: text(bytes[field.value]), known: field.known,
            hopByHop: field.hopByHop)
    }
}

extension UnsafeRawBufferPointer {
    subscript(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Int(range.start)..<Int(range.end)])
    }
}

/// Calls `body` with a field buffer full of garbage: nothing may depend on what is there.
func withFields<Result>(
    _ capacity: Int = 200, _ body: (UnsafeMutableBufferPointer<FieldRange>) -> Result
) -> Result {
    let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: capacity)
    defer { fields.deallocate() }
    let garbage = ByteRange(start: 0xdead, count: 0xbeef)
    fields.initialize(repeating: FieldRange(name: garbage, value: garbage, known: .host, hopByHop: true))
    return body(fields)
}

extension RequestHeadParser {
    /// Parses the first `count` bytes.
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ count: Int) -> PlainHead {
        withFields { fields in
            let prefix = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            switch parse(prefix, fields: fields) {
            case .incomplete: return .incomplete
            case .invalid(let error): return .invalid(error)
            case .head(let head): return .request(head, plain(fields, head.fieldCount, prefix))
            }
        }
    }
}

extension ResponseHeadParser {
    mutating func feed(_ bytes: UnsafeRawBufferPointer, _ count: Int) -> PlainHead {
        withFields { fields in
            let prefix = UnsafeRawBufferPointer(rebasing: bytes[..<count])
            switch parse(prefix, fields: fields) {
            case .incomplete: return .incomplete
            case .invalid(let error): return .invalid(error)
            case .head(let head): return .response(head, plain(fields, head.fieldCount, prefix))
            }
        }
    }
}

/// How a message reached the parser when it gave another answer than for the whole message at once.
struct SplitDifference: Error, CustomStringConvertible {
    var description: String
}

/// The parser's answer for the whole message, after making sure that it is the same for every way of cutting the message
/// in two, and byte by byte; and that each prefix on its own is judged as it is when reached step by step.
func parseEveryWay(_ message: [UInt8], _ feed: () -> (UnsafeRawBufferPointer, Int) -> PlainHead) throws -> PlainHead {
    let guarded = GuardedBytes(message)
    let bytes = guarded.bytes
    let whole = feed()(bytes, message.count)
    let stepwise = feed()
    var verdict: PlainHead?
    for count in 1...max(1, message.count) where count <= message.count {
        // Copied so that the end of the prefix is guarded, and the bytes move between calls.
        let prefix = GuardedBytes(Array(message[..<count]))
        let fresh = feed()(prefix.bytes, count)
        let step = verdict ?? stepwise(prefix.bytes, count)
        if step != .incomplete, verdict == nil { verdict = step }
        if fresh != step {
            throw SplitDifference(description: "\(count) bytes at once: \(fresh); one by one: \(step)")
        }
        let two = feed()
        let first = two(bytes, count)
        let second = first == .incomplete ? two(bytes, message.count) : first
        if second != whole {
            throw SplitDifference(description: "cut at \(count): \(second); whole: \(whole)")
        }
    }
    return verdict ?? whole
}

func parseRequest(_ message: [UInt8], limits: HeadLimits = HeadLimits()) throws -> PlainHead {
    try parseEveryWay(message) {
        var parser = RequestHeadParser(limits: limits)
        return { parser.feed($0, $1) }
    }
}

func parseResponse(
    _ message: [UInt8], toHEAD: Bool = false, toCONNECT: Bool = false, limits: HeadLimits = HeadLimits()
) throws -> PlainHead {
    try parseEveryWay(message) {
        var parser = ResponseHeadParser(limits: limits, toHEAD: toHEAD, toCONNECT: toCONNECT)
        return { parser.feed($0, $1) }
    }
}
