import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// Answers the request at hand: status, the reason's own when nil, and reason, and a line that says why. The connection goes on unless `closing`,
    /// or unless nobody can tell whether the request's body will come.
    mutating func answer(
        _ x: Exchange, _ reason: Reason, status: UInt16? = nil, closing: Bool = false,
        _ text: (inout HeadWriter) -> Void
    ) {
        answer(x, reason, status: status ?? reason.status ?? 500, closing: closing, edits: .none, { _ in }, text)
    }

    /// Answers with a redirect.
    mutating func answerRedirect(
        _ x: Exchange, _ redirect: Unmanaged<PlannedRedirect>, _ rule: UnsafePointer<PlannedRule>,
        _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, dialled: UInt16
    ) {
        text.removeAll(keepingCapacity: true)
        redirect._withUnsafeGuaranteedRef {
            $0.redirect.appendLocation(
                to: &text, Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)), head.ranges,
                dialled: dialled)
        }
        // Behind the place of the answer's head, before that of its text. It is little longer than the request's head.
        let place = UnsafeMutableRawBufferPointer(rebasing: out[(out.count / 2)..<(out.count / 2 + text.count)])
        text.withUnsafeBytes { place.copyMemory(from: $0) }
        answer(
            x, .redirect, status: redirect._withUnsafeGuaranteedRef { $0.redirect.status }, closing: false,
            edits: rule.pointee.responseEdits,
            { writer in
                writer.append("location: ")
                writer.append(UnsafeRawBufferPointer(place))
                writer.append("\r\n")
            },
            { $0.append("the route redirects this request") })
    }

    private mutating func answer(
        _ x: Exchange, _ reason: Reason, status: UInt16, closing: Bool, edits: PlannedEdits,
        _ fields: (inout HeadWriter) -> Void, _ text: (inout HeadWriter) -> Void
    ) {
        x.pointee.status = status
        x.pointee.reason = UInt8(reason.ordinal)
        switch x.pointee.asker {
        case .mirror: return mirrorFailed(x)
        case .check: return finish(x)
        case .http1: client(x.pointee.client).pointee.phase = .exchange
        case .http2: break
        }
        count(answer: reason)
        // The text first, behind the head's place: its length is in the head.
        var body = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: out[(out.count - 4096)...]))
        text(&body)
        body.append(byte: 0x0a)
        let bodyBytes = UnsafeRawBufferPointer(rebasing: out[(out.count - 4096)..<(out.count - 4096 + body.count)])
        if closing || isDraining || (!x.pointee.isRequestComplete && x.pointee.expectsContinue) {
            x.pointee.keepAlive = false
        }
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: out[..<(out.count - 4096)]))
        if x.pointee.asker == .http1 { writer.statusLine(status) }
        writer.field("server", "weir")
        writer.append("x-weir-reason: ")
        writer.append(string: reason.rawValue)
        writer.append("\r\n")
        writer.field("date", date.bytes(now: now))
        fields(&writer)
        if reason == .methodNotAllowed {
            writer.append("allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE\r\n")
        }
        writer.append(edits.lines)
        writer.append(x.pointee.responseLines.bytes)
        guard x.pointee.asker == .http1 else { return answerStream(x, &writer, bodyBytes) }
        // Where a broken request ends cannot be told: what follows it is read and thrown away.
        if closing { x.pointee.isRequestComplete = false }
        writer.describe(bodyBytes)
        if !x.pointee.keepAlive {
            writer.append("connection: close\r\n")
        } else if x.pointee.isHTTP10 {
            writer.append("connection: keep-alive\r\n")
        }
        writer.append("\r\n")
        let sentBody = x.pointee.isHEAD ? .nothing : bodyBytes
        x.pointee.bytesOut = UInt64(sentBody.count)
        let c = client(x.pointee.client)
        guard send(c, UnsafeRawBufferPointer(rebasing: out[..<writer.count]), sentBody) else { return }
        finish(x)
    }
}

extension HeadWriter {
    /// What is said of the text of an answer.
    mutating func describe(_ body: UnsafeRawBufferPointer) {
        append("content-type: text/plain; charset=utf-8\r\n")
        field("content-length", decimal: UInt64(body.count))
    }
}

extension HeadWriter {
    mutating func append(string text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }
}

extension Reason {
    /// Why a rule's action cannot be had.
    var sentence: StaticString {
        switch self {
        case .noBackendRefs: "the matched rule has no backendRefs"
        case .allWeightsZero: "the weights of the matched rule's backendRefs are all zero"
        case .filterNotHonoured: "the matched rule has a filter that cannot be honoured"
        case .backendNotFound: "the chosen backend was not found"
        case .backendKindInvalid: "the chosen backend is of a kind that is not served"
        case .backendProtocolUnsupported: "the chosen backend's protocol is not spoken here"
        case .backendRefNotPermitted: "the chosen backend may not be referred to from the route's namespace"
        default: "the matched rule cannot be honoured"
        }
    }
}
