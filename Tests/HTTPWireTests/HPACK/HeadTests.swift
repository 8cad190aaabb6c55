import Testing

import HTTPWire

/// A block's fields as plain literals, in order.
private func block(_ fields: [(String, String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    func string(_ text: String) {
        var room = [UInt8](repeating: 0, count: 8)
        let text = latin1(text)
        let count = room.withUnsafeMutableBytes {
            PrefixInteger.write(text.count, flags: 0, mask: 0x7f, to: $0.baseAddress!)
        }
        bytes += room[..<count] + text
    }
    for (name, value) in fields {
        bytes.append(0)
        string(name)
        string(value)
    }
    return bytes
}

private let get = [(":method", "GET"), (":scheme", "http"), (":path", "/p"), (":authority", "a")]

private struct Case: CustomTestStringConvertible, Sendable {
    var section: String
    var fields: [(String, String)]
    var error: HeadError
    var testDescription: String { section }

    init(_ section: String, _ fields: [(String, String)], _ error: HeadError) {
        self.section = section
        self.fields = fields
        self.error = error
    }
}

private func without(_ name: String) -> [(String, String)] { get.filter { $0.0 != name } }
private func with(_ name: String, _ value: String) -> [(String, String)] {
    get.map { $0.0 == name ? (name, value) : $0 }
}

private let malformedRequests: [Case] = [
    Case("8.2.1: uppercase name", get + [("X-a", "1")], .uppercaseName),
    Case("8.2.1: empty name", get + [("", "1")], .fieldName),
    Case("8.2.1: space in a name", get + [("x a", "1")], .fieldName),
    Case("8.2.1: colon in a name", get + [("x:a", "1")], .fieldName),
    Case("8.2.1: obs-text in a name", get + [("x\u{e9}", "1")], .fieldName),
    Case("8.2.1: NUL in a value", get + [("x", "a\0b")], .valueByte),
    Case("8.2.1: LF in a value", get + [("x", "a\nb")], .valueByte),
    Case("8.2.1: CR in a value", get + [("x", "a\rb: c")], .valueByte),
    Case("8.2.1: space before a value", get + [("x", " a")], .valueByte),
    Case("8.2.1: tab behind a value", get + [("x", "a\t")], .valueByte),
    Case("8.2.2: connection", get + [("connection", "x")], .connectionField),
    Case("8.2.2: keep-alive", get + [("keep-alive", "x")], .connectionField),
    Case("8.2.2: proxy-connection", get + [("proxy-connection", "x")], .connectionField),
    Case("8.2.2: transfer-encoding", get + [("transfer-encoding", "chunked")], .connectionField),
    Case("8.2.2: upgrade", get + [("upgrade", "x")], .connectionField),
    Case("8.2.2: te", get + [("te", "gzip")], .connectionField),
    Case("8.2.2: te with more", get + [("te", "trailers, gzip")], .connectionField),
    Case("8.3: unknown", get + [(":x", "1")], .pseudoField),
    Case("8.3: a long unknown one", get + [(":x-that-is-longer-than-any", "1")], .pseudoField),
    Case("8.3: unknown, first", [(":x", "1")] + get, .pseudoField),
    Case("8.3: a status in a request", get + [(":status", "200")], .pseudoField),
    Case("8.3: behind other fields", without(":authority") + [("x", "1"), (":authority", "a")], .pseudoField),
    Case("8.3: repeated", get + [(":method", "GET")], .pseudoField),
    Case("8.3.1: repeated path", get + [(":path", "/p")], .pseudoField),
    Case("8.3.1: no method", without(":method"), .pseudoFieldMissing),
    Case("8.3.1: no scheme", without(":scheme"), .pseudoFieldMissing),
    Case("8.3.1: no path", without(":path"), .pseudoFieldMissing),
    Case("8.3.1: nothing", [], .pseudoFieldMissing),
    Case("8.3.1: no authority and no host", without(":authority"), .hostMissing),
    Case("8.3.1: empty path", with(":path", ""), .targetForm),
    Case("8.3.1: relative path", with(":path", "p"), .targetForm),
    Case("8.3.1: absolute path", with(":path", "http://a/p"), .targetForm),
    Case("8.3.1: * but not OPTIONS", with(":path", "*"), .targetForm),
    Case("8.3.1: space in the path", with(":path", "/a b"), .targetByte),
    Case("8.3.1: fragment", with(":path", "/a#b"), .fragment),
    Case("8.3.1: fragment in the query", with(":path", "/a?b#c"), .fragment),
    Case("8.3.1: obs-text in the path", with(":path", "/\u{e9}"), .targetByte),
    Case("8.3.1: empty method", with(":method", ""), .method),
    Case("8.3.1: method", with(":method", "G T"), .method),
    Case("8.3.1: scheme", with(":scheme", "ftp"), .scheme),
    Case("8.3.1: empty authority", with(":authority", ""), .authority),
    Case("8.3.1: user information", with(":authority", "u@a"), .authority),
    Case("8.3.1: space in the authority", with(":authority", "a b"), .authority),
    Case("8.3.1: host differs", get + [("host", "b")], .hostDiffers),
    Case("8.3.1: host differs by its port", get + [("host", "a:81")], .hostDiffers),
    Case("8.3.1: host is no host", get + [("host", "a b")], .hostInvalid),
    Case("8.3.1: two hosts", get + [("host", "a"), ("host", "a")], .hostRepeated),
    Case("8.3.1: two hosts without authority", without(":authority") + [("host", "a"), ("host", "a")], .hostRepeated),
    Case("8.5: CONNECT with a path", with(":method", "CONNECT"), .pseudoField),
    Case("8.5: CONNECT without an authority", [(":method", "CONNECT")], .pseudoFieldMissing),
    Case("8.5: CONNECT without a port", [(":method", "CONNECT"), (":authority", "a")], .authority),
    Case("8441 4: :protocol with GET", get + [(":protocol", "websocket")], .pseudoField),
    Case(
        "8441 4: no path", with(":method", "CONNECT").filter { $0.0 != ":path" } + [(":protocol", "websocket")],
        .pseudoFieldMissing),
    Case("8441 4: :protocol is no token", with(":method", "CONNECT") + [(":protocol", "web socket")], .pseudoField),
    Case("8441 4: h2c", with(":method", "CONNECT") + [(":protocol", "h2c")], .pseudoField),
    Case("9110 8.6: length", get + [("content-length", "1x")], .lengthSyntax),
    Case("9110 8.6: empty length", get + [("content-length", "")], .lengthSyntax),
    Case("9110 8.6: two lengths", get + [("content-length", "0"), ("content-length", "0")], .lengthRepeated),
    Case("8.1.1: length without content", get + [("content-length", "1")], .endWithLength),
]

private let malformedResponses: [Case] = [
    Case("8.3.2: no status", [("x", "1")], .pseudoFieldMissing),
    Case("8.3.2: two digits", [(":status", "20")], .statusLine),
    Case("8.3.2: four digits", [(":status", "2000")], .statusLine),
    Case("8.3.2: leading zero", [(":status", "020")], .statusLine),
    Case("8.3.2: a path in a response", [(":status", "200"), (":path", "/")], .pseudoField),
    Case("8.6: switching protocols", [(":status", "101")], .statusLine),
    Case("8.1: interim at the end", [(":status", "103")], .statusLine),
    Case("8.2.2: te in a response", [(":status", "200"), ("te", "trailers")], .connectionField),
    Case("8.2.2: connection in a response", [(":status", "200"), ("connection", "close")], .connectionField),
    Case("8.1.1: length without content", [(":status", "200"), ("content-length", "1")], .endWithLength),
    Case("9110 8.6: length with 204", [(":status", "204"), ("content-length", "1")], .lengthForbidden),
]

@Suite("HTTP/2 heads (RFC 9113 section 8)") struct HeadTests {
    @Test("malformed, however its strings come, and the table stays in step", arguments: malformedRequests)
    private func malformed(_ bad: Case) throws {
        let decoding = Decoding()
        #expect(decoding.request(block(bad.fields), extendedConnect: true).outcome == .malformed(bad.error))
        // Once more with the table and with Huffman: nghttp2 writes what it is given.
        let theirs = ReferenceEncoder()
        let reference = ReferenceDecoder()
        for _ in 0..<3 {
            let coded = theirs.encode(bad.fields.map { HeaderField($0.0, $0.1) })
            _ = reference.decode(coded)
            if coded.isEmpty { break }
            #expect(decoding.request(coded, extendedConnect: true).outcome == .malformed(bad.error))
        }
        let fine = get + [("x-in-step", "1")]
        for _ in 0..<2 {
            let head = decoding.request(theirs.encode(fine.map { HeaderField($0.0, $0.1) }))
            #expect(head.outcome == .ok && head.fields.last?.name == "x-in-step")
        }
    }

    @Test("malformed responses", arguments: malformedResponses)
    private func malformedResponse(_ bad: Case) {
        #expect(Decoding().response(block(bad.fields)).outcome == .malformed(bad.error))
    }

    @Test(
        "8.1: malformed trailers",
        arguments: [
            ([(":path", "/")], .pseudoField), ([("x", "1"), (":status", "200")], .pseudoField),
            ([("connection", "x")], .connectionField), ([("te", "gzip")], .connectionField),
            ([("X", "1")], .uppercaseName), ([("", "1")], .fieldName),
        ] as [([(String, String)], HeadError)])
    func malformedTrailers(fields: [(String, String)], error: HeadError) {
        #expect(Decoding().trailers(block(fields)).outcome == .malformed(error))
    }

    @Test("9110 6.5.1: fields that must not be in trailers are left out")
    func forbiddenTrailers() {
        let head = Decoding().trailers(
            block([
                ("grpc-status", "0"), ("content-length", "1"), ("te", "trailers"), ("date", "x"), ("server", "s"),
                ("cookie", "a"), ("host", "h"),
            ]))
        #expect(head.outcome == .ok && head.text == "grpc-status: 0\r\nserver: s\r\n")
    }

    /// Heads that `RequestHeadParser` must read the same.
    private static let good: [(name: String, fields: [(String, String)], text: String)] = [
        ("simple", get, "GET /p HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("query", with(":path", "/p?q=?/"), "GET /p?q=?/ HTTP/1.1\r\nhost: a\r\n\r\n"),
        ("empty query", with(":path", "/?"), "GET /? HTTP/1.1\r\nhost: a\r\n\r\n"),
        (
            "any order", [(":authority", "[::1]:80"), (":path", "/"), (":scheme", "HTTPS"), (":method", "POST")],
            "POST / HTTP/1.1\r\nhost: [::1]:80\r\n\r\n"
        ),
        (
            "OPTIONS *", with(":path", "*").map { $0.0 == ":method" ? (":method", "OPTIONS") : $0 },
            "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
        ),
        (
            "fields", get + [("x", "1"), ("empty", ""), ("y", "a b\t\u{ff}")],
            "GET /p HTTP/1.1\r\nhost: a\r\nx: 1\r\nempty: \r\ny: a b\t\u{ff}\r\n\r\n"
        ),
        (
            "te", get + [("te", "Trailers"), ("http2-settings", "x")],
            "GET /p HTTP/1.1\r\nhost: a\r\nte: Trailers\r\nhttp2-settings: x\r\n\r\n"
        ),
        ("host and authority", get + [("x", "1"), ("host", "A:80")], "GET /p HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n"),
        (
            "host alone", without(":authority") + [("x", "1"), ("host", "b:8"), ("y", "2")],
            "GET /p HTTP/1.1\r\nhost: b:8\r\nx: 1\r\ny: 2\r\n\r\n"
        ),
        (
            "cookies", get + [("cookie", "a=1"), ("cookie", ""), ("cookie", "b=2"), ("cookie", "c=3")],
            "GET /p HTTP/1.1\r\nhost: a\r\ncookie: a=1; b=2; c=3\r\n\r\n"
        ),
        (
            "an empty cookie first", get + [("cookie", ""), ("cookie", "b=2")],
            "GET /p HTTP/1.1\r\nhost: a\r\ncookie: b=2\r\n\r\n"
        ),
        (
            "cookies apart",
            get + [
                ("x", "1"), ("cookie", "a=1"), ("y", "2"), ("cookie", "b=2"), ("cookie", "c=3"), ("z", "3"),
                ("cookie", "d=4"),
            ],
            "GET /p HTTP/1.1\r\nhost: a\r\nx: 1\r\ny: 2\r\nz: 3\r\ncookie: a=1; b=2; c=3; d=4\r\n\r\n"
        ),
        (
            "cookies apart, host alone",
            without(":authority") + [("cookie", "a=1"), ("y", "2"), ("cookie", "b=2"), ("host", "h")],
            "GET /p HTTP/1.1\r\nhost: h\r\ny: 2\r\ncookie: a=1; b=2\r\n\r\n"
        ),
        (
            "CONNECT", [(":method", "CONNECT"), (":authority", "a:443")],
            "CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n"
        ),
        (
            "expect", get + [("expect", "100-continue"), ("content-length", "0")],
            "GET /p HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n"
        ),
    ]

    @Test("the text, which the HTTP/1.1 parser reads the same", arguments: 0..<15)
    func canonical(_ index: Int) throws {
        let good = Self.good[index]
        let theirs = ReferenceEncoder()
        let decoding = Decoding()
        let list = good.fields.map { HeaderField($0.0, $0.1) }
        // Plain; then twice with Huffman and the table.
        for block in [block(good.fields), theirs.encode(list), theirs.encode(list)] {
            let head = decoding.request(block)
            #expect(head.outcome == .ok && head.text == good.text, "\(good.name)")
            let seen = try #require(head.request)
            guard case .request(let parsed, let fields) = try parseRequest(latin1(head.text)) else {
                Issue.record("refused: \(good.name)")
                continue
            }
            #expect(fields == head.fields)
            #expect(parsed.ranges == seen.ranges && parsed.form == seen.form && parsed.target == seen.target)
            #expect(parsed.expectsContinue == seen.expectsContinue && parsed.length == seen.length)
            #expect(parsed.fieldCount == seen.fieldCount && seen.keepAlive && seen.version == .http2)
            #expect(seen.framing == .none && seen.acceptsTrailers == (good.name == "te"))
        }
    }

    @Test("8441 4: extended CONNECT")
    func extendedConnect() throws {
        let fields = with(":method", "CONNECT") + [(":protocol", "websocket"), ("x", "1")]
        let decoding = Decoding()
        #expect(decoding.request(block(fields)).outcome == .malformed(.pseudoField))
        for withHost in [false, true] {
            let list = withHost ? fields.filter { $0.0 != ":authority" } + [("host", "a")] : fields
            let head = decoding.request(block(list), isEnd: false, extendedConnect: true)
            #expect(head.text == "GET /p HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nx: 1\r\n\r\n")
            let request = try #require(head.request)
            #expect(request.isExtendedConnect && request.framing == .untilClose && request.form == .origin)
            #expect(
                latin1(head.text)[Int(request.upgrade.start)..<Int(request.upgrade.end)].elementsEqual(
                    latin1("websocket")))
            #expect(head.fields[1].hopByHop && head.fields[1].known == .upgrade)
        }
        // What we write is that again.
        let coded = Encoding().request(
            [":method": "GET", ":scheme": "http", ":path": "/p", ":authority": "a", ":protocol": "websocket"], [])
        let read = try #require(ReferenceDecoder().decode(coded))
        #expect(
            Set(read.map(\.description))
                == Set((with(":method", "CONNECT") + [(":protocol", "websocket")]).map { "\($0.0): \($0.1)" }))
    }

    @Test("framing")
    func framing() {
        func request(_ extra: [(String, String)], isEnd: Bool) -> BodyFraming? {
            Decoding().request(block(get + extra), isEnd: isEnd).request?.framing
        }
        #expect(request([], isEnd: false) == .untilClose)
        #expect(request([("content-length", "7")], isEnd: false) == .length(7))
        #expect(request([("content-length", "0")], isEnd: true) == BodyFraming.none)
        func response(_ status: String, _ extra: [(String, String)], isEnd: Bool, toHEAD: Bool = false) -> BodyFraming?
        {
            let head = Decoding().response(block([(":status", status)] + extra), isEnd: isEnd, toHEAD: toHEAD)
            #expect(head.outcome == .ok)
            return head.response?.framing
        }
        #expect(response("200", [], isEnd: false) == .untilClose)
        #expect(response("200", [], isEnd: true) == BodyFraming.none)
        #expect(response("200", [("content-length", "7")], isEnd: false) == .length(7))
        #expect(response("200", [("content-length", "7")], isEnd: true, toHEAD: true) == BodyFraming.none)
        #expect(response("304", [("content-length", "7")], isEnd: true) == BodyFraming.none)
        #expect(response("204", [("content-length", "0")], isEnd: true) == BodyFraming.none)
        #expect(response("103", [], isEnd: false) == BodyFraming.none)
    }

    @Test("a response's text reads the same in HTTP/1.1")
    func response() throws {
        let head = Decoding().response(block([(":status", "418"), ("x", "1"), ("content-length", "3")]), isEnd: false)
        #expect(head.text == "HTTP/1.1 418 \r\nx: 1\r\ncontent-length: 3\r\n\r\n")
        guard case .response(let parsed, let fields) = try parseResponse(latin1(head.text)) else {
            Issue.record("refused")
            return
        }
        let seen = try #require(head.response)
        #expect(fields == head.fields && parsed.status == seen.status && parsed.reason == seen.reason)
        #expect(parsed.framing == seen.framing && parsed.length == seen.length && parsed.fieldCount == seen.fieldCount)
    }

    /// For `Deploy/fuzz`: each head three times, as nghttp2 writes it.
    static var seeds: [[UInt8]] {
        func seed(_ kind: UInt8, _ fields: [(String, String)]) -> [UInt8] {
            let theirs = ReferenceEncoder()
            return (0..<3).reduce(into: [0]) { seed, _ in
                let block = theirs.encode(fields.map { HeaderField($0.0, $0.1) })
                seed += [kind, UInt8(block.count)] + block
            }
        }
        let requests = malformedRequests.filter { !$0.fields.isEmpty }.map(\.fields) + good.map(\.fields)
        return requests.map { seed(0x1c, $0) } + malformedResponses.map { seed(0x0a, $0.fields) }
    }

    static let errors = Set((malformedRequests + malformedResponses).map(\.error))
}
