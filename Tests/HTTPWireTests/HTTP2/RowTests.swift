import HTTP2Rows
import HTTPWire
import Testing

/// What became of a row's bytes.
private struct Verdict: Equatable, CustomStringConvertible {
    var resets: [String] = []
    var goAway: Row.Code?
    /// Messages that the application got whole.
    var messages = 0
    /// Everything that was sent.
    var frames: [Frame] = []

    var description: String { "resets \(resets), goAway \(goAway.map { "\($0)" } ?? "none"), \(messages) messages" }

    func satisfies(_ expected: Row.Expected) -> Bool {
        switch expected {
        case .accepted: resets.isEmpty && goAway == nil
        case .stream(let stream, let code): resets == ["\(stream) \(code)"] && goAway == nil
        case .connection(let code): goAway == code
        case .messages(let count): resets.isEmpty && goAway == nil && messages == count
        case .answered(let frame): resets.isEmpty && goAway == nil && frames.contains(frame)
        }
    }
}

private final class RowEndpoint: Endpoint {
    let row: Row
    var messages = 0

    init(_ row: Row) {
        self.row = row
        super.init(row.role == .server ? .server : .client)
        for method in row.requests {
            let slot = connection.open(user: 0)!
            sendRequest(slot, method, isEnd: method != "POST")
            if row.application == .resets { reset(slot, .cancel) }
        }
    }

    private func ended(_ slot: UInt32) {
        messages += 1
        if connection.isClosed(slot) { connection.release(slot) }
    }

    override func request(
        _ slot: UInt32, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        switch row.application {
        case .waits: if isEnd { messages += 1 }
        case .answers:
            sendResponse(slot)
            if isEnd { ended(slot) }
        case .resets:
            reset(slot, .cancel)
            connection.release(slot)
        }
    }

    override func response(
        _ slot: UInt32, _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer,
        _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        if isEnd { ended(slot) }
    }

    override func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        if isEnd { ended(slot) }
    }

    override func trailers(_ slot: UInt32, _ fields: [(name: String, value: String)]) { ended(slot) }

    override func event(_ event: HTTP2Connection.Event) {
        if case .reset(let slot, _, _) = event { connection.release(slot) }
    }

    func verdict() throws -> Verdict {
        var verdict = Verdict(messages: messages)
        let sent = row.role == .client ? Array(output.dropFirst(preface.count)) : output
        verdict.frames = try #require(Frame.parse(sent), "what was sent is no frames")
        for frame in verdict.frames {
            switch Frame.Kind(rawValue: frame.type) {
            case .resetStream:
                let code = try #require(frame.code)
                if code != .cancel { verdict.resets.append("\(frame.stream) \(code)") }
            case .goAway:
                let code = try #require(frame.code)
                verdict.goAway = code
            default: break
            }
        }
        #expect((verdict.goAway != nil) == (failure != nil))
        return verdict
    }
}

extension Frame {
    fileprivate var code: Row.Code? { number.flatMap(Row.Code.init(rawValue:)) }
}

@Suite struct RowTests {
    /// The verdict on `row`, whose bytes arrive up to each of `ends` in turn.
    private func run(_ row: Row, _ ends: [Int]) throws -> Verdict {
        let endpoint = RowEndpoint(row)
        var start = 0
        for end in ends {
            endpoint.receive(Array(row.bytes[start..<end]))
            start = end
        }
        return try endpoint.verdict()
    }

    @Test("RFC 9113", arguments: Row.all)
    func verdict(_ row: Row) throws {
        let verdict = try run(row, [row.bytes.count])
        #expect(verdict.satisfies(row.expected), "\(verdict), not \(row.expected)")
    }

    @Test("a verdict does not depend on how the bytes are cut", arguments: Row.all)
    func cuts(_ row: Row) throws {
        let count = row.bytes.count
        let whole = try run(row, [count])
        // Large rows are cut at every byte where frames begin, and here and there inside.
        let step = count <= 1000 ? 1 : count / 200
        var ends = Array(stride(from: 1, to: count, by: step))
        if step > 1 { ends += Array(25..<min(count, 200)) + Array(count - 100..<count) }
        for end in ends {
            let cut = try run(row, [end, count])
            #expect(cut == whole, "cut at \(end): \(cut)")
        }
        if count <= 2000 { #expect(try run(row, Array(1...count)) == whole, "single bytes") }
    }

    @Test("the table has its rows, each once")
    func table() {
        #expect(Row.all.count >= 120)
        #expect(Set(Row.all.map(\.description)).count == Row.all.count)
    }
}
