import Glibc
import HTTPWire

/// One HTTP/1 connection of the echo server: requests one after the other, pipelined ones included, until either side is
/// done.
struct EchoConnection: ~Copyable {
    private var socket: EchoSocket
    private let configuration: EchoServer.Configuration
    private let memory: EchoMemory
    private let blank: EchoAnswer
    private let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: Self.limits.fields)

    /// Twice what the proxy lets through, so that the proxy's own limits are the ones met.
    static let limits = HeadLimits(head: 128 << 10, target: 32 << 10, fields: 400)

    /// Takes the socket over.
    init(_ socket: consuming EchoSocket, _ configuration: EchoServer.Configuration, _ memory: EchoMemory) {
        blank = EchoAnswer(configuration, socket)
        self.socket = socket
        self.configuration = configuration
        self.memory = memory
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
        var request = EchoRequest(head, socket.pending, UnsafeBufferPointer(fields), blank)
        var options: EchoOptions
        do throws(PlaygroundError) {
            options = try EchoOptions(query: request.query, fields: request.fields)
        } catch {
            refuse(400, error.description)
            return false
        }
        request.answer.attempt = options.countAttempt(memory)
        if let close = options.close, close.isAnswerless {
            memory.remember(request.answer)
            socket.wait(milliseconds: options.delay)
            if close != .now { socket.resetOnClose() }
            return false
        }
        guard request.answer.method != "CONNECT" else {
            refuse(405, "CONNECT asks for a tunnel; there is none")
            return false
        }
        if let key = request.webSocketKey {
            memory.remember(request.answer)
            socket.use(head.length)
            EchoWebSocket.serve(&socket, key: key, pod: configuration.pod)
            return false
        }
        socket.use(head.length)
        var exchange = Exchange(request: request, options: options, framing: head.framing, head: head)
        // What was cut off is remembered too, with what came of it.
        defer { remember(&exchange) }
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
        remember(&exchange)
        socket.wait(milliseconds: options.delay)
        return send(exchange)
    }

    private func remember(_ exchange: inout Exchange) {
        if exchange.isRemembered || exchange.request.asksForSeen { return }
        exchange.isRemembered = true
        memory.remember(exchange.request.answer)
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
        guard readBody(&exchange, echoing: body) else { return false }
        remember(&exchange)
        guard body.finish(&socket, exchange.options.trailers) else { return false }
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
        let json = options.size == nil ? exchange.request.json(memory) : []
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
        var isRemembered = false

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

}
