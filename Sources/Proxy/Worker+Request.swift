import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// Reads towards a request's head and acts on it when it is whole. True when the connection's phase may have changed
    /// and there may be more to do.
    mutating func readHead(_ c: Client) -> Bool {
        if !c.pointee.input.isVacant && !c.pointee.starved {
            return parseHead(c, c.pointee.input.bytes, isStored: true)
        }
        guard c.pointee.readable else { return false }
        let received: Received
        if c.pointee.input.isVacant {
            received = receive(c, into: scratch)
            if case .bytes(let count) = received {
                return parseHead(c, UnsafeRawBufferPointer(rebasing: scratch[..<count]), isStored: false)
            }
        } else {
            received = receive(c, into: c.pointee.input.reserve(4096, &buffers))
            if case .bytes(let count) = received {
                c.pointee.input.commit(count)
                return parseHead(c, c.pointee.input.bytes, isStored: true)
            }
        }
        switch received {
        // Whoever closes within a head does not wait for an answer.
        case .end, .failed: close(c)
        case .none where c.pointee.hungUp: close(c)
        default: break
        }
        return false
    }

    private mutating func parseHead(_ c: Client, _ bytes: UnsafeRawBufferPointer, isStored: Bool) -> Bool {
        let x = exchange(c.pointee.exchange)
        if c.pointee.phase == .idle {
            c.pointee.phase = .head
            x.pointee.started = now
        }
        if bytes.first == 0x50 && !c.pointee.hasServed {
            switch HTTP2Preface.compare(bytes) {
            case .other: break
            case .incomplete:
                awaitHead(c, bytes, isStored: isStored)
                return c.pointee.readable
            case .whole:
                becomeHTTP2(c, bytes, isStored: isStored)
                return false
            }
        }
        switch c.pointee.parser.parse(bytes, fields: fields) {
        case .incomplete:
            awaitHead(c, bytes, isStored: isStored)
            return c.pointee.readable
        case .invalid(let error):
            _ = beginExchange(c)
            answer(x, error.reason, closing: true) { $0.append(error.text) }
            return true
        case .head(let head):
            c.pointee.starved = false
            begin(c, bytes, head, isStored: isStored)
            return true
        }
    }

    private mutating func awaitHead(_ c: Client, _ bytes: UnsafeRawBufferPointer, isStored: Bool) {
        if !isStored { c.pointee.input.append(bytes, &buffers) }
        c.pointee.starved = true
        timers.set(c.pointee.timer, exchange(c.pointee.exchange).pointee.started &+ settings.headTimeout)
    }

    /// The connection's exchange, as new.
    mutating func beginExchange(_ c: Client) -> Exchange {
        let x = exchange(c.pointee.exchange)
        let started = x.pointee.started
        let blank = UnsafeRawPointer(blankExchange) + ExchangeState.renewedFrom
        (UnsafeMutableRawPointer(x) + ExchangeState.renewedFrom).copyMemory(
            from: blank, byteCount: MemoryLayout<ExchangeState>.size - ExchangeState.renewedFrom)
        x.pointee.started = started
        x.pointee.lastProgress = now
        c.pointee.phase = .exchange
        return x
    }

    /// A request's head is whole: decide, and send it on or answer it.
    private mutating func begin(
        _ c: Client, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, isStored: Bool
    ) {
        let x = beginExchange(c)
        let method = note(x, bytes, head)
        x.pointee.requestBody = BodyDecoder(head.framing)
        x.pointee.isRequestComplete = x.pointee.requestBody.isDone
        if log.isOn { beginLog(x, dialled(of: c), bytes, head) }

        // What came behind the head: body first, then later requests.
        var rest = UnsafeRawBufferPointer(rebasing: bytes[head.length...])
        var body = UnsafeRawBufferPointer.nothing
        var rewritten = ByteQueue()
        defer { rewritten.clear(&buffers) }
        if !x.pointee.isRequestComplete && !rest.isEmpty {
            let scan = scanBody(&x.pointee.requestBody, rest)
            if scan.outcome == .invalid {
                return answer(x, .badRequest, closing: true) { $0.append(scan.error.text) }
            }
            x.pointee.isRequestComplete = scan.outcome == .complete
            x.pointee.bytesIn = UInt64(scan.consumed)
            body = UnsafeRawBufferPointer(rebasing: rest[..<scan.consumed])
            if scan.hasForbiddenTrailers {
                dropForbiddenTrailers(body, scan.trailers, into: &rewritten)
                body = rewritten.bytes
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[scan.consumed...])
        }
        if !isStored && !rest.isEmpty { c.pointee.input.append(rest, &buffers) }
        c.pointee.starved = !x.pointee.isRequestComplete && !rest.isEmpty

        if route(x, dialled(of: c), bytes, head, method) {
            dispatch(x, bytes, head, body)
        } else if x.pointee.phase == .held {
            beginHeld(x, head, body)
        }
        if isStored {
            // Nobody reads `input` while an exchange begins, and a client that is gone has none.
            if c.pointee.phase != .closed && c.pointee.phase != .linger {
                c.pointee.input.consume(bytes.count - rest.count, &buffers)
            }
        }
    }

    @inline(__always)
    func dialled(of c: Client) -> UnsafeMutablePointer<Dialled> {
        UnsafeMutableRawPointer(c).advanced(by: MemoryLayout<ClientConnection>.offset(of: \.dialled)!)
            .assumingMemoryBound(to: Dialled.self)
    }
}

/// What a client begins an HTTP/2 connection with (RFC 9113 section 3.4).
enum HTTP2Preface {
    enum Comparison {
        case other
        /// It begins like one.
        case incomplete
        case whole
    }

    static let text: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    static func compare(_ bytes: UnsafeRawBufferPointer) -> Comparison {
        let count = min(bytes.count, text.utf8CodeUnitCount)
        guard let base = bytes.baseAddress, memcmp(base, text.utf8Start, count) == 0 else { return .other }
        return count == text.utf8CodeUnitCount ? .whole : .incomplete
    }
}
