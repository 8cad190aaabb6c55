import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

// Session persistence (GEP-1619).
extension Worker {
    /// The reference that has the endpoint of the request's session, whatever its weight; nil when the request belongs to
    /// none, or its endpoint is gone.
    mutating func sessionReference(
        _ x: Exchange, _ rule: UnsafePointer<PlannedRule>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) -> UnsafePointer<PlannedReference>? {
        let references = rule.pointee.references
        guard let first = references.baseAddress, let session = references.first(where: { $0.session != nil })?.session
        else { return nil }
        findToken(x, session, bytes, head)
        guard let token = x.pointee.sessionToken else { return nil }
        for index in 0..<references.count where first[index].failure == nil {
            if let endpoint = preferredEndpoint(first[index].backend, token) {
                x.pointee.preferred = endpoint
                return first + index
            }
        }
        return nil
    }

    /// The request belongs to a session or begins one.
    mutating func joinSession(
        _ x: Exchange, _ session: UnsafePointer<SessionRules>, _ reference: UnsafePointer<PlannedReference>,
        _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) {
        x.pointee.session = session
        if x.pointee.preferred == nil {
            if x.pointee.sessionToken == nil { findToken(x, session, bytes, head) }
            if let token = x.pointee.sessionToken {
                x.pointee.preferred = preferredEndpoint(reference.pointee.backend, token)
            }
        }
        for index in 0..<head.fieldCount where fields[index].name.count == 17 {
            let name = UnsafeRawBufferPointer(rebasing: bytes[fields[index].name])
            guard FieldEdits.isSame(name, "x-forwarded-proto") else { continue }
            x.pointee.isSecure = FieldEdits.isSame(
                UnsafeRawBufferPointer(rebasing: bytes[fields[index].value]), "https")
        }
    }

    private func preferredEndpoint(
        _ backend: PlannedBackend, _ token: SessionToken
    ) -> UnsafePointer<PlannedEndpoint>? {
        endpoints.preferred(backend, high: token.high, low: token.low, port: token.port, now: now)
    }

    private func findToken(
        _ x: Exchange, _ session: UnsafePointer<SessionRules>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) {
        x.pointee.sessionToken = session.pointee.token(
            bytes, UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount]), key: settings.sessionKey,
            now: Self.wallClock())
    }

    /// The response tells the client of its session, when it does not know it yet.
    mutating func tellSession(_ x: Exchange) {
        guard let session = x.pointee.session, let endpoint = x.pointee.endpoint else { return }
        let time = Self.wallClock()
        let address = endpoint.pointee.address
        guard
            let token = session.pointee.renewed(
                x.pointee.sessionToken, high: address.high, low: address.low, port: address.port, now: time)
        else { return }
        var writer = HeadWriter(x.pointee.responseLines.reserve(1024, &buffers))
        session.pointee.write(
            token, isSecure: x.pointee.isSecure, key: settings.sessionKey, now: time, to: &writer)
        x.pointee.responseLines.commit(writer.count)
    }

    /// Milliseconds of Unix time.
    private static func wallClock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) &* 1000 &+ UInt64(time.tv_nsec) / 1_000_000
    }
}
