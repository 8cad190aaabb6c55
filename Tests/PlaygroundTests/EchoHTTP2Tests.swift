import Foundation
import Playground
import Testing

@Suite struct EchoHTTP2Tests {
    private let port: UInt16

    init() throws {
        let server = try EchoServer(.init(ports: [0], pod: "web-v1", namespace: "shop"))
        try server.start()
        port = server.ports[0]
    }

    private func curl(_ path: String, _ options: String..., input: Data = Data()) throws -> Command {
        try Command(
            ["curl", "-sS", "-m", "60", "--http2-prior-knowledge"] + options + ["http://127.0.0.1:\(port)\(path)"],
            input: input)
    }

    private func answer(_ command: Command) throws -> EchoAnswer {
        try JSONDecoder().decode(EchoAnswer.self, from: Data(command.output.utf8))
    }

    private func ask(_ wishes: HTTP2Wish...) throws -> HTTP2Answers {
        try EchoPrograms.run("http2_client", ["\(port)"], wishes)
    }

    private func seen(_ prefix: String) throws -> [EchoAnswer] {
        let command = try Command(["curl", "-sS", "-m", "20", "http://127.0.0.1:\(port)/_seen?prefix=\(prefix)"])
        return try JSONDecoder().decode([EchoAnswer].self, from: Data(command.output.utf8))
    }

    @Test func tellsTheRequest() throws {
        let answer = try answer(
            curl("/a%20b/c?q=1&q=2", "-X", "PATCH", "-H", "A: 1", "-H", "B: \"x\"\\", "-H", "a: 2", "-d", "hello"))
        #expect(answer.pod == "web-v1")
        #expect(answer.namespace == "shop")
        #expect(answer.method == "PATCH")
        #expect(answer.path == "/a%20b/c?q=1&q=2")
        #expect(answer.host == "127.0.0.1:\(port)")
        #expect(answer.bodyLength == 5)
        #expect(answer.protocol == "HTTP/2")
        #expect(answer.client.hasPrefix("127.0.0.1:"))
        #expect(answer.server == "127.0.0.1:\(port)")
        #expect(answer.values(of: "a") == ["1", "2"])
        #expect(answer.values(of: "b") == ["\"x\"\\"])
        // The authority is no field.
        #expect(answer.values(of: "host").isEmpty)
    }

    /// The preface may come byte by byte, and what only begins like it is HTTP/1.1.
    @Test func versionsAreToldApart() throws {
        let new = try RawConnection(port: port)
        for byte in Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) { try new.send([byte]) }
        #expect(try new.receive(count: 4)[3] == 4)
        let old = try RawConnection(port: port)
        try old.send(Array("PR".utf8))
        try old.send(Array("OPFIND / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        #expect(String(decoding: try old.receiveAll(), as: UTF8.self).contains("\"method\":\"PROPFIND\""))
    }

    @Test func statusesAndFields() throws {
        let command = try curl("/?status=503&header=X-A:%20one+two&header=X-A:3&header=X-B:", "-i")
        #expect(command.output.hasPrefix("HTTP/2 503 \r\n"))
        #expect(command.output.contains("\r\nx-echo-pod: web-v1\r\n"))
        #expect(command.output.contains("\r\nx-a: one two\r\nx-a: 3\r\nx-b: \r\n"))
        #expect(try curl("/", "-i", "-H", "X-Echo-Status: 418").output.hasPrefix("HTTP/2 418 "))
        let refused = try curl("/?status=999", "-w", "%{http_code}")
        #expect(refused.output == "status: 999 is not within 200 to 599\n400")
    }

    @Test func noContentWhereNoneMayBe() throws {
        #expect(try curl("/?size=10", "-I").output.contains("\r\ncontent-length: 10\r\n"))
        let empty = try curl("/?status=204", "-i").output
        #expect(empty.hasPrefix("HTTP/2 204 ") && empty.hasSuffix("\r\n\r\n") && !empty.contains("content-length"))
        #expect(try curl("/?status=304&size=5", "-i").output.hasSuffix("\r\n\r\n"))
        #expect(try curl("/?status=1", "-I").output.hasPrefix("HTTP/2 400 "))
        #expect(try curl("/?body=echo&trailer=X-T:1", "-I").output.hasPrefix("HTTP/2 200 "))
    }

    @Test(arguments: [("size=0", 0), ("size=1", 1), ("size=100k", 102400), ("size=9m&chunked=1", 9 << 20)])
    func size(_ query: String, _ count: Int) throws {
        let command = try curl("/?\(query)", "-D", "/dev/stderr")
        #expect(command.output.utf8.count == count)
        #expect(command.errors.contains("content-length: \(count)\r\n") == !query.contains("chunked"))
        let line = "weir-echo 0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcd\n"
        let same = command.output == String(repeating: line, count: count / 64) + line.prefix(count % 64)
        #expect(same)
    }

    @Test func uploadsOfAnySize() throws {
        let answers = try ask(
            HTTP2Wish("/a", method: "POST", size: 5_000_000),
            HTTP2Wish("/b", method: "POST", [["content-length", "3000000"]], size: 3_000_000),
            HTTP2Wish("/c", method: "POST", body: []), HTTP2Wish("/d"))
        #expect(try answers.streams.map { try $0.echo.bodyLength } == [5_000_000, 3_000_000, 0, 0])
        #expect(try answers.streams.map { try $0.echo.path } == ["/a", "/b", "/c", "/d"])
    }

    @Test(arguments: [false, true]) func bodyComesBack(_ hasLength: Bool) throws {
        let lines = (0..<400_000).map { "\($0) \($0 &* 2_654_435_761)\n" }.joined()
        let body = Data(lines.utf8)
        let source = FileManager.default.temporaryDirectory.appending(path: "wp-\(UUID().uuidString)")
        try body.write(to: source)
        defer { try? FileManager.default.removeItem(at: source) }
        let input = hasLength ? ["-T", source.path] : ["-T", "-"]
        let command = try Command(
            ["curl", "-sS", "-m", "60", "--http2-prior-knowledge"] + input
                + ["http://127.0.0.1:\(port)/?body=echo", "-H", "Expect:"], input: hasLength ? Data() : body)
        #expect(Data(command.output.utf8) == body)
    }

    @Test func delayAndPauseHoldUpNoOther() throws {
        let start = ContinuousClock.now
        let answers = try ask(
            HTTP2Wish("/?delay=400ms"), HTTP2Wish("/?delay=400ms"), HTTP2Wish("/?pause=400ms"), HTTP2Wish("/?size=1m"),
            HTTP2Wish("/?pause=400ms&trailer=X-T:1"))
        #expect(ContinuousClock.now - start >= .milliseconds(400))
        #expect(answers.streams.map { $0.header(":status") } == Array(repeating: "200", count: 5))
        #expect(answers.streams[3].length == 1 << 20)
        #expect(answers.streams[4].trailers == [["x-t", "1"]])
        let times = try curl("/?pause=300ms", "-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}")
            .output.split(separator: " ").compactMap { Double($0) }
        try #require(times.count == 2)
        #expect(times[1] - times[0] >= 0.25)
    }

    @Test func trailersBothWays() throws {
        let answer = try ask(
            HTTP2Wish("/?trailer=X-T:%20end&trailer=X-U:2", method: "POST", size: 3, trailers: [["x-sum", "12"]])
        ).streams[0]
        #expect(answer.trailers == [["x-t", "end"], ["x-u", "2"]])
        #expect(try answer.echo.trailers == [EchoAnswer.Field(name: "x-sum", value: "12")])
        #expect(try answer.echo.bodyLength == 3)
    }

    @Test func expectIsAnsweredBeforeTheBody() throws {
        let answer = try ask(HTTP2Wish("/", method: "POST", [["expect", "100-continue"]], size: 7)).streams[0]
        #expect(answer.interim == [[[":status", "100"]]])
        #expect(answer.bytesSentBeforeInterim == 0)
        #expect(try answer.echo.bodyLength == 7)
    }

    @Test func earlyAnswerComesBeforeTheBody() throws {
        let connection = try ask(
            HTTP2Wish("/?early=1", method: "POST", [["expect", "100-continue"]], size: 300_000), HTTP2Wish("/next"))
        #expect(connection.streams[0].interim.isEmpty)
        #expect(try connection.streams[0].echo.bodyLength == 0)
        #expect(try connection.streams[1].echo.path == "/next")
        // The content was taken in all the same.
        #expect(try seen("/?early").map(\.bodyLength) == [300_000])
    }

    /// CANCEL is 8, INTERNAL_ERROR 2, REFUSED_STREAM 7.
    @Test func failuresOnRequest() throws {
        let answers = try ask(
            HTTP2Wish("/?close=now"), HTTP2Wish("/?close=reset"), HTTP2Wish("/?close=reset&error=7&delay=100"),
            HTTP2Wish("/?close=half&size=1000"), HTTP2Wish("/?close=half-reset&size=100001"), HTTP2Wish("/plain"))
        #expect(answers.streams.map(\.reset) == [8, 2, 7, 8, 2, nil])
        #expect(answers.streams.map(\.length).prefix(5) == [0, 0, 0, 500, 50_000])
        #expect(answers.streams[3].header("content-length") == "1000")
        #expect(!answers.closed && answers.goAway == nil)
        // A reset while receiving, or while still sending.
        #expect([55, 56].contains(try curl("/?close=connection").status))
    }

    @Test func connectionIsClosedAfterwards() throws {
        let many = try curl("/?n=[1-20]", "-o", "/dev/null", "-w", "%{num_connects} ")
        #expect(many.output == "1 " + String(repeating: "0 ", count: 19))
        let closing = try curl("/?close=after&n=[1-3]", "-o", "/dev/null", "-w", "%{num_connects}:%{http_code} ")
        #expect(closing.output == "1:200 1:200 1:200 ")
        let base = "http://127.0.0.1:\(port)"
        let command = try Command(["nghttp", "-v", "\(base)/?close=after", "\(base)/?delay=200&size=3"])
        #expect(command.status == 0 && command.output.contains("recv GOAWAY frame"), "\(command)")
        #expect(command.output.split(separator: ":status: 200").count == 3, "\(command)")
    }

    @Test func connectIsRefused() throws {
        var plain = HTTP2Wish("/")
        plain.headers = [[":method", "CONNECT"], [":authority", "a:80"]]
        var other = HTTP2Wish("/", method: "CONNECT")
        other.headers.insert([":protocol", "connect-udp"], at: 1)
        #expect(try ask(plain, other).streams.map { $0.header(":status") } == ["405", "501"])
    }

    @Test func manyRequestsOfManyClients() throws {
        let load = try Command([
            "h2load", "-n", "20000", "-c", "4", "-m", "100", "http://127.0.0.1:\(port)/load",
        ])
        #expect(load.output.contains("20000 total, 20000 started, 20000 done, 20000 succeeded, 0 failed"), "\(load)")
        let large = try Command([
            "h2load", "-n", "40", "-c", "2", "-m", "10", "http://127.0.0.1:\(port)/?size=2m",
        ])
        #expect(large.output.contains("40 succeeded, 0 failed"), "\(large)")
    }

    @Test func nghttp() throws {
        let command = try Command([
            "nghttp", "-n", "-s", "http://127.0.0.1:\(port)/?size=1000", "http://127.0.0.1:\(port)/?status=404",
        ])
        #expect(command.status == 0)
        #expect(command.output.contains(" 200 1000 /?size=1000\n"), "\(command)")
        #expect(command.output.contains(" 404 "), "\(command)")
    }

    /// RFC 8441: the messages of RFC 6455 in DATA frames.
    @Test func webSocket() throws {
        let mask: [UInt8] = [1, 2, 3, 4]
        func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
            let length: [UInt8] =
                payload.count < 126
                ? [UInt8(payload.count) | 0x80]
                : [127 | 0x80] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
            return [0x80 | opcode] + length + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
        }
        let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        func handshake(_ body: [UInt8]) -> HTTP2Wish {
            var wish = HTTP2Wish("/chat", method: "CONNECT", [["sec-websocket-version", "13"]], body: body)
            wish.headers.insert([":protocol", "websocket"], at: 1)
            return wish
        }
        let hello = Array("hello".utf8)
        let answers = try ask(
            handshake(frame(1, hello) + frame(9, [7]) + frame(10, hello) + frame(2, large) + frame(8, [3, 0xe8])),
            handshake(frame(1, hello)), handshake([0x81, 1, 65]), handshake(frame(3, hello)))
        #expect(answers.streams.map { $0.header(":status") } == Array(repeating: "200", count: 4))
        let whole = answers.streams[0].bytes
        let wanted =
            [0x81, 5] + hello + [0x8a, 1, 7] + [0x82, 127, 0, 0, 0, 0, 0, 4, 0x93, 0xe0] + large + [0x88, 2, 3, 0xe8]
        #expect(whole.count == wanted.count)
        let same = whole == wanted
        #expect(same)
        // The client's end ends the stream; a frame without mask, and one of no meaning, are protocol errors.
        #expect(
            answers.streams.dropFirst().map(\.bytes) == [[0x81, 5] + hello, [0x88, 2, 3, 0xea], [0x88, 2, 3, 0xea]])
        #expect(try seen("/chat").map(\.method) == Array(repeating: "CONNECT", count: 4))
    }

    @Test func failsSoManyTimes() throws {
        for wanted: (Int?, String?) in [(nil, "503"), (nil, "503"), (nil, "200"), (nil, "200")] {
            let stream = try ask(HTTP2Wish("/?uuid=a&succeedAfter=2&responseCode=503")).streams[0]
            #expect(stream.reset == wanted.0 && stream.header(":status") == wanted.1)
        }
        for wanted: (Int?, String?) in [(2, nil), (nil, "200")] {
            let stream = try ask(HTTP2Wish("/?uuid=b&succeedAfter=1&delayRetry=10")).streams[0]
            #expect(stream.reset == wanted.0 && stream.header(":status") == wanted.1)
        }
        #expect(try seen("/?uuid=b").map(\.attempt) == [1, 2])
    }
}
