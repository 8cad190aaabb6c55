import HTTPWire

/// A gRPC call (gRPC over HTTP/2) of the Gateway API conformance suite's service, whose methods take one message, that is
/// not looked at, and answer what came: `Assertions` with the method, the metadata as on the wire, the authority, and the
/// server's pod. As upstream, EchoThree is declared and not implemented. The options of `EchoOptions` come as metadata
/// `x-echo-…`; `size` adds so many bytes to the answer, in a field that its type does not know. `grpc-timeout` is told and
/// not kept: that is for whoever is in front.
struct EchoCall {
    /// A status other than OK, with its message.
    struct Failure: Error {
        var status: Status
        var message: String
    }

    /// Those of gRPC's status codes that the server itself answers with.
    enum Status: UInt8 {
        case invalidArgument = 3
        case resourceExhausted = 8
        case unimplemented = 12
        case `internal` = 13
    }

    /// The request is a call; its media type may be refused yet.
    static func isCall(_ request: EchoRequest) -> Bool {
        request.answer.method == "POST" && mediaType(request).hasPrefix("application/grpc")
    }

    /// Protocol Buffers are what the service speaks.
    static func isUnderstood(_ request: EchoRequest) -> Bool {
        ["application/grpc", "application/grpc+proto"].contains(mediaType(request))
    }

    private static func mediaType(_ request: EchoRequest) -> String {
        let value = String(decoding: request.field("content-type") ?? [], as: UTF8.self)
        return String(value.prefix { $0 != ";" && $0 != " " }).lowercased()
    }

    static let service = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"

    /// Bytes of a message that is taken: enough for what tests send, little enough to be met by one of them.
    static let largestMessage = 32 << 20

    private let encoding: String
    private var prefix: [UInt8] = []
    /// Bytes of the message still to come.
    private var rest = 0
    private var messages = 0

    init(_ request: EchoRequest) throws(Failure) {
        encoding = String(decoding: request.field("grpc-encoding") ?? [], as: UTF8.self)
        let parts = request.answer.path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty else {
            throw Failure(status: .unimplemented, message: "malformed method name: \(request.answer.path)")
        }
        guard parts[1] == Self.service else {
            throw Failure(status: .unimplemented, message: "unknown service \(parts[1])")
        }
        guard ["Echo", "EchoTwo", "EchoThree"].contains(parts[2]) else {
            throw Failure(status: .unimplemented, message: "unknown method \(parts[2]) for service \(parts[1])")
        }
        guard parts[2] != "EchoThree" else {
            throw Failure(status: .unimplemented, message: "method EchoThree is not implemented")
        }
    }

    /// Takes in content, however it is cut.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var position = 0
        while position < bytes.count {
            if rest > 0 {
                let count = min(rest, bytes.count - position)
                rest -= count
                position += count
                continue
            }
            prefix.append(bytes[position])
            position += 1
            if prefix.count == 5 { try begin() }
        }
    }

    /// The five bytes before a message are there.
    private mutating func begin() throws(Failure) {
        let length = prefix[1...].reduce(0) { $0 << 8 | Int($1) }
        switch prefix[0] {
        case 0: break
        case 1 where !encoding.isEmpty && encoding != "identity":
            throw Failure(status: .unimplemented, message: "messages compressed with \(encoding) are not taken")
        case 1:
            throw Failure(status: .internal, message: "a message is compressed, and grpc-encoding does not say how")
        case let flag:
            throw Failure(status: .internal, message: "a message has flags \(flag)")
        }
        guard length <= Self.largestMessage else {
            throw Failure(
                status: .resourceExhausted, message: "a message of \(length) bytes, more than \(Self.largestMessage)")
        }
        messages += 1
        guard messages == 1 else {
            throw Failure(status: .internal, message: "more than one message in a unary call")
        }
        prefix = []
        rest = length
    }

    /// The content is over.
    func finish() throws(Failure) {
        guard rest == 0, prefix.isEmpty else {
            throw Failure(status: .internal, message: "the content ends within a message")
        }
        guard messages == 1 else { throw Failure(status: .internal, message: "a unary call without a message") }
    }
}

extension EchoReply {
    /// A call's answer: `EchoResponse`, and the status.
    init(
        _ request: EchoRequest, _ options: EchoOptions, to call: EchoCall, _ configuration: EchoServer.Configuration
    ) {
        if let status = options.grpcStatus, status != 0 {
            self.init(grpcStatus: status, options.grpcMessage, options, configuration)
            return
        }
        var message = Self.response(request, configuration)
        if let size = options.size { message.open(15, count: size) }
        let length = UInt64(message.bytes.count) + (options.size ?? 0)
        let prefix = [0] + (0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        self.init(
            status: options.status, lines: Self.lines(options, configuration),
            content: EchoContent(prefix + message.bytes, pattern: options.size ?? 0),
            ending: .trailers([EchoOptions.Field("grpc-status", "0")] + options.trailers))
        if options.status != 200 { self = EchoReply(status: options.status, lines: lines) }
    }

    /// An answer of a status alone: `Trailers-Only`.
    init(
        grpcStatus: UInt8, _ message: String, _ options: EchoOptions, _ configuration: EchoServer.Configuration
    ) {
        var lines = Self.lines(options, configuration) + "grpc-status: \(grpcStatus)\r\n".utf8
        if !message.isEmpty { lines += "grpc-message: ".utf8 + Self.encoded(message) + "\r\n".utf8 }
        for field in options.trailers { lines += field.line }
        self.init(status: 200, lines: lines)
    }

    init(_ failure: EchoCall.Failure, _ options: EchoOptions, _ configuration: EchoServer.Configuration) {
        self.init(grpcStatus: failure.status.rawValue, failure.message, options, configuration)
    }

    private static func lines(_ options: EchoOptions, _ configuration: EchoServer.Configuration) -> [UInt8] {
        var lines = Array("content-type: application/grpc\r\nx-echo-pod: \(configuration.pod)\r\n".utf8)
        lines += "grpc-accept-encoding: identity\r\n".utf8
        for field in options.headers { lines += field.line }
        return lines
    }

    private static func response(_ request: EchoRequest, _ server: EchoServer.Configuration) -> ProtobufMessage {
        var context = ProtobufMessage()
        context.field(1, server.namespace)
        context.field(2, server.ingress)
        context.field(3, server.service)
        context.field(4, server.pod)
        var assertions = ProtobufMessage()
        assertions.field(1, request.answer.path)
        for field in [EchoAnswer.Field(name: ":authority", value: request.answer.host)] + request.answer.headers {
            var header = ProtobufMessage()
            header.field(1, field.name)
            header.field(2, field.value)
            assertions.field(2, header)
        }
        assertions.field(3, request.answer.host)
        assertions.field(4, context)
        var response = ProtobufMessage()
        response.field(1, assertions)
        return response
    }

    /// Percent-encoded as `grpc-message` wants it.
    private static func encoded(_ message: String) -> [UInt8] {
        message.utf8.flatMap { byte -> [UInt8] in
            if 0x20...0x7e ~= byte && byte != UInt8(ascii: "%") { return [byte] }
            let digits = Array("0123456789ABCDEF".utf8)
            return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
}
