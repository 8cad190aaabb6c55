import Model
import Testing

@Suite struct ExplanationTests {
    @Test func saysWhatFailedAndWhy() throws {
        let table = table([
            ("exact", [try match(exact: "/one")]),
            ("method", [try match(prefix: "/v2", method: "POST")]),
            ("header", [try match(prefix: "/v2", headers: [("Version", "two")])]),
            ("lines", [try match(prefix: "/v2", headerRegexes: [("tags", "x|y")])]),
            ("query", [try match(prefix: "/v2", query: [("animal", "big whale")])]),
            ("winner", [try match(prefix: "/v2")]),
            ("last", []),
        ])
        let explanation = table.explain(
            Request("/v2/x?animal=big+dog", headers: [("Tags", "x"), ("tags", "z")]))
        let seen = explanation.tried.map { tried -> String in
            let failure = tried.failure.map { "\($0.condition) \($0.wanted), seen \($0.seen ?? "none")" }
            return "\(table.rules[tried.rule].name ?? ""): \(failure ?? "matches")"
        }
        #expect(
            seen == [
                "exact: path = /one, seen /v2/x",
                "method: method = POST, seen GET",
                "header: header version = two, seen none",
                "lines: header tags matches x|y, seen x, z",
                "query: query parameter animal = big whale, seen big dog",
                "winner: matches",
                "last: matches",
            ])
        #expect(explanation.winner == 5)
        #expect(explanation.runnerUp == 6)
        #expect(explanation.decidedBy == .prefixLength)
        #expect(explanation.tried[4].conditions == "path begins with /v2, query parameter animal = big whale")
        #expect(explanation.tried[1].conditions == "path begins with /v2, method = POST")
    }

    @Test func grpc() throws {
        let table = table(
            [
                ("both", [try grpcMatch("shop", "Get")]), ("service", [try grpcMatch("bar", headers: [("a", "1")])]),
                ("method", [try grpcMatch(nil, "Put")]), ("pattern", [try grpcMatch("s.*", "P|Q", regex: true)]),
                ("winner", [try grpcMatch("s.*", regex: true)]), ("last", []),
            ], kind: .grpc)
        func seen(_ explanation: Explanation) -> [String] {
            explanation.tried.map { tried in
                let failure = tried.failure.map { "\($0.condition): \($0.wanted), seen \($0.seen ?? "none")" }
                return "[\(tried.conditions)] \(failure ?? "matches")"
            }
        }
        let explanation = table.explain(.grpc("/shop/Put"))
        #expect(
            seen(explanation) == [
                "[gRPC method = /shop/Get] gRPC path: method = /shop/Get, seen /shop/Put",
                "[gRPC service = bar, header a = 1] gRPC path: service = bar, seen /shop/Put",
                "[gRPC service matches s.* and method matches P|Q] "
                    + "gRPC path: service matches s.* and method matches P|Q, seen /shop/Put",
                "[gRPC service matches s.*] matches", "[gRPC method = Put] matches", "[gRPC any method] matches",
            ])
        #expect(explanation.decidedBy == .service)
        #expect(table.explain(.grpc("/bar/Put")).decidedBy == .grpcMethod)
        let other = table.explain(Request("/shop/Get", headers: [("Content-Type", "text/plain")]))
        #expect(other.winner == nil)
        #expect(seen(other)[5] == "[gRPC any method] header content-type: = application/grpc, seen text/plain")
    }

    @Test func aSecondMatchOfTheWinnerIsNoRival() throws {
        let table = table([("both", [try match(prefix: "/a"), try match(prefix: "/")]), ("other", [])])
        let explanation = table.explain(Request("/a"))
        #expect(explanation.winner == 0)
        #expect(explanation.runnerUp == 2)
        #expect(explanation.decidedBy == .prefixLength)
        #expect(table.explain(Request("/b")).decidedBy == .rule)
    }

    @Test func nothingMatches() throws {
        let explanation = table([("one", [try match(exact: "/one")])]).explain(Request("/two"))
        #expect(explanation.winner == nil)
        #expect(explanation.runnerUp == nil)
        #expect(explanation.decidedBy == nil)
        #expect(explanation.tried.count == 1)
    }
}
