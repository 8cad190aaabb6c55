/// What filters and retries ask for, and what of it is refused.
extension StatusTests {
    static let extensionRef = "{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}"

    static func mirror(_ share: String = "percent: 50", name: String = "echo") -> String {
        "{type: RequestMirror, requestMirror: {backendRef: {name: \(name), port: 80}, \(share)}}"
    }

    static func cors(_ fields: String) -> String {
        "{type: CORS, cors: {\(fields)}}"
    }

    static func auth(_ fields: String, name: String = "echo") -> String {
        "{type: ExternalAuth, externalAuth: {backendRef: {name: \(name), port: 80}, \(fields)}}"
    }

    static func retried(_ retry: String) -> String {
        route(rules: "[{backendRefs: [{name: echo, port: 80}], retry: \(retry)}]")
    }

    static let filterCases: [Case] =
        [
            Case("retry", good, answer: "forward", retried("{codes: [500, 503], attempts: 2, backoff: 10ms}")),
            Case("retry without details", good, answer: "forward", retried("{}")),
            Case(
                "retry of a success", refused("UnsupportedValue"), says: "retry.codes[1]: 399 is not in 400 to 599",
                answer: "plain", retried("{codes: [400, 399]}")),
            Case(
                "retry of no attempt", refused("UnsupportedValue"), says: "attempts: 0", answer: "plain",
                retried("{attempts: 0}")),
            Case(
                "backoff that is no duration", refused("UnsupportedValue"), says: "retry.backoff: '1.5s'",
                answer: "plain",
                retried("{backoff: 1.5s}")),

            Case("mirror", good, answer: "forward", filtered(mirror("percent: 0"))),
            Case("mirrors", good, answer: "forward", filtered("\(mirror("percent: 100")), \(mirror())")),
            Case(
                "mirror to nowhere", unresolved("BackendNotFound"),
                says: "filters[0].requestMirror.backendRef: Service default/none does not exist", answer: "forward",
                filtered(mirror(name: "none"))),
            Case(
                "mirror to another kind", unresolved("InvalidKind"), says: "Other.example.org", answer: "forward",
                filtered(
                    "{type: RequestMirror, requestMirror: {backendRef: {group: example.org, kind: Other, name: a}}}")),
            Case(
                "mirror by percent and fraction", refused("UnsupportedValue"), says: "exclude each other",
                answer: "plain",
                filtered(mirror("percent: 1, fraction: {numerator: 1}"))),
            Case(
                "mirror of too much", refused("UnsupportedValue"), says: "percent: 101 is not in 0 to 100",
                answer: "plain",
                filtered(mirror("percent: 101"))),
            Case(
                "mirror by a fraction above 1", refused("UnsupportedValue"), says: "3 of 2", answer: "plain",
                filtered(mirror("fraction: {numerator: 3, denominator: 2}"))),
            Case(
                "mirror by a fraction of 0", refused("UnsupportedValue"), says: "0 of 0", answer: "plain",
                filtered(mirror("fraction: {numerator: 0, denominator: 0}"))),
            Case(
                "mirror of a backend", good, answer: "forward",
                backend("{name: echo, port: 80, filters: [\(mirror("percent: 50"))]}")),

            Case(
                "CORS", good, answer: "forward",
                filtered(cors("allowOrigins: ['https://*.bar.com', 'http://a-1.b:8080', 'https://*', 'HTTPS://X:443']"))
            ),
            Case("CORS for nobody", good, answer: "forward", filtered(cors(""))),
        ]
        + [
            "foo.com", "ftp://foo.com", "https://", "https://foo.com/", "https://foo..com", "https://a.*.com",
            "https://*foo.com", "https://foo.com:0", "https://foo.com:65536", "https://foo.com:+80", "https://foo.com:",
            "https://a_b", "https://a:1:2", "**", "",
        ].map { origin in
            Case(
                "CORS for '\(origin)'", refused("UnsupportedValue"),
                says: "cors.allowOrigins[0]: '\(origin)' is neither",
                answer: "plain", filtered(cors("allowOrigins: ['\(origin)']")))
        }
        + [
            Case(
                "CORS for all and one", refused("UnsupportedValue"), says: "cors.allowOrigins: * stands alone",
                answer: "plain", filtered(cors("allowOrigins: ['*', 'https://a']"))),
            Case(
                "CORS with all methods and one", refused("UnsupportedValue"), says: "cors.allowMethods: * stands alone",
                answer: "plain", filtered(cors("allowMethods: [GET, '*']"))),
            Case(
                "CORS with an unknown method", refused("UnsupportedValue"), says: "cors.allowMethods[1]: 'get'",
                answer: "plain", filtered(cors("allowMethods: [GET, get]"))),
            Case(
                "CORS with all headers and one", refused("UnsupportedValue"), says: "cors.allowHeaders: * stands alone",
                answer: "plain", filtered(cors("allowHeaders: ['*', a]"))),
            Case(
                "CORS with no header name", refused("UnsupportedValue"), says: "cors.exposeHeaders[0]: 'a b'",
                answer: "plain", filtered(cors("exposeHeaders: ['a b']"))),
            Case(
                "CORS without an age", refused("UnsupportedValue"), says: "cors.maxAge: 0", answer: "plain",
                filtered(cors("maxAge: 0"))),
            Case(
                "CORS twice", refused("IncompatibleFilters"), says: "CORS may be there once", answer: "plain",
                filtered("\(cors("")), \(cors(""))")),

            Case(
                "authorization by HTTP", good, answer: "forward", filtered(auth("protocol: HTTP, http: {path: /check}"))
            ),
            Case(
                "authorization by gRPC", good, answer: "forward",
                filtered(auth("protocol: GRPC, grpc: {allowedHeaders: [a]}, forwardBody: {maxSize: 10}"))),
            Case(
                "authorization of a backend", good, answer: "forward",
                backend("{name: echo, port: 80, filters: [\(auth("protocol: HTTP"))]}")),
            Case(
                "authorization by nobody", unresolved("BackendNotFound"),
                says: "filters[0].externalAuth.backendRef: Service default/none does not exist",
                answer: "403 external-auth-failed", filtered(auth("protocol: HTTP", name: "none"))),
            Case(
                "authorization of a backend by nobody", unresolved("BackendNotFound"),
                says: "backendRefs[0].filters[0].externalAuth.backendRef", answer: "403 external-auth-failed",
                backend("{name: echo, port: 80, filters: [\(auth("protocol: GRPC", name: "none"))]}")),
            Case(
                "authorization by an unknown protocol", refused("UnsupportedValue"), says: "'TCP'", answer: "plain",
                filtered(auth("protocol: TCP"))),
            Case(
                "authorization by two protocols", refused("UnsupportedValue"), says: "externalAuth.grpc",
                answer: "plain",
                filtered(auth("protocol: HTTP, grpc: {}"))),
            Case(
                "authorization that asks for Host", refused("UnsupportedValue"),
                says: "http.allowedResponseHeaders[0]: the field host is not a filter's to pass on", answer: "plain",
                filtered(auth("protocol: HTTP, http: {allowedResponseHeaders: [Host]}"))),
            Case(
                "authorization at a path with a query", refused("UnsupportedValue"), says: "'/a?b' is no path",
                answer: "plain",
                filtered(auth("protocol: HTTP, http: {path: '/a?b'}"))),
            Case(
                "authorization at a path of dots", refused("UnsupportedValue"), says: "is no path", answer: "plain",
                filtered(auth("protocol: HTTP, http: {path: /a/../b}"))),
            Case(
                "authorization with less than no body", refused("UnsupportedValue"), says: "maxSize: -1",
                answer: "plain",
                filtered(auth("protocol: HTTP, forwardBody: {maxSize: -1}"))),
            Case(
                "authorization twice", refused("IncompatibleFilters"), says: "ExternalAuth may be there once",
                answer: "plain", filtered("\(auth("protocol: HTTP")), \(auth("protocol: HTTP"))")),
        ]
}
