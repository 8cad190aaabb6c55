import Model
import Resources

extension ExternalAuth {
    /// HTTPExternalAuthFilter. A backend that cannot be asked stays in it, so that requests are refused rather than let
    /// through.
    init(_ filter: HTTPExternalAuth, by backend: FilterBackend) throws(FilterRefusal) {
        let authProtocol: AuthProtocol
        let headers: [String]?
        switch filter.protocol {
        case "GRPC":
            guard filter.http == nil else {
                throw FilterRefusal(field: "externalAuth.http", message: "the protocol is GRPC")
            }
            authProtocol = .grpc
            headers = filter.grpc?.allowedHeaders
        case "HTTP":
            guard filter.grpc == nil else {
                throw FilterRefusal(field: "externalAuth.grpc", message: "the protocol is HTTP")
            }
            authProtocol = .http(
                path: try Self.path(filter.http?.path ?? ""),
                allowedResponseHeaders: try Self.names(
                    filter.http?.allowedResponseHeaders, besides: [], "http.allowedResponseHeaders"))
            headers = filter.http?.allowedHeaders
        case let other: throw FilterRefusal(field: "externalAuth.protocol", message: "'\(other)' is not served")
        }
        let maximumBody = filter.forwardBody?.maxSize ?? 0
        guard (0...Int(Int32.max)).contains(maximumBody) else {
            throw FilterRefusal(
                field: "externalAuth.forwardBody.maxSize", message: "\(maximumBody) is no size from 0 to \(Int32.max)")
        }
        self.init(
            authProtocol: authProtocol, service: backend.service, port: backend.port, target: backend.target,
            allowedHeaders: try Self.names(
                headers, besides: ["host", "content-length"], "\(filter.protocol.lowercased()).allowedHeaders"),
            maximumBody: maximumBody)
    }

    /// Names in lower case. Fields that routing and framing own cannot be passed on, `besides` those that the protocol
    /// has sent anyway.
    private static func names(
        _ names: [String]?, besides: Set<String>, _ field: String
    ) throws(FilterRefusal) -> [[UInt8]] {
        var all: [[UInt8]] = []
        for (position, name) in (names ?? []).enumerated() {
            let place = "externalAuth.\(field)[\(position)]"
            let name = name.lowercased()
            guard !TranslatedFilter.protected.contains(name) || besides.contains(name) else {
                throw FilterRefusal(field: place, message: "the field \(name) is not a filter's to pass on")
            }
            all.append(try TranslatedFilter.fieldName(name, place))
        }
        return all
    }

    /// What goes before a request's path: begins with a slash and ends with none; empty for nothing.
    private static func path(_ text: String) throws(FilterRefusal) -> [UInt8] {
        var path = text
        while path.hasSuffix("/") { path.removeLast() }
        if path.isEmpty { return [] }
        if !path.hasPrefix("/") { path = "/\(path)" }
        let bytes = Array(path.utf8)
        var isValid = !path.split(separator: "/", omittingEmptySubsequences: false).contains { $0 == "." || $0 == ".." }
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                break
            case UInt8(ascii: "%"):
                let digits = bytes[(index + 1)...].prefix(2)
                isValid = isValid && digits.count == 2 && digits.allSatisfy(isHexadecimal)
            default: isValid = isValid && "-/._~!$&'()*+,;=:@".utf8.contains(byte)
            }
        }
        guard isValid else { throw FilterRefusal(field: "externalAuth.http.path", message: "'\(text)' is no path") }
        return bytes
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
