import Model
import Testing

@Suite struct PrecedenceTests {
    private struct Place {
        var route = "b/b"
        var rule = 1
        var match = 1
        var created: String? = "2026-01-02T00:00:00Z"
    }

    private func rank(_ match: RouteMatch, _ place: Place = Place()) -> Precedence {
        let parts = place.route.split(separator: "/").map(String.init)
        return Precedence(
            match, at: place.match, rule: place.rule, of: ObjectName(namespace: parts[0], name: parts[1]),
            creationTimestamp: place.created)
    }

    @Test func everyStepDecidesAgainstAllLaterOnes() throws {
        // Each is better than the next by one step and worse by every later one.
        let late = Place(route: "c/c", rule: 9, match: 9, created: nil)
        let ranks: [(Precedence, Precedence.Step)] = [
            (rank(try match(exact: "/"), late), .pathType),
            (
                rank(
                    try match(regex: "/.*", method: "GET", headers: [("a", "1"), ("b", "1")], query: [("a", "1")]),
                    Place(route: "a/a", rule: 0, match: 0, created: "2026-01-01T00:00:00Z")), .pathType
            ),
            (rank(try match(prefix: "/long/path"), late), .prefixLength),
            (rank(try match(prefix: "/path/", method: "GET"), late), .method),
            (rank(try match(prefix: "/path", headers: [("a", "1"), ("b", "2")]), late), .headers),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1"), ("b", "1")]), late),
                .queryParams
            ),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")]),
                    Place(route: "c/c", rule: 9, match: 9, created: "2026-01-01T00:00:00Z")), .age
            ),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")]),
                    Place(route: "a/z", rule: 9, match: 9)), .name
            ),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")]),
                    Place(rule: 0, match: 9)), .rule
            ),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")]), Place(match: 0)), .match
            ), (rank(try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")])), .match),
            (
                rank(
                    try match(prefix: "/path", headers: [("a", "1")], query: [("a", "1")]),
                    Place(route: "a/a", rule: 0, match: 0, created: nil)), .age
            ),
        ]
        for index in ranks.indices.dropLast() {
            let (a, b) = (ranks[index].0, ranks[index + 1].0)
            let step = index == ranks.count - 2 ? .age : ranks[index].1
            #expect(a.decision(over: b)?.step == step, "\(index)")
            #expect(a.decision(over: b)?.isFirst == true, "\(index)")
            #expect(b.decision(over: a)?.isFirst == false, "\(index)")
        }
        #expect(ranks.map(\.0).reversed().sorted() == ranks.map(\.0))
        #expect(ranks[0].0.decision(over: ranks[0].0) == nil)
    }

    @Test func everyStepOfGRPCDecidesAgainstAllLaterOnes() throws {
        let late = Place(route: "c/c", rule: 9, match: 9, created: nil)
        let ranks: [(Precedence, Precedence.Step)] = [
            (rank(try grpcMatch("a.Long"), late), .service),
            (rank(try grpcMatch("a.S", "Longer"), late), .grpcMethod),
            (rank(try grpcMatch("a.S", "Long", headers: [("a", "1")]), late), .grpcMethod),
            (rank(try grpcMatch("a.S", headers: [("a", "1"), ("b", "1")]), late), .headers),
            (rank(try grpcMatch("a.S", headers: [("a", "1")])), .service),
            (rank(try grpcMatch("a.Longest", "m", regex: true), late), .grpcMethod),
            (rank(try grpcMatch("a", regex: true)), .service),
            (rank(try grpcMatch(nil, "M"), late), .grpcMethod),
            (rank(try grpcMatch(nil, "Much", regex: true), late), .grpcMethod),
            (rank(try grpcMatch(headers: [("a", "1")]), late), .headers),
            (rank(try grpcMatch()), .age),
            (rank(try grpcMatch(), late), .age),
        ]
        for index in ranks.indices.dropLast() {
            let (a, b) = (ranks[index].0, ranks[index + 1].0)
            #expect(a.decision(over: b)?.step == ranks[index].1, "\(index)")
            #expect(a.decision(over: b)?.isFirst == true, "\(index)")
            #expect(b.decision(over: a)?.isFirst == false, "\(index)")
        }
        #expect(ranks.map(\.0).reversed().sorted() == ranks.map(\.0))
    }

    @Test func trailingSlashIsNotCounted() throws {
        #expect(rank(try match(prefix: "/a/")).prefixLength == 2)
        #expect(rank(try match(prefix: "/a")).prefixLength == 2)
        #expect(rank(try match(prefix: "/")).prefixLength == 0)
    }

    @Test func orderIsTotal() throws {
        var generator = Generator(seed: 7)
        let ranks = try (0..<60).map { index in
            rank(
                try generator.match(),
                Place(
                    route: "n/\(generator.next(3))", rule: generator.next(3), match: index, created: generator.created()
                ))
        }
        for a in ranks {
            for b in ranks {
                #expect([a < b, b < a, a == b].filter { $0 }.count == 1)
                for c in ranks where a < b && b < c { #expect(a < c) }
            }
        }
    }
}
