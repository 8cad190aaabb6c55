import HTTPWire

/// A client's byte stream as the codec cuts it: whole requests, and why it stopped.
struct Cut: Equatable {
    struct Request: Equatable, CustomStringConvertible {
        var method: String
        /// Path and query.
        var target: String
        var body: [UInt8]

        var description: String { "\(method) \(target) \(text(body))" }
    }

    enum End: Equatable {
        /// All bytes are used up between two requests.
        case done
        /// In the middle of a request.
        case incomplete
        /// After a request that does not keep the connection, or that is CONNECT.
        case closed
        case head(HeadError)
        case body(BodyError)
    }

    var requests: [Request] = []
    var end = End.done

    /// Cuts `stream`, which arrives in a first piece of at most `firstPiece` bytes and further ones of at most `piece`.
    init(_ stream: [UInt8], firstPiece: Int? = nil, piece: Int = .max) {
        var buffer: [UInt8] = []
        var arrived = 0
        var parser = RequestHeadParser()
        var current: (request: Request, body: BodyDecoder, keepAlive: Bool)?

        func more() -> Bool {
            guard arrived < stream.count else { return false }
            let count = min(arrived == 0 ? firstPiece ?? piece : piece, stream.count - arrived)
            buffer += stream[arrived..<arrived + count]
            arrived += count
            return true
        }

        while true {
            guard var body = current?.body else {
                let step = withFields { fields in
                    buffer.withUnsafeBytes { bytes in (parser.parse(bytes, fields: fields), bytes.count) }
                }
                switch step.0 {
                case .incomplete:
                    if more() { continue }
                    end = buffer.allSatisfy { $0 == 13 || $0 == 10 } ? .done : .incomplete
                    return
                case .invalid(let error):
                    end = .head(error)
                    return
                case .head(let head):
                    let request = buffer.withUnsafeBytes { bytes in
                        Request(
                            method: text(bytes[head.ranges.method]),
                            target: text(bytes[head.ranges.path])
                                + (head.ranges.hasQuery ? "?" + text(bytes[head.ranges.query]) : ""),
                            body: [])
                    }
                    buffer.removeFirst(head.length)
                    if head.form == .authority {
                        requests.append(request)
                        end = .closed
                        return
                    }
                    current = (request, BodyDecoder(head.framing), head.keepAlive)
                }
                continue
            }
            let event = buffer.withUnsafeBytes { body.next($0) }
            current?.body = body
            switch event {
            case .payload(let range, let consumed):
                current?.request.body += buffer[Int(range.start)..<Int(range.end)]
                buffer.removeFirst(consumed)
            case .trailers(_, let consumed):
                buffer.removeFirst(consumed)
            case .needsMore(let consumed):
                buffer.removeFirst(consumed)
                if !more() {
                    end = .incomplete
                    return
                }
            case .invalid(let error):
                end = .body(error)
                return
            case .end(let consumed):
                buffer.removeFirst(consumed)
                requests.append(current!.request)
                if !current!.keepAlive {
                    end = .closed
                    return
                }
                current = nil
            }
        }
    }
}
