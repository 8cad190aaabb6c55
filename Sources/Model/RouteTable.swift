package import HTTPWire

package enum RouteKind: String, Sendable, Codable {
    case http = "HTTPRoute"
    case grpc = "GRPCRoute"
    case tls = "TLSRoute"
    case tcp = "TCPRoute"
    case udp = "UDPRoute"
}

/// Which clients a group of routes holds for (GEP-1294, "Route types").
package enum RouteGroup: Hashable, Sendable {
    case producer
    /// Clients whose pod is in this namespace.
    case consumer(namespace: String)
}

/// The merged routes of one group on one Service port: rules, and their matches in order of precedence.
package final class RouteTable: Sendable {
    package let kind: RouteKind
    package let group: RouteGroup
    package let service: ObjectName
    package let port: UInt16
    /// In the order of the entries it was made of.
    package let rules: [Rule]
    /// The rank of each of `table`'s rows.
    let precedences: [Precedence]
    let table: MatchTable

    package init(kind: RouteKind, group: RouteGroup, service: ObjectName, port: UInt16, entries: [RouteTableEntry]) {
        self.kind = kind
        self.group = group
        self.service = service
        self.port = port
        rules = entries.map(\.rule)
        let ranked = entries.indices.flatMap { index -> [(rank: Precedence, match: RouteMatch, rule: Int)] in
            let entry = entries[index]
            let matches = entry.matches.isEmpty ? [RouteMatch.everything] : entry.matches
            return matches.enumerated().map { position, match in
                let rank = Precedence(
                    match, at: position, rule: entry.rule.index, of: entry.rule.route.name,
                    creationTimestamp: entry.creationTimestamp)
                return (rank, match, index)
            }
        }.sorted { $0.rank < $1.rank }
        precedences = ranked.map(\.rank)
        table = MatchTable(ranked.map { ($0.match, $0.rule) }, isGRPC: kind == .grpc)
    }

    /// The index in `rules` of the rule whose best match is first by precedence, or nil when none matches (404). Of
    /// GRPCRoutes none matches a request that is not of gRPC. Allocates nothing. `head` holds the bytes that `request` and `fields` point into.
    package func match(_ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>) -> Int? {
        guard let row = table.firstMatch(head, request, fields) else { return nil }
        return Int(table.rows[row].rule)
    }
}
