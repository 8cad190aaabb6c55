import Model
import Resources

extension CORSPolicy {
    private static let methods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*",
    ]

    /// HTTPCORSFilter, with the rules of its schema.
    init(_ filter: HTTPCORS) throws(FilterRefusal) {
        var origins: [[UInt8]] = []
        for (position, text) in (filter.allowOrigins ?? []).enumerated() {
            guard let origin = Self.origin(text) else {
                throw FilterRefusal(
                    field: "cors.allowOrigins[\(position)]",
                    message: "'\(text)' is neither * nor scheme://host or scheme://host:port with http or https")
            }
            origins.append(origin)
        }
        try Self.checkWildcard(filter.allowOrigins, "cors.allowOrigins")
        for (position, method) in (filter.allowMethods ?? []).enumerated() where !Self.methods.contains(method) {
            throw FilterRefusal(field: "cors.allowMethods[\(position)]", message: "'\(method)' is not served")
        }
        try Self.checkWildcard(filter.allowMethods, "cors.allowMethods")
        let allowedHeaders = try Self.names(filter.allowHeaders, "cors.allowHeaders")
        try Self.checkWildcard(filter.allowHeaders, "cors.allowHeaders")
        guard let maximumAge = UInt32(exactly: filter.maxAge), maximumAge >= 1 else {
            throw FilterRefusal(field: "cors.maxAge", message: "\(filter.maxAge) is no number of seconds from 1 on")
        }
        self.init(
            allowedOrigins: origins, allowsCredentials: filter.allowCredentials ?? false,
            allowedMethods: (filter.allowMethods ?? []).map { Array($0.utf8) }, allowedHeaders: allowedHeaders,
            exposedHeaders: try Self.names(filter.exposeHeaders, "cors.exposeHeaders"), maximumAge: maximumAge)
    }

    private static func names(_ names: [String]?, _ field: String) throws(FilterRefusal) -> [[UInt8]] {
        var all: [[UInt8]] = []
        for (position, name) in (names ?? []).enumerated() {
            all.append(try TranslatedFilter.fieldName(name, "\(field)[\(position)]"))
        }
        return all
    }

    private static func checkWildcard(_ list: [String]?, _ field: String) throws(FilterRefusal) {
        if let list, list.count > 1, list.contains("*") {
            throw FilterRefusal(field: field, message: "* stands alone or not at all")
        }
    }

    /// An origin as the model has it, or nil when it is none: `*`, or `http` or `https`, and a host whose first label may
    /// be `*`, and a port that the scheme does not imply.
    private static func origin(_ text: String) -> [UInt8]? {
        if text == "*" { return Array("*".utf8) }
        let text = text.lowercased()
        guard let scheme = ["http", "https"].first(where: { text.hasPrefix("\($0)://") }) else { return nil }
        let parts = text.dropFirst(scheme.count + 3).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first else { return nil }
        var labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.first == "*" { labels.removeFirst() }
        let isHost = labels.allSatisfy { label in
            !label.isEmpty
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"):
                        true
                    default: false
                    }
                }
        }
        guard isHost else { return nil }
        var origin = "\(scheme)://\(host)"
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let port = UInt16(parts[1]), port > 0
            else { return nil }
            if port != (scheme == "http" ? 80 : 443) { origin += ":\(port)" }
        }
        return Array(origin.utf8)
    }
}
