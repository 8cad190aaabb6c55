import HTTPWire

/// A request's head, out of the receive buffer.
struct EchoRequest {
    var answer: EchoAnswer
    let query: [UInt8]
    let fields: [EchoOptions.Field]
    /// The protocol that the request would go on with, in lowercase; empty for none.
    let upgrade: String
    /// The path of the list of requests that this server got. Its query may name a `prefix` of their paths.
    let asksForSeen: Bool

    /// - Parameters:
    ///   - bytes: what the head's ranges count from.
    ///   - blank: what is the same for all requests of the connection.
    init(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ ranges: UnsafeBufferPointer<FieldRange>,
        _ blank: EchoAnswer
    ) {
        answer = blank
        answer.method = head.isExtendedConnect ? "CONNECT" : EchoAnswer.text(bytes.part(head.ranges.method))
        answer.path = EchoAnswer.text(bytes.part(head.target))
        answer.host = EchoAnswer.text(bytes.part(head.ranges.authority))
        // HTTP/2's text has lines for its pseudo-fields: `host` comes first, and `upgrade` is marked.
        let isNew = head.version == .http2
        let lines = ranges[(isNew ? 1 : 0)..<head.fieldCount].filter { !(isNew && $0.known == .upgrade) }
        answer.headers = lines.map { $0.told(of: bytes) }
        answer.protocol =
            switch head.version {
            case .http10: "HTTP/1.0"
            case .http11: "HTTP/1.1"
            case .http2: "HTTP/2"
            }
        query = Array(bytes.part(head.ranges.query))
        fields = lines.map { EchoOptions.Field(name: Array(bytes.part($0.name)), value: Array(bytes.part($0.value))) }
        upgrade = String(decoding: bytes.part(head.upgrade), as: UTF8.self).lowercased()
        asksForSeen = bytes.part(head.ranges.path).elementsEqual("/_seen".utf8)
    }

    /// Sec-WebSocket-Key, when the request asks for a WebSocket (RFC 6455 section 4.2.1).
    var webSocketKey: [UInt8]? {
        answer.method == "GET" && upgrade == "websocket" ? field("sec-websocket-key") : nil
    }

    /// The content of the answer to it.
    func json(_ memory: EchoMemory) -> [UInt8] {
        guard asksForSeen else { return answer.json }
        let prefix = EchoOptions.parameters(of: query).first { $0.name == "prefix" }?.value ?? []
        let seen = memory.seen(prefix: EchoAnswer.text(prefix)).map(\.json)
        return Array("[".utf8) + seen.joined(separator: ",".utf8) + "]\n".utf8
    }

    /// The first value of a field.
    /// - Parameter name: in lowercase.
    func field(_ name: String) -> [UInt8]? {
        fields.first { String(decoding: $0.name, as: UTF8.self).lowercased() == name }?.value
    }
}

extension UnsafeRawBufferPointer {
    func part(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Int(range.start)..<Int(range.end)])
    }
}

extension FieldRange {
    func told(of bytes: UnsafeRawBufferPointer) -> EchoAnswer.Field {
        EchoAnswer.Field(name: EchoAnswer.text(bytes.part(name)), value: EchoAnswer.text(bytes.part(value)))
    }
}
