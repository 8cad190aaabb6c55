import HTTP2Rows
import HTTPWire
import Testing

/// Each flood ends the connection under its name, after bounded work and with bounded memory; heavy use that looks alike
/// does not.
@Suite struct FloodTests {
    /// Answers each request at its head, unless told not to.
    private final class Server: Endpoint {
        var answers = true
        var requests = 0
        var resets = 0
        var lastSlot: UInt32?
        /// Bytes that were received.
        var received = 0
        /// Bytes that were sent, and dropped.
        var sent = 0

        init(limits: HTTP2Limits = HTTP2Limits()) {
            super.init(.server, limits: limits)
            receive(preface + settings())
            _ = takeOutput()
        }

        override func request(
            _ slot: UInt32, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer,
            _ fields: [(name: String, value: String)], isEnd: Bool
        ) {
            requests += 1
            lastSlot = slot
            guard answers else { return }
            sendResponse(slot)
            if isEnd { connection.release(slot) }
        }

        override func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
            write { $0.consumed(slot, bytes.count, into: &$1) }
            if isEnd, isClosed(slot) { connection.release(slot) }
        }

        override func event(_ event: HTTP2Connection.Event) {
            if case .reset(let slot, _, _) = event {
                resets += 1
                connection.release(slot)
            }
        }

        /// Sends `frames(0)`, `frames(1)` and so on until the connection fails; the number it took. Time goes on by
        /// `interval` nanoseconds for each.
        func flood(_ limit: Int = 200_000, interval: UInt64 = 1000, _ frames: (Int) -> [UInt8]) -> Int {
            for number in 0..<limit {
                now += interval
                let bytes = frames(number)
                received += bytes.count
                receive(bytes)
                sent += output.count
                output = []
                if failure != nil { return number + 1 }
            }
            return limit
        }
    }

    private func get(_ number: Int, _ end: Bool = true) -> [UInt8] {
        headers(UInt32(2 * number + 1), request(), end: end)
    }
    private func reset(_ number: Int) -> [UInt8] {
        Frame(.resetStream, 0, UInt32(2 * number + 1), big(8)).bytes
    }
    private func window(_ stream: UInt32, _ increment: UInt32) -> [UInt8] {
        Frame(.windowUpdate, 0, stream, big(increment)).bytes
    }

    private func expect(_ server: Server, _ flood: HTTP2Flood, _ count: Int, within limit: Int) {
        #expect(server.failure?.code == .enhanceYourCalm)
        #expect(server.failure?.flood == flood)
        #expect(count <= limit, "\(count) frames")
        // An answer for each thing asked, and no more.
        #expect(server.sent <= 4 * server.received + 1000, "\(server.sent) bytes for \(server.received)")
    }

    @Test func rapidReset() {
        let server = Server()
        server.answers = false
        expect(server, .rapidReset, server.flood { get($0) + reset($0) }, within: 1100)
        #expect(server.streams <= 1 && server.slots.count <= 1)
    }

    @Test("rapid reset is named however slow a second stream completes")
    func rapidResetBesideOthers() {
        let server = Server()
        let count = server.flood { number in
            server.answers = number % 10 == 0
            return get(number) + (number % 10 == 0 ? [] : reset(number))
        }
        expect(server, .rapidReset, count, within: 2000)
    }

    @Test("clients that reset what took long, or a few, stay")
    func ordinaryResets() {
        let server = Server()
        server.answers = false
        // 1,000 requests a second, each reset at its deadline of 110 ms.
        let count = server.flood(20_000, interval: 1_000_000) { number in
            get(number) + (number >= 110 ? reset(number - 110) : [])
        }
        #expect(count == 20_000 && server.failure == nil, "\(count) \(server.failure?.text ?? "")")
        // Half are reset at once, half complete.
        let other = Server()
        let mixed = other.flood(20_000) { number in
            other.answers = number % 2 == 0
            return get(number) + (number % 2 == 0 ? [] : reset(number))
        }
        #expect(mixed == 20_000 && other.failure == nil)
    }

    @Test("resetByUs: the peer makes us reset", arguments: ["window", "data", "malformed", "length", "over the limit"])
    func resetByUs(_ kind: String) {
        let server = Server()
        server.answers = false
        if kind == "over the limit" { _ = server.flood(128) { get($0) } }
        let count = server.flood { number in
            let number = number + 128
            let stream = UInt32(2 * number + 1)
            switch kind {
            case "window": return get(number) + window(stream, 0)
            case "data": return get(number) + data(stream, 1)
            case "malformed": return headers(stream, request("GET", [("connection", "x")]))
            case "length":
                return headers(stream, request("POST", [("content-length", "1")]), end: false) + data(stream, 2)
            default: return get(number)
            }
        }
        expect(server, .resetByUs, count, within: 1300)
    }

    @Test("continuation: too many frames, empty or not, and too many bytes")
    func continuation() {
        for payload in [0, 1, 1000] {
            let server = Server()
            let count = server.flood { number in
                number == 0
                    ? Frame(.headers, 1, 1, []).bytes
                    : Frame(.continuation, 0, 1, [UInt8](repeating: 0, count: payload)).bytes
            }
            expect(server, .continuation, count, within: 18)
        }
        var limits = HTTP2Limits()
        limits.continuations = 1000
        let server = Server(limits: limits)
        let count = server.flood { number in
            number == 0
                ? Frame(.headers, 1, 1, []).bytes
                : Frame(.continuation, 0, 1, [UInt8](repeating: 0, count: 16_000)).bytes
        }
        expect(server, .continuation, count, within: 7)
    }

    @Test func settingsFlood() {
        var server = Server()
        expect(server, .settings, server.flood { _ in settings() }, within: 250)
        server = Server()
        expect(server, .settings, server.flood { _ in Frame(.settings, Frame.ack, 0).bytes }, within: 250)
        // Many settings in one frame.
        server = Server()
        server.answers = false
        _ = server.flood(128) { get($0) }
        let many = settings((0..<2700).map { (4, UInt32($0)) })
        expect(server, .settings, server.flood { _ in many }, within: 5)
    }

    @Test func pingFlood() {
        for flags in [0, Frame.ack] {
            let server = Server()
            let ping = Frame(.ping, flags, 0, [1, 2, 3, 4, 5, 6, 7, 8]).bytes
            expect(server, .ping, server.flood { _ in ping }, within: 1100)
        }
    }

    @Test("emptyData: also when it is nothing but padding")
    func emptyData() {
        for frame in [data(1, 0), Frame(.data, Frame.padded, 1, [3, 0, 0, 0]).bytes] {
            let server = Server()
            server.answers = false
            expect(server, .emptyData, server.flood { $0 == 0 ? get(0, false) : frame }, within: 250)
        }
    }

    @Test("tinyWindow: a window of nothing, opened byte by byte", arguments: [UInt32(0), 1])
    func tinyWindow(_ stream: UInt32) {
        let server = Server()
        server.answers = false
        server.receive(settings([(4, stream == 0 ? 1 << 20 : 0)]) + get(0))
        let slot = server.lastSlot!
        server.sendResponse(slot, isEnd: false)
        server.sendData(slot, [UInt8](repeating: 1, count: server.sendable(slot)), isEnd: false)
        let count = server.flood { _ in
            // What it waits for: one byte at a time.
            let sendable = server.sendable(slot)
            if sendable > 0 { server.sendData(slot, [UInt8](repeating: 1, count: sendable), isEnd: false) }
            return window(stream, 1)
        }
        #expect(server.failure?.flood == .tinyWindow && count <= 600)
    }

    @Test func emptyField() {
        let server = Server()
        let count = server.flood { headers(UInt32(2 * $0 + 1), request() + [("", "")]) }
        expect(server, .emptyField, count, within: 60)
    }

    @Test("headerBomb: few bytes that stand for many")
    func headerBomb() {
        let server = Server()
        server.answers = false
        let count = server.flood { number in
            if number == 0 {
                let long = String(repeating: "v", count: 3900)
                return Frame(.headers, 0x5, 1, block(request()) + indexed("x", long)).bytes
            }
            // 62 is the newest entry.
            let references = [UInt8](repeating: 0xbe, count: 16_000)
            return Frame(.headers, 0x5, UInt32(2 * number + 1), block(request()) + references).bytes
        }
        expect(server, .headerBomb, count, within: 120)
    }

    @Test func windowUpdate() {
        for stream in [UInt32(0), 1, 3] {
            let server = Server()
            server.answers = false
            // Stream 3 is closed.
            server.receive(get(0) + get(1) + reset(1))
            expect(server, .windowUpdate, server.flood { _ in window(stream, 1000) }, within: 2200)
        }
    }

    @Test func priority() {
        let server = Server()
        let count = server.flood { Frame(.priority, 0, UInt32(2 * ($0 % 1000) + 1), big(0) + [1]).bytes }
        expect(server, .priority, count, within: 500)
    }

    @Test("every flood is named in a test")
    func names() {
        let tested: [HTTP2Flood] = [
            .rapidReset, .resetByUs, .continuation, .settings, .ping, .emptyData, .tinyWindow, .emptyField, .headerBomb,
            .windowUpdate, .priority,
        ]
        #expect(Set(tested) == Set(HTTP2Flood.allCases))
        for flood in HTTP2Flood.allCases { #expect(flood.text.utf8CodeUnitCount > 10) }
    }

    @Test("with time, what was spent comes back")
    func time() {
        // 10 PINGs a second, for hours: keepalive, however eager.
        let server = Server()
        let ping = Frame(.ping, 0, [1, 2, 3, 4, 5, 6, 7, 8]).bytes
        #expect(server.flood(100_000, interval: 100_000_000) { _ in ping } == 100_000)
        #expect(server.failure == nil)
    }

    @Test("a stream of small messages with a PING for each, as gRPC measures bandwidth")
    func smallMessages() {
        let server = Server()
        server.answers = false
        let ping = Frame(.ping, 0, [1, 2, 3, 4, 5, 6, 7, 8]).bytes
        let count = server.flood(50_000) { number in
            // Each message opens the windows again for the answer's.
            number == 0 ? get(0, false) : data(1, 7) + ping + window(0, 7)
        }
        #expect(count <= 50_000)
        #expect(server.failure?.flood == .windowUpdate, "WINDOW_UPDATEs without any DATA of ours")
        let other = Server()
        other.answers = false
        let answered = other.flood(50_000) { number in
            if number == 0 { return get(0, false) }
            let slot = other.lastSlot!
            if number == 1 { other.sendResponse(slot, isEnd: false) }
            other.sendData(slot, [1, 2, 3, 4, 5, 6, 7], isEnd: false)
            return data(1, 7) + ping + window(0, 7) + window(1, 7)
        }
        #expect(answered == 50_000 && other.failure == nil)
    }

    @Test("many requests at once, each with its own windows and priorities")
    func manyRequests() {
        let server = Server()
        let count = server.flood(50_000) { number in
            let stream = UInt32(2 * number + 1)
            return get(number, false) + Frame(.priority, 0, stream, big(0) + [1]).bytes + window(stream, 1 << 20)
                + window(0, 1 << 10) + data(stream, 10, end: true)
        }
        #expect(count == 50_000 && server.failure == nil, "\(count) \(server.failure?.text ?? "")")
        #expect(server.requests == 50_000 && server.slots.isEmpty)
    }

    @Test("a client that starts with more streams than it may")
    func eagerStart() {
        let server = Server()
        let count = server.flood(1000) { get($0) }
        #expect(count == 1000 && server.failure == nil)
    }
}
