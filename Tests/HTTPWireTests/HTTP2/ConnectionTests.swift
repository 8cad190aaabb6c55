import HTTP2Rows
import HTTPWire
import Testing

/// Keeps what it is told.
private final class Recorder: Endpoint {
    var events: [String] = []
    var fields: [(name: String, value: String)] = []
    var slot: UInt32?
    var status: UInt16 = 0
    var head = ""
    var requestHead = RequestHead()

    override func request(
        _ slot: UInt32, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        self.slot = slot
        self.fields = fields
        self.head = text(bytes)
        requestHead = head
        events.append("request \(connection.identifier(slot))")
    }

    override func response(
        _ slot: UInt32, _ head: ResponseHead, _ bytes: UnsafeRawBufferPointer,
        _ fields: [(name: String, value: String)],
        isEnd: Bool
    ) {
        status = head.status
        self.fields = fields
        events.append("response \(connection.identifier(slot)) \(head.status)")
    }

    override func data(_ slot: UInt32, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        events.append("data \(connection.identifier(slot)) \(bytes.count)\(isEnd ? " end" : "")")
    }

    override func event(_ event: HTTP2Connection.Event) {
        switch event {
        case .reset(let slot, let code, let byPeer):
            events.append("reset \(connection.identifier(slot)) \(code) \(byPeer)")
            connection.release(slot)
        case .refused(let stream, let error): events.append("refused \(stream) \(error)")
        case .writable(let slot): events.append("writable \(connection.identifier(slot))")
        case .connectionWritable: events.append("connectionWritable")
        case .settings: events.append("settings")
        case .goAway(let last, let code): events.append("goAway \(last) \(code)")
        default: break
        }
    }

    func takeEvents() -> [String] {
        defer { events = [] }
        return events
    }
}

@Suite struct ConnectionTests {
    /// A client and a server that have exchanged their SETTINGS.
    private func pair(_ limits: HTTP2Limits = HTTP2Limits(), _ head: HeadLimits = HeadLimits()) -> (Recorder, Recorder)
    {
        let client = Recorder(.client)
        let server = Recorder(.server, limits: limits, head: head)
        exchange(client, server)
        #expect(client.takeEvents() == ["settings"] && server.takeEvents() == ["settings"])
        return (client, server)
    }

    private func exchange(_ client: Recorder, _ server: Recorder) {
        while !client.output.isEmpty || !server.output.isEmpty {
            server.receive(client.takeOutput())
            client.receive(server.takeOutput())
        }
    }

    private func open(_ client: Recorder, _ method: String = "GET", isEnd: Bool = true) -> UInt32 {
        let slot = client.connection.open(user: 0)!
        client.sendRequest(slot, method, isEnd: isEnd)
        return slot
    }

    /// A server that has seen the preface and `bytes`.
    private func server(_ bytes: [UInt8], _ limits: HTTP2Limits = HTTP2Limits()) -> Recorder {
        let server = Recorder(.server, limits: limits)
        server.receive(preface + settings())
        _ = server.takeOutput()
        _ = server.takeEvents()
        server.receive(bytes)
        return server
    }

    @Test("6.10: a block above the peer's frame size is cut into CONTINUATIONs")
    func continuations() throws {
        let (client, server) = pair()
        let slot = client.connection.open(user: 0)!
        let long: Fields = (0..<10).map { ("x-\($0)", String(repeating: "~", count: 5000 + $0)) }
        client.sendRequest(slot, "GET", long)
        let frames = try #require(Frame.parse(client.output))
        #expect(frames.map(\.type) == [1, 9, 9, 9])
        #expect(frames.map(\.flags) == [Frame.endStream, 0, 0, Frame.endHeaders])
        #expect(frames.dropLast().allSatisfy { $0.payload.count == 16_384 })
        exchange(client, server)
        #expect(server.fields.dropFirst().map(\.value.count) == long.map(\.1.count))
        server.sendResponse(server.slot!, 200, long)
        exchange(client, server)
        #expect(client.fields.map(\.name) == long.map(\.0))
    }

    @Test("a head above the limits is answered, and the connection goes on")
    func tooLarge() throws {
        let (client, server) = pair(HTTP2Limits(), HeadLimits(head: 1000, target: 100, fields: 20))
        for (more, path, status) in [
            ([("x", String(repeating: "x", count: 1000))], "/", 431),
            ([], "/" + String(repeating: "p", count: 100), 414),
            ((0..<20).map { ("x-\($0)", "1") }, "/", 431),
        ] as [(Fields, String, UInt16)] {
            for isEnd in [true, false] {
                let slot = client.connection.open(user: 0)!
                client.sendRequest(slot, "POST", path: path, more, isEnd: isEnd)
                if !isEnd { client.sendData(slot, [1, 2, 3], isEnd: false) }
                let stream = client.connection.identifier(slot)
                exchange(client, server)
                let response = "response \(stream) \(status)"
                #expect(client.takeEvents() == (isEnd ? [response] : [response, "reset \(stream) noError true"]))
                if isEnd { client.connection.release(slot) }
                #expect(server.streams == 0 && server.slots.isEmpty && server.takeEvents().count == 1)
            }
        }
        _ = open(client)
        exchange(client, server)
        #expect(server.events.count == 1 && server.streams == 1)
    }

    @Test("6.9.1: DATA above the connection's window")
    func connectionWindow() {
        var limits = HTTP2Limits()
        limits.connectionWindow = 65_535
        let full =
            headers(1, request("POST"), end: false) + headers(3, request("POST"), end: false)
            + (0..<3).flatMap { _ in data(1, 16_384) } + data(1, 16_383)
        #expect(server(full, limits).failure == nil)
        #expect(server(full + data(3, 1), limits).failure?.code == .flowControlError)
        #expect(server(full + data(3, 0, end: true), limits).failure == nil)
    }

    @Test("content that is not consumed holds the peer back; a release gives it back")
    func backPressure() throws {
        let server = server(headers(1, request("POST"), end: false) + (0..<3).flatMap { _ in data(1, 16_384) })
        #expect(server.takeOutput().isEmpty)
        // Less than half of the window, then half.
        server.write { $0.consumed(server.slot!, 30_000, into: &$1) }
        #expect(server.takeOutput().isEmpty)
        server.write { $0.consumed(server.slot!, 10_000, into: &$1) }
        let frames = try #require(Frame.parse(server.takeOutput()))
        #expect(frames.first == Frame(.windowUpdate, 0, 1, big(40_000)))

        var limits = HTTP2Limits()
        limits.connectionWindow = 65_535
        let other = self.server(
            headers(1, request("POST"), end: false) + (0..<3).flatMap { _ in data(1, 16_384) }
                + data(1, 16_383, end: true), limits)
        other.sendResponse(other.slot!)
        #expect(other.isClosed(other.slot!))
        other.connection.release(other.slot!)
        _ = other.takeOutput()
        other.write { $0.announceCredit(into: &$1) }
        #expect(other.takeOutput() == Frame(.windowUpdate, 0, 0, big(65_535)).bytes)
    }

    @Test("5.1.2: a client opens as many streams as both ends allow")
    func openLimit() {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 3
        let (client, server) = pair(limits)
        var slots: [UInt32] = []
        while client.canOpen { slots.append(open(client)) }
        #expect(slots.count == 3 && client.connection.open(user: 0) == nil)
        exchange(client, server)
        #expect(server.streams == 3)
        for slot in server.slots {
            server.sendResponse(slot)
            server.connection.release(slot)
        }
        exchange(client, server)
        #expect(client.canOpen && client.streams == 0)
        // A stream that was never sent costs nothing once it is released.
        let unused = client.connection.open(user: 0)!
        #expect(client.streams == 1)
        client.connection.release(unused)
        #expect(client.streams == 0 && client.output.isEmpty)
    }

    @Test("6.9.2: SETTINGS change the windows of all streams, below 0 too")
    func windowSettings() {
        let server = server(headers(1, request()))
        let slot = server.slot!
        server.sendResponse(slot, isEnd: false)
        server.sendData(slot, [UInt8](repeating: 0, count: 60_000), isEnd: false)
        #expect(server.sendable(slot) == 5_535)
        _ = server.takeEvents()
        server.receive(settings([(4, 1000)]))
        #expect(server.sendable(slot) == 0 && server.takeEvents() == ["settings"])
        server.receive(Frame(.windowUpdate, 0, 1, big(59_000)).bytes)
        #expect(server.sendable(slot) == 0 && server.takeEvents().isEmpty)
        server.receive(Frame(.windowUpdate, 0, 1, big(1)).bytes)
        #expect(server.sendable(slot) == 1 && server.takeEvents() == ["writable 1"])
        server.receive(settings([(4, 0)]) + settings([(4, 100_000)]))
        #expect(server.takeEvents() == ["settings", "settings", "connectionWritable"])
        #expect(server.sendable(slot) == 5_535, "the connection's window")
        server.sendData(slot, [UInt8](repeating: 0, count: 5_535), isEnd: false)
        server.receive(Frame(.windowUpdate, 0, 0, big(10)).bytes)
        #expect(server.sendable(slot) == 10 && server.takeEvents() == ["connectionWritable"])
    }

    @Test("4.2: DATA frames are as large as the peer takes")
    func frameSize() throws {
        let server = server(settings([(5, 20_000)]) + headers(1, request()))
        server.sendResponse(server.slot!, isEnd: false)
        _ = server.takeOutput()
        server.sendData(server.slot!, [UInt8](repeating: 0, count: 50_000), isEnd: true)
        let frames = try #require(Frame.parse(server.output))
        #expect(frames.map(\.payload.count) == [20_000, 20_000, 10_000])
        #expect(frames.map(\.flags) == [0, 0, Frame.endStream])
    }

    @Test("6.8: GOAWAY closes what the server will not process")
    func goAway() {
        let (client, _) = pair()
        let slots = (0..<3).map { _ in open(client) }
        let unsent = client.connection.open(user: 9)!
        client.receive(Frame(.goAway, 0, big(3) + big(0)).bytes)
        #expect(client.takeEvents() == ["goAway 3 noError"])
        #expect((slots + [unsent]).map { client.isClosed($0) } == [false, false, true, true])
        #expect(!client.canOpen && client.streams == 2)
        // Heads that come too late are not sent.
        _ = client.takeOutput()
        client.sendRequest(unsent)
        #expect(client.output.isEmpty)
        for slot in [slots[2], unsent] { client.connection.release(slot) }
        client.receive(headers(1, response()) + headers(3, response()))
        #expect(client.streams == 0 && client.failure == nil)
    }

    @Test("6.8: what comes behind the last GOAWAY is refused")
    func drainRefuses() throws {
        let server = server(headers(1, request()))
        server.write { $0.drain(into: &$1) }
        let frames = try #require(Frame.parse(server.takeOutput()))
        #expect(frames.map(\.type) == [7, 6] && frames[0].payload == big(0x7fff_ffff) + big(0))
        server.receive(headers(3, request()) + Frame(.ping, Frame.ack, 0, frames[1].payload).bytes)
        #expect(server.takeOutput() == Frame(.goAway, 0, 0, big(3) + big(0)).bytes)
        server.receive(
            Frame(.headers, 0x4, 5, indexed("x-kept", "1") + block(request("POST"))).bytes + data(5, 10)
                + Frame(.ping, Frame.ack, 0, frames[1].payload).bytes)
        #expect(server.takeOutput() == Frame(.resetStream, 0, 5, big(7)).bytes)
        #expect(server.takeEvents() == ["request 1", "request 3"] && !server.isDrained && server.failure == nil)
        for slot in server.slots {
            server.sendResponse(slot)
            server.connection.release(slot)
        }
        #expect(server.isDrained)
    }

    @Test("5.1: frames for streams that are long gone", arguments: [100, 1000, 3000])
    func longGone(_ later: Int) {
        let server = server(headers(1, request("POST"), end: false) + headers(3, request()))
        server.sendResponse(server.slot!)
        server.connection.release(server.slot!)
        let first = server.slots[0]
        server.reset(first, .cancel)
        server.connection.release(first)
        for number in 2..<later {
            server.receive(headers(UInt32(2 * number + 1), request()))
            server.sendResponse(server.slot!)
            server.connection.release(server.slot!)
        }
        // It was reset by us: dropped, however long ago.
        server.receive(data(1, 5) + headers(1, [("x", "1")]) + data(1, 0, end: true))
        #expect(server.failure == nil)
        // It ended: an error, as long as that is known.
        server.receive(data(3, 5))
        #expect((server.failure?.code == .streamClosed) == (later <= 1000))
    }

    @Test("a server that sends nothing but interim responses is cut off")
    func interim() {
        let (client, _) = pair()
        _ = open(client)
        for _ in 0..<32 { client.receive(headers(1, response("103"), end: false)) }
        #expect(client.takeEvents().count == 32)
        client.receive(headers(1, response("103"), end: false))
        #expect(client.takeEvents() == ["reset 1 enhanceYourCalm false"] && client.failure == nil)
    }

    @Test("RFC 8441: a WebSocket in a stream")
    func extendedConnect() {
        let (client, server) = pair()
        let isAllowed = client.connection.allowsExtendedConnect
        #expect(isAllowed)
        let slot = client.connection.open(user: 0)!
        client.sendRequest(slot, "CONNECT", path: "/chat?a", protocol: "websocket", isEnd: false)
        exchange(client, server)
        #expect(
            server.requestHead.isExtendedConnect
                && server.head.hasPrefix("GET /chat?a HTTP/1.1\r\nhost: example.com\r\n"))
        #expect(server.head.contains("upgrade: websocket\r\n"))
        server.sendResponse(server.slot!, 200, isEnd: false)
        server.sendData(server.slot!, [1, 2], isEnd: false)
        client.sendData(slot, [3], isEnd: true)
        exchange(client, server)
        #expect(server.takeEvents() == ["request 1", "data 1 1 end"])
        #expect(client.takeEvents() == ["response 1 200", "data 1 2"])
    }

    @Test("6.7: an answer to each PING of ours")
    func pings() {
        let (client, server) = pair()
        for _ in 0..<3 { client.write { $0.ping(into: &$1) } }
        var outstanding = client.connection.pingsOutstanding
        #expect(outstanding == 3)
        exchange(client, server)
        outstanding = client.connection.pingsOutstanding
        let awaits = client.connection.awaitsSettings || server.connection.awaitsSettings
        #expect(outstanding == 0 && !awaits)
    }

    @Test("every later step says that the connection failed")
    func failed() {
        let server = server(data(1, 1))
        #expect(server.failure?.code == .protocolError)
        _ = server.takeOutput()
        server.receive(headers(1, request()))
        server.receive([])
        #expect(server.takeEvents().isEmpty && server.output.isEmpty)
    }
}
