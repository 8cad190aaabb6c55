/// Section 6.
extension Row {
    private static let get = headers(1, request())
    private static let post = headers(1, request("POST"), end: false)
    private static func frame(_ kind: Frame.Kind, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8]
    {
        Frame(kind, flags, stream, payload).bytes
    }
    private static func frame(_ kind: Frame.Kind, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        Frame(kind, 0, stream, payload).bytes
    }
    private static let name = block(request())

    static let frames: [Row] = [
        server("6.1", "DATA on stream 0", post + data(0, 1), .connection(.protocolError)),
        server("6.1", "DATA with padding", post + frame(.data, 0x9, 1, [3, 1, 2, 0, 0, 0]), .messages(1)),
        server("6.1", "DATA of nothing but padding", post + frame(.data, 0x9, 1, [3, 0, 0, 0]), .messages(1)),
        server("6.1", "DATA with padding of no bytes", post + frame(.data, 0x9, 1, [0, 1, 2]), .messages(1)),
        server(
            "6.1", "padding as long as DATA's payload", post + frame(.data, 0x9, 1, [4, 0, 0, 0]),
            .connection(.protocolError)),
        server(
            "6.1", "padding longer than DATA's payload", post + frame(.data, 0x9, 1, [200, 0, 0, 0]),
            .connection(.protocolError)),
        server("6.1", "padded DATA without payload", post + frame(.data, 0x9, 1, []), .connection(.frameSizeError)),
        server("6.1", "empty DATA that ends", post + data(1, 0, end: true), .messages(1)),

        server("6.2", "HEADERS on stream 0", headers(0, request()), .connection(.protocolError)),
        server("6.2", "HEADERS with padding", frame(.headers, 0xd, 1, [4] + name + [0, 0, 0, 0]), .messages(1)),
        server(
            "6.2", "HEADERS with padding and priority",
            frame(.headers, 0x2d, 1, [4] + big(0) + [1] + name + [0, 0, 0, 0]), .messages(1)),
        server(
            "6.2", "padding longer than HEADERS' payload", frame(.headers, 0xd, 1, [255] + name),
            .connection(.protocolError)),
        server(
            "6.2", "padding as long as HEADERS' payload",
            frame(.headers, 0xd, 1, [UInt8(name.count + 1)] + name), .connection(.protocolError)),
        server(
            "6.2", "padding that leaves no room for the priority", frame(.headers, 0x2d, 1, [3, 0, 0, 0, 0, 0, 0]),
            .connection(.protocolError)),
        server("6.2", "padded HEADERS without payload", frame(.headers, 0xd, 1, []), .connection(.frameSizeError)),
        server(
            "6.2", "HEADERS without their priority", frame(.headers, 0x25, 1, [0, 0, 0, 0]),
            .connection(.frameSizeError)),

        server("6.3", "PRIORITY on stream 0", frame(.priority, 0, [0, 0, 0, 1, 1]), .connection(.protocolError)),
        server(
            "6.3", "PRIORITY of 4 bytes on an open stream", post + frame(.priority, 1, [0, 0, 0, 3]),
            .stream(1, .frameSizeError)),
        server(
            "6.3", "PRIORITY of 6 bytes on an open stream", post + frame(.priority, 1, [0, 0, 0, 3, 1, 1]),
            .stream(1, .frameSizeError)),

        server("6.4", "RST_STREAM on stream 0", frame(.resetStream, 0, big(8)), .connection(.protocolError)),
        server("6.4", "RST_STREAM of 3 bytes", post + frame(.resetStream, 1, [0, 0, 8]), .connection(.frameSizeError)),
        server(
            "6.4", "RST_STREAM of 5 bytes", post + frame(.resetStream, 1, [0, 0, 0, 0, 8]),
            .connection(.frameSizeError)),
        server("7", "RST_STREAM with an unknown code", post + frame(.resetStream, 1, big(0xffff)), .accepted),

        server(
            "6.5", "an acknowledgement with payload", frame(.settings, Frame.ack, 0, [0, 3, 0, 0, 0, 9]),
            .connection(.frameSizeError)),
        server("6.5", "SETTINGS on a stream", frame(.settings, 1, [0, 3, 0, 0, 0, 9]), .connection(.protocolError)),
        server(
            "6.5", "SETTINGS that end within a setting", frame(.settings, 0, [0, 3, 0, 0, 0]),
            .connection(.frameSizeError)),
        server("6.5", "empty SETTINGS", settings() + get, .messages(1)),
        server("6.5", "a setting twice", settings([(4, 1), (4, 70_000)]) + get, .messages(1)),
        server("6.5.2", "SETTINGS_ENABLE_PUSH 2", settings([(2, 2)]), .connection(.protocolError)),
        server("6.5.2", "SETTINGS_ENABLE_PUSH 1 from a client", settings([(2, 1)]) + get, .messages(1)),
        server(
            "6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE 2^31", settings([(4, 0x8000_0000)]),
            .connection(.flowControlError)),
        server("6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE 2^31-1", settings([(4, 0x7fff_ffff)]) + get, .messages(1)),
        server("6.5.2", "SETTINGS_MAX_FRAME_SIZE 16383", settings([(5, 16_383)]), .connection(.protocolError)),
        server("6.5.2", "SETTINGS_MAX_FRAME_SIZE 2^24", settings([(5, 1 << 24)]), .connection(.protocolError)),
        server("6.5.2", "SETTINGS_MAX_FRAME_SIZE 2^24-1", settings([(5, 1 << 24 - 1)]) + get, .messages(1)),
        server("6.5.2", "SETTINGS_HEADER_TABLE_SIZE 2^32-1", settings([(1, .max)]) + get, .messages(1)),
        server("6.5.2", "SETTINGS_MAX_CONCURRENT_STREAMS 0 from a client", settings([(3, 0)]) + get, .messages(1)),
        server("RFC 8441 3", "SETTINGS_ENABLE_CONNECT_PROTOCOL 2", settings([(8, 2)]), .connection(.protocolError)),
        server(
            "6.5.3", "an acknowledgement that nothing awaits",
            frame(.settings, Frame.ack, 0) + frame(.settings, Frame.ack, 0) + get, .messages(1)),

        server(
            "8.4", "PUSH_PROMISE from a client", post + frame(.pushPromise, 4, 1, big(2) + name),
            .connection(.protocolError)),
        server(
            "6.6", "PUSH_PROMISE on stream 0", frame(.pushPromise, 4, 0, big(2) + name),
            .connection(.protocolError)),

        server(
            "6.7", "PING is answered", frame(.ping, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
            .answered(Frame(.ping, Frame.ack, 0, [1, 2, 3, 4, 5, 6, 7, 8]))),
        server(
            "6.7", "an acknowledgement of PING that nothing awaits",
            frame(.ping, Frame.ack, 0, [1, 2, 3, 4, 5, 6, 7, 8]),
            .accepted),
        server(
            "6.7", "PING on a stream", post + frame(.ping, 1, [1, 2, 3, 4, 5, 6, 7, 8]), .connection(.protocolError)),
        server("6.7", "PING of 7 bytes", frame(.ping, 0, [1, 2, 3, 4, 5, 6, 7]), .connection(.frameSizeError)),
        server("6.7", "PING of 9 bytes", frame(.ping, 0, [1, 2, 3, 4, 5, 6, 7, 8, 9]), .connection(.frameSizeError)),
        server(
            "6.7", "an acknowledgement of PING of 0 bytes", frame(.ping, Frame.ack, 0, []),
            .connection(.frameSizeError)),

        server("6.8", "GOAWAY", post + frame(.goAway, 0, big(0) + big(0)) + data(1, 1, end: true), .messages(1)),
        server("6.8", "GOAWAY with debug data", post + frame(.goAway, 0, big(0) + big(0) + [1, 2, 3]), .accepted),
        server("6.8", "GOAWAY on a stream", post + frame(.goAway, 1, big(0) + big(0)), .connection(.protocolError)),
        server("6.8", "GOAWAY of 7 bytes", frame(.goAway, 0, big(0) + [0, 0, 0]), .connection(.frameSizeError)),
        server(
            "6.8", "GOAWAY that allows more than the one before",
            frame(.goAway, 0, big(0) + big(0)) + frame(.goAway, 0, big(2) + big(0)), .connection(.protocolError)),

        server(
            "6.9", "WINDOW_UPDATE by 0 of the connection", frame(.windowUpdate, 0, big(0)),
            .connection(.protocolError)),
        server(
            "6.9", "WINDOW_UPDATE by 0 of a stream", post + frame(.windowUpdate, 1, big(0)),
            .stream(1, .protocolError)),
        server(
            "6.9", "WINDOW_UPDATE by 0 with the reserved bit", post + frame(.windowUpdate, 1, big(0x8000_0000)),
            .stream(1, .protocolError)),
        server("6.9", "WINDOW_UPDATE of 3 bytes", frame(.windowUpdate, 0, [0, 0, 1]), .connection(.frameSizeError)),
        server(
            "6.9", "WINDOW_UPDATE of 5 bytes", post + frame(.windowUpdate, 1, [0, 0, 0, 0, 1]),
            .connection(.frameSizeError)),
        server(
            "6.9.1", "the connection's window up to 2^31-1", frame(.windowUpdate, 0, big(0x7fff_0000)) + get,
            .messages(1)),
        server(
            "6.9.1", "the connection's window above 2^31-1", frame(.windowUpdate, 0, big(0x7fff_0001)),
            .connection(.flowControlError)),
        server(
            "6.9.1", "a stream's window up to 2^31-1",
            post + frame(.windowUpdate, 1, big(0x7fff_0000)) + data(1, 1, end: true), .messages(1)),
        server(
            "6.9.1", "a stream's window above 2^31-1", post + frame(.windowUpdate, 1, big(0x7fff_0001)),
            .stream(1, .flowControlError)),
        server(
            "6.9.1", "DATA up to the stream's window",
            post + (0..<3).flatMap { _ in data(1, 16_384) } + data(1, 16_383, end: true), .messages(1)),
        server(
            "6.9.1", "DATA above the stream's window", post + (0..<4).flatMap { _ in data(1, 16_384) },
            .stream(1, .flowControlError)),
        server(
            "6.9.2", "a window above 2^31-1 by SETTINGS",
            post + frame(.windowUpdate, 1, big(0x7fff_0000)) + settings([(4, 65_536)]), .connection(.flowControlError)),
        server("6.9.2", "a window below 0 by SETTINGS", get + settings([(4, 0)]) + headers(3, request()), .messages(2)),

        server(
            "6.10", "a block in three frames",
            frame(.headers, 1, 1, Array(name[..<7])) + frame(.continuation, 0, 1, Array(name[7..<20]))
                + frame(.continuation, 4, 1, Array(name[20...])), .messages(1)),
        server(
            "6.10", "a block with empty fragments",
            frame(.headers, 1, 1, []) + frame(.continuation, 0, 1, []) + frame(.continuation, 0, 1, name)
                + frame(.continuation, 4, 1, []), .messages(1)),
        server(
            "6.10", "padding of HEADERS before CONTINUATION",
            frame(.headers, 0x9, 1, [2] + name[..<7] + [0, 0]) + frame(.continuation, 4, 1, Array(name[7...])),
            .messages(1)),
        server(
            "6.10", "CONTINUATION on stream 0", headers(1, request(), flags: 0) + frame(.continuation, 4, 0, []),
            .connection(.protocolError)),
        server(
            "6.10", "CONTINUATION behind a whole block", post + frame(.continuation, 4, 1, []),
            .connection(.protocolError)),
        server(
            "6.10", "CONTINUATION behind DATA", post + data(1, 1) + frame(.continuation, 4, 1, []),
            .connection(.protocolError)),
        server(
            "6.10", "CONTINUATION behind the last",
            headers(1, request(), flags: 0) + frame(.continuation, 4, 1, []) + frame(.continuation, 4, 1, []),
            .connection(.protocolError)),
    ]
}
