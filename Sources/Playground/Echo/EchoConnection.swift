import Glibc
import HTTPWire

/// One connection of the echo server: requests one after the other, pipelined ones included, until either side is done.
struct EchoConnection: ~Copyable {
    private var socket: EchoSocket
    private let configuration: EchoServer.Configuration
    private let client: String
    private let server: String
    private let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: Self.limits.fields)

    /// Twice what the proxy lets through, so that the proxy's own limits are the ones met.
    private static let limits = HeadLimits(head: 128 << 10, target: 32 << 10, fields: 400)

    /// Takes the socket over.
    init(socket number: Int32, _ configuration: EchoServer.Configuration) {
        socket = EchoSocket(number)
        self.configuration = configuration
        client = SocketName.peer(of: number).description
        server = SocketName.own(of: number).description
    }

    deinit {
        fields.deallocate()
    }

    mutating func serve() {
        var parser = RequestHeadParser(limits: Self.limits)
        while true {
            switch parser.parse(socket.pending, fields: fields) {
            case .incomplete:
                guard socket.fill() else { return }
            case .invalid(let error):
                refuse(error.status, "\(error.text)")
                return
            case .head(let head):
                guard answer(head) else { return }
            }
        }
    }

    /// - Returns: whether another request may follow.
    private mutating func answer(_ head: RequestHead) -> Bool {
        let request = EchoRequest(head, socket.pending, UnsafeBufferPointer(fields), of: self)
        let options: EchoOptions
        do throws(PlaygroundError) {
            options = try EchoOptions(query: request.query, fields: request.fields)
        } catch {
            refuse(400, error.description)
            return false
        }
        if options.close == .now || options.close == .reset {
            if options.close == .reset { socket.resetOnClose() }
            return false
        }
        guard request.answer.method != "CONNECT" else {
            refuse(405, "CONNECT asks for a tunnel; there is none")
            return false
        }
        if let key = request.webSocketKey {
            socket.use(head.length)
            EchoWebSocket.serve(&socket, key: key, pod: configuration.pod)
            return false
        }
        socket.use(head.length)
        var exchange = Exchange(request: request, options: options, framing: head.framing, head: head)
        if options.early || options.echoesBody {
            // With Expect unanswered the content may never come, so the connection cannot be kept for another request.
            if head.expectsContinue && options.early && !options.echoesBody { exchange.keepAlive = false }
            if options.echoesBody && head.expectsContinue, !socket.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) {
                return false
            }
            return answerBeforeBody(&exchange)
        }
        if head.expectsContinue, !socket.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) { return false }
        guard readBody(&exchange, echoing: nil) else { return false }
        socket.wait(milliseconds: options.delay)
        return send(exchange)
    }

    private mutating func answerBeforeBody(_ exchange: inout Exchange) -> Bool {
        socket.wait(milliseconds: exchange.options.delay)
        guard exchange.options.echoesBody else {
            guard send(exchange) else { return false }
            return exchange.keepAlive && readBody(&exchange, echoing: nil)
        }
        var body = EchoBody(exchange)
        guard socket.send(body.head(exchange, length: exchange.requestLength, pod: configuration.pod)) else {
            return false
        }
        guard readBody(&exchange, echoing: body), body.finish(&socket, exchange.options.trailers) else { return false }
        return finished(body)
    }

    /// Takes the request's content in and counts it; sends it back as it comes when `echoing`.
    /// - Returns: false when the connection is of no more use.
    private mutating func readBody(_ exchange: inout Exchange, echoing body: EchoBody?) -> Bool {
        var decoder = BodyDecoder(exchange.framing)
        while true {
            switch decoder.next(socket.pending) {
            case .payload(let range, let consumed):
                exchange.request.answer.bodyLength += UInt64(range.count)
                if let body, !body.send(socket.pending.part(range), &socket) { return false }
                socket.use(consumed)
            case .trailers(let range, let consumed):
                let section = socket.pending.part(range)
                if let count = TrailerFields.parse(section, fields: fields) {
                    exchange.request.answer.trailers = fields[..<count].map { $0.told(of: section) }
                }
                socket.use(consumed)
            case .end(let consumed):
                socket.use(consumed)
                return true
            case .needsMore(let consumed):
                socket.use(consumed)
                guard socket.fill() else { return false }
            case .invalid(let error):
                if body == nil { refuse(error.status, "\(error.text)") }
                return false
            }
        }
    }

    /// - Returns: whether another request may follow.
    private mutating func send(_ exchange: Exchange) -> Bool {
        var body = EchoBody(exchange)
        let options = exchange.options
        let json = options.size == nil ? exchange.request.answer.json : []
        let length = options.size ?? UInt64(json.count)
        let head = body.head(exchange, length: length, pod: configuration.pod)
        let cut = options.close == .half || options.close == .halfReset
        if cut || options.pause > 0 || options.size != nil || body.isChunked || !body.isSent {
            guard socket.send(head) else { return false }
            socket.wait(milliseconds: options.pause)
            if body.isSent {
                let wanted = cut ? length / 2 : length
                let sent =
                    options.size == nil
                    ? body.send(json.prefix(Int(wanted)), &socket) : body.send(pattern: wanted, &socket)
                guard sent else { return false }
            }
        } else {
            return socket.send(head + json) && finished(body)
        }
        if cut {
            if options.close == .halfReset {
                socket.resetOnClose()
            } else {
                socket.linger()
            }
            return false
        }
        return body.finish(&socket, options.trailers) && finished(body)
    }

    private mutating func finished(_ body: EchoBody) -> Bool {
        if !body.keepAlive { socket.linger() }
        return body.keepAlive
    }

    private mutating func refuse(_ status: UInt16, _ reason: String) {
        let text = Array("\(reason)\n".utf8)
        var bytes = EchoBody.statusLine(status)
        bytes += "content-type: text/plain\r\ncontent-length: \(text.count)\r\nconnection: close\r\n\r\n".utf8
        if socket.send(bytes + text) { socket.linger() }
    }

    /// A request on its way to its answer.
    struct Exchange {
        var request: EchoRequest
        let options: EchoOptions
        let framing: BodyFraming
        let isOld: Bool
        var keepAlive: Bool

        init(request: EchoRequest, options: EchoOptions, framing: BodyFraming, head: RequestHead) {
            self.request = request
            self.options = options
            self.framing = framing
            isOld = head.version == .http10
            keepAlive = head.keepAlive && options.close != .after
        }

        /// The request's content length where that is known before the content.
        var requestLength: UInt64? {
            switch framing {
            case .none: 0
            case .length(let count): count
            case .chunked, .untilClose: nil
            }
        }
    }

    fileprivate func blank() -> EchoAnswer {
        EchoAnswer(
            pod: configuration.pod, namespace: configuration.namespace, method: "", path: "", host: "", headers: [],
            trailers: [], bodyLength: 0, protocol: "HTTP/1.1", client: client, server: server)
    }
}

/// A request's head, out of the receive buffer.
struct EchoRequest {
    var answer: EchoAnswer
    let query: [UInt8]
    let fields: [EchoOptions.Field]
    /// Sec-WebSocket-Key, when the request asks for a WebSocket (RFC 6455 section 4.2.1).
    let webSocketKey: [UInt8]?

    init(
        _ head: RequestHead, _ bytes: UnsafeRawBufferPointer, _ ranges: UnsafeBufferPointer<FieldRange>,
        of connection: borrowing EchoConnection
    ) {
        answer = connection.blank()
        answer.method = EchoAnswer.text(bytes.part(head.ranges.method))
        answer.path = EchoAnswer.text(bytes.part(head.target))
        answer.host = EchoAnswer.text(bytes.part(head.ranges.authority))
        answer.protocol = head.version == .http10 ? "HTTP/1.0" : "HTTP/1.1"
        answer.headers = ranges[..<head.fieldCount].map { $0.told(of: bytes) }
        query = Array(bytes.part(head.ranges.query))
        let fields = ranges[..<head.fieldCount].map {
            EchoOptions.Field(name: Array(bytes.part($0.name)), value: Array(bytes.part($0.value)))
        }
        self.fields = fields
        let offered = String(decoding: bytes.part(head.upgrade), as: UTF8.self).lowercased()
        let key = fields.first { String(decoding: $0.name, as: UTF8.self).lowercased() == "sec-websocket-key" }
        webSocketKey = answer.method == "GET" && offered == "websocket" ? key?.value : nil
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func part(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Int(range.start)..<Int(range.end)])
    }
}

extension FieldRange {
    fileprivate func told(of bytes: UnsafeRawBufferPointer) -> EchoAnswer.Field {
        EchoAnswer.Field(name: EchoAnswer.text(bytes.part(name)), value: EchoAnswer.text(bytes.part(value)))
    }
}
