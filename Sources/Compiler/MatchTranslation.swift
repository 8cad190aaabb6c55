import Model
import RegularExpressions
import Resources

/// What one match asks for that cannot be told; the rule that holds it is dropped.
struct MatchFailure: Error {
    /// Below the match.
    let field: String
    let message: String
}

extension RouteMatch {
    private static let methods: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ]

    init(_ match: HTTPRouteMatch) throws(MatchFailure) {
        let path: RouteMatch.Path
        let value = match.path?.value ?? "/"
        switch match.path?.type ?? "PathPrefix" {
        case "Exact": path = .exact(Array(value.utf8))
        case "PathPrefix": path = .prefix(Array(value.utf8))
        case "RegularExpression": path = .regularExpression(try Self.regularExpression(value, "path.value"))
        case let other: throw MatchFailure(field: "path.type", message: "'\(other)' is not served")
        }
        if let method = match.method, !Self.methods.contains(method) {
            throw MatchFailure(field: "method", message: "'\(method)' is not served")
        }
        var headers: [RouteMatch.Named] = []
        for (index, header) in (match.headers ?? []).enumerated() {
            headers.append(try Self.named(header.name, header.type, header.value, "headers[\(index)]"))
        }
        var queryParams: [RouteMatch.Named] = []
        for (index, query) in (match.queryParams ?? []).enumerated() {
            queryParams.append(try Self.named(query.name, query.type, query.value, "queryParams[\(index)]"))
        }
        self.init(
            path: path, method: match.method.map { Array($0.utf8) }, headers: headers, queryParams: queryParams)
    }

    init(_ match: GRPCRouteMatch) throws(MatchFailure) {
        var headers: [RouteMatch.Named] = []
        for (index, header) in (match.headers ?? []).enumerated() {
            headers.append(try Self.named(header.name, header.type, header.value, "headers[\(index)]"))
        }
        self.init(
            path: try match.method.map(Self.path) ?? .grpcMethod(service: nil, method: nil), method: nil,
            headers: headers, queryParams: [])
    }

    private static func path(_ match: GRPCMethodMatch) throws(MatchFailure) -> RouteMatch.Path {
        let service = match.service.flatMap { $0.isEmpty ? nil : $0 }
        let method = match.method.flatMap { $0.isEmpty ? nil : $0 }
        guard service != nil || method != nil else {
            throw MatchFailure(field: "method", message: "one of service and method must be given")
        }
        switch match.type {
        case "Exact":
            for (name, text) in [("service", service), ("method", method)] where text?.utf8.contains(0x2f) == true {
                throw MatchFailure(field: "method.\(name)", message: "'\(text ?? "")' holds a slash")
            }
            return .grpcMethod(service: service.map { Array($0.utf8) }, method: method.map { Array($0.utf8) })
        case "RegularExpression":
            return .grpcMethodExpressions(
                service: try service.map { text throws(MatchFailure) in try regularExpression(text, "method.service") },
                method: try method.map { text throws(MatchFailure) in try regularExpression(text, "method.method") })
        default: throw MatchFailure(field: "method.type", message: "'\(match.type)' is not served")
        }
    }

    private static func named(
        _ name: String, _ type: String, _ value: String, _ field: String
    ) throws(MatchFailure) -> RouteMatch.Named {
        switch type {
        case "Exact": .init(name: Array(name.utf8), value: .exact(Array(value.utf8)))
        case "RegularExpression":
            .init(name: Array(name.utf8), value: .regularExpression(try regularExpression(value, "\(field).value")))
        default: throw MatchFailure(field: "\(field).type", message: "'\(type)' is not served")
        }
    }

    private static func regularExpression(
        _ pattern: String, _ field: String
    ) throws(MatchFailure) -> RegularExpression {
        do {
            return try RegularExpression(pattern)
        } catch {
            throw MatchFailure(field: field, message: "'\(pattern)' is no regular expression that is served: \(error)")
        }
    }
}
