import HTTPWire
import Testing

@Suite struct LimitTests {
    private func parse(_ message: [UInt8], _ limits: HeadLimits = HeadLimits()) -> PlainHead {
        let guarded = GuardedBytes(message)
        var parser = RequestHeadParser(limits: limits)
        return parser.feed(guarded.bytes, message.count)
    }

    private func isHead(_ result: PlainHead) -> Bool {
        if case .request = result { return true }
        return false
    }

    /// A request whose head is `count` bytes, in several fields.
    private func head(of count: Int) -> [UInt8] {
        var head = "GET / HTTP/1.1\r\nHost: a\r\n"
        while count - head.utf8.count > 1100 { head += "X: \(String(repeating: "y", count: 995))\r\n" }
        let rest = count - head.utf8.count - "X: \r\n\r\n".utf8.count
        return bytes(head + "X: \(String(repeating: "y", count: rest))\r\n\r\n")
    }

    @Test("a head of exactly 64 KiB passes, a byte more is 431")
    func headSize() {
        #expect(head(of: 65536).count == 65536)
        #expect(isHead(parse(head(of: 65536))))
        #expect(isHead(parse(head(of: 65536) + bytes("body"))))
        #expect(parse(head(of: 65537)) == .invalid(.headTooLarge))
        #expect(HeadError.headTooLarge.status == 431)
        // Known as soon as the bytes are there, whole or not.
        #expect(parse(Array(head(of: 70000)[..<65536])) == .invalid(.headTooLarge))
        #expect(parse(Array(head(of: 70000)[..<65535])) == .incomplete)
        // Empty lines before the request line do not count.
        #expect(isHead(parse(bytes("\r\n\r\n") + head(of: 65536))))
        #expect(parse(bytes("\r\n\r\n") + head(of: 65537)) == .invalid(.headTooLarge))
    }

    @Test("a target of exactly 16 KiB passes, a byte more is 414")
    func targetSize() {
        func request(_ count: Int, _ query: Int) -> [UInt8] {
            let path = "/" + String(repeating: "p", count: count - query - 1)
            return bytes(
                "GET \(path)\(query > 0 ? "?" + String(repeating: "q", count: query - 1) : "") HTTP/1.1\r\nHost: a\r\n\r\n"
            )
        }
        for query in [0, 1, 2, 9000] {
            #expect(isHead(parse(request(16384, query))))
            #expect(parse(request(16385, query)) == .invalid(.targetTooLong))
        }
        #expect(HeadError.targetTooLong.status == 414)
        // Known before the target ends.
        #expect(parse(Array(request(20000, 0)[..<16388])) == .incomplete)
        #expect(parse(Array(request(20000, 0)[..<16389])) == .invalid(.targetTooLong))
    }

    @Test("200 fields pass, one more is 431")
    func fieldCount() {
        func request(_ count: Int) -> [UInt8] {
            bytes("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: count - 1) + "\r\n")
        }
        #expect(isHead(parse(request(200))))
        #expect(parse(request(201)) == .invalid(.tooManyFields))
        #expect(HeadError.tooManyFields.status == 431)
    }

    @Test("limits hold at every cut", arguments: [1, 2, 3, 40, 41, 42, 43, 60])
    func everyCut(_ limit: Int) throws {
        let message = bytes("\r\nGET /abc?d HTTP/1.1\r\nHost: a\r\nX: yyy\r\n\r\n")
        #expect(message.count - 2 == 40)
        let head = try parseRequest(message, limits: HeadLimits(head: limit))
        #expect(isHead(head) == (limit >= 40))
        _ = try parseRequest(message, limits: HeadLimits(target: min(limit, 10)))
        _ = try parseRequest(message, limits: HeadLimits(fields: min(limit, 3)))
        _ = try parseResponse(
            bytes("HTTP/1.1 200 Okay, then\r\nX: y\r\n\r\n"), limits: HeadLimits(head: limit))
    }

    @Test("a response's head is limited like a request's")
    func response() {
        func response(_ count: Int) -> [UInt8] {
            bytes("HTTP/1.1 200 OK\r\nX: \(String(repeating: "y", count: count - 24))\r\n\r\n")
        }
        #expect(response(65536).count == 65536)
        for (count, passes) in [(65536, true), (65537, false)] {
            let guarded = GuardedBytes(response(count))
            var parser = ResponseHeadParser()
            let result = parser.feed(guarded.bytes, count)
            #expect(passes ? result != .invalid(.headTooLarge) : result == .invalid(.headTooLarge))
        }
    }

    /// 64 KiB byte by byte: a parser that starts over at each byte would look at 2 GiB.
    @Test("a dripped head is scanned once", arguments: ["target", "name", "value", "fields", "reason"])
    func dripped(_ part: String) {
        let long = String(repeating: "a", count: 60000)
        let message =
            switch part {
            case "target": bytes("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n")
            case "name": bytes("GET / HTTP/1.1\r\nHost: a\r\n\(long): b\r\n\r\n")
            case "value": bytes("GET / HTTP/1.1\r\nHost: a\r\nB: \(long)\r\n\r\n")
            case "fields": bytes("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "a:b\r\n", count: 12000) + "\r\n")
            default: bytes("HTTP/1.1 200 \(long)\r\n\r\n")
            }
        let limits = HeadLimits(target: 65536, fields: 20000)
        let duration = withFields(20000) { fields in
            message.withUnsafeBytes { bytes in
                ContinuousClock().measure {
                    var request = RequestHeadParser(limits: limits)
                    var response = ResponseHeadParser(limits: limits)
                    for count in 1...bytes.count {
                        let prefix = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                        let isWhole: Bool
                        if part == "reason" {
                            if case .head = response.parse(prefix, fields: fields) {
                                isWhole = true
                            } else {
                                isWhole = false
                            }
                        } else {
                            if case .head = request.parse(prefix, fields: fields) {
                                isWhole = true
                            } else {
                                isWhole = false
                            }
                        }
                        #expect(isWhole == (count == bytes.count))
                    }
                }
            }
        }
        // Linear takes a few milliseconds even without optimisation, and quadratic many seconds.
        #expect(duration < .seconds(3))
    }
}
