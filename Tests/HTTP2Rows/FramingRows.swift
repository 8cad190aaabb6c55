/// Sections 3 and 4.
extension Row {
    private static let get = headers(1, request())
    private static let tooLong = [UInt8](repeating: 0, count: 16_385)

    static let framing: [Row] = [
        raw("3.4", "preface and SETTINGS", preface + settings(), .accepted),
        raw("3.4", "preface, SETTINGS and a request", preface + settings() + get, .messages(1)),
        raw("3.4", "SETTINGS are acknowledged", preface + settings(), .answered(Frame(.settings, Frame.ack, 0))),
        raw(
            "3.4", "a preface with a wrong last byte", preface.dropLast() + [0x20] + settings(),
            .connection(.protocolError)),
        raw("3.4", "no preface", settings() + get, .connection(.protocolError)),
        raw(
            "3.4", "the first frame is PING", preface + Frame(.ping, 0, [UInt8](repeating: 1, count: 8)).bytes,
            .connection(.protocolError)),
        raw("3.4", "the first frame is HEADERS", preface + get, .connection(.protocolError)),
        raw(
            "3.4", "the first frame is WINDOW_UPDATE", preface + Frame(.windowUpdate, 0, big(10)).bytes,
            .connection(.protocolError)),
        raw(
            "3.4", "the first frame is an acknowledgement of SETTINGS", preface + Frame(.settings, Frame.ack, 0).bytes,
            .connection(.protocolError)),

        server(
            "4.1", "a frame of unknown type on stream 0", Frame(type: 0xee, 0xff, 0, [1, 2, 3]).bytes + get,
            .messages(1)),
        server(
            "4.1", "a frame of unknown type on an idle stream", Frame(type: 0x20, 0, 7, []).bytes + get,
            .messages(1)),
        server(
            "4.1", "unknown flags of PING",
            Frame(.ping, 0x16, 0, [1, 2, 3, 4, 5, 6, 7, 8]).bytes,
            .answered(Frame(.ping, Frame.ack, 0, [1, 2, 3, 4, 5, 6, 7, 8]))),
        server(
            "4.1", "the reserved bit of a stream's identifier",
            Frame(.headers, 0x5, 0x8000_0001, block(request())).bytes, .messages(1)),
        server(
            "4.1", "the reserved bit of PING's stream",
            Frame(.ping, 0, 0x8000_0000, [8, 7, 6, 5, 4, 3, 2, 1]).bytes,
            .answered(Frame(.ping, Frame.ack, 0, [8, 7, 6, 5, 4, 3, 2, 1]))),

        server(
            "4.2", "DATA of the largest size", headers(1, request("POST"), end: false) + data(1, 16_384, end: true),
            .messages(1)),
        server(
            "4.2", "DATA above the largest size", headers(1, request("POST"), end: false) + data(1, 16_385, end: true),
            .connection(.frameSizeError)),
        server(
            "4.2", "HEADERS above the largest size", Frame(.headers, 0x5, 1, tooLong).bytes,
            .connection(.frameSizeError)),
        server(
            "4.2", "SETTINGS above the largest size", Frame(.settings, 0, tooLong + [0, 0, 0, 0, 0]).bytes,
            .connection(.frameSizeError)),
        server(
            "4.2", "an unknown frame above the largest size", Frame(type: 0x99, 0, 0, tooLong).bytes,
            .connection(.frameSizeError)),
        server(
            "4.2", "CONTINUATION above the largest size",
            headers(1, request(), flags: 0) + Frame(.continuation, 4, 1, tooLong).bytes,
            .connection(.frameSizeError)),

        server(
            "4.3", "an index that no table has", Frame(.headers, 0x5, 1, [0xff, 0x80, 0x01]).bytes,
            .connection(.compressionError)),
        server("4.3", "index 0", Frame(.headers, 0x5, 1, [0x80]).bytes, .connection(.compressionError)),
        server(
            "4.3", "a block that ends within a string",
            Frame(.headers, 0x5, 1, Array(block(request()).dropLast(3))).bytes,
            .connection(.compressionError)),
        server(
            "4.3", "Huffman padding longer than 7 bits",
            Frame(.headers, 0x5, 1, [0x82, 0x86, 0x84, 0x41, 0x82, 0xff, 0xff]).bytes, .connection(.compressionError)),
        server(
            "RFC 7541 6.3", "a table size above the setting",
            Frame(.headers, 0x5, 1, [0x3f, 0xe2, 0x1f] + block(request())).bytes, .connection(.compressionError)),
        server(
            "RFC 7541 4.2", "a table size behind the first field",
            Frame(.headers, 0x5, 1, block(request()) + [0x20]).bytes, .connection(.compressionError)),
        server(
            "RFC 7541 4.2", "a table size at the front", Frame(.headers, 0x5, 1, [0x20] + block(request())).bytes,
            .messages(1)),
        server(
            "4.3", "a block interrupted by PING",
            headers(1, request(), flags: 0) + Frame(.ping, 0, [UInt8](repeating: 0, count: 8)).bytes,
            .connection(.protocolError)),
        server(
            "4.3", "a block interrupted by DATA", headers(1, request(), end: false, flags: 0) + data(1, 3),
            .connection(.protocolError)),
        server(
            "4.3", "a block interrupted by HEADERS of another stream",
            headers(1, request(), flags: 0) + headers(3, request()), .connection(.protocolError)),
        server(
            "4.3", "a block interrupted by CONTINUATION of another stream",
            headers(1, request(), flags: 0) + Frame(.continuation, 4, 3, []).bytes, .connection(.protocolError)),
        server(
            "5.5", "a block interrupted by a frame of unknown type",
            headers(1, request(), flags: 0) + Frame(type: 0x77, 0, 0, []).bytes, .connection(.protocolError)),
        server(
            "4.3", "a field that an earlier, refused request brought into the table",
            Frame(.headers, 0x5, 1, block([(":method", "GET"), ("Bad", "x")]) + indexed("x-kept", "1")).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .stream(1, .protocolError)),
        server(
            "4.3", "a field that the trailers of a closed stream brought into the table",
            headers(1, request("POST"), end: false)
                + Frame(.headers, 0x5, 1, indexed("x-sum", "1")).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .accepted, .resets),
        server(
            "4.3", "a field that HEADERS behind the end of a request brought into the table",
            get + Frame(.headers, 0x5, 1, indexed("x-kept", "1")).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .stream(1, .streamClosed)),
        server(
            "4.3", "a field that trailers without an end brought into the table",
            headers(1, request("POST"), end: false) + Frame(.headers, 0x4, 1, indexed("x-kept", "1")).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .stream(1, .protocolError)),
        server(
            "4.3", "a field that HEADERS which depend on themselves brought into the table",
            Frame(.headers, 0x25, 1, big(1) + [0] + indexed("x-kept", "1") + block(request())).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .stream(1, .protocolError)),
        server(
            "4.3", "a field that HEADERS on an open stream which depend on themselves brought into the table",
            headers(1, request("POST"), end: false)
                + Frame(.headers, 0x25, 1, big(1) + [0] + indexed("x-kept", "1")).bytes
                + Frame(.headers, 0x5, 3, block(request()) + [0xbe]).bytes,
            .stream(1, .protocolError)),
    ]
}
