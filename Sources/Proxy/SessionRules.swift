package import HTTPWire
package import Model

/// A SessionPersistence ready for use: where its token is, how long it holds, how the client is told.
///
/// Times are milliseconds of Unix time, since tokens go from node to node; clocks that differ shorten or lengthen a session
/// by as much, and a token from the future counts as used now.
package struct SessionRules: BitwiseCopyable {
    /// Of the cookie or header.
    let name: UnsafeRawBufferPointer
    /// The cookie's Path; empty: none is said.
    let path: UnsafeRawBufferPointer
    let isCookie: Bool
    let isPermanent: Bool
    /// Milliseconds; `UInt64.max`: no limit.
    let absoluteTimeout: UInt64
    let idleTimeout: UInt64

    /// `name` and `path` are those of `persistence`, in memory that outlives it.
    package init(_ persistence: SessionPersistence, name: UnsafeRawBufferPointer, path: UnsafeRawBufferPointer) {
        self.name = name
        self.path = path
        switch persistence.carrier {
        case .cookie(_, _, let isPermanent):
            isCookie = true
            self.isPermanent = isPermanent
        case .header:
            isCookie = false
            isPermanent = false
        }
        absoluteTimeout = persistence.absoluteTimeout.map { ($0 &+ 999_999) / 1_000_000 } ?? .max
        idleTimeout = persistence.idleTimeout.map { ($0 &+ 999_999) / 1_000_000 } ?? .max
    }

    /// The first token of the request that is genuine and not timed out.
    package func token(
        _ head: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, key: SessionKey, now: UInt64
    ) -> SessionToken? {
        for field in fields {
            let value = UnsafeRawBufferPointer(rebasing: head[Int(field.value.start)..<Int(field.value.end)])
            if isCookie {
                guard case .cookie = field.known else { continue }
                var values = CookieValues(value, named: name)
                while let text = values.next() {
                    if let token = SessionToken(text, key: key), holds(token, now: now) { return token }
                }
            } else {
                let fieldName = head[Int(field.name.start)..<Int(field.name.end)]
                guard FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: fieldName), name) else { continue }
                if let token = SessionToken(value, key: key), holds(token, now: now) { return token }
            }
        }
        return nil
    }

    package func holds(_ token: SessionToken, now: UInt64) -> Bool {
        let age = now > token.issued ? now &- token.issued : 0
        let idle = now > token.used ? now &- token.used : 0
        return age < absoluteTimeout && idle < idleTimeout
    }

    /// The token that the client is to be told with the response of the endpoint that served it; nil when the one it brought
    /// will do. With an idle timeout a token is given anew once it is a second old, or a sixteenth of the timeout if that is
    /// shorter: a session may end by that much early, and a busy one costs no field on every response.
    package func renewed(_ found: SessionToken?, high: UInt64, low: UInt64, port: UInt16, now: UInt64) -> SessionToken?
    {
        guard var token = found, token.high == high, token.low == low, token.port == port else {
            return SessionToken(high: high, low: low, port: port, issued: now, used: now)
        }
        guard idleTimeout != .max, now > token.used, now &- token.used >= min(1000, idleTimeout / 16) else {
            return nil
        }
        token.used = now
        return token
    }

    /// Writes the response's field line. Cookies are HttpOnly and SameSite=Strict, as GEP-1619 wants. Clients speak plain HTTP
    /// within the mesh and would throw a Secure cookie away (RFC 6265bis section 5.7), so it is Secure only when
    /// the request says that its first hop was https (X-Forwarded-Proto, from a gateway): `isSecure`.
    package func write(
        _ token: SessionToken, isSecure: Bool, key: SessionKey, now: UInt64, to writer: inout HeadWriter
    ) {
        guard isCookie else {
            writer.append(name)
            writer.append(": ")
            token.write(key: key, to: &writer)
            writer.append("\r\n")
            return
        }
        writer.append("set-cookie: ")
        writer.append(name)
        writer.append("=")
        token.write(key: key, to: &writer)
        if !path.isEmpty {
            writer.append("; Path=")
            writer.append(path)
        }
        if isPermanent && absoluteTimeout != .max {
            let age = now > token.issued ? now &- token.issued : 0
            let rest = absoluteTimeout > age ? absoluteTimeout &- age : 0
            writer.append("; Max-Age=")
            writer.append(decimal: rest / 1000 &+ (rest % 1000 > 0 ? 1 : 0))
        }
        if isSecure { writer.append("; Secure") }
        writer.append("; HttpOnly; SameSite=Strict\r\n")
    }
}
