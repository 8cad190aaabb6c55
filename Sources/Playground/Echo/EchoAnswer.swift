/// What the echo server tells of a request, as JSON. Fields are in the order of the wire, repeated ones each by itself.
/// Bytes that are no UTF-8 are told as the characters U+0080 to U+00FF.
package struct EchoAnswer: Codable, Equatable, Sendable {
    package struct Field: Codable, Equatable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package var pod: String
    package var namespace: String
    package var method: String
    /// The target as sent, query included.
    package var path: String
    /// The target's authority in absolute-form, else the Host field; HTTP/2's `:authority`.
    package var host: String
    package var headers: [Field]
    package var trailers: [Field]
    /// Bytes of content, without framing.
    package var bodyLength: UInt64
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    package var `protocol`: String
    /// The peer of the connection, `address:port` or `[address]:port`.
    package var client: String
    /// The connection's own end.
    package var server: String
    /// How many requests with this one's `uuid` there were, itself included; nil when it has none.
    package var attempt: UInt64?

    /// What is the same for all requests of a connection.
    init(_ configuration: EchoServer.Configuration, _ socket: borrowing EchoSocket) {
        pod = configuration.pod
        namespace = configuration.namespace
        method = ""
        path = ""
        host = ""
        headers = []
        trailers = []
        bodyLength = 0
        self.protocol = ""
        client = SocketName.peer(of: socket.number).description
        server = SocketName.own(of: socket.number).description
    }

    /// The values of a field, in order.
    package func values(of name: String) -> [String] {
        headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    /// One line of JSON with a line feed.
    var json: [UInt8] {
        var text = JSONText()
        text.member("pod", pod)
        text.member("namespace", namespace)
        text.member("method", method)
        text.member("path", path)
        text.member("host", host)
        text.member("headers", headers)
        text.member("trailers", trailers)
        text.member("bodyLength", bodyLength)
        text.member("protocol", `protocol`)
        text.member("client", client)
        text.member("server", server)
        if let attempt { text.member("attempt", attempt) }
        return text.finished()
    }

    static func text(_ bytes: some Collection<UInt8>) -> String {
        String(validating: bytes, as: UTF8.self)
            ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}

/// Writes one object (RFC 8259). A server that is measured against should spend its time on requests, so no encoder.
private struct JSONText {
    private var bytes = [UInt8(ascii: "{")]

    mutating func member(_ name: StaticString, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: StaticString, _ value: UInt64) {
        key(name)
        bytes += String(value).utf8
    }

    mutating func member(_ name: StaticString, _ fields: [EchoAnswer.Field]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes += #"{"name":"#.utf8
            string(field.name)
            bytes += #","value":"#.utf8
            string(field.value)
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: "]"))
    }

    consuming func finished() -> [UInt8] {
        bytes += "}\n".utf8
        return bytes
    }

    private mutating func key(_ name: StaticString) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes += $0 }
        bytes += "\":".utf8
    }

    private mutating func string(_ text: String) {
        let digits = Array("0123456789abcdef".utf8)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20, 0x7f:
                bytes += "\\u00".utf8
                bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
