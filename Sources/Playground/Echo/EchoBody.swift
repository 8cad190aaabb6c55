import HTTPWire

/// How the content of one answer goes out.
struct EchoBody {
    private(set) var isChunked: Bool
    /// False where the answer has no content: to HEAD, and with 204 and 304.
    let isSent: Bool
    /// Another request may follow on the connection.
    private(set) var keepAlive: Bool

    init(_ exchange: EchoConnection.Exchange) {
        let status = exchange.options.status
        isSent = exchange.request.answer.method != "HEAD" && status != 204 && status != 304
        isChunked = exchange.options.chunked && !exchange.isOld
        keepAlive = exchange.keepAlive
    }

    /// The answer's head.
    /// - Parameter length: bytes of content; nil when that is not known, which makes it chunked, or, to HTTP/1.0, end
    ///   with the connection.
    mutating func head(_ exchange: EchoConnection.Exchange, length: UInt64?, pod: String) -> [UInt8] {
        let options = exchange.options
        var framing = ""
        if options.status == 204 {
            isChunked = false
        } else if let length, !isChunked {
            framing = "content-length: \(length)\r\n"
        } else if exchange.isOld {
            keepAlive = false
        } else {
            isChunked = true
            framing = "transfer-encoding: chunked\r\n"
        }
        var bytes = Self.statusLine(options.status) + Self.fields(options, isSent: isSent, pod: pod) + framing.utf8
        if !keepAlive {
            bytes += "connection: close\r\n".utf8
        } else if exchange.isOld {
            bytes += "connection: keep-alive\r\n".utf8
        }
        if !isSent { isChunked = false }
        return bytes + "\r\n".utf8
    }

    /// The lines of an answer's head that do not frame it.
    static func fields(_ options: EchoOptions, isSent: Bool, pod: String) -> [UInt8] {
        var bytes = Array("server: weir-echo\r\nx-echo-pod: \(pod)\r\n".utf8)
        let hasType = options.headers.contains {
            String(decoding: $0.name, as: UTF8.self).lowercased() == "content-type"
        }
        if isSent && !hasType {
            let isJSON = options.size == nil && !options.echoesBody
            bytes += "content-type: \(isJSON ? "application/json" : "application/octet-stream")\r\n".utf8
        }
        for field in options.headers { bytes += field.line }
        return bytes
    }

    func send(_ bytes: UnsafeRawBufferPointer, _ socket: inout EchoSocket) -> Bool {
        guard isSent, !bytes.isEmpty else { return true }
        guard isChunked else { return socket.send(bytes) }
        return socket.send(Array("\(String(bytes.count, radix: 16))\r\n".utf8)) && socket.send(bytes)
            && socket.send([13, 10])
    }

    func send(_ bytes: some Sequence<UInt8>, _ socket: inout EchoSocket) -> Bool {
        Array(bytes).withUnsafeBytes { send($0, &socket) }
    }

    /// `count` bytes of lines of 64 bytes.
    func send(pattern count: UInt64, _ socket: inout EchoSocket) -> Bool {
        var left = count
        while left > 0 {
            let piece = Int(min(left, UInt64(Self.pattern.count)))
            let sent = Self.pattern.withUnsafeBytes { send(UnsafeRawBufferPointer(rebasing: $0[..<piece]), &socket) }
            guard sent else { return false }
            left -= UInt64(piece)
        }
        return true
    }

    /// The end of a chunked body; nothing for another.
    func finish(_ socket: inout EchoSocket, _ trailers: [EchoOptions.Field]) -> Bool {
        guard isChunked else { return true }
        var bytes = Array("0\r\n".utf8)
        for field in trailers { bytes += field.line }
        return socket.send(bytes + "\r\n".utf8)
    }

    static func statusLine(_ status: UInt16) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 128) { buffer, count in
            var writer = HeadWriter(UnsafeMutableRawBufferPointer(buffer))
            writer.statusLine(status)
            count = writer.count
        }
    }

    /// Lines of 64 bytes.
    static let pattern: [UInt8] = {
        let line = Array("weir-echo 0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcd\n".utf8)
        return Array(repeatElement(line, count: 256).joined())
    }()
}
