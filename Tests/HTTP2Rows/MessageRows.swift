/// Section 8, for requests.
extension Row {
    /// A request without one of the pseudo-fields.
    private static func without(_ name: String) -> Fields { request().filter { $0.0 != name } }
    private static func with(_ name: String, _ value: String) -> Fields {
        request().map { $0.0 == name ? (name, value) : $0 }
    }
    private static let post = headers(1, request("POST"), end: false)
    private static func post(length: String) -> [UInt8] {
        headers(1, request("POST", [("content-length", length)]), end: false)
    }

    /// Requests whose head alone is malformed (section 8.1.1).
    private static let malformed: [(section: String, what: String, fields: Fields)] = [
        ("8.2.1", "an uppercase letter in a name", request("GET", [("X-Upper", "1")])),
        ("8.2.1", "a space in a name", request("GET", [("x y", "1")])),
        ("8.2.1", "a colon in a name", request("GET", [("x:y", "1")])),
        ("8.2.1", "a control byte in a name", request("GET", [("x\u{1}", "1")])),
        ("8.2.1", "a line feed in a name", request("GET", [("x\n", "1")])),
        ("8.2.1", "DEL in a name", request("GET", [("x\u{7f}", "1")])),
        ("8.2.1", "a byte above 0x7f in a name", request("GET", [("x\u{e4}", "1")])),
        ("8.2.1", "an empty name", request("GET", [("", "1")])),
        ("8.2.1", "NUL in a value", request("GET", [("x", "a\u{0}b")])),
        ("8.2.1", "a carriage return in a value", request("GET", [("x", "a\rb")])),
        ("8.2.1", "a line feed in a value", request("GET", [("x", "a\nb")])),
        ("8.2.1", "CRLF and a field in a value", request("GET", [("x", "a\r\nhost: b")])),
        ("8.2.1", "a space before a value", request("GET", [("x", " a")])),
        ("8.2.1", "a tab behind a value", request("GET", [("x", "a\t")])),
        ("8.2.2", "connection", request("GET", [("connection", "close")])),
        ("8.2.2", "proxy-connection", request("GET", [("proxy-connection", "close")])),
        ("8.2.2", "keep-alive", request("GET", [("keep-alive", "timeout=5")])),
        ("8.2.2", "transfer-encoding", request("GET", [("transfer-encoding", "chunked")])),
        ("8.2.2", "upgrade", request("GET", [("upgrade", "h2c")])),
        ("8.2.2", "te with another value than trailers", request("GET", [("te", "gzip")])),
        ("8.2.2", "te with more than trailers", request("GET", [("te", "trailers, deflate")])),
        ("8.3", "an unknown pseudo-field", request("GET", [(":unknown", "1")])),
        ("8.3", "a response's pseudo-field", [(":status", "200")] + request()),
        ("8.3", "a pseudo-field behind a field", [("x", "1")] + request()),
        ("8.3", "a pseudo-field between fields", without(":path") + [("x", "1"), (":path", "/")]),
        ("8.3.1", ":method twice", [(":method", "GET")] + request()),
        ("8.3.1", ":scheme twice", [(":scheme", "http")] + request()),
        ("8.3.1", ":path twice", [(":path", "/")] + request()),
        ("8.3.1", ":authority twice", [(":authority", "example.com")] + request()),
        ("8.3.1", "no :method", without(":method")),
        ("8.3.1", "no :scheme", without(":scheme")),
        ("8.3.1", "no :path", without(":path")),
        ("8.3.1", "an empty :path", with(":path", "")),
        ("8.3.1", "a :path without slash", with(":path", "index")),
        ("8.3.1", "an absolute :path", with(":path", "http://example.com/")),
        ("8.3.1", "* as :path of GET", with(":path", "*")),
        ("8.3.1", "a space in :path", with(":path", "/a b")),
        ("8.3.1", "CRLF in :path", with(":path", "/ HTTP/1.1\r\nx: y")),
        ("8.3.1", "a fragment in :path", with(":path", "/#x")),
        ("8.3.1", "a space in :method", with(":method", "GE T")),
        ("8.3.1", "an empty :method", with(":method", "")),
        ("8.3.1", "userinfo in :authority", with(":authority", "user@example.com")),
        ("8.3.1", "host that differs from :authority", request("GET", [("host", "other.example")])),
        ("8.3.1", "host twice", without(":authority") + [("host", "a.example"), ("host", "b.example")]),
        ("8.5", "CONNECT with :path", [(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")]),
        ("8.5", "CONNECT with :scheme", [(":method", "CONNECT"), (":authority", "a:1"), (":scheme", "http")]),
        ("8.5", "CONNECT without :authority", [(":method", "CONNECT")]),
        (
            "RFC 8441 4", "extended CONNECT without :path",
            [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", "a")]
        ),
        (
            "RFC 8441 4", "extended CONNECT without :scheme",
            [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/"), (":authority", "a")]
        ),
        ("RFC 8441 4", ":protocol with GET", request("GET").prefix(4) + [(":protocol", "websocket")]),
        ("8.1.1", "content-length that is no number", request("POST", [("content-length", "-1")])),
        (
            "8.1.1", "two content-lengths that differ",
            request("POST", [("content-length", "1"), ("content-length", "2")])
        ),
        ("8.1.1", "content-length without content", request("POST", [("content-length", "5")])),
    ]

    private static let wellFormed: [(section: String, what: String, fields: Fields)] = [
        ("8.2.2", "te: trailers", request("GET", [("te", "trailers")])),
        ("8.2.3", "cookies in several fields", request("GET", [("cookie", "a=b"), ("cookie", "c=d")])),
        ("8.2.1", "bytes above 0x7f in a value", request("GET", [("x", "\u{e4}\u{ff}")])),
        ("8.2.1", "a tab within a value", request("GET", [("x", "a\tb")])),
        ("8.2.1", "an empty value", request("GET", [("x", "")])),
        ("8.3.1", "pseudo-fields in any order", request().reversed()),
        (
            "8.3.1", "* as :path of OPTIONS",
            [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a")]
        ),
        ("8.3.1", "host instead of :authority", without(":authority") + [("host", "example.com")]),
        ("8.3.1", "host equal to :authority", request("GET", [("host", "example.com")])),
        ("8.3.1", "https as :scheme", with(":scheme", "https")),
        ("8.3.1", "a query", with(":path", "/a?b=c&d=%20")),
        ("8.1.1", "content-length 0 without content", request("POST", [("content-length", "0")])),
    ]

    static let messages: [Row] =
        malformed.map { server($0.section, $0.what, headers(1, $0.fields), .stream(1, .protocolError)) }
        + wellFormed.map { server($0.section, $0.what, headers(1, $0.fields), .messages(1)) }
        + [
            server("8.1", "trailers", post + data(1, 3) + headers(1, [("x-sum", "1")]), .messages(1)),
            server("8.1", "trailers without content", post + headers(1, [("x-sum", "1")]), .messages(1)),
            server(
                "8.1", "trailers that do not end the stream",
                post + data(1, 3) + headers(1, [("x-sum", "1")], end: false),
                .stream(1, .protocolError)),
            server("8.1", "a second head", post + headers(1, request("POST"), end: false), .stream(1, .protocolError)),
            server(
                "8.3", "a pseudo-field in trailers", post + headers(1, [(":path", "/")]), .stream(1, .protocolError)),
            server(
                "8.2.1", "an uppercase letter in trailers", post + headers(1, [("X", "1")]),
                .stream(1, .protocolError)),
            server(
                "8.2.2", "connection in trailers", post + headers(1, [("connection", "close")]),
                .stream(1, .protocolError)),
            server(
                "8.1.1", "as much content as content-length, in two frames",
                post(length: "5") + data(1, 2) + data(1, 3, end: true), .messages(1)),
            server(
                "8.1.1", "as much content as content-length, and an empty frame",
                post(length: "5") + data(1, 5) + data(1, 0, end: true), .messages(1)),
            server(
                "8.1.1", "as much content as content-length, and padding",
                post(length: "2") + Frame(.data, 0x9, 1, [3, 1, 2, 0, 0, 0]).bytes, .messages(1)),
            server(
                "8.1.1", "as much content as content-length, and trailers",
                post(length: "5") + data(1, 5) + headers(1, [("x-sum", "1")]), .messages(1)),
            server(
                "8.1.1", "less content than content-length", post(length: "5") + data(1, 4, end: true),
                .stream(1, .protocolError)),
            server(
                "8.1.1", "no content with content-length", post(length: "5") + data(1, 0, end: true),
                .stream(1, .protocolError)),
            server(
                "8.1.1", "less content than content-length, and trailers",
                post(length: "5") + data(1, 4) + headers(1, [("x-sum", "1")]), .stream(1, .protocolError)),
            server(
                "8.1.1", "more content than content-length", post(length: "5") + data(1, 6, end: true),
                .stream(1, .protocolError)),
            server(
                "8.1.1", "more content than content-length, in two frames",
                post(length: "5") + data(1, 5) + data(1, 1, end: true), .stream(1, .protocolError)),
            server(
                "8.1.1", "a malformed request leaves the others alone",
                headers(1, request("GET", [("X", "1")])) + headers(3, request()) + headers(5, request()),
                .stream(1, .protocolError)),
            server(
                "8.5", "CONNECT",
                headers(1, [(":method", "CONNECT"), (":authority", "a.example:443")], end: false)
                    + data(1, 10) + data(1, 10, end: true), .messages(1)),
            server(
                "8.5", "HEADERS in a tunnel",
                headers(1, [(":method", "CONNECT"), (":authority", "a.example:443")], end: false)
                    + data(1, 10) + headers(1, [("x", "1")]), .stream(1, .protocolError)),
            server(
                "RFC 8441 4", "extended CONNECT",
                headers(
                    1,
                    [
                        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat"),
                        (":authority", "example.com"),
                    ], end: false) + data(1, 10, end: true), .messages(1)),
        ]
}
