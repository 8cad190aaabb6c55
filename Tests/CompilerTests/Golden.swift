import Compiler
import Foundation
import HTTPWire
import Model
import Resources
import Testing
import Yams

/// The objects of a YAML text, as events.
func events(_ yaml: String) throws -> [Event] {
    try Yams.compose_all(yaml: yaml).map { .upsert(try YAMLDecoder().decode(Resource.self, from: $0)) }
}

/// An inventory and what the compiler makes of it, over several changes.
struct Mesh {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
    static let start = "2026-02-01T00:00:00Z"

    var inventory = Inventory()
    var compiler = Compiler()
    var now = 1_000.0

    static func base() throws -> String {
        try String(contentsOf: folder.appending(path: "base.yaml"), encoding: .utf8)
    }

    mutating func apply(_ yaml: String, timestamp: String = start) throws -> Compilation {
        apply(.batch(try events(yaml)), timestamp: timestamp)
    }

    mutating func apply(_ event: Event, timestamp: String = start) -> Compilation {
        let changes = inventory.apply(event)
        return compiler.compile(inventory, touching: changes, now: now, timestamp: timestamp)
    }
}

/// A compilation in words, for golden files.
struct Outcome: Encodable {
    struct Status: Encodable {
        let route: String
        let parents: [RouteParentStatus]
    }

    /// Ports whose tables say the same are told together.
    struct Table: Encodable, Equatable {
        var service = ""
        let group: String
        let matches: [String]
        let rules: [RuleText]
    }

    struct RuleText: Encodable, Equatable {
        let rule: String
        let action: String
        let filters: [String]?
        let timeouts: String?
        let retry: String?
        let session: String?
        let backends: [String]?
    }

    struct Policy: Encodable {
        let policy: String
        let ancestors: [PolicyAncestorStatus]
    }

    struct Answer: Encodable {
        let request: String
        let rule: String?
        let answer: [String]
    }

    let statuses: [Status]
    /// Absent when there are none.
    let policies: [Policy]?
    let tables: [Table]
    let requests: [Answer]
    let problems: [String]

    init(_ compilation: Compilation, requests: [String]) throws {
        statuses = compilation.statuses.sorted { $0.key < $1.key }.map { Status(route: "\($0.key)", parents: $0.value) }
        let policies = compilation.policyStatuses.sorted { $0.key < $1.key }
            .map { Policy(policy: "\($0.key)", ancestors: $0.value) }
        self.policies = policies.isEmpty ? nil : policies
        var tables: [Table] = []
        for service in compilation.snapshot.services {
            var alike: [(ports: [UInt16], table: Table)] = []
            for port in service.ports {
                let consumers = port.consumers.sorted { $0.key < $1.key }.map(\.value)
                for routes in (port.producer.map { [$0] } ?? []) + consumers {
                    let table = Self.table(routes)
                    if let index = alike.firstIndex(where: { $0.table == table }) {
                        alike[index].ports.append(port.port)
                    } else {
                        alike.append(([port.port], table))
                    }
                }
            }
            for (ports, var table) in alike {
                table.service = "\(service.name):\(ports.map(String.init).joined(separator: ","))"
                tables.append(table)
            }
        }
        self.tables = tables
        self.requests = try requests.map { try Self.answer($0, compilation.snapshot) }
        problems = compilation.problems.map { "\($0.object)\($0.field.map { ": \($0)" } ?? ""): \($0.message)" }
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func name(_ rule: Rule) -> String {
        "\(rule.route.kind.rawValue) \(rule.route.name) rule \(rule.index)\(rule.name.map { " (\($0))" } ?? "")"
    }

    private static func table(_ table: RouteTable) -> Table {
        let group =
            switch table.group {
            case .producer: "producer"
            case .consumer(let namespace): "consumer \(namespace)"
            }
        return Table(
            group: group,
            matches: table.matchesInOrder.map { "\($0.conditions) -> \(name(table.rules[$0.rule]))" },
            rules: table.rules.map { rule in
                var action: String
                var backends: [String]?
                switch rule.action {
                case .fail(let reason): action = "\(reason.status ?? 0) \(reason.rawValue)"
                case .redirect(let redirect): action = "redirect \(redirect.status)"
                case .forward(let all):
                    action = "forward"
                    backends = all.all.map { "\($0.weight) of \(all.total) to \(backend($0))" }
                }
                let timeouts = [
                    rule.timeouts.request.map { "request \($0) ns" },
                    rule.timeouts.backendRequest.map { "backendRequest \($0) ns" },
                ].compactMap { $0 }
                return RuleText(
                    rule: name(rule), action: action,
                    filters: rule.filters.isEmpty ? nil : rule.filters.map(filter),
                    timeouts: timeouts.isEmpty ? nil : timeouts.joined(separator: ", "),
                    retry: rule.retry.map(retry), session: rule.sessionPersistence.map(session), backends: backends)
            })
    }

    private static func backend(_ backend: WeightedBackend) -> String {
        let filters = backend.filters.isEmpty ? "" : " (\(backend.filters.map(filter).joined(separator: "; ")))"
        return place(backend.service, backend.port, backend.target) + filters
    }

    private static func place(_ service: ObjectName, _ port: UInt16?, _ target: WeightedBackend.Target) -> String {
        let place = "\(service):\(port.map(String.init) ?? "-")"
        switch target {
        case .invalid(let reason): return "\(place) = \(reason.status ?? 0) \(reason.rawValue)"
        case .backend(let target):
            let endpoints = target.endpoints.map {
                "\($0.address.isIPv4 ? "\($0.address)" : "[\($0.address)]"):\($0.port)"
            }
            let version = target.httpVersion == .http2 ? " by HTTP/2" : ""
            let wanted = target.trafficPolicy.map { " with \(policy($0))" } ?? ""
            let serving = endpoints.isEmpty ? "no endpoint" : endpoints.joined(separator: " ")
            return "\(place) = \(serving)\(version)\(wanted)"
        }
    }

    private static func retry(_ retry: Retry) -> String {
        let codes = retry.codes.isEmpty ? "" : " after \(retry.codes.map(String.init).joined(separator: ", "))"
        return "\(retry.attempts) more\(codes)\(retry.backoff.map { ", waiting \($0) ns" } ?? "")"
    }

    private static func cors(_ policy: CORSPolicy) -> String {
        func list(_ name: String, _ values: [[UInt8]]) -> String? {
            values.isEmpty ? nil : "\(name) \(values.map(text).joined(separator: " "))"
        }
        return [
            list("origins", policy.allowedOrigins), list("methods", policy.allowedMethods),
            list("headers", policy.allowedHeaders), list("exposed", policy.exposedHeaders),
            policy.allowsCredentials ? "credentials" : nil, "for \(policy.maximumAge) s",
        ].compactMap { $0 }.joined(separator: ", ")
    }

    private static func auth(_ auth: ExternalAuth) -> String {
        func list(_ name: String, _ values: [[UInt8]]) -> String? {
            values.isEmpty ? nil : "\(name) \(values.map(text).joined(separator: " "))"
        }
        let own: [String?] =
            switch auth.authProtocol {
            case .grpc: ["gRPC"]
            case .http(let path, let headers): ["HTTP", path.isEmpty ? nil : text(path), list("passes on", headers)]
            }
        return
            (own + [list("sends", auth.allowedHeaders), auth.maximumBody > 0 ? "body \(auth.maximumBody)" : nil])
            .compactMap { $0 }.joined(separator: ", ") + " by \(place(auth.service, auth.port, auth.target))"
    }

    static func session(_ session: Model.SessionPersistence) -> String {
        let limits = [
            session.absoluteTimeout.map { "at most \($0) ns" }, session.idleTimeout.map { "idle at most \($0) ns" },
        ]
        let carrier =
            switch session.carrier {
            case .cookie(let name, let path, let isPermanent):
                "\(isPermanent ? "permanent " : "")cookie \(text(name)) path \(text(path))"
            case .header(let name): "header \(text(name))"
            }
        return ([carrier] + limits.compactMap { $0 }).joined(separator: ", ")
    }

    static func policy(_ policy: TrafficPolicy) -> String {
        let budget = policy.retryBudget.map {
            "retries \($0.percent) % in \($0.interval) ns, or \($0.minimumCount) in \($0.minimumInterval) ns"
        }
        return [budget, policy.sessionPersistence.map(session)].compactMap { $0 }.joined(separator: "; ")
    }

    private static func filter(_ filter: Filter) -> String {
        func modifier(_ modifier: Model.HeaderModifier) -> String {
            (modifier.set.map { "set \(text($0.name))=\(text($0.value))" }
                + modifier.add.map { "add \(text($0.name))=\(text($0.value))" }
                + modifier.remove.map { "remove \(text($0))" }).joined(separator: ", ")
        }
        switch filter {
        case .requestHeaderModifier(let one): return "request headers: \(modifier(one))"
        case .responseHeaderModifier(let one): return "response headers: \(modifier(one))"
        case .requestMirror(let mirror):
            return
                "mirror \(mirror.numerator)/\(mirror.denominator): \(place(mirror.service, mirror.port, mirror.target))"
        case .cors(let policy): return "cors: \(cors(policy))"
        case .externalAuth(let one): return "auth: \(auth(one))"
        case .urlRewrite(let rewrite):
            let path = rewrite.path.map {
                $0.kind == .replaceFullPath
                    ? "path \(text($0.replacement))" : "prefix '\(text($0.match))' by '\(text($0.replacement))'"
            }
            return
                "rewrite: \([rewrite.hostname.map { "host \(text($0))" }, path].compactMap { $0 }.joined(separator: ", "))"
        }
    }

    /// `NAMESPACE METHOD http://SERVICE.NAMESPACE[:PORT]/PATH | Name: value`: a client, what it sends, who answers.
    private static func answer(_ line: String, _ snapshot: Snapshot) throws -> Answer {
        let parts = line.components(separatedBy: " | ")
        let words = parts[0].split(separator: " ", maxSplits: 2).map(String.init)
        let url = words[2].dropFirst("http://".count)
        let authority = url.prefix { $0 != "/" }
        let target = String(url.dropFirst(authority.count))
        let hostAndPort = authority.split(separator: ":").map(String.init)
        let host = hostAndPort[0].split(separator: ".", maxSplits: 1).map(String.init)
        let number = UInt16(hostAndPort.count > 1 ? hostAndPort[1] : "80") ?? 0
        let service = try #require(snapshot.service(ObjectName(namespace: host[1], name: host[0])), "\(line)")
        let port = try #require(service.port(number), "\(line)")
        var headers = parts.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            return (String(line[..<colon]), line[colon...].dropFirst().trimmingCharacters(in: .whitespaces))
        }
        let said = headers.firstIndex { $0.0 == "Host" }.map { headers.remove(at: $0).1 }
        let request = Bytes(
            method: words[1], target: target, authority: said ?? String(authority), headers: headers)
        guard let table = port.routes(forClientIn: words[0]) else {
            return Answer(request: line, rule: nil, answer: ["plainly to \(plain(port.plain))"])
        }
        guard let index = request.match(table) else {
            return Answer(request: line, rule: nil, answer: ["404 no-route-matched"])
        }
        let rule = table.rules[index]
        let answer: [String]
        switch rule.action {
        case .fail(let reason): answer = ["\(reason.status ?? 0) \(reason.rawValue)"]
        case .redirect(let redirect): answer = ["\(redirect.status) Location: \(request.location(redirect, number))"]
        case .forward(let backends):
            answer = backends.all.filter { $0.weight > 0 }.map { backend in
                switch backend.target {
                case .invalid(let reason): "\(reason.status ?? 0) \(reason.rawValue)"
                case .backend where (rule.filters + backend.filters).unreachableAuth != nil:
                    "\(Reason.externalAuthFailed.status ?? 0) \(Reason.externalAuthFailed.rawValue)"
                case .backend:
                    "\(backend.service.name):\(backend.port ?? 0) gets \(request.forwarded(rule.filters + backend.filters))"
                }
            }
        }
        return Answer(request: line, rule: name(rule), answer: answer)
    }

    private static func plain(_ backend: Backend) -> String {
        backend.endpoints.isEmpty ? "no endpoint" : backend.endpoints.map { "\($0.address)" }.joined(separator: " ")
    }
}

/// A request as bytes, and what becomes of it.
struct Bytes {
    private var head: [UInt8] = []
    private var ranges = RequestRanges()
    private var fields: [FieldRange] = []
    private let headers: [(String, String)]
    private let authority: String
    private let method: String

    init(method: String, target: String, authority: String, headers: [(String, String)]) {
        self.headers = headers
        self.authority = authority
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        ranges.method = add(method)
        ranges.path = add(String(parts[0]))
        if parts.count > 1 {
            ranges.hasQuery = true
            ranges.query = add(String(parts[1]))
        }
        ranges.authority = add(authority)
        for (name, value) in headers { fields.append(FieldRange(name: add(name), value: add(value))) }
    }

    private mutating func add(_ text: String) -> ByteRange {
        let start = head.count
        head += Array(text.utf8)
        return ByteRange(start: UInt32(start), count: UInt32(head.count - start))
    }

    func match(_ table: RouteTable) -> Int? {
        table.match(head.span, ranges, fields.span)
    }

    func location(_ redirect: Redirect, _ port: UInt16) -> String {
        var out: [UInt8] = []
        redirect.appendLocation(to: &out, head.span, ranges, dialled: port)
        return String(decoding: out, as: UTF8.self)
    }

    /// What the backend sees, and what is done to its response.
    func forwarded(_ filters: [Filter]) -> String {
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        var target: [UInt8] = []
        filters.urlRewrites.appendTarget(to: &target, head.span, ranges)
        let edits = filters.requestEdits
        var lines = ["\(method) \(text(target))"]
        if let host = filters.urlRewrites.hostname { lines.append("Host: \(text(host))") }
        lines += headers.filter { line in !edits.dropped.contains { $0.elementsEqual(line.0.lowercased().utf8) } }
            .map { "\($0.0): \($0.1)" }
        lines += edits.added.map { "\(text($0.name)): \(text($0.value))" }
        let response = filters.responseEdits
        if !response.dropped.isEmpty {
            lines.append("response without \(response.dropped.map(text).joined(separator: ", "))")
        }
        if !response.added.isEmpty {
            lines.append(
                "response with \(response.added.map { "\(text($0.name)): \(text($0.value))" }.joined(separator: ", "))")
        }
        return lines.joined(separator: " | ")
    }
}
