/// Section 5, and section 6's frames on streams in a state that they must not meet.
extension Row {
    private static let get = headers(1, request())
    private static let post = headers(1, request("POST"), end: false)
    private static let more = headers(3, request())
    private static func reset(_ stream: UInt32, _ code: Code = .cancel) -> [UInt8] {
        Frame(.resetStream, 0, stream, big(code.rawValue)).bytes
    }
    private static func window(_ stream: UInt32, _ increment: UInt32) -> [UInt8] {
        Frame(.windowUpdate, 0, stream, big(increment)).bytes
    }
    private static func priority(_ stream: UInt32, on other: UInt32 = 0) -> [UInt8] {
        Frame(.priority, 0, stream, big(other) + [16]).bytes
    }

    static let streams: [Row] = [
        server("5.1", "idle: DATA", data(1, 1), .connection(.protocolError)),
        server("5.1", "idle: RST_STREAM", reset(1), .connection(.protocolError)),
        server("5.1", "idle: WINDOW_UPDATE", window(1, 100), .connection(.protocolError)),
        server("5.1", "idle: CONTINUATION", Frame(.continuation, 4, 1, []).bytes, .connection(.protocolError)),
        server("5.1", "idle: PRIORITY", priority(1) + get, .messages(1)),
        server("5.1", "idle: DATA above an open stream", post + data(3, 1), .connection(.protocolError)),
        server(
            "5.1", "idle: DATA on a stream that the server would open", post + data(2, 1),
            .connection(.protocolError)),
        server(
            "5.1", "idle: WINDOW_UPDATE on a stream that the server would open", post + window(2, 1),
            .connection(.protocolError)),

        server("5.1", "open: WINDOW_UPDATE", post + window(1, 100) + data(1, 1, end: true), .messages(1)),
        server("5.1", "open: PRIORITY", post + priority(1, on: 3) + data(1, 1, end: true), .messages(1)),
        server("5.1", "open: RST_STREAM", post + reset(1), .accepted),

        server("5.1", "half-closed (remote): DATA", get + data(1, 1), .stream(1, .streamClosed)),
        server(
            "5.1", "half-closed (remote): empty DATA that ends", get + data(1, 0, end: true),
            .stream(1, .streamClosed)),
        server("5.1", "half-closed (remote): HEADERS", get + get, .stream(1, .streamClosed)),
        server(
            "5.1", "half-closed (remote) after DATA: DATA", post + data(1, 1, end: true) + data(1, 1),
            .stream(1, .streamClosed)),
        server(
            "5.1", "half-closed (remote) after trailers: DATA", post + headers(1, [("x", "1")]) + data(1, 1),
            .stream(1, .streamClosed)),
        server(
            "5.1", "half-closed (remote) after trailers: trailers",
            post + headers(1, [("x", "1")]) + headers(1, [("x", "1")]), .stream(1, .streamClosed)),
        server(
            "5.1", "half-closed (remote): CONTINUATION", get + Frame(.continuation, 4, 1, []).bytes,
            .connection(.protocolError)),
        server("5.1", "half-closed (remote): WINDOW_UPDATE", get + window(1, 100) + more, .messages(2)),
        server("5.1", "half-closed (remote): PRIORITY", get + priority(1) + more, .messages(2)),
        server("5.1", "half-closed (remote): RST_STREAM", get + reset(1) + more, .accepted),

        server("5.1", "closed by both: DATA", get + data(1, 1), .connection(.streamClosed), .answers),
        server("5.1", "closed by both: HEADERS", get + get, .connection(.streamClosed), .answers),
        server(
            "5.1", "closed by both, a later one open: HEADERS", get + more + get, .connection(.streamClosed), .answers),
        server(
            "5.1", "closed by both: CONTINUATION", get + Frame(.continuation, 4, 1, []).bytes,
            .connection(.protocolError), .answers),
        server("5.1", "closed by both: WINDOW_UPDATE", get + window(1, 100) + more, .messages(2), .answers),
        server("5.1", "closed by both: RST_STREAM", get + reset(1) + more, .messages(2), .answers),
        server("5.1", "closed by both: PRIORITY", get + priority(1) + more, .messages(2), .answers),

        server("5.1", "reset by the peer: DATA", post + reset(1) + data(1, 1), .connection(.streamClosed)),
        server(
            "5.1", "reset by the peer: HEADERS", post + reset(1) + headers(1, [("x", "1")]),
            .connection(.streamClosed)),
        server("5.1", "reset by the peer: WINDOW_UPDATE", post + reset(1) + window(1, 1) + more, .accepted),
        server("5.1", "reset by the peer: RST_STREAM", post + reset(1) + reset(1) + more, .accepted),
        server("5.1", "reset by the peer: PRIORITY", post + reset(1) + priority(1) + more, .accepted),

        server("5.1", "reset by us: DATA", post + data(1, 100) + data(1, 100, end: true), .accepted, .resets),
        server("5.1", "reset by us: trailers", post + headers(1, [("x", "1")]), .accepted, .resets),
        server("5.1", "reset by us: WINDOW_UPDATE", post + window(1, 1), .accepted, .resets),
        server("5.1", "reset by us: WINDOW_UPDATE by 0", post + window(1, 0), .accepted, .resets),
        server("5.1", "reset by us: RST_STREAM", post + reset(1), .accepted, .resets),
        server(
            "5.4.2", "reset for its DATA: more DATA",
            headers(1, request("POST", [("content-length", "1")]), end: false)
                + data(1, 2) + data(1, 5) + data(1, 5, end: true) + more, .stream(1, .protocolError)),

        server("5.1.1", "an even identifier", headers(2, request()), .connection(.protocolError)),
        server(
            "5.1.1", "an identifier below the last, never used", headers(5, request()) + headers(3, request()),
            .connection(.protocolError)),
        server("5.1.1", "identifiers left out", get + headers(9, request()) + headers(2001, request()), .messages(3)),
        server(
            "5.1.1", "DATA on a stream that was left out", headers(5, request()) + data(3, 1),
            .connection(.streamClosed)),
        server("5.1.1", "RST_STREAM on a stream that was left out", headers(5, request()) + reset(3), .messages(1)),
        server(
            "5.1.1", "WINDOW_UPDATE on a stream that was left out", headers(5, request()) + window(3, 1),
            .messages(1)),
        server("5.1.1", "the highest identifier", headers(0x7fff_ffff, request()), .messages(1)),

        server(
            "5.1.2", "as many streams as announced",
            (0..<128).flatMap { headers(2 * $0 + 1, request()) }, .messages(128)),
        server(
            "5.1.2", "a stream more than announced",
            (0..<129).flatMap { headers(2 * $0 + 1, request()) }, .stream(257, .refusedStream)),
        server(
            "5.1.2", "a stream more than announced, one reset before",
            (0..<128).flatMap { headers(2 * $0 + 1, request()) } + reset(1) + headers(257, request()), .accepted),
        server(
            "5.1.2", "refused streams keep the table in step",
            (0..<128).flatMap { headers(2 * $0 + 1, request()) }
                + Frame(.headers, 0x5, 257, indexed("x-kept", "1") + block(request())).bytes + reset(1)
                + Frame(.headers, 0x5, 259, block(request()) + [0xbe]).bytes,
            .stream(257, .refusedStream)),

        server("RFC 7540 5.3.1", "PRIORITY on itself", post + priority(1, on: 1), .stream(1, .protocolError)),
        server(
            "RFC 7540 5.3.1", "HEADERS that depend on themselves",
            Frame(.headers, 0x25, 1, big(1) + [0] + block(request())).bytes + more, .stream(1, .protocolError)),
        server(
            "5.3.2", "priorities are ignored",
            priority(1, on: 5) + Frame(.headers, 0x25, 1, big(0x8000_0003) + [255] + block(request())).bytes
                + priority(99, on: 1), .messages(1)),
        server("5.5", "an unknown setting", settings([(0xfafa, 7)]) + get, .messages(1)),
        server(
            "5.5", "an unknown frame between DATA",
            post + data(1, 2) + Frame(type: 0x42, 0, 1, [1, 2]).bytes
                + data(1, 2, end: true), .messages(1)),
    ]
}
