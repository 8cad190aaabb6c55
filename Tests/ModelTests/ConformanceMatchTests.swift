import Model
import Testing

/// The match tables of the Gateway API's conformance tests, mesh and gateway; nil is 404.
@Suite struct ConformanceMatchTests {
    typealias Case = (request: Request, rule: String?)

    private func check(_ table: RouteTable, _ cases: [Case]) {
        for (request, rule) in cases { #expect(table.rule(request) == rule, "\(request)") }
    }

    @Test func meshTrafficSplit() throws {
        check(
            table([("v1", [try match(exact: "/v1")]), ("v2", [try match(exact: "/v2")])]),
            [(Request("/v1"), "v1"), (Request("/v2"), "v2"), (Request("/v3"), nil), (Request("/v1/"), nil)])
    }

    @Test func meshHTTPRouteMatching() throws {
        let table = table([
            ("v1", [try match(prefix: "/"), try match(headers: [("version", "one")])]),
            ("v2", [try match(prefix: "/v2"), try match(headers: [("version", "two")])]),
        ])
        check(
            table,
            [
                (Request("/"), "v1"), (Request("/example"), "v1"), (Request("/", headers: [("Version", "one")]), "v1"),
                (Request("/v2example"), "v1"), (Request("/foo/v2/example"), "v1"), (Request("/v2"), "v2"),
                (Request("/v2/example"), "v2"), (Request("/v2/"), "v2"),
                (Request("/", headers: [("Version", "two")]), "v2"),
            ])
    }

    @Test func meshHTTPRouteQueryParamMatching() throws {
        func animal(_ name: String) -> [(String, String)] { [("animal", name)] }
        let table = table([
            ("v1", [try match(query: animal("whale"))]), ("v2", [try match(query: animal("dolphin"))]),
            ("v1", [try match(prefix: "/path1", query: animal("whale"))]),
            ("v2", [try match(headers: [("version", "one")], query: animal("whale"))]),
            (
                "v1",
                [
                    try match(prefix: "/path3", query: animal("shark")),
                    try match(prefix: "/path4", headers: [("version", "three")], query: animal("kraken")),
                ]
            ), ("v1", [try match(prefix: "/path5")]), ("v2", [try match(query: animal("hydra"))]),
        ])
        check(
            table,
            [
                (Request("/?animal=whale"), "v1"), (Request("/?animal=whale&otherparam=irrelevant"), "v1"),
                (Request("/path1?animal=whale"), "v1"), (Request("/path3?animal=shark"), "v1"),
                (Request("/path4?animal=kraken", headers: [("version", "three")]), "v1"),
                (Request("/path5?animal=hydra"), "v1"), (Request("/?animal=dolphin"), "v2"),
                (Request("/?animal=dolphin&color=yellow"), "v2"),
                (Request("/?animal=whale", headers: [("version", "one")]), "v2"), (Request("/?color=blue"), nil),
                (Request("/?animal=dog"), nil), (Request("/?animal=whaledolphin"), nil), (Request("/"), nil),
                (Request("/?animal=shark"), nil), (Request("/path4?animal=kraken"), nil),
            ])
    }

    @Test func httpRouteExactPathMatching() throws {
        check(
            table([("v1", [try match(exact: "/one")]), ("v2", [try match(exact: "/two")])]),
            [
                (Request("/one"), "v1"), (Request("/two"), "v2"), (Request("/"), nil), (Request("/one/example"), nil),
                (Request("/two/"), nil), (Request("/Two"), nil),
            ])
    }

    @Test func httpRoutePathMatchOrder() throws {
        let table = table([
            ("v1", [try match(exact: "/match")]), ("v2", [try match(exact: "/match/exact")]),
            ("v3", [try match(exact: "/match/exact/one")]), ("v3", [try match(prefix: "/match/")]),
            ("v1", [try match(prefix: "/match/prefix/")]), ("v2", [try match(prefix: "/match/prefix/one")]),
        ])
        check(
            table,
            [
                (Request("/match/exact/one"), "v3"), (Request("/match/exact"), "v2"), (Request("/match"), "v1"),
                (Request("/match/prefix/one/any"), "v2"), (Request("/match/prefix/any"), "v1"),
                (Request("/match/any"), "v3"),
            ])
    }

    @Test func httpRouteHeaderMatching() throws {
        let table = table([
            ("v1", [try match(headers: [("version", "one")])]), ("v2", [try match(headers: [("version", "two")])]),
            ("v1", [try match(headers: [("version", "two"), ("color", "orange")])]),
            ("v1", [try match(headers: [("color", "blue")]), try match(headers: [("color", "green")])]),
            ("v2", [try match(headers: [("color", "red")]), try match(headers: [("color", "yellow")])]),
        ])
        func request(_ headers: (String, String)...) -> Request { Request("/", headers: headers) }
        check(
            table,
            [
                (request(("Version", "one")), "v1"), (request(("Version", "two")), "v2"),
                (request(("Version", "two"), ("Color", "orange")), "v1"), (request(("Color", "blue")), "v1"),
                (request(("Color", "green")), "v1"), (request(("Color", "red")), "v2"),
                (request(("Color", "yellow")), "v2"), (request(("Version", "two"), ("Color", "blue")), "v2"),
                (request(("Color", "orange")), nil), (request(("Some-Other-Header", "one")), nil),
                (request(("Color", "purple")), nil),
            ])
    }

    @Test func httpRouteMethodMatching() throws {
        let table = table([
            ("v1", [try match(method: "POST")]), ("v2", [try match(method: "GET")]),
            ("v1", [try match(prefix: "/path1", method: "GET")]),
            ("v2", [try match(method: "PUT", headers: [("version", "one")])]),
            ("v3", [try match(prefix: "/path2", method: "POST", headers: [("version", "two")])]),
            (
                "v1",
                [
                    try match(prefix: "/path3", method: "PATCH"),
                    try match(prefix: "/path4", method: "DELETE", headers: [("version", "three")]),
                ]
            ), ("v1", [try match(prefix: "/path5")]), ("v2", [try match(method: "PATCH")]),
            ("v3", [try match(headers: [("version", "four")])]),
        ])
        func request(_ method: String, _ path: String, _ version: String? = nil) -> Request {
            Request(path, method: method, headers: version.map { [("version", $0)] } ?? [])
        }
        check(
            table,
            [
                (request("POST", "/"), "v1"), (request("GET", "/"), "v2"), (request("HEAD", "/"), nil),
                (request("GET", "/path1"), "v1"), (request("PUT", "/", "one"), "v2"),
                (request("POST", "/path2", "two"), "v3"), (request("PATCH", "/path3"), "v1"),
                (request("DELETE", "/path4", "three"), "v1"), (request("PUT", "/"), nil),
                (request("DELETE", "/path4"), nil), (request("PATCH", "/path5"), "v1"),
                (request("PATCH", "/", "four"), "v2"), (request("get", "/"), nil),
            ])
    }

    private static let echo = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"

    @Test func grpcExactMethodMatching() throws {
        let table = table(
            [("v1", [try grpcMatch(Self.echo, "Echo")]), ("v2", [try grpcMatch(Self.echo, "EchoTwo")])], kind: .grpc)
        check(
            table,
            [
                (.grpc("/\(Self.echo)/Echo"), "v1"), (.grpc("/\(Self.echo)/EchoTwo"), "v2"),
                (.grpc("/\(Self.echo)/EchoThree"), nil), (.grpc("/\(Self.echo)/echo"), nil),
                (.grpc("/\(Self.echo)/Echo/"), nil), (.grpc("/\(Self.echo)"), nil),
                (Request("/\(Self.echo)/Echo", method: "POST"), nil),
                (
                    Request(
                        "/\(Self.echo)/Echo", method: "POST", headers: [("Content-Type", "application/grpc-web")]),
                    nil
                ),
                (
                    Request(
                        "/\(Self.echo)/Echo", method: "POST", headers: [("Content-Type", "application/grpc+json")]),
                    "v1"
                ),
            ])
    }

    @Test func grpcRouteHeaderMatching() throws {
        let table = table(
            [
                ("v1", [try grpcMatch(headers: [("version", "one")])]),
                ("v2", [try grpcMatch(headers: [("version", "two")])]),
                ("v1", [try grpcMatch(headers: [("version", "two"), ("color", "orange")])]),
                ("v1", [try grpcMatch(headers: [("color", "blue")]), try grpcMatch(headers: [("color", "green")])]),
                ("v2", [try grpcMatch(headers: [("color", "red")]), try grpcMatch(headers: [("color", "yellow")])]),
            ], kind: .grpc)
        func request(_ headers: (String, String)...) -> Request { .grpc("/\(Self.echo)/Echo", headers: headers) }
        check(
            table,
            [
                (request(("Version", "one")), "v1"), (request(("Version", "two")), "v2"),
                (request(("Version", "two"), ("Color", "orange")), "v1"), (request(("Color", "blue")), "v1"),
                (request(("Color", "green")), "v1"), (request(("Color", "red")), "v2"),
                (request(("Color", "yellow")), "v2"), (request(("Version", "two"), ("Color", "blue")), "v2"),
                (request(("Color", "orange")), nil), (request(("Some-Other-Header", "one")), nil),
                (request(("Color", "purple")), nil),
            ])
    }

    /// GRPCRouteRule, "matches": the service first, then the method, then headers.
    @Test func grpcRoutePrecedence() throws {
        let table = table(
            [
                ("all", []),
                ("header", [try grpcMatch(headers: [("a", "1"), ("b", "1")])]),
                ("any method by expression", [try grpcMatch(nil, ".*", regex: true)]),
                ("method", [try grpcMatch(nil, "Get")]),
                ("service by expression", [try grpcMatch("sh.*", regex: true)]),
                ("both by expression", [try grpcMatch("sh.*", "P.*", regex: true)]),
                ("service", [try grpcMatch("shop")]),
                ("service and header", [try grpcMatch("shop", headers: [("a", "1")])]),
                ("both", [try grpcMatch("shop", "Get")]),
                ("header name by expression", [try grpcMatch("shop", "Get", headerRegexes: [("a", "[12]")])]),
            ], kind: .grpc)
        let both = [("a", "1"), ("b", "1")]
        check(
            table,
            [
                (.grpc("/shop/Get", headers: both), "header name by expression"), (.grpc("/shop/Get"), "both"),
                (.grpc("/shop/Put", headers: both), "service and header"), (.grpc("/shop/Put"), "service"),
                (.grpc("/shoe/Put", headers: both), "both by expression"),
                (.grpc("/shoe/Get", headers: both), "service by expression"),
                (.grpc("/shoe/x/Put"), "both by expression"), (.grpc("/bar/Get", headers: both), "method"),
                (.grpc("/bar/Put", headers: both), "any method by expression"),
                (.grpc("/bar", headers: both), "header"),
                (.grpc("/"), "all"), (.grpc("*"), "all"), (.grpc(""), "all"), (Request("/shop/Get"), nil),
            ])
    }

    @Test func httpRouteMatchingAcrossRoutes() throws {
        let table = table([
            entry(
                "v1", [try match(prefix: "/"), try match(headers: [("version", "one")])], route: "default/part1"),
            entry(
                "v2", [try match(prefix: "/v2"), try match(headers: [("version", "two")])], route: "default/part2"),
        ])
        check(
            table,
            [
                (Request("/"), "v1"), (Request("/example"), "v1"), (Request("/v2example"), "v1"),
                (Request("/", headers: [("Version", "one")]), "v1"), (Request("/v2"), "v2"),
                (Request("/v2/example"), "v2"), (Request("/", headers: [("Version", "two")]), "v2"),
            ])
    }
}
