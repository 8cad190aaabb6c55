import Glibc
import HTTP2Rows
import HTTPWire
import Testing

extension Seeded {
    mutating func one(in count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// Noise that messages take their content from.
private let noise: [UInt8] = {
    var random = Seeded(7)
    return (0..<1 << 17).map { _ in UInt8.random(in: 0...255, using: &random) }
}()

/// What a message's content is, below 2^16 bytes: a function of its stream and direction, so that each byte can be checked.
func content(_ stream: UInt32, _ isRequest: Bool, _ range: Range<Int>) -> [UInt8] {
    let start = Int(stream &* 7919 &+ (isRequest ? 1 : 0)) & 0xffff
    return Array(noise[start + range.lowerBound..<start + range.upperBound])
}

func expectContent(_ bytes: UnsafeRawBufferPointer, _ stream: UInt32, _ isRequest: Bool, from start: Int) {
    guard start + bytes.count < 1 << 16 else {
        Issue.record("more content than any message has")
        return
    }
    let wanted = content(stream, isRequest, start..<start + bytes.count)
    let isSame =
        bytes.isEmpty || wanted.withUnsafeBytes { memcmp($0.baseAddress!, bytes.baseAddress!, bytes.count) == 0 }
    #expect(isSame, "content differs")
}

/// An application that sends messages of random length, with random trailers, in random pieces, resets some, and is slow to
/// take what comes.
final class RandomEndpoint: Endpoint {
    struct Exchange {
        var stream: UInt32 = 0
        /// Of ours: what was sent, out of how much.
        var sent = 0
        var length = 0
        var hasTrailers = false
        var isSending = true
        var received = 0
        var expected: Int?
        var expectsTrailers = false
        /// Received, and not yet passed on.
        var waiting = 0
        var remoteEnded = false
    }

    let isClient: Bool
    var random: Seeded
    var exchanges: [UInt32: Exchange] = [:]
    /// Streams to open yet.
    var toOpen: Int
    let resets: Bool
    var largest: Int
    private(set) var completed = 0
    private(set) var resetCount = 0
    private(set) var goAway: UInt32?

    init(
        _ role: HTTP2Connection.Role, _ seed: UInt64, requests: Int, resets: Bool, largest: Int = 60_000,
        limits: HTTP2Limits = HTTP2Limits()
    ) {
        isClient = role == .client
        random = Seeded(seed)
        toOpen = requests
        self.resets = resets
        self.largest = largest
        super.init(role, limits: limits)
    }

    private func length() -> Int {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: 0
        case 1: Int.random(in: 1..<50, using: &random)
        default: Int.random(in: 50..<largest, using: &random)
        }
    }

    private func number(_ fields: [(name: String, value: String)], _ name: String) -> Int? {
        fields.first { $0.name == name }.flatMap { Int($0.value) }
    }

    private func expect(_ slot: UInt32, _ fields: [(name: String, value: String)]) {
        exchanges[slot]!.expected = number(fields, "x-length")
        exchanges[slot]!.expectsTrailers = number(fields, "x-trailers") == 1
    }

    private func fields(_ exchange: Exchange) -> Fields {
        var fields: Fields = [
            ("x-length", "\(exchange.length)"), ("x-trailers", exchange.hasTrailers ? "1" : "0"),
            ("x-noise", String(repeating: "n", count: Int.random(in: 0..<300, using: &random))),
        ]
        if random.one(in: 2) { fields.append(("content-length", "\(exchange.length)")) }
        return fields
    }

    private func fresh(_ stream: UInt32) -> Exchange {
        Exchange(stream: stream, length: length(), hasTrailers: random.one(in: 3))
    }

    // Events.

    override func request(
        _ slot: UInt32, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        #expect(exchanges[slot] == nil)
        exchanges[slot] = fresh(connection.identifier(slot))
        expect(slot, fields)
        if random.one(in: 5) { sendResponse(slot, 103, [("link", "</a>")], isEnd: false) }
        let exchange = exchanges[slot]!
        let ends = exchange.length == 0 && !exchange.hasTrailers
        sendResponse(slot, 200, self.fields(exchange), isEnd: ends)
        if ends { exchanges[slot]!.isSending = false }
        if isEnd { ended(slot, hasTrailers: false) }
    }

    override func response(
        _ slot: UInt32, _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer,
        _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        if head.status == 103 { return }
        expect(slot, fields)
        if isEnd { ended(slot, hasTrailers: false) }
    }

    override func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        let exchange = exchanges[slot]!
        expectContent(bytes, exchange.stream, !isClient, from: exchange.received)
        exchanges[slot]!.received += bytes.count
        exchanges[slot]!.waiting += bytes.count
        if isEnd { ended(slot, hasTrailers: false) }
    }

    override func trailers(_ slot: UInt32, _ fields: [(name: String, value: String)]) {
        #expect(fields.map(\.name) == ["x-sum"])
        ended(slot, hasTrailers: true)
    }

    private func ended(_ slot: UInt32, hasTrailers: Bool) {
        exchanges[slot]!.remoteEnded = true
        let exchange = exchanges[slot]!
        #expect(exchange.received == exchange.expected)
        #expect(exchange.expectsTrailers == hasTrailers)
        releaseIfDone(slot)
    }

    private func releaseIfDone(_ slot: UInt32) {
        guard let exchange = exchanges[slot], exchange.remoteEnded, !exchange.isSending else { return }
        #expect(isClosed(slot))
        // Sometimes with content that was not taken.
        if exchange.waiting > 0, !random.one(in: 8) { return }
        release(slot)
        completed += 1
    }

    private func release(_ slot: UInt32) {
        exchanges[slot] = nil
        connection.release(slot)
        write { $0.announceCredit(into: &$1) }
    }

    override func event(_ event: HTTP2Connection.Event) {
        switch event {
        case .reset(let slot, _, let byPeer):
            #expect(resets && byPeer)
            release(slot)
            resetCount += 1
        case .goAway(let last, _):
            goAway = last
            if isClient {
                toOpen = 0
                var slot = connection.firstSlot
                while let current = slot {
                    slot = connection.slot(after: current)
                    let identifier = connection.identifier(current)
                    if identifier > last || identifier == 0 { release(current) }
                }
            }
        case .refused: Issue.record("a request was refused")
        default: break
        }
    }

    override func failed(_ failure: HTTP2Failure) { Issue.record("\(failure)") }

    // Acts.

    /// Does something, perhaps.
    func act() {
        if isClient, toOpen > 0, connection.canOpen, random.one(in: 2) { open() }
        for slot in exchanges.keys.sorted() {
            guard let exchange = exchanges[slot] else { continue }
            if resets, random.one(in: 200) {
                reset(slot, .cancel)
                release(slot)
                resetCount += 1
                continue
            }
            if exchange.isSending, !random.one(in: 3) { send(slot) }
            if let waiting = exchanges[slot]?.waiting, waiting > 0, random.one(in: 2) {
                let count = random.one(in: 2) ? waiting : Int.random(in: 1...waiting, using: &random)
                exchanges[slot]!.waiting -= count
                write { $0.consumed(slot, count, into: &$1) }
                releaseIfDone(slot)
            }
        }
    }

    private func open() {
        toOpen -= 1
        let slot = connection.open(user: 7)!
        #expect(user(slot) == 7)
        var exchange = fresh(0)
        let ends = exchange.length == 0 && !exchange.hasTrailers
        sendRequest(slot, "POST", path: "/\(toOpen)", fields(exchange), isEnd: ends)
        exchange.stream = connection.identifier(slot)
        exchange.isSending = !ends
        exchanges[slot] = exchange
    }

    private func send(_ slot: UInt32) {
        let exchange = exchanges[slot]!
        let sendable = connection.sendable(slot)
        let most = min(sendable, exchange.length - exchange.sent, 40_000)
        let count = most > 0 && random.one(in: 2) ? Int.random(in: 0...most, using: &random) : most
        let isLast = exchange.sent + count == exchange.length
        let bytes = content(exchange.stream, isClient, exchange.sent..<exchange.sent + count)
        sendData(slot, bytes, isEnd: isLast && !exchange.hasTrailers)
        exchanges[slot]!.sent += count
        guard isLast else { return }
        if exchange.hasTrailers { sendTrailers(slot, [("x-sum", "\(exchange.length)")]) }
        exchanges[slot]!.isSending = false
        releaseIfDone(slot)
    }

    var isIdle: Bool { exchanges.isEmpty && toOpen == 0 }
}
