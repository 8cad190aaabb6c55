import Model
import Resources

/// Why a filter cannot be made sense of, whatever this version serves; `field` is below the filter's own.
struct FilterRefusal: Error {
    let field: String
    let message: String
}

/// Where the one backendRef of a mirror or of an authorization service leads.
struct FilterBackend {
    /// As written.
    let service: ObjectName
    let port: UInt16?
    let target: WeightedBackend.Target
}

/// One filter of an HTTPRoute or a GRPCRoute, made sense of.
enum TranslatedFilter {
    case filter(Filter)
    case redirect(Redirect)
    /// This version does not serve it; requests that it concerns are answered 500.
    case notHonoured(String)
    /// The whole route is refused; `field` is below the filter's own.
    case refused(field: String, message: String)

    /// `prefix` is the rule's one PathPrefix value, nil when it has not exactly one match or the match is not by prefix.
    /// `resolve` is asked for a reference that must lead to a backend that a route of that kind can speak to, with the
    /// field below the filter's own.
    init(
        _ filter: HTTPRouteFilter, of kind: RouteKind, prefix: [UInt8]?,
        resolve: (BackendObjectReference, RouteKind, String) -> FilterBackend
    ) {
        do throws(FilterRefusal) {
            switch filter.type {
            case "RequestHeaderModifier":
                self = .filter(
                    .requestHeaderModifier(try Self.modifier(filter.requestHeaderModifier, "requestHeaderModifier")))
            case "ResponseHeaderModifier":
                self = .filter(
                    .responseHeaderModifier(try Self.modifier(filter.responseHeaderModifier, "responseHeaderModifier")))
            case "RequestMirror":
                let mirror = try Self.required(filter.requestMirror, "requestMirror")
                self = .filter(
                    .requestMirror(
                        try RequestMirror(mirror, to: resolve(mirror.backendRef, kind, "requestMirror.backendRef"))))
            case "CORS" where kind == .http:
                self = .filter(.cors(try CORSPolicy(try Self.required(filter.cors, "cors"))))
            case "ExternalAuth" where kind == .http:
                let auth = try Self.required(filter.externalAuth, "externalAuth")
                self = .filter(
                    .externalAuth(
                        try ExternalAuth(
                            auth,
                            by: resolve(
                                auth.backendRef, auth.protocol == "GRPC" ? .grpc : .http, "externalAuth.backendRef"))))
            case "RequestRedirect" where kind == .http:
                self = .redirect(try Self.redirect(filter.requestRedirect ?? HTTPRequestRedirect(), prefix))
            case "URLRewrite" where kind == .http:
                let rewrite = filter.urlRewrite ?? HTTPURLRewrite()
                self = .filter(
                    .urlRewrite(
                        URLRewrite(
                            hostname: try Self.hostname(rewrite.hostname, "urlRewrite.hostname"),
                            path: try Self.path(rewrite.path, prefix, "urlRewrite.path"))))
            default: self = .notHonoured("filter \(filter.type) is not served by this version of Weir")
            }
        } catch {
            self = .refused(field: error.field, message: error.message)
        }
    }

    private static func required<Value>(_ value: Value?, _ field: String) throws(FilterRefusal) -> Value {
        guard let value else { throw FilterRefusal(field: field, message: "is missing") }
        return value
    }

    private static func redirect(
        _ redirect: HTTPRequestRedirect, _ prefix: [UInt8]?
    ) throws(FilterRefusal) -> Redirect {
        guard let status = UInt16(exactly: redirect.statusCode), [301, 302, 303, 307, 308].contains(status) else {
            throw FilterRefusal(field: "requestRedirect.statusCode", message: "\(redirect.statusCode) is not served")
        }
        if let scheme = redirect.scheme, scheme != "http", scheme != "https" {
            throw FilterRefusal(field: "requestRedirect.scheme", message: "'\(scheme)' is not served")
        }
        var port: UInt16?
        if let number = redirect.port {
            guard let value = UInt16(exactly: number), value > 0 else {
                throw FilterRefusal(field: "requestRedirect.port", message: "\(number) is no port")
            }
            port = value
        }
        return Redirect(
            scheme: redirect.scheme.map { Array($0.utf8) },
            hostname: try hostname(redirect.hostname, "requestRedirect.hostname"), port: port,
            path: try path(redirect.path, prefix, "requestRedirect.path"), status: status)
    }

    /// What goes into a request line, a Host or a Location may hold no byte that ends it.
    private static func hostname(_ text: String?, _ field: String) throws(FilterRefusal) -> [UInt8]? {
        guard let text else { return nil }
        let bytes = Array(text.utf8)
        let valid = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard valid, !bytes.isEmpty else { throw FilterRefusal(field: field, message: "'\(text)' is no host name") }
        return bytes
    }

    private static func path(
        _ modifier: HTTPPathModifier?, _ prefix: [UInt8]?, _ field: String
    ) throws(FilterRefusal) -> PathModifier? {
        guard let modifier else { return nil }
        func bytes(_ text: String?, _ name: String) throws(FilterRefusal) -> [UInt8] {
            let bytes = Array((text ?? "").utf8)
            // RFC 3986 section 3.3: a path ends at `?` and `#`; everything outside printable ASCII is encoded.
            for byte in bytes where !(0x21...0x7e).contains(byte) || byte == 0x3f || byte == 0x23 {
                throw FilterRefusal(field: "\(field).\(name)", message: "'\(text ?? "")' is no path")
            }
            return bytes
        }
        switch modifier.type {
        case "ReplaceFullPath":
            return .replaceFullPath(try bytes(modifier.replaceFullPath, "replaceFullPath"))
        case "ReplacePrefixMatch":
            guard let prefix else {
                throw FilterRefusal(
                    field: field, message: "ReplacePrefixMatch needs a rule with exactly one match, by PathPrefix")
            }
            return .replacePrefixMatch(
                match: prefix, replacement: try bytes(modifier.replacePrefixMatch, "replacePrefixMatch"))
        default: throw FilterRefusal(field: "\(field).type", message: "'\(modifier.type)' is not served")
        }
    }

    /// Fields that routing and the framing of messages own (RFC 9110 sections 7.6.1 and 8.6; RFC 9112 section 9.6); a
    /// filter may not touch them.
    static let protected: Set<String> = [
        "host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "content-length",
    ]

    private static func modifier(
        _ filter: Resources.HeaderModifier?, _ field: String
    ) throws(FilterRefusal) -> Model.HeaderModifier {
        func name(_ text: String) throws(FilterRefusal) -> [UInt8] {
            guard !text.hasPrefix(":"), !protected.contains(text.lowercased()) else {
                throw FilterRefusal(field: field, message: "the field \(text) is not a filter's to change")
            }
            return try fieldName(text, field)
        }
        func fields(_ headers: [HTTPHeader]?) throws(FilterRefusal) -> [Model.HeaderModifier.Field] {
            var fields: [Model.HeaderModifier.Field] = []
            for header in headers ?? [] {
                let value = Array(header.value.utf8)
                // RFC 9110 section 5.5: what ends a line, or could, is no part of a value.
                if value.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f }) {
                    throw FilterRefusal(field: field, message: "the value of \(header.name) holds a control character")
                }
                fields.append(.init(name: try name(header.name), value: value))
            }
            return fields
        }
        var removed: [[UInt8]] = []
        for text in filter?.remove ?? [] { removed.append(try name(text)) }
        return Model.HeaderModifier(set: try fields(filter?.set), add: try fields(filter?.add), remove: removed)
    }

    static func fieldName(_ text: String, _ field: String) throws(FilterRefusal) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.allSatisfy(isTokenByte) else {
            throw FilterRefusal(field: field, message: "'\(text)' is no field name")
        }
        return bytes
    }

    /// RFC 9110 section 5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
