import Model
import Resources

/// Which routes have which port of one Service: per port and group the kind that wins, its merged table, and who lost.
struct ServiceClaims {
    /// By port number, then group. A port that only refused routes claim has no table: it is forwarded plainly.
    private(set) var tables: [UInt16: [RouteGroup: RouteTable]] = [:]
    /// By route, the ports that it lost and the kind that won them.
    private(set) var lost: [ObjectKey: [UInt16: RouteKind]] = [:]
    private var members: [UInt16: [RouteGroup: [CompiledRoute]]] = [:]

    /// `claimants` are sorted by age. Tables whose routes are the same objects as in `previous` keep their identity.
    init(_ service: ObjectName, _ claimants: [CompiledRoute], previous: ServiceClaims?) {
        var claims: [UInt16: [RouteGroup: [CompiledRoute]]] = [:]
        for route in claimants where route.contends {
            let group: RouteGroup =
                route.name.namespace == service.namespace ? .producer : .consumer(namespace: route.name.namespace)
            for port in Set(route.attachments.filter { $0.service == service }.flatMap(\.ports)) {
                claims[port, default: [:]][group, default: []].append(route)
            }
        }
        for (port, groups) in claims {
            for (group, routes) in groups {
                guard let winner = routes.map(\.kind).min(by: { ($0.rank ?? .max) < ($1.rank ?? .max) }) else {
                    continue
                }
                for route in routes where route.kind != winner { lost[route.key, default: [:]][port] = winner }
                let served = routes.filter { $0.kind == winner && $0.claims }
                guard !served.isEmpty else { continue }
                members[port, default: [:]][group] = served
                if let known = previous?.members[port]?[group],
                    known.elementsEqual(served, by: { $0.hasEntries(of: $1) }),
                    let table = previous?.tables[port]?[group]
                {
                    tables[port, default: [:]][group] = table
                } else {
                    tables[port, default: [:]][group] = RouteTable(
                        kind: winner, group: group, service: service, port: port, entries: served.flatMap(\.entries))
                }
            }
        }
    }
}
