import HTTPWire
import Model
import RegularExpressions

/// A request as matching sees it: bytes and ranges.
struct Request: CustomStringConvertible {
    var method = "GET"
    /// The path, and the query behind a `?`.
    var target: String
    var authority = "echo"
    var headers: [(String, String)] = []

    init(_ target: String, method: String = "GET", authority: String = "echo", headers: [(String, String)] = []) {
        self.target = target
        self.method = method
        self.authority = authority
        self.headers = headers
    }

    /// A gRPC request: POST, with the content type.
    static func grpc(_ path: String, headers: [(String, String)] = []) -> Request {
        Request(path, method: "POST", headers: [("content-type", "application/grpc")] + headers)
    }

    var description: String { "\(method) \(target) \(authority) \(headers)" }

    /// The parts laid out with other bytes between them.
    func parts() -> (head: [UInt8], ranges: RequestRanges, fields: [FieldRange]) {
        var head: [UInt8] = []
        func add(_ text: some Sequence<UInt8>) -> ByteRange {
            let start = head.count
            head += text
            let count = head.count - start
            head += Array("; ".utf8)
            return ByteRange(start: UInt32(start), count: UInt32(count))
        }
        var ranges = RequestRanges()
        ranges.method = add(method.utf8)
        let bytes = Array(target.utf8)
        let mark = bytes.firstIndex(of: UInt8(ascii: "?"))
        ranges.path = add(bytes[..<(mark ?? bytes.count)])
        if let mark {
            ranges.hasQuery = true
            ranges.query = add(bytes[(mark + 1)...])
        }
        ranges.authority = add(authority.utf8)
        let fields = headers.map { FieldRange(name: add($0.0.utf8), value: add($0.1.utf8)) }
        return (head, ranges, fields)
    }
}

extension RouteTable {
    func match(_ request: Request) -> Int? {
        let (head, ranges, fields) = request.parts()
        return match(head.span, ranges, fields.span)
    }

    func explain(_ request: Request) -> Explanation {
        let (head, ranges, fields) = request.parts()
        return explain(head.span, ranges, fields.span)
    }

    /// The name of the rule that the request meets.
    func rule(_ request: Request) -> String? {
        match(request).map { rules[$0].name ?? "" }
    }
}

/// A match in few words.
func match(
    exact: String? = nil, prefix: String? = nil, regex: String? = nil, method: String? = nil,
    headers: [(String, String)] = [], headerRegexes: [(String, String)] = [], query: [(String, String)] = [],
    queryRegexes: [(String, String)] = []
) throws -> RouteMatch {
    func named(_ exact: [(String, String)], _ regexes: [(String, String)]) throws -> [RouteMatch.Named] {
        try exact.map { .init(name: Array($0.0.utf8), value: .exact(Array($0.1.utf8))) }
            + regexes.map { .init(name: Array($0.0.utf8), value: .regularExpression(try RegularExpression($0.1))) }
    }
    let path: RouteMatch.Path =
        if let exact {
            .exact(Array(exact.utf8))
        } else if let regex {
            .regularExpression(try RegularExpression(regex))
        } else {
            .prefix(Array((prefix ?? "/").utf8))
        }
    return RouteMatch(
        path: path, method: method.map { Array($0.utf8) }, headers: try named(headers, headerRegexes),
        queryParams: try named(query, queryRegexes))
}

/// A match of a GRPCRoute in few words.
func grpcMatch(
    _ service: String? = nil, _ method: String? = nil, regex: Bool = false, headers: [(String, String)] = [],
    headerRegexes: [(String, String)] = []
) throws -> RouteMatch {
    let others = try match(headers: headers, headerRegexes: headerRegexes)
    return RouteMatch(
        path: regex
            ? .grpcMethodExpressions(
                service: try service.map { try RegularExpression($0) },
                method: try method.map { try RegularExpression($0) })
            : .grpcMethod(service: service.map { Array($0.utf8) }, method: method.map { Array($0.utf8) }),
        method: nil, headers: others.headers, queryParams: [])
}

/// A rule that answers 500, named after where its requests should go.
func entry(
    _ name: String, _ matches: [RouteMatch], index: Int = 0, route: String = "default/route", created: String? = nil,
    kind: RouteKind = .http
) -> RouteTableEntry {
    let parts = route.split(separator: "/").map(String.init)
    return RouteTableEntry(
        rule: Rule(
            route: RouteReference(kind: kind, name: ObjectName(namespace: parts[0], name: parts[1])), index: index,
            name: name, action: .fail(.noBackendRefs), filters: [],
            timeouts: Timeouts(request: nil, backendRequest: nil)),
        matches: matches, creationTimestamp: created)
}

/// A table of one route, whose rules come in this order.
func table(_ rules: [(String, [RouteMatch])], kind: RouteKind = .http) -> RouteTable {
    table(rules.enumerated().map { entry($1.0, $1.1, index: $0, kind: kind) }, kind: kind)
}

func table(_ entries: [RouteTableEntry], kind: RouteKind = .http) -> RouteTable {
    RouteTable(
        kind: kind, group: .producer, service: ObjectName(namespace: "default", name: "echo"), port: 80,
        entries: entries)
}
