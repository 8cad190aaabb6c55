/// What a client must refuse, and must not.
extension Row {
    private static let ok = headers(1, response())
    private static let head = headers(1, response(), end: false)

    private static let malformed: [(section: String, what: String, fields: Fields)] = [
        ("8.3.2", "no :status", [("x", "1")]),
        ("8.3.2", ":status twice", [(":status", "200"), (":status", "200")]),
        ("8.3.2", ":status of two digits", [(":status", "20")]),
        ("8.3.2", ":status of four digits", [(":status", "2000")]),
        ("8.3.2", ":status that is no number", [(":status", "abc")]),
        ("8.3", "a request's pseudo-field", [(":status", "200"), (":path", "/")]),
        ("8.3", "a pseudo-field behind a field", [("x", "1"), (":status", "200")]),
        ("8.2.1", "an uppercase letter in a name", response("200", [("X", "1")])),
        ("8.2.1", "a line feed in a value", response("200", [("x", "a\nb")])),
        ("8.2.2", "connection", response("200", [("connection", "close")])),
        ("8.2.2", "transfer-encoding", response("200", [("transfer-encoding", "chunked")])),
        ("8.1.1", "content-length without content", response("200", [("content-length", "5")])),
        ("8.1", "an interim response that ends", response("103")),
        ("8.6", "101", response("101")),
    ]

    static let clients: [Row] =
        malformed.map { client($0.section, $0.what, headers(1, $0.fields), .stream(1, .protocolError)) }
        + [
            Row(
                section: "3.4", what: "the first frame is HEADERS", role: .client, bytes: ok,
                expected: .connection(.protocolError), application: .waits, requests: ["GET"]),
            client("8.1", "a response", ok, .messages(1)),
            client(
                "8.1", "a response with content and trailers", head + data(1, 5) + headers(1, [("x", "1")]),
                .messages(1)),
            client(
                "8.1", "interim responses before the final one",
                headers(1, response("103", [("link", "</a>")]), end: false) + headers(1, response("100"), end: false)
                    + ok,
                .messages(1)),
            client(
                "8.1", "an interim response behind the final one", head + headers(1, response("103"), end: false),
                .stream(1, .protocolError)),
            client("8.1", "DATA before the response's head", data(1, 1), .stream(1, .protocolError)),
            client(
                "8.1", "DATA behind an interim response", headers(1, response("103"), end: false) + data(1, 1),
                .stream(1, .protocolError)),
            client(
                "8.1", "trailers that do not end the stream", head + headers(1, [("x", "1")], end: false),
                .stream(1, .protocolError)),
            client(
                "8.1", "a response to the second request first", headers(3, response()) + ok, .messages(2),
                requests: ["GET", "GET"]),
            client("5.1", "HEADERS behind the end", ok + ok, .connection(.streamClosed)),
            client("5.1", "DATA behind the end", ok + data(1, 1), .connection(.streamClosed)),
            client(
                "5.1", "DATA behind the end of a response whose request goes on", ok + data(1, 1),
                .stream(1, .streamClosed), requests: ["POST"]),
            client(
                "5.1", "RST_STREAM behind the end of a response whose request goes on",
                ok + Frame(.resetStream, 0, 1, big(0)).bytes, .messages(1), requests: ["POST"]),
            client("5.1", "HEADERS on an idle stream", headers(3, response()), .connection(.protocolError)),
            client(
                "5.1.1", "HEADERS on a stream that the server opens", headers(2, response()),
                .connection(.protocolError)),
            client("5.1", "DATA on an idle stream", data(5, 1), .connection(.protocolError)),
            client(
                "5.1", "RST_STREAM on an idle stream", Frame(.resetStream, 0, 3, big(8)).bytes,
                .connection(.protocolError)),
            client(
                "5.1", "a reset stream", Frame(.resetStream, 0, 1, big(7)).bytes + headers(3, response()), .accepted,
                requests: ["GET", "GET"]),
            client(
                "5.1", "HEADERS on a reset stream", Frame(.resetStream, 0, 1, big(7)).bytes + ok,
                .connection(.streamClosed)),
            client("5.1", "a response to a request that was reset", head + data(1, 10, end: true), .accepted, .resets),
            client(
                "5.1", "a reset's response keeps the table in step",
                Frame(.headers, 0x5, 1, block(response()) + indexed("x-kept", "1")).bytes
                    + Frame(.headers, 0x5, 3, block(response()) + [0xbe]).bytes,
                .accepted, requests: ["GET", "GET"], .resets),
            client("6.5.2", "SETTINGS_ENABLE_PUSH 1 from a server", settings([(2, 1)]), .connection(.protocolError)),
            client("6.5.2", "SETTINGS_ENABLE_PUSH 0 from a server", settings([(2, 0)]) + ok, .messages(1)),
            client(
                "RFC 8441 3", "SETTINGS_ENABLE_CONNECT_PROTOCOL taken back", settings([(8, 1)]) + settings([(8, 0)]),
                .connection(.protocolError)),
            client(
                "6.6", "PUSH_PROMISE", Frame(.pushPromise, 4, 1, big(2) + block(request())).bytes,
                .connection(.protocolError)),
            client(
                "6.8", "GOAWAY that processed the request", Frame(.goAway, 0, big(1) + big(0)).bytes + ok, .messages(1)),
            client(
                "6.8", "GOAWAY that allows more than the one before",
                Frame(.goAway, 0, big(1) + big(0)).bytes + Frame(.goAway, 0, big(3) + big(0)).bytes,
                .connection(.protocolError)),
            client(
                "8.1.1", "less content than content-length",
                headers(1, response("200", [("content-length", "5")]), end: false) + data(1, 4, end: true),
                .stream(1, .protocolError)),
            client(
                "8.1.1", "more content than content-length",
                headers(1, response("200", [("content-length", "5")]), end: false) + data(1, 6),
                .stream(1, .protocolError)),
            client(
                "8.1.1", "as much content as content-length",
                headers(1, response("200", [("content-length", "5")]), end: false) + data(1, 5, end: true), .messages(1)
            ),
            client(
                "8.1.1", "content-length in a response to HEAD", headers(1, response("200", [("content-length", "5")])),
                .messages(1), requests: ["HEAD"]),
            client(
                "8.1.1", "content-length in a response to HEAD, ended by DATA",
                headers(1, response("200", [("content-length", "5")]), end: false) + data(1, 0, end: true),
                .messages(1),
                requests: ["HEAD"]),
            client(
                "8.1.1", "content in a response to HEAD", head + data(1, 1, end: true), .stream(1, .protocolError),
                requests: ["HEAD"]),
            client(
                "8.1.1", "content-length in 304", headers(1, response("304", [("content-length", "5")])), .messages(1)),
            client(
                "8.1.1", "content in 204", headers(1, response("204"), end: false) + data(1, 1, end: true),
                .stream(1, .protocolError)),
            client(
                "8.1.1", "content in 304", headers(1, response("304"), end: false) + data(1, 1, end: true),
                .stream(1, .protocolError)),
        ]
}
