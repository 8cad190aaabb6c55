import Foundation
import Glibc
import Playground
import Testing

@Suite struct EchoServerTests {
    private let port: UInt16

    init() throws {
        let server = try EchoServer(.init(ports: [0], pod: "web-v1", namespace: "shop"))
        try server.start()
        port = server.ports[0]
    }

    private func curl(_ path: String, _ options: String..., input: Data = Data()) throws -> Command {
        try Command(["curl", "-sS", "-m", "20"] + options + ["http://127.0.0.1:\(port)\(path)"], input: input)
    }

    private func answer(_ command: Command) throws -> EchoAnswer {
        try JSONDecoder().decode(EchoAnswer.self, from: Data(command.output.utf8))
    }

    /// Sends `text` and reads to the end of the stream.
    private func raw(_ text: String, halfClose: Bool = true) throws -> String {
        let connection = try RawConnection(port: port)
        try connection.send(Array(text.utf8))
        if halfClose { shutdown(connection.socket, Int32(SHUT_WR)) }
        return String(decoding: try connection.receiveAll(), as: UTF8.self)
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
        #expect(answer.protocol == "HTTP/1.1")
        #expect(answer.client.hasPrefix("127.0.0.1:"))
        #expect(answer.server == "127.0.0.1:\(port)")
        #expect(answer.values(of: "A") == ["1", "2"])
        #expect(answer.values(of: "b") == ["\"x\"\\"])
        let names = answer.headers.map(\.name)
        #expect(names.first == "Host")
        #expect(Array(names.filter { ["A", "B", "a"].contains($0) }) == ["A", "B", "a"])
    }

    @Test func bytesThatAreNoUTF8AreToldOneByOne() throws {
        let answer = try answer(curl("/", "-K", "-", input: Data("header = \"X: caf\u{e9}\"".utf16.map(UInt8.init))))
        #expect(answer.values(of: "x") == ["caf\u{e9}"])
    }

    @Test func overIPv6() throws {
        let answer = try answer(Command(["curl", "-sS", "http://[::1]:\(port)/"]))
        #expect(answer.client.hasPrefix("[::1]:"))
    }

    @Test func status() throws {
        let command = try curl("/?status=503", "-i")
        #expect(command.output.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(try curl("/", "-i", "-H", "X-Echo-Status: 418").output.hasPrefix("HTTP/1.1 418 "))
    }

    @Test(arguments: [
        "status=999", "delay=soon", "size=-1", "close=maybe", "header=nocolon", "chunked=2", "delay=9999s",
    ])
    func impossibleOptionsAreNamed(_ option: String) throws {
        let command = try curl("/?\(option)", "-w", "%{http_code}")
        #expect(command.output.hasSuffix("400"))
        #expect(command.output.hasPrefix(String(option.prefix { $0 != "=" }) + ": "))
    }

    @Test func delay() throws {
        let command = try curl("/?delay=300ms", "-o", "/dev/null", "-w", "%{time_starttransfer}")
        #expect(try #require(Double(command.output)) >= 0.3)
    }

    @Test func pause() throws {
        let command = try curl("/?pause=300ms", "-o", "/dev/null", "-w", "%{time_starttransfer} %{time_total}")
        let times = command.output.split(separator: " ").compactMap { Double($0) }
        try #require(times.count == 2)
        #expect(times[1] - times[0] >= 0.25)
    }

    @Test(arguments: [("size=0", 0), ("size=1", 1), ("size=100k", 102400), ("size=3m&chunked=1", 3 << 20)])
    func size(_ query: String, _ count: Int) throws {
        let command = try curl("/?\(query)", "-D", "/dev/stderr")
        #expect(command.output.utf8.count == count)
        #expect(
            command.errors.lowercased().contains(query.contains("chunked") ? "chunked" : "content-length: \(count)"))
        let line = "weir-echo 0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcd\n"
        let same = command.output == String(repeating: line, count: count / 64) + line.prefix(count % 64)
        #expect(same)
    }

    @Test func headersAndTrailers() throws {
        let command = try curl("/?header=X-A:%20one+two&header=X-A:3&trailer=X-T:%20end", "-i", "--raw")
        #expect(command.output.contains("\r\nX-A: one two\r\nX-A: 3\r\n"))
        #expect(command.output.hasSuffix("\r\n0\r\nX-T: end\r\n\r\n"))
    }

    @Test func headersCannotSmuggle() throws {
        #expect(try curl("/?header=X:%20a%0d%0aY:%20b", "-w", "%{http_code}").output.hasSuffix("400"))
    }

    @Test func chunkedUploadWithTrailers() throws {
        let text = try raw(
            "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                + "5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nX-Sum: 12\r\n\r\n")
        let body = try #require(text.split(separator: "\r\n").last)
        let answer = try JSONDecoder().decode(EchoAnswer.self, from: Data(body.utf8))
        #expect(answer.bodyLength == 12)
        #expect(answer.trailers == [EchoAnswer.Field(name: "X-Sum", value: "12")])
    }

    @Test func expectIsAnsweredBeforeTheBody() throws {
        let connection = try RawConnection(port: port)
        try connection.send(
            Array(
                "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
                    .utf8))
        #expect(try connection.receive(upTo: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try connection.send(Array("hi".utf8))
        #expect(String(decoding: try connection.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test func pipelinedRequestsInOrder() throws {
        let requests = (0..<50).map {
            "POST /\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        }.joined()
        let text = try raw(requests)
        let paths = text.split(separator: "\"path\":\"").dropFirst().map { $0.prefix { $0 != "\"" } }
        #expect(paths == (0..<50).map { "/\($0)" })
    }

    @Test func connectionIsKeptAndClosedAsAsked() throws {
        let many = try curl("/?n=[1-100]", "-o", "/dev/null", "-w", "%{num_connects} ")
        #expect(many.output == "1 " + String(repeating: "0 ", count: 99))
        #expect(try curl("/?close=after", "-i").output.contains("connection: close\r\n"))
        let old = try raw("GET / HTTP/1.0\r\n\r\n", halfClose: false)
        #expect(old.contains("connection: close\r\n") && old.contains("\"protocol\":\"HTTP/1.0\""))
    }

    @Test func noContentWhereNoneMayBe() throws {
        #expect(try raw("HEAD /?size=10 HTTP/1.1\r\nHost: a\r\n\r\n").hasSuffix("content-length: 10\r\n\r\n"))
        let empty = try raw("GET /?status=204&chunked=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(empty.hasSuffix("\r\n\r\n") && !empty.contains("content-length") && !empty.contains("chunked"))
    }

    @Test func failuresOnRequest() throws {
        #expect(try curl("/?close=now").status == 52)
        #expect(try curl("/?close=reset").status == 56)
        let half = try curl("/?close=half&size=1000")
        #expect(half.status == 18 && half.output.utf8.count == 500)
        #expect(try curl("/?close=half&size=1000&chunked=1").status == 18)
        #expect(try curl("/?close=half-reset&size=1000").status == 56)
    }

    @Test func earlyAnswerComesBeforeTheBody() throws {
        let connection = try RawConnection(port: port)
        try connection.send(Array("POST /?early=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n".utf8))
        #expect(try connection.receive(upTo: "}\n").contains("\"bodyLength\":0"))
        try connection.send(Array("abcGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
        #expect(String(decoding: try connection.receiveAll(), as: UTF8.self).contains("\"path\":\"/next\""))
    }

    @Test(arguments: [false, true]) func bodyComesBack(_ chunked: Bool) throws {
        let lines = (0..<40000).map { "\($0) \($0 &* 2_654_435_761)\n" }.joined()
        let body = Data(lines.utf8)
        let source = FileManager.default.temporaryDirectory.appending(path: "wp-\(UUID().uuidString)")
        try body.write(to: source)
        defer { try? FileManager.default.removeItem(at: source) }
        let options = ["-T", source.path] + (chunked ? ["-H", "Transfer-Encoding: chunked"] : [])
        let command = try Command(["curl", "-sS", "-m", "20"] + options + ["http://127.0.0.1:\(port)/?body=echo"])
        #expect(Data(command.output.utf8) == body)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    ])
    func malformedRequestsAreRefused(_ request: String) throws {
        let text = try raw(request)
        #expect(text.hasPrefix("HTTP/1.1 40"))
        #expect(text.contains("connection: close\r\n"))
    }

    @Test func manyConnectionsAtOnce() throws {
        let connections = try (0..<400).map { _ in try RawConnection(port: port) }
        for connection in connections { try connection.send(Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8)) }
        for connection in connections { try connection.send(Array("Connection: close\r\n\r\n".utf8)) }
        for connection in connections {
            #expect(String(decoding: try connection.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    /// The handshake is the example of RFC 6455 section 1.3.
    @Test func webSocket() throws {
        let connection = try RawConnection(port: port)
        try connection.send(
            Array(
                ("GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n").utf8))
        let head = try connection.receive(upTo: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
        #expect(head.contains("\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        let mask: [UInt8] = [1, 2, 3, 4]
        func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
            let length: [UInt8] =
                payload.count < 126
                ? [UInt8(payload.count) | 0x80]
                : [127 | 0x80] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
            return [0x80 | opcode] + length + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
        }
        try connection.send(frame(1, Array("hello".utf8)))
        #expect(try connection.receive(count: 7) == [0x81, 5] + Array("hello".utf8))
        try connection.send(frame(9, [7]))
        #expect(try connection.receive(count: 3) == [0x8a, 1, 7])
        let large = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        try connection.send(frame(2, large))
        #expect(try connection.receive(count: 10) == [0x82, 127, 0, 0, 0, 0, 0, 4, 0x93, 0xe0])
        #expect(try connection.receive(count: large.count) == large)
        try connection.send(frame(8, [3, 0xe8]))
        shutdown(connection.socket, Int32(SHUT_WR))
        #expect(try connection.receiveAll() == [0x88, 2, 3, 0xe8])
    }

    @Test func failsSoManyTimes() throws {
        let codes = try (0..<4).map { _ in
            try curl("/?uuid=a&succeedAfter=2&responseCode=503", "-o", "/dev/null", "-w", "%{http_code}").output
        }
        #expect(codes == ["503", "503", "200", "200"])
        let statuses = try (0..<3).map { _ in try curl("/?uuid=b&succeedAfter=2").status }
        #expect(statuses == [56, 56, 0])
        #expect(try answer(curl("/?uuid=b")).attempt == 4)
        #expect(try answer(curl("/")).attempt == nil)
        let start = ContinuousClock.now
        #expect(try curl("/?uuid=c&succeedAfter=1&delayRetry=300").status == 56)
        #expect(ContinuousClock.now - start >= .milliseconds(300))
        #expect(try curl("/?succeedAfter=1").output == "succeedAfter, responseCode and delayRetry want a uuid\n")
    }

    @Test func whatWasSeen() throws {
        _ = try curl("/one?a=1", "-d", "hello", "-H", "X-A: 1")
        _ = try curl("/two")
        _ = try curl("/one/reset?close=reset")
        func seen(_ prefix: String) throws -> [EchoAnswer] {
            try JSONDecoder().decode([EchoAnswer].self, from: Data(curl("/_seen?prefix=\(prefix)").output.utf8))
        }
        let ones = try seen("/one")
        #expect(ones.map(\.path) == ["/one?a=1", "/one/reset?close=reset"])
        #expect(ones[0].method == "POST" && ones[0].bodyLength == 5 && ones[0].values(of: "x-a") == ["1"])
        #expect(try seen("/one%3Fa").count == 1)
        #expect(try seen("").count == 3)
        #expect(try seen("/none").isEmpty)
    }

    @Test func theOldestAreForgotten() throws {
        let connection = try RawConnection(port: port)
        for batch in 0..<101 {
            let requests = (0..<100).map { "GET /n/\(batch * 100 + $0)/ HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
            try connection.send(Array(requests.utf8))
            _ = try connection.receive(upTo: "\"path\":\"/n/\(batch * 100 + 99)/\"")
        }
        let text = try curl("/_seen?prefix=/n/").output
        let seen = try JSONDecoder().decode([EchoAnswer].self, from: Data(text.utf8))
        #expect(seen.map(\.path) == (100..<10_100).map { "/n/\($0)/" })
        // Keys too: the first of more than 10,000 is counted anew.
        for number in 0..<10_001 {
            try connection.send(Array("GET /?uuid=\(number) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            _ = try connection.receive(upTo: "\"attempt\":1}")
        }
        #expect(try answer(curl("/?uuid=0")).attempt == 1)
        #expect(try answer(curl("/?uuid=2")).attempt == 2)
    }

    @Test func aPortInUseIsNamed() throws {
        let error = #expect(throws: PlaygroundError.self) {
            try EchoServer(.init(ports: [port], pod: "", namespace: ""))
        }
        #expect(error?.description == "cannot listen on port \(port): Address already in use")
    }
}
