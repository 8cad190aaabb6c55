import HTTPWire

extension EchoHTTP2Connection {
    /// A request's head came: what becomes of its content, and the reply where it need not wait.
    mutating func begin(_ slot: HTTP2Connection.Slot, _ head: RequestHead, isEnd: Bool) {
        var request = EchoRequest(head, UnsafeRawBufferPointer(text), UnsafeBufferPointer(fields), blank)
        let isCall = EchoCall.isCall(request)
        var options = EchoOptions()
        var use = EchoStream.Use.count
        var reply: EchoReply?
        do throws(PlaygroundError) {
            options = try EchoOptions(query: request.query, fields: request.fields)
            request.answer.attempt = options.countAttempt(memory)
            if let close = options.close, close.isAnswerless {
                reply = EchoReply(close == .connection ? .abort : .reset(options.resetCode))
            } else if isCall {
                do throws(EchoCall.Failure) {
                    if EchoCall.isUnderstood(request) {
                        use = .call(try EchoCall(request))
                    } else {
                        reply = EchoReply(415, "of gRPC's media types, application/grpc and application/grpc+proto")
                    }
                } catch {
                    reply = EchoReply(error, options, configuration)
                }
            } else if head.isExtendedConnect {
                if request.upgrade == "websocket" {
                    use = .webSocket(EchoWebSocket())
                    reply = EchoReply(status: 200, lines: Array("x-echo-pod: \(configuration.pod)\r\n".utf8))
                    reply?.content.isOpen = true
                } else {
                    // RFC 8441 section 4.
                    reply = EchoReply(501, "the protocol \(request.upgrade) is not spoken")
                }
            } else if request.answer.method == "CONNECT" {
                reply = EchoReply(405, "CONNECT asks for a tunnel; there is none")
            } else if options.early || options.echoesBody {
                if options.echoesBody { use = .echo }
                reply = self.reply(to: request, options, head)
            }
        } catch {
            let failure = EchoCall.Failure(status: .invalidArgument, message: error.description)
            reply = isCall ? EchoReply(failure, options, configuration) : EchoReply(400, error.description)
        }
        let stream = EchoStream(slot, request, options, use)
        streams[slot] = stream
        order.append(slot)
        if head.expectsContinue && !isEnd && (reply == nil || options.echoesBody) { sendContinue(slot) }
        if let reply { begin(stream, reply) }
        if isEnd { end(stream) }
    }

    private mutating func begin(_ stream: EchoStream, _ reply: EchoReply) {
        stream.reply = reply
        stream.reply?.pause = stream.options.pause
        if stream.request.answer.method == "HEAD" { stream.reply?.content = EchoContent() }
        stream.readyAt = Self.now() + UInt64(stream.options.delay) * 1_000_000
        // What is answered while it comes can be seen before the answer is.
        switch stream.use {
        case .echo: break
        case .count where stream.options.early && reply.status != nil: break
        default: remember(stream)
        }
    }

    /// Content came.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, on slot: HTTP2Connection.Slot, isEnd: Bool) {
        guard let stream = streams[slot] else { return }
        stream.request.answer.bodyLength += UInt64(bytes.count)
        var isHeld = false
        switch stream.use {
        case .count: break
        case .echo:
            isHeld = stream.reply?.isOver == false && stream.reply?.content.isOpen == true
            if isHeld { stream.reply?.content.append(bytes) }
        case .call(var call):
            do throws(EchoCall.Failure) {
                try call.receive(bytes)
                stream.use = .call(call)
            } catch {
                stream.use = .count
                begin(stream, EchoReply(error, stream.options, configuration))
            }
        case .webSocket(var conversation):
            guard stream.reply?.content.isOpen == true else { break }
            isHeld = true
            var answer: [UInt8] = []
            let goesOn = conversation.receive(bytes, into: &answer)
            stream.use = .webSocket(conversation)
            stream.reply?.content.append(answer)
            if !goesOn { stream.reply?.content.isOpen = false }
        }
        if isHeld {
            stream.held += bytes.count
        } else {
            consume(stream, bytes.count)
        }
        if isEnd { end(stream) }
    }

    /// The request is whole.
    private mutating func end(_ stream: EchoStream) {
        if case .call(let call) = stream.use, stream.reply == nil {
            do throws(EchoCall.Failure) {
                try call.finish()
                begin(stream, EchoReply(stream.request, stream.options, to: call, configuration).cut(stream.options))
            } catch {
                begin(stream, EchoReply(error, stream.options, configuration))
            }
        } else if stream.reply == nil {
            remember(stream)
            begin(stream, reply(to: stream.request, stream.options, nil))
        } else {
            stream.reply?.content.isOpen = false
            remember(stream)
        }
        releaseIfClosed(stream)
    }

    /// The plain answer.
    /// - Parameter head: the request's when its content is yet to come.
    private func reply(to request: EchoRequest, _ options: EchoOptions, _ head: RequestHead?) -> EchoReply {
        let isSent = request.answer.method != "HEAD" && options.status != 204 && options.status != 304
        var lines = EchoBody.fields(options, isSent: isSent, pod: configuration.pod)
        var content = EchoContent()
        var length: UInt64?
        if options.echoesBody {
            switch head?.framing {
            case .length(let count): length = count
            case .some(.none): length = 0
            default: break
            }
        } else {
            content = options.size.map { EchoContent(pattern: $0) } ?? EchoContent(request.json(memory))
            length = content.count
        }
        if let length, !options.chunked, options.status != 204 { lines += "content-length: \(length)\r\n".utf8 }
        if !isSent { content = EchoContent() }
        content.isOpen = options.echoesBody && isSent
        let trailers = isSent ? options.trailers : []
        return EchoReply(
            status: options.status, lines: lines, content: content,
            ending: trailers.isEmpty ? .end : .trailers(trailers)
        ).cut(options)
    }

    mutating func consume(_ stream: EchoStream, _ count: Int) {
        var writer = output.writer(HTTP2Connection.controlRoom)
        connection.consumed(stream.slot, count, into: &writer)
        output.commit(writer)
    }

    mutating func releaseIfClosed(_ stream: EchoStream) {
        if connection.isClosed(stream.slot) { release(stream.slot) }
    }
}

extension EchoReply {
    /// The first half of it, and a reset, if the options ask for that.
    fileprivate consuming func cut(_ options: EchoOptions) -> EchoReply {
        guard options.close == .half || options.close == .halfReset else { return self }
        content.halve()
        content.isOpen = false
        ending = .reset(options.resetCode)
        return self
    }
}

extension EchoOptions {
    fileprivate var resetCode: HTTP2ErrorCode {
        error.flatMap(HTTP2ErrorCode.init) ?? (close == .now || close == .half ? .cancel : .internalError)
    }
}
