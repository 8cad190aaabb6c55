package import HTTPWire

/// A CORS policy made ready to answer by (GEP-1767; Fetch standard, section 3.2): origins taken apart, constant field lines
/// written out.
///
/// The answers that the specification leaves open: an allowed origin is always echoed, also for `*`, so every response says
/// that it varies by Origin; a wildcard among methods or headers echoes what a preflight asks for, which lets browsers send
/// Authorization too; a wildcard among exposed headers is left out with credentials, where it has no meaning.
package final class CORSTable: Sendable {
    private struct Origin: BitwiseCopyable {
        let isSecure: Bool
        let port: UInt16
        /// The host begins with `*`: it stands for one or more labels, or for every host when nothing follows.
        let isWildcard: Bool
        /// In `hosts`; what follows the `*`.
        let start: Int
        let count: Int
    }
    private let allowsAll: Bool
    private let origins: [Origin]
    /// In lower case, one behind the other.
    private let hosts: [UInt8]
    private let allowsCredentials: Bool
    private let anyMethod: Bool
    private let anyHeader: Bool
    /// Whole lines, empty when there is nothing to say.
    private let methods: [UInt8]
    private let headers: [UInt8]
    private let exposed: [UInt8]
    private let maximumAge: [UInt8]

    package init(_ policy: CORSPolicy) {
        var origins: [Origin] = []
        var hosts: [UInt8] = []
        for pattern in policy.allowedOrigins {
            guard let parts = OriginParts(pattern.span, allowsWildcard: true) else { continue }
            let isWildcard = pattern[parts.start] == 0x2a
            let host = pattern[(parts.start + (isWildcard ? 1 : 0))..<parts.end].map { asciiLowercased($0) }
            origins.append(
                Origin(
                    isSecure: parts.isSecure, port: parts.port, isWildcard: isWildcard, start: hosts.count,
                    count: host.count))
            hosts += host
        }
        self.origins = origins
        self.hosts = hosts
        allowsAll = policy.allowedOrigins.contains(Self.wildcard)
        allowsCredentials = policy.allowsCredentials
        anyMethod = policy.allowedMethods.contains(Self.wildcard)
        anyHeader = policy.allowedHeaders.contains(Self.wildcard)
        methods = Self.line("access-control-allow-methods", policy.allowedMethods)
        headers = Self.line("access-control-allow-headers", policy.allowedHeaders)
        let exposed = policy.exposedHeaders
        self.exposed = Self.line(
            "access-control-expose-headers",
            policy.allowsCredentials ? exposed.filter { $0 != Self.wildcard } : exposed)
        maximumAge = Self.line("access-control-max-age", [Array(String(policy.maximumAge).utf8)])
    }

    private static let wildcard: [UInt8] = [0x2a]

    private static func line(_ name: String, _ values: [[UInt8]]) -> [UInt8] {
        values.isEmpty ? [] : Array("\(name): ".utf8) + values.joined(separator: Array(", ".utf8)) + [0x0d, 0x0a]
    }

    /// The fields that the policy speaks for, in lower case: a backend's own lines of these names are left out, whatever the
    /// origin.
    package static let replacedFields: [[UInt8]] = [
        "access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-methods",
        "access-control-allow-headers", "access-control-expose-headers", "access-control-max-age",
    ].map { (name: String) in Array(name.utf8) }

    /// Writes the field lines that the response gets. True: the request is a preflight, which is answered at once with 200
    /// and these lines and goes to no backend; else the lines belong to the backend's response.
    ///
    /// Only the first Access-Control-Request-Headers line is echoed; the Fetch standard sends one.
    package func answer(
        _ head: Span<UInt8>, _ fields: Span<FieldRange>, isOptions: Bool, into writer: inout HeadWriter
    ) -> Bool {
        let asked = CORSFields(head, fields)
        guard let origin = asked.origin else {
            writer.append("vary: origin\r\n")
            return false
        }
        let isPreflight = isOptions && asked.requestMethod != nil
        let originValue = head.extracting(origin.offsets)
        if allows(originValue) {
            writer.append("access-control-allow-origin: ")
            writer.append(originValue)
            writer.append("\r\n")
            if allowsCredentials { writer.append("access-control-allow-credentials: true\r\n") }
            if isPreflight { appendAllowed(head, asked, &writer) }
            Self.append(exposed, &writer)
        }
        if isPreflight {
            writer.append("vary: origin, access-control-request-method, access-control-request-headers\r\n")
        } else {
            writer.append("vary: origin\r\n")
        }
        return isPreflight
    }

    private func appendAllowed(_ head: Span<UInt8>, _ asked: CORSFields, _ writer: inout HeadWriter) {
        if anyMethod {
            Self.echo("access-control-allow-methods: ", head, asked.requestMethod, !allowsCredentials, &writer)
        } else {
            Self.append(methods, &writer)
        }
        if anyHeader {
            Self.echo("access-control-allow-headers: ", head, asked.requestHeaders, !allowsCredentials, &writer)
        } else {
            Self.append(headers, &writer)
        }
        Self.append(maximumAge, &writer)
    }

    private static func append(_ lines: [UInt8], _ writer: inout HeadWriter) {
        writer.append(lines.span)
    }

    private static func echo(
        _ name: StaticString, _ head: Span<UInt8>, _ value: ByteRange?, _ mayBeWildcard: Bool,
        _ writer: inout HeadWriter
    ) {
        guard value != nil || mayBeWildcard else { return }
        writer.append(name)
        if let value { writer.append(head.extracting(value.offsets)) } else { writer.append("*") }
        writer.append("\r\n")
    }

    /// Whether the value of an Origin field is allowed. Scheme and host compare without case; a missing port is that of the
    /// scheme. `null` and what is no origin is allowed by `*` alone.
    package func allows(_ origin: Span<UInt8>) -> Bool {
        if origin.isEmpty { return false }
        if allowsAll { return true }
        guard let parts = OriginParts(origin, allowsWildcard: false) else { return false }
        let length = parts.end - parts.start
        for index in origins.indices {
            let allowed = origins[index]
            guard allowed.isSecure == parts.isSecure, allowed.port == parts.port,
                allowed.isWildcard ? length > allowed.count : length == allowed.count
            else { continue }
            let start = parts.end - allowed.count
            var offset = 0
            while offset < allowed.count,
                asciiLowercased(origin[start + offset]) == hosts[allowed.start + offset]
            {
                offset += 1
            }
            if offset == allowed.count { return true }
        }
        return false
    }
}

/// What a request says that concerns CORS. A field that comes twice says nothing that can be allowed: its value is empty.
package struct CORSFields: BitwiseCopyable, Sendable {
    package private(set) var origin: ByteRange?
    package private(set) var requestMethod: ByteRange?
    package private(set) var requestHeaders: ByteRange?

    package init(_ head: Span<UInt8>, _ fields: Span<FieldRange>) {
        for index in 0..<fields.count {
            let name = fields[index].name
            switch name.count {
            case 6 where Self.equal(head, name, "origin"):
                origin = origin == nil ? fields[index].value : .empty
            case 29 where Self.equal(head, name, "access-control-request-method"):
                requestMethod = requestMethod ?? fields[index].value
            case 30 where Self.equal(head, name, "access-control-request-headers"):
                requestHeaders = requestHeaders ?? fields[index].value
            default: break
            }
        }
    }

    /// `text` has the name's length and is in lower case.
    private static func equal(_ head: Span<UInt8>, _ name: ByteRange, _ text: StaticString) -> Bool {
        for offset in 0..<text.utf8CodeUnitCount {
            let wanted = unsafe text.utf8Start[offset]
            if asciiLowercased(head[Int(name.start) + offset]) != wanted { return false }
        }
        return true
    }
}

/// `scheme "://" host [ ":" port ]` (RFC 6454 section 6.2) of `http` or `https`.
private struct OriginParts {
    let isSecure: Bool
    /// The host, with the brackets of an IPv6 address.
    let start: Int
    let end: Int
    let port: UInt16

    init?(_ value: Span<UInt8>, allowsWildcard: Bool) {
        let isSecure = Self.begins(value, "https://")
        guard isSecure || Self.begins(value, "http://") else { return nil }
        let start = isSecure ? 8 : 7
        var end = start
        if end < value.count, value[end] == 0x5b {
            while end < value.count, Self.isAddress(value[end], isFirst: end == start) { end += 1 }
            guard end < value.count, value[end] == 0x5d else { return nil }
            end += 1
        } else {
            if allowsWildcard, end < value.count, value[end] == 0x2a { end += 1 }
            while end < value.count, Self.isName(value[end]) { end += 1 }
        }
        guard end > start else { return nil }
        var port: UInt32 = isSecure ? 443 : 80
        if end < value.count {
            guard value[end] == 0x3a, (1...5).contains(value.count - end - 1) else { return nil }
            port = 0
            for index in (end + 1)..<value.count {
                let digit = value[index] &- 0x30
                guard digit < 10 else { return nil }
                port = port * 10 + UInt32(digit)
            }
            guard (1...65535).contains(port) else { return nil }
        }
        self.isSecure = isSecure
        self.start = start
        self.end = end
        self.port = UInt16(port)
    }

    private static func begins(_ value: Span<UInt8>, _ text: StaticString) -> Bool {
        guard value.count > text.utf8CodeUnitCount else { return false }
        for offset in 0..<text.utf8CodeUnitCount {
            let wanted = unsafe text.utf8Start[offset]
            if asciiLowercased(value[offset]) != wanted { return false }
        }
        return true
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
        default: false
        }
    }

    private static func isAddress(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x46, 0x61...0x66, 0x3a, 0x2e: true
        default: isFirst
        }
    }
}

extension ByteRange {
    fileprivate var offsets: Range<Int> { Int(start)..<Int(end) }
}
