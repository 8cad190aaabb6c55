import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

extension Worker {
    /// Notes what a request's head says that is of use later.
    mutating func note(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead) -> Method {
        let method = Method(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]))
        x.pointee.isHEAD = method == .head
        x.pointee.isIdempotent = method.isIdempotent
        x.pointee.isHTTP10 = head.isHTTP10
        x.pointee.keepAlive = head.keepAlive
        x.pointee.expectsContinue = head.expectsContinue
        x.pointee.wantsUpgrade = !head.upgrade.isEmpty
        if x.pointee.asker == .http2 { noteGRPC(x, bytes, head) }
        return method
    }

    /// gRPC speaks HTTP/2 alone. Its deadline holds here too.
    private func noteGRPC(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead) {
        for index in 0..<head.fieldCount {
            guard case .contentType = fields[index].known else { continue }
            x.pointee.isGRPC = GRPCStatus.isContentType(UnsafeRawBufferPointer(rebasing: bytes[fields[index].value]))
        }
        guard x.pointee.isGRPC else { return }
        for index in 0..<head.fieldCount where fields[index].name.count == 12 {
            guard FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name]), "grpc-timeout"),
                let timeout = GRPCTimeout.parse(UnsafeRawBufferPointer(rebasing: bytes[fields[index].value]))
            else { continue }
            x.pointee.requestDeadline = x.pointee.started &+ timeout
            x.pointee.isDeadlineOfClient = true
        }
    }

    /// Finds who gets the request: true, with `reference` set; false when it was answered here, or is held.
    mutating func route(
        _ x: Exchange, _ dialled: UnsafeMutablePointer<Dialled>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead,
        _ method: Method
    ) -> Bool {
        if dialled.pointee.planSerial != serial { resolve(dialled) }
        guard let port = dialled.pointee.plannedPort else {
            answer(x, .noReadyEndpoint) { $0.append("the dialled Service or its port is not known any more") }
            return false
        }
        holdPlan(x)
        setSeries(x, port.pointee.plain.pointee.series)
        if method == .connect {
            answer(x, .methodNotAllowed, closing: true) { $0.append("CONNECT is not served") }
            return false
        }
        if let table = dialled.pointee.table {
            let matched = table.pointee.table._withUnsafeGuaranteedRef {
                $0.match(
                    Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)), head.ranges,
                    Span(_unsafeElements: UnsafeBufferPointer(rebasing: fields[..<head.fieldCount])))
            }
            guard let matched else {
                setSeries(x, table.pointee.series)
                answer(x, .noRouteMatched) { writer in
                    writer.append("no route matched: ")
                    writer.append(decimal: UInt64(table.pointee.rules.count))
                    writer.append(table.pointee.rules.count == 1 ? " rule of " : " rules of ")
                    writer.append(port.pointee.title)
                    writer.append(table.pointee.rules.count == 1 ? " was tried" : " were tried")
                }
                return false
            }
            let rule = table.pointee.rules.baseAddress! + matched
            x.pointee.rule = rule
            setSeries(x, rule.pointee.series)
            if rule.pointee.requestTimeout != TimerWheel.never {
                let deadline = x.pointee.started &+ rule.pointee.requestTimeout
                if deadline < x.pointee.requestDeadline {
                    x.pointee.requestDeadline = deadline
                    x.pointee.isDeadlineOfClient = false
                }
            }
            x.pointee.backendTimeout = rule.pointee.backendTimeout
            if log.isOn { logRule(x, rule) }
            if let cors = rule.pointee.cors, answeredPreflight(x, cors, bytes, head, method) { return false }
            let dialledPort = dialled.pointee.port != 0 ? dialled.pointee.port : port.pointee.port
            if !rule.pointee.auths.isEmpty {
                hold(x, rule.pointee.auths, isOfRule: true, dialledPort: dialledPort, bytes, head)
                return false
            }
            return follow(x, rule, dialledPort: dialledPort, bytes, head)
        }
        return use(x, port.pointee.plain, dialledPort: port.pointee.port, bytes, head)
    }

    /// Does what the matched rule says; see `route`.
    @inline(__always)
    mutating func follow(
        _ x: Exchange, _ rule: UnsafePointer<PlannedRule>, dialledPort: UInt16, _ bytes: UnsafeRawBufferPointer,
        _ head: RequestHead
    ) -> Bool {
        switch rule.pointee.action {
        case .fail(let reason):
            answer(x, reason) { $0.append(reason.sentence) }
            return false
        case .redirect(let redirect):
            answerRedirect(x, redirect, rule, bytes, head, dialled: dialledPort)
            return false
        case .forward:
            let picked = rule.pointee.pick(tickets.next(below: rule.pointee.total))
            let reference = rule.pointee.hasSession ? sessionReference(x, rule, bytes, head) ?? picked : picked
            return use(x, reference, dialledPort: dialledPort, bytes, head)
        }
    }

    @inline(__always)
    private mutating func use(
        _ x: Exchange, _ reference: UnsafePointer<PlannedReference>, dialledPort: UInt16,
        _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) -> Bool {
        setSeries(x, reference.pointee.series)
        if let reason = reference.pointee.failure {
            answer(x, reason) { writer in
                writer.append(reason.sentence)
                writer.append(": ")
                writer.append(reference.pointee.backend.service)
            }
            return false
        }
        x.pointee.reference = reference
        if let cors = reference.pointee.cors {
            let method = Method(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]))
            if answeredPreflight(x, cors, bytes, head, method) { return false }
        }
        if let session = reference.pointee.session { joinSession(x, session, reference, bytes, head) }
        if let budgets = reference.pointee.budgets { budgets[index].noteRequest(now: now) }
        if !reference.pointee.auths.isEmpty {
            hold(x, reference.pointee.auths, isOfRule: false, dialledPort: dialledPort, bytes, head)
            return false
        }
        return true
    }

    /// Which routes hold for a client under the current plan.
    private mutating func resolve(_ dialled: UnsafeMutablePointer<Dialled>) {
        dialled.pointee.planSerial = serial
        dialled.pointee.table = nil
        let destination = Int(dialled.pointee.destination)
        if dialled.pointee.isListen {
            dialled.pointee.plannedPort = destination < listens.count ? listens[destination] : nil
        } else {
            dialled.pointee.plannedPort =
                destination < frontends.count ? frontends[destination].port(dialled.pointee.port) : nil
        }
        guard let port = dialled.pointee.plannedPort, let origin = origins[Int(dialled.pointee.origin)] else { return }
        dialled.pointee.table = port.pointee.table(forClientIn: origin.namespace)
    }

    /// The series that the exchange will be counted in.
    @inline(__always)
    private func setSeries(_ x: Exchange, _ series: Unmanaged<Series>) {
        let part = series._withUnsafeGuaranteedRef { $0.cells } + index &* Series.stride
        x.pointee.series = part
        x.pointee.seriesIdentity = part.pointee.load(ordering: .relaxed)
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

    @inline(__always)
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
