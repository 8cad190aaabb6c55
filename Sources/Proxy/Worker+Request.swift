import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

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
        if c.pointee.phase == .idle {
            c.pointee.phase = .head
            c.pointee.exchange.started = now
        }
        switch c.pointee.parser.parse(bytes, fields: fields) {
        case .incomplete:
            if !isStored { c.pointee.input.append(bytes, &buffers) }
            c.pointee.starved = true
            timers.set(c.pointee.timer, c.pointee.exchange.started &+ settings.headTimeout)
            return c.pointee.readable
        case .invalid(let error):
            c.pointee.exchange = Exchange()
            c.pointee.exchange.started = now
            answer(c, error.reason, closing: true) { $0.append(error.text) }
            return true
        case .head(let head):
            c.pointee.starved = false
            begin(c, bytes, head, isStored: isStored)
            return true
        }
    }

    /// A request's head is whole: decide, and send it on or answer it.
    private mutating func begin(
        _ c: Client, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, isStored: Bool
    ) {
        let started = c.pointee.exchange.started
        c.pointee.exchange = Exchange()
        c.pointee.exchange.started = started
        c.pointee.phase = .exchange
        c.pointee.lastProgress = now
        let exchange = exchange(of: c)
        let method = UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method])
        let known = Method(method)
        exchange.pointee.isHEAD = known == .head
        exchange.pointee.isIdempotent = known.isIdempotent
        exchange.pointee.isHTTP10 = head.isHTTP10
        exchange.pointee.keepAlive = head.keepAlive
        exchange.pointee.expectsContinue = head.expectsContinue
        exchange.pointee.wantsUpgrade = !head.upgrade.isEmpty
        exchange.pointee.requestBody = BodyDecoder(head.framing)
        exchange.pointee.requestIsChunked = head.framing.isChunked
        exchange.pointee.isRequestComplete = exchange.pointee.requestBody.isDone
        if c.pointee.planSerial != serial { resolve(c) }
        if log.isOn { beginLog(c, bytes, head) }

        // What came behind the head: body first, then later requests.
        var rest = UnsafeRawBufferPointer(rebasing: bytes[head.length...])
        var body = UnsafeRawBufferPointer.nothing
        var rewritten = ByteQueue()
        defer { rewritten.clear(&buffers) }
        if !exchange.pointee.isRequestComplete && !rest.isEmpty {
            let scan = scanBody(&exchange.pointee.requestBody, rest)
            if scan.outcome == .invalid {
                return answer(c, .badRequest, closing: true) { $0.append(scan.error.text) }
            }
            exchange.pointee.isRequestComplete = scan.outcome == .complete
            exchange.pointee.bytesIn = UInt64(scan.consumed)
            body = UnsafeRawBufferPointer(rebasing: rest[..<scan.consumed])
            if scan.hasForbiddenTrailers {
                dropForbiddenTrailers(body, scan.trailers, into: &rewritten)
                body = rewritten.bytes
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[scan.consumed...])
        }
        if !isStored && !rest.isEmpty { c.pointee.input.append(rest, &buffers) }
        c.pointee.starved = !exchange.pointee.isRequestComplete && !rest.isEmpty

        if let length = route(c, bytes, head, known) {
            attempt(c, head: UnsafeRawBufferPointer(rebasing: out[..<length]), body: body)
        }
        if isStored {
            // Nobody reads `input` while an exchange begins, and a client that is gone has none.
            if c.pointee.phase != .closed && c.pointee.phase != .linger {
                c.pointee.input.consume(bytes.count - rest.count, &buffers)
            }
        }
    }

    @inline(__always)
    func exchange(of c: Client) -> UnsafeMutablePointer<Exchange> {
        UnsafeMutableRawPointer(c).advanced(by: MemoryLayout<ClientConnection>.offset(of: \.exchange)!)
            .assumingMemoryBound(to: Exchange.self)
    }

    /// Finds who gets the request and writes its head to `out`. The head's length, or nil when it was answered here.
    private mutating func route(
        _ c: Client, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, _ method: Method
    ) -> Int? {
        let exchange = exchange(of: c)
        guard let port = c.pointee.plannedPort else {
            timers.set(c.pointee.timer, now &+ settings.idleTimeout)
            answer(c, .noReadyEndpoint) { $0.append("the dialled Service or its port is not known any more") }
            return nil
        }
        holdPlan(c)
        setSeries(exchange, port.pointee.plain.pointee.series)
        if method == .connect {
            answer(c, .methodNotAllowed, closing: true) { $0.append("CONNECT is not served") }
            return nil
        }
        let reference: UnsafePointer<PlannedReference>
        if let table = c.pointee.table {
            let matched = table.pointee.table._withUnsafeGuaranteedRef {
                $0.match(
                    Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)), head.ranges,
                    Span(_unsafeElements: UnsafeBufferPointer(rebasing: fields[..<head.fieldCount])))
            }
            guard let matched else {
                setSeries(exchange, table.pointee.series)
                answer(c, .noRouteMatched) { writer in
                    writer.append("no route matched: ")
                    writer.append(decimal: UInt64(table.pointee.rules.count))
                    writer.append(table.pointee.rules.count == 1 ? " rule of " : " rules of ")
                    writer.append(port.pointee.title)
                    writer.append(table.pointee.rules.count == 1 ? " was tried" : " were tried")
                }
                return nil
            }
            let rule = table.pointee.rules.baseAddress! + matched
            setSeries(exchange, rule.pointee.series)
            if rule.pointee.requestTimeout != TimerWheel.never {
                exchange.pointee.requestDeadline = exchange.pointee.started &+ rule.pointee.requestTimeout
            }
            exchange.pointee.backendTimeout = rule.pointee.backendTimeout
            if log.isOn { logRule(c, rule) }
            switch rule.pointee.action {
            case .fail(let reason):
                answer(c, reason) { $0.append(reason.sentence) }
                return nil
            case .redirect(let redirect):
                answerRedirect(c, redirect, rule, bytes, head)
                return nil
            case .forward:
                reference = rule.pointee.pick(tickets.next(below: rule.pointee.total))
            }
        } else {
            reference = port.pointee.plain
        }
        setSeries(exchange, reference.pointee.series)
        if let reason = reference.pointee.failure {
            answer(c, reason) { writer in
                writer.append(reason.sentence)
                writer.append(": ")
                writer.append(reference.pointee.backend.service)
            }
            return nil
        }
        exchange.pointee.reference = reference
        timers.set(c.pointee.timer, min(exchange.pointee.requestDeadline, now &+ settings.idleTimeout))
        guard let length = writeRequestHead(c, bytes, head, reference) else {
            answer(c, .headTooLarge) { $0.append("the request's head is too large with its route's changes") }
            return nil
        }
        return length
    }

    /// Which routes hold for a client under the current plan.
    private mutating func resolve(_ c: Client) {
        c.pointee.planSerial = serial
        c.pointee.table = nil
        let destination = Int(c.pointee.destination)
        if c.pointee.isListen {
            c.pointee.plannedPort = destination < listens.count ? listens[destination] : nil
        } else {
            c.pointee.plannedPort =
                destination < frontends.count ? frontends[destination].port(c.pointee.port) : nil
        }
        guard let port = c.pointee.plannedPort, let origin = origins[Int(c.pointee.origin)] else { return }
        c.pointee.table = port.pointee.table(forClientIn: origin.namespace)
    }

    /// The series that the exchange will be counted in.
    @inline(__always)
    private func setSeries(_ exchange: UnsafeMutablePointer<Exchange>, _ series: Unmanaged<Series>) {
        let part = series._withUnsafeGuaranteedRef { $0.cells } + index &* Series.stride
        exchange.pointee.series = part
        exchange.pointee.seriesIdentity = part.pointee.load(ordering: .relaxed)
    }
}

/// The methods that the proxy treats in a way of their own.
enum Method: UInt8 {
    case get, head, put, delete, options, trace, connect, other

    init(_ bytes: UnsafeRawBufferPointer) {
        switch bytes.count {
        case 3:
            self = Self.equal(bytes, "GET") ? .get : Self.equal(bytes, "PUT") ? .put : .other
        case 4: self = Self.equal(bytes, "HEAD") ? .head : .other
        case 5: self = Self.equal(bytes, "TRACE") ? .trace : .other
        case 6: self = Self.equal(bytes, "DELETE") ? .delete : .other
        case 7:
            self = Self.equal(bytes, "OPTIONS") ? .options : Self.equal(bytes, "CONNECT") ? .connect : .other
        default: self = .other
        }
    }

    private static func equal(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        memcmp(bytes.baseAddress!, text.utf8Start, text.utf8CodeUnitCount) == 0
    }

    /// RFC 9110 section 9.2.2.
    var isIdempotent: Bool { self != .other && self != .connect }
}

// Enumerations of another module are told apart by pattern: `==` on them is a call through a witness table.
extension RequestHead {
    var isHTTP10: Bool { if case .http10 = version { true } else { false } }
    var isAbsolute: Bool { if case .absolute = form { true } else { false } }
}

extension BodyFraming {
    var isChunked: Bool { if case .chunked = self { true } else { false } }
    var endsWithConnection: Bool { if case .untilClose = self { true } else { false } }
}

extension HeadError {
    var reason: Reason {
        switch status {
        case 414: .uriTooLong
        case 431: .headTooLarge
        case 501: .transferCodingUnsupported
        case 505: .versionUnsupported
        default: .badRequest
        }
    }
}

extension UnsafeRawBufferPointer {
    static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    subscript(_ range: ByteRange) -> Slice<UnsafeRawBufferPointer> { self[Int(range.start)..<Int(range.end)] }
}
