package import HTTPWire

/// HTTPRequestRedirectFilter; nil keeps what the request has.
package struct Redirect: Hashable, Sendable {
    package let scheme: [UInt8]?
    package let hostname: [UInt8]?
    package let port: UInt16?
    package let path: PathModifier?
    package let status: UInt16

    package init(scheme: [UInt8]?, hostname: [UInt8]?, port: UInt16?, path: PathModifier?, status: UInt16) {
        self.scheme = scheme
        self.hostname = hostname
        self.port = port
        self.path = path
        self.status = status
    }

    /// Appends the Location for a request that came by `http` to the Service port `dialled`.
    ///
    /// The port is the filter's; else the well-known one of the filter's scheme; else the dialled one. Host's port
    /// counts for nothing. A port that its scheme implies is left out. The query stays. A request without Host gets a
    /// Location without scheme and host unless the filter names a host.
    package func appendLocation(
        to out: inout [UInt8], _ head: Span<UInt8>, _ request: RequestRanges, dialled: UInt16
    ) {
        if hostname != nil || !request.authority.isEmpty {
            let isHTTPS = scheme.map { $0.elementsEqual("https".utf8) } ?? false
            if let scheme { out.append(contentsOf: scheme) } else { out.append(contentsOf: "http".utf8) }
            out.append(contentsOf: "://".utf8)
            if let hostname {
                out.append(contentsOf: hostname)
            } else {
                out.append(head, Self.host(head, request.authority))
            }
            let standard: UInt16 = isHTTPS ? 443 : 80
            let port = port ?? (scheme == nil ? dialled : standard)
            if port != standard {
                out.append(0x3a)
                Self.append(port, to: &out)
            }
        }
        let start = out.count
        out.append(head, request.path)
        // `OPTIONS *` and the empty path of an absolute form.
        if request.path.isEmpty || head[Int(request.path.start)] != 0x2f {
            out.removeLast(out.count - start)
            out.append(0x2f)
        }
        path?.apply(to: &out, from: start)
        out.appendQuery(head, request)
    }

    /// The authority without its port: what is before the colon behind the last `]`.
    private static func host(_ head: Span<UInt8>, _ authority: ByteRange) -> ByteRange {
        var position = Int(authority.end)
        while position > Int(authority.start) {
            position -= 1
            switch head[position] {
            case 0x30...0x39: continue
            case 0x3a: return ByteRange(Int(authority.start)..<position)
            default: return authority
            }
        }
        return authority
    }

    private static func append(_ number: UInt16, to out: inout [UInt8]) {
        var divisor: UInt16 = 10_000
        while divisor > 1, number < divisor { divisor /= 10 }
        while divisor > 0 {
            out.append(0x30 + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
