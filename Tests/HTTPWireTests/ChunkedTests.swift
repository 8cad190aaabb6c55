import HTTPWire
import Testing

/// What a body was decoded to.
struct Decoded: Equatable {
    var content = ""
    var trailers: String?
    /// Bytes of the message, those of the trailers included; nil when it did not end.
    var length: Int?
    var error: BodyError?
}

/// Decodes `message`, whose first `first` bytes arrive before the others come in pieces of `piece`.
func decode(
    _ message: [UInt8], framing: BodyFraming = .chunked, limits: ChunkLimits = ChunkLimits(), first: Int, piece: Int
) -> Decoded {
    var decoder = BodyDecoder(framing, limits: limits)
    var decoded = Decoded()
    var start = 0
    var end = min(first, message.count)
    while true {
        let window = GuardedBytes(Array(message[start..<end]))
        switch decoder.next(window.bytes) {
        case .payload(let range, let consumed):
            precondition(range.count > 0 && Int(range.end) <= consumed && consumed <= window.bytes.count)
            decoded.content += text(window.bytes[range])
            start += consumed
        case .trailers(let range, let consumed):
            decoded.trailers = text(window.bytes[range])
            start += consumed
        case .needsMore(let consumed):
            start += consumed
            if end == message.count { return decoded }
            end = min(end + piece, message.count)
        case .end(let consumed):
            precondition(decoder.isDone)
            decoded.length = start + consumed
            return decoded
        case .invalid(let error):
            decoded.error = error
            return decoded
        }
    }
}

struct ChunkCase: CustomTestStringConvertible, Sendable {
    let name: String
    let body: String
    let content: String
    var trailers: String?
    var rest = ""
    var error: BodyError?
    var incomplete = false

    var testDescription: String { name }
}

let chunkCases: [ChunkCase] = [
    .init(name: "empty", body: "0\r\n\r\n", content: ""),
    .init(name: "one chunk", body: "5\r\nhello\r\n0\r\n\r\n", content: "hello"),
    .init(name: "two chunks", body: "5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n", content: "hello, world"),
    .init(
        name: "hexadecimal in both cases", body: "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
        content: "01234567890123456789"),
    .init(name: "zeros before", body: "0000000000000005\r\nhello\r\n0000\r\n\r\n", content: "hello"),
    .init(name: "content holds CRLF", body: "8\r\n\r\n0\r\n\r\nx\r\n0\r\n\r\n", content: "\r\n0\r\n\r\nx"),
    .init(name: "extensions", body: "5;a;b=c;d=\"e f\"\r\nhello\r\n0;z\t \r\n\r\n", content: "hello"),
    .init(name: "extension with obs-text", body: "1;\u{e9}\r\nx\r\n0\r\n\r\n", content: "x"),
    .init(name: "bytes behind", body: "0\r\n\r\nGET /", content: "", rest: "GET /"),
    .init(name: "empty line behind", body: "0\r\n\r\n\r\n", content: "", rest: "\r\n"),
    .init(
        name: "trailers", body: "1\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\nrest", content: "x", trailers: "A: b\r\nC:d\r\n",
        rest: "rest"),
    .init(name: "trailer with obs-text", body: "0\r\nA: \u{ff}\r\n\r\n", content: "", trailers: "A: \u{ff}\r\n"),
    .init(name: "cut in the size", body: "1\r\nx\r\n5", content: "x", incomplete: true),
    .init(name: "cut in the content", body: "5\r\nhel", content: "hel", incomplete: true),
    .init(name: "cut behind the content", body: "5\r\nhello", content: "hello", incomplete: true),
    .init(name: "cut in the trailers", body: "0\r\nA: b\r\n", content: "", incomplete: true),
    .init(name: "cut in the last empty line", body: "0\r\n\r", content: "", incomplete: true),
    .init(name: "largest size", body: "ffffffffffffffff\r\nx", content: "x", incomplete: true),
    .init(name: "17 digits", body: "11111111111111111\r\n", content: "", error: .chunkSizeTooLarge),
    .init(name: "no size", body: "\r\n", content: "", error: .chunkSize),
    .init(name: "size then space", body: "5 \r\nhello\r\n", content: "", error: .chunkSize),
    .init(name: "size then LF", body: "5\nhello\r\n", content: "", error: .chunkSize),
    .init(name: "size then CR then content", body: "5\rhello\r\n", content: "", error: .chunkSize),
    .init(name: "extension with LF", body: "5;a\nhello\r\n", content: "", error: .chunkExtension),
    .init(name: "extension with DEL", body: "5;a\u{7f}\r\nhello\r\n", content: "", error: .chunkExtension),
    .init(name: "content too long", body: "5\r\nhelloo\r\n0\r\n\r\n", content: "hello", error: .chunkEnd),
    .init(name: "content then LF", body: "5\r\nhello\n0\r\n\r\n", content: "hello", error: .chunkEnd),
    .init(name: "content then CR CR", body: "5\r\nhello\r\r0\r\n\r\n", content: "hello", error: .chunkEnd),
    .init(name: "trailer without colon", body: "0\r\nx\r\n\r\n", content: "", error: .trailerSyntax),
    .init(name: "trailer folded", body: "0\r\n x\r\n\r\n", content: "", error: .trailerSyntax),
    .init(name: "trailer with bare CR", body: "0\r\nA: b\rC: d\r\n\r\n", content: "", error: .trailerSyntax),
]

@Suite struct ChunkedTests {
    @Test("decodes, however it is cut", arguments: chunkCases)
    func decodes(_ test: ChunkCase) {
        let message = bytes(test.body)
        let expected = Decoded(
            content: test.content, trailers: test.trailers,
            length: test.error == nil && !test.incomplete ? message.count - bytes(test.rest).count : nil,
            error: test.error)
        #expect(decode(message, first: message.count, piece: 1) == expected)
        for piece in 1...5 { #expect(decode(message, first: 0, piece: piece) == expected, "pieces of \(piece)") }
        for first in 0..<message.count {
            #expect(decode(message, first: first, piece: .max / 2) == expected, "cut at \(first)")
        }
    }

    @Test("extensions are limited, per line and per body")
    func extensions() {
        func body(_ counts: [Int]) -> [UInt8] {
            bytes(counts.map { "1;\(String(repeating: "e", count: $0 - 1))\r\nx\r\n" }.joined() + "0\r\n\r\n")
        }
        let limits = ChunkLimits(lineExtension: 10, bodyExtensions: 25)
        func decoded(_ counts: [Int], _ piece: Int) -> Decoded {
            decode(body(counts), limits: limits, first: 0, piece: piece)
        }
        for piece in [1, 2, 3, 1000] {
            #expect(decoded([10], piece).error == nil)
            #expect(decoded([11], piece).error == .chunkExtensionTooLong)
            #expect(decoded([10, 10, 5], piece).error == nil)
            #expect(decoded([10, 10, 6], piece).error == .chunkExtensionTooLong)
        }
    }

    @Test("trailers are limited in bytes and in lines")
    func trailerLimits() {
        func body(_ lines: Int) -> [UInt8] { bytes("0\r\n" + String(repeating: "A: b\r\n", count: lines) + "\r\n") }
        for piece in [1, 7, 10000] {
            let limits = ChunkLimits(trailers: 62, trailerFields: 100)
            #expect(decode(body(10), limits: limits, first: 0, piece: piece).error == nil)
            #expect(decode(body(11), limits: limits, first: 0, piece: piece).error == .trailersTooLarge)
            let lines = ChunkLimits(trailerFields: 3)
            #expect(decode(body(3), limits: lines, first: 0, piece: piece).error == nil)
            #expect(decode(body(4), limits: lines, first: 0, piece: piece).error == .trailersTooLarge)
        }
        #expect(BodyError.trailersTooLarge.status == 431)
    }

    @Test("trailer fields come out, and those that may not be there can be told")
    func trailerFields() {
        let section = GuardedBytes(bytes("X-Sum: 1\r\nContent-Length: 5\r\nhost:\tb\r\n"))
        withFields(3) { fields in
            #expect(TrailerFields.parse(section.bytes, fields: fields) == 3)
            #expect(fields.map { text(section.bytes[$0.name]) } == ["X-Sum", "Content-Length", "host"])
            #expect(fields.map { text(section.bytes[$0.value]) } == ["1", "5", "b"])
            #expect(fields.map(\.known.isForbiddenInTrailers) == [false, true, true])
        }
        withFields(2) { fields in #expect(TrailerFields.parse(section.bytes, fields: fields) == nil) }
        withFields(2) { fields in
            let cut = GuardedBytes(bytes("X-Sum: 1\r\nY"))
            #expect(TrailerFields.parse(cut.bytes, fields: fields) == nil)
            #expect(TrailerFields.parse(UnsafeRawBufferPointer(start: nil, count: 0), fields: fields) == 0)
        }
    }

    @Test("bodies of known length, of none, and until close")
    func otherFramings() {
        let message = bytes("hello, world")
        for piece in [1, 2, 5, 100] {
            #expect(decode(message, framing: .none, first: 0, piece: piece) == Decoded(length: 0))
            #expect(decode(message, framing: .length(0), first: 0, piece: piece) == Decoded(length: 0))
            #expect(
                decode(message, framing: .length(5), first: 0, piece: piece) == Decoded(content: "hello", length: 5))
            #expect(decode(message, framing: .length(13), first: 0, piece: piece) == Decoded(content: "hello, world"))
            #expect(decode(message, framing: .untilClose, first: 0, piece: piece) == Decoded(content: "hello, world"))
        }
    }

    @Test("the peer's end is a body's end only where framing says so")
    func finish() {
        var untilClose = BodyDecoder(.untilClose)
        #expect(!untilClose.isDone && untilClose.remaining == nil)
        #expect(untilClose.finish() == .end(consumed: 0))
        #expect(untilClose.isDone)
        var length = BodyDecoder(.length(10))
        #expect(length.remaining == 10)
        length.skip(9)
        #expect(length.finish() == .invalid(.truncated))
        length.skip(1)
        #expect(length.isDone && length.finish() == .end(consumed: 0))
        var chunked = BodyDecoder(.chunked)
        #expect(chunked.finish() == .invalid(.truncated))
        for error in [BodyError.truncated, .chunkSize, .chunkEnd] {
            #expect(error.status == 400 && error.text.utf8CodeUnitCount > 10)
        }
    }
}
