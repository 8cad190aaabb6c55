import HTTP2Rows
import HTTPWire
import Testing

/// A client and a server back to back.
@Suite struct PairTests {
    /// Moves a random part of what `from` sent.
    private func move(_ from: Endpoint, _ to: Endpoint, _ random: inout Seeded) {
        guard !from.output.isEmpty else { return }
        let count =
            random.one(in: 3)
            ? from.output.count
            : Int.random(in: 1...min(from.output.count, random.one(in: 2) ? 20 : 5000), using: &random)
        let bytes = Array(from.output[..<count])
        from.output.removeFirst(count)
        to.receive(bytes)
    }

    /// Runs until nothing is left to do; false when it never ends.
    private func run(_ client: RandomEndpoint, _ server: RandomEndpoint, _ random: inout Seeded) -> Bool {
        for round in 0..<200_000 {
            client.now += 100_000
            server.now += 100_000
            client.act()
            server.act()
            if random.one(in: 40) { client.write { $0.ping(into: &$1) } }
            move(client, server, &random)
            move(server, client, &random)
            if client.failure != nil || server.failure != nil { return false }
            if client.isIdle, server.exchanges.isEmpty, client.output.isEmpty, server.output.isEmpty {
                return round > 0
            }
        }
        return false
    }

    @Test("everything arrives, however it is cut, and all slots come back", arguments: 0..<24)
    func randomTraffic(_ seed: Int) throws {
        var random = Seeded(UInt64(seed) << 32)
        var limits = HTTP2Limits()
        // Some with few streams, some with small or with large windows.
        if seed % 3 == 1 { limits.concurrentStreams = 3 }
        if seed % 4 == 2 { limits.connectionWindow = 65_535 }
        if seed % 5 == 3 {
            limits.streamWindow = 200_000
            limits.frameSize = 50_000
        }
        let hasResets = seed % 2 == 1
        let client = RandomEndpoint(.client, UInt64(seed), requests: 40, resets: hasResets, limits: limits)
        let server = RandomEndpoint(.server, UInt64(seed) + 1000, requests: 0, resets: hasResets, limits: limits)
        #expect(run(client, server, &random), "it stops")
        for end in [client, server] {
            #expect(end.streams == 0 && end.slots.isEmpty)
            let pings = end.connection.pingsOutstanding
            #expect(pings == 0)
        }
        if !hasResets { #expect(client.completed == 40 && server.completed == 40) }
    }

    @Test("a drain lets everything end that began", arguments: 0..<6)
    func drain(_ seed: Int) throws {
        var random = Seeded(UInt64(seed) << 16)
        let client = RandomEndpoint(.client, UInt64(seed), requests: 1000, resets: false, largest: 3000)
        let server = RandomEndpoint(.server, UInt64(seed) + 1000, requests: 0, resets: false, largest: 3000)
        for _ in 0..<60 {
            client.act()
            server.act()
            move(client, server, &random)
            move(server, client, &random)
        }
        #expect(!server.isDrained)
        server.write { $0.drain(into: &$1) }
        #expect(run(client, server, &random), "it stops")
        #expect(server.isDrained)
        #expect(!client.canOpen && client.goAway == server.highestProcessed)
        #expect(server.completed == client.completed)
    }

    @Test("windows grow to what a round trip takes, and only while the content is consumed", arguments: [true, false])
    func growth(_ consumes: Bool) throws {
        final class Sink: Endpoint {
            var waiting: [UInt32: Int] = [:]
            var received = 0
            override func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
                received += bytes.count
                waiting[slot, default: 0] += bytes.count
            }
        }
        let client = Endpoint(.client)
        let server = Sink(.server)
        let slot = client.connection.open(user: 0)!
        client.sendRequest(slot, "POST", isEnd: false)
        var largest = 0
        var total = 0
        // One round is a round trip.
        for _ in 0..<40 {
            while true {
                let count = min(client.connection.sendable(slot), 100_000)
                if count == 0 { break }
                client.sendData(slot, [UInt8](repeating: 1, count: count), isEnd: false)
                total += count
            }
            let sent = client.takeOutput()
            largest = max(largest, sent.count)
            // The content is handed over, and passed on, a piece at a time.
            var start = 0
            while start < sent.count {
                let end = min(start + 16_000, sent.count)
                server.receive(Array(sent[start..<end]))
                start = end
                if consumes {
                    for (slot, count) in server.waiting { server.write { $0.consumed(slot, count, into: &$1) } }
                    server.waiting = [:]
                }
            }
            client.receive(server.takeOutput())
        }
        #expect(server.received == total)
        if consumes {
            #expect(largest >= Int(HTTP2Limits().maxStreamWindow))
        } else {
            #expect(total == Int(HTTP2Limits().streamWindow))
        }
    }
}
