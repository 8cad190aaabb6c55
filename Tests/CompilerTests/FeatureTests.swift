import Compiler
import Resources
import Testing

/// What the mesh says that it supports is what a route that needs it gets: in force whole, or not claimed.
@Suite struct FeatureTests {
    @Test(arguments: Feature.allCases) func isClaimedExactlyWhenServed(_ feature: Feature) throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(StatusTests.services + "---\n" + Self.example(feature))
        let conditions = compilation.statuses.values.joined().flatMap { $0.conditions ?? [] }
        let isInForce =
            conditions.map { "\($0.type) \($0.status)" } == ["Accepted True", "ResolvedRefs True"]
            && compilation.problems.isEmpty
        #expect(isInForce == feature.isServed, "\(conditions)")
    }

    /// A route that needs the feature.
    private static func example(_ feature: Feature) -> String {
        func rule(_ more: String, backend: String = "{name: echo, port: 80}") -> String {
            StatusTests.route(rules: "[{backendRefs: [\(backend)]\(more)}]")
        }
        func redirect(_ redirect: String) -> String {
            StatusTests.route(rules: "[{filters: [{type: RequestRedirect, requestRedirect: {\(redirect)}}]}]")
        }
        func rewrite(_ rewrite: String) -> String { rule(", filters: [{type: URLRewrite, urlRewrite: {\(rewrite)}}]") }
        func mirrors(_ more: [String]) -> String {
            let all = more.map {
                "{type: RequestMirror, requestMirror: {backendRef: {name: node-port, port: 80}\($0)}}"
            }
            return rule(", filters: [\(all.joined(separator: ", "))]")
        }
        func grpc(_ rules: String) -> String { StatusTests.route(rules: rules, kind: "GRPCRoute") }
        let set = "set: [{name: a, value: b}]"
        switch feature {
        case .mesh, .meshClusterIPMatching, .httpRoute: return StatusTests.route()
        case .meshConsumerRoute:
            return StatusTests.route(
                parent: "{group: '', kind: Service, namespace: default, name: echo}",
                rules: "[{backendRefs: [{namespace: default, name: echo, port: 80}]}]"
            ).split(separator: "namespace: default, generation").joined(separator: "namespace: client, generation")
        case .parentRefPort, .destinationPortMatching:
            return StatusTests.route(parent: "{group: '', kind: Service, name: echo, port: 80}")
        case .namedRouteRule, .meshNamedRouteRule: return rule(", name: named")
        case .queryParamMatching, .meshQueryParamMatching:
            return rule(", matches: [{queryParams: [{name: a, value: b}]}]")
        case .methodMatching: return rule(", matches: [{method: PATCH}]")
        case .backendRequestHeaders, .meshBackendRequestHeaders:
            return rule(
                "",
                backend:
                    "{name: echo, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {\(set)}}]}")
        case .responseHeaders:
            return rule(", filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {\(set)}}]")
        case .portRedirect, .meshRedirectPort: return redirect("port: 8083")
        case .schemeRedirect, .meshSchemeRedirect: return redirect("scheme: https")
        case .pathRedirect, .meshRedirectPath:
            return redirect("path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}")
        case .redirect303: return redirect("statusCode: 303")
        case .redirect307: return redirect("statusCode: 307")
        case .redirect308: return redirect("statusCode: 308")
        case .hostRewrite: return rewrite("hostname: example.org")
        case .pathRewrite, .meshRewritePath: return rewrite("path: {type: ReplaceFullPath, replaceFullPath: /a}")
        case .backendURLRewrite:
            return rule(
                "",
                backend: "{name: echo, port: 80, filters: [{type: URLRewrite, urlRewrite: {hostname: example.org}}]}")
        case .requestMirror: return mirrors([""])
        case .multipleMirrors: return mirrors(["", ""])
        case .percentageMirror: return mirrors([", percent: 20", ", fraction: {numerator: 1, denominator: 3}"])
        case .requestTimeout: return rule(", timeouts: {request: 1s}")
        case .backendTimeout: return rule(", timeouts: {backendRequest: 1s}")
        case .backendH2C: return rule("", backend: "{name: protocols, port: 1}")
        case .backendWebSocket: return rule("", backend: "{name: protocols, port: 4}")
        case .cors: return rule(", filters: [{type: CORS, cors: {allowOrigins: ['https://example.org']}}]")
        case .retry, .retryCodes: return rule(", retry: {codes: [500], attempts: 2, backoff: 10ms}")
        case .retryBackendTimeout: return rule(", retry: {attempts: 2}, timeouts: {backendRequest: 1s}")
        case .retryConnectionError: return rule(", retry: {attempts: 2}")
        case .grpcRoute: return grpc("[{backendRefs: [{name: echo, port: 80}]}]")
        case .grpcNamedRouteRule: return grpc("[{name: named, backendRefs: [{name: echo, port: 80}]}]")
        case .grpcRequestHeaders:
            return grpc(
                """
                [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {\(set)}}], \
                backendRefs: [{name: echo, port: 80}]}]
                """)
        }
    }
}
