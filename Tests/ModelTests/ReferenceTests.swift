import HTTPWire
import Model
import RegularExpressions
import Testing

/// `RouteTable.match` and `explain` against a matcher that is nothing but the specification's words.
@Suite struct ReferenceTests {
    @Test func tenThousandRequests() throws {
        var generator = Generator(seed: 42)
        var matched = 0
        for _ in 0..<500 {
            let entries = try (0..<(1 + generator.next(12))).map { index in
                entry(
                    "rule-\(index)", try (0..<generator.next(4)).map { _ in try generator.match() }, index: index,
                    route: "n/\(generator.next(3))", created: generator.created())
            }
            let table = table(entries)
            for _ in 0..<20 {
                let request = generator.request()
                let expected = reference(entries, request)
                #expect(table.match(request) == expected, "\(request)")
                let explanation = table.explain(request)
                #expect(explanation.winner.map { explanation.tried[$0].rule } == expected, "\(request)")
                if expected != nil { matched += 1 }
            }
        }
        #expect((2_000..<9_000).contains(matched))
    }

    /// The same for GRPCRoutes, of which none takes what is no gRPC request.
    @Test func tenThousandGRPCRequests() throws {
        var generator = Generator(seed: 43)
        var matched = 0
        for _ in 0..<500 {
            let entries = try (0..<(1 + generator.next(12))).map { index in
                entry(
                    "rule-\(index)", try (0..<generator.next(4)).map { _ in try generator.grpcMatch() }, index: index,
                    route: "n/\(generator.next(3))", created: generator.created(), kind: .grpc)
            }
            let table = table(entries, kind: .grpc)
            for _ in 0..<20 {
                let (request, isGRPC) = generator.grpcRequest()
                let expected = isGRPC ? reference(entries, request) : nil
                #expect(table.match(request) == expected, "\(request)")
                let explanation = table.explain(request)
                #expect(explanation.winner.map { explanation.tried[$0].rule } == expected, "\(request)")
                if expected != nil { matched += 1 }
            }
        }
        #expect((2_000..<9_000).contains(matched))
    }

    private func reference(_ entries: [RouteTableEntry], _ request: Request) -> Int? {
        var best: (rank: Precedence, rule: Int)?
        for (index, entry) in entries.enumerated() {
            let matches = entry.matches.isEmpty ? [RouteMatch.everything] : entry.matches
            for (position, match) in matches.enumerated() where holds(match, request) {
                let rank = Precedence(
                    match, at: position, rule: entry.rule.index, of: entry.rule.route.name,
                    creationTimestamp: entry.creationTimestamp)
                if best.map({ rank < $0.rank }) ?? true { best = (rank, index) }
            }
        }
        return best?.rule
    }

    private func holds(_ match: RouteMatch, _ request: Request) -> Bool {
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = String(parts[0])
        switch match.path {
        case .exact(let wanted): guard path == string(wanted) else { return false }
        case .prefix(let wanted):
            let elements = string(wanted).split(separator: "/")
            let seen = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            guard elements.isEmpty || Array(seen.prefix(elements.count)) == elements else { return false }
        case .regularExpression(let expression): guard expression.matchesWhole(path) else { return false }
        case .grpcMethod(nil, nil), .grpcMethodExpressions(nil, nil): break
        case .grpcMethod(let service, let method):
            guard let seen = grpcParts(path), service.map({ string($0) == seen.service }) ?? true,
                method.map({ string($0) == seen.method }) ?? true
            else { return false }
        case .grpcMethodExpressions(let service, let method):
            guard let seen = grpcParts(path), service?.matchesWhole(seen.service) ?? true,
                method?.matchesWhole(seen.method) ?? true
            else { return false }
        }
        if let method = match.method, string(method) != request.method { return false }
        for header in match.headers {
            let values = request.headers.filter { $0.0.lowercased() == string(header.name).lowercased() }.map(\.1)
            let seen =
                string(header.name).lowercased() == "host"
                ? request.authority : values.isEmpty ? nil : values.joined(separator: ", ")
            guard let seen, equals(header.value, seen) else { return false }
        }
        for query in match.queryParams {
            let pairs = parts.count < 2 ? [] : parts[1].split(separator: "&").map { decoded(String($0)) }
            guard let seen = pairs.first(where: { $0.0 == string(query.name) })?.1, equals(query.value, seen) else {
                return false
            }
        }
        return true
    }

    private func grpcParts(_ path: String) -> (service: String, method: String)? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 2, parts[0].isEmpty else { return nil }
        return (parts[1..<(parts.count - 1)].joined(separator: "/"), String(parts[parts.count - 1]))
    }

    private func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func equals(_ wanted: RouteMatch.Value, _ seen: String) -> Bool {
        switch wanted {
        case .exact(let value): string(value) == seen
        case .regularExpression(let expression): expression.matchesWhole(seen)
        }
    }

    /// Of what `Generator` makes, only `+` and `%61` are encoded.
    private func decoded(_ pair: String) -> (String, String) {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
            $0.split(separator: "%61", omittingEmptySubsequences: false).joined(separator: "a")
                .split(separator: "+", omittingEmptySubsequences: false).joined(separator: " ")
        }
        return (parts[0], parts.count > 1 ? parts[1] : "")
    }
}

/// Matches and requests over few names and values, so that they meet often.
struct Generator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }

    private mutating func pick(_ texts: [String]) -> String { texts[next(texts.count)] }

    mutating func created() -> String? {
        next(3) == 0 ? nil : "2026-01-0\(1 + next(3))T00:00:00Z"
    }

    mutating func match() throws -> RouteMatch {
        let path = next(4)
        return try ModelTests.match(
            exact: path == 0 ? pick(["/", "/a", "/a/b", "/a/"]) : nil,
            prefix: path > 1 ? pick(["/", "/a", "/a/", "/a/b", "/b", "/a/b/c"]) : nil,
            regex: path == 1 ? pick(["/a.*", "/[ab]/?", ".*b", "/(a|b)(/.*)?"]) : nil,
            method: next(3) == 0 ? pick(["GET", "POST"]) : nil,
            headers: (0..<(next(4) / 2)).map { _ in (pick(["x", "Y", "host"]), pick(["1", "2", "1, 2", "echo"])) },
            headerRegexes: next(6) == 0 ? [(pick(["Z", "y"]), pick(["1.*", ".*2", "[12]"]))] : [],
            query: (0..<(next(4) / 2)).map { _ in (pick(["a", "b", "a b"]), pick(["1", "2", "a", ""])) },
            queryRegexes: next(8) == 0 ? [("c", "[a1]+")] : [])
    }

    mutating func grpcMatch() throws -> RouteMatch {
        let regex = next(3) == 0
        let service =
            next(3) == 0 ? nil : regex ? pick(["a.*", "a\\.[BC]", ".*", "x"]) : pick(["a.B", "a.C", "x", "a"])
        let method = next(3) == 0 ? nil : regex ? pick(["G.*", "Get|Put", ".*t", ""]) : pick(["Get", "Put", "Do"])
        return try ModelTests.grpcMatch(
            service, method, regex: regex,
            headers: (0..<(next(4) / 2)).map { _ in (pick(["x", "Y"]), pick(["1", "2", "1, 2"])) },
            headerRegexes: next(6) == 0 ? [(pick(["Z", "y"]), pick(["1.*", ".*2", "[12]"]))] : [])
    }

    /// A request, and whether it is one of gRPC.
    mutating func grpcRequest() -> (Request, isGRPC: Bool) {
        let type = next(12)
        let isGRPC = type < 10
        let types = ["application/grpc+proto", "Application/gRPC", "application/grpc;a=b", "application/grpc-web", ""]
        return (
            Request(
                pick([
                    "/a.B/Get", "/a.B/Put", "/a.C/Get", "/x/Do", "/a/Get", "/a.B/x/Get", "/a.B/", "/a.B", "/", "//Get",
                ]),
                method: "POST",
                headers: [("content-type", type < 7 ? "application/grpc" : types[type - 7])]
                    + (0..<next(4)).map { _ in (pick(["X", "y", "z"]), pick(["1", "2"])) }), isGRPC
        )
    }

    mutating func request() -> Request {
        let query = (0..<next(3)).map { _ in
            "\(pick(["a", "%61", "b", "a+b", "c"]))\(pick(["=1", "=2", "=%61", "", "="]))"
        }
        return Request(
            pick(["/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/b", "/a/b/c/d"])
                + (query.isEmpty ? "" : "?" + query.joined(separator: "&")),
            method: pick(["GET", "POST", "PUT"]), authority: pick(["echo", "1"]),
            headers: (0..<next(4)).map { _ in (pick(["X", "y", "z"]), pick(["1", "2"])) })
    }
}
