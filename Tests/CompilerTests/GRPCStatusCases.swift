/// The conditions of GRPCRoutes beside those that routes of all kinds have.
extension StatusTests {
    static let grpcCases: [Case] = [
        Case("GRPCRoute", good, says: "port 80 of Service default/echo", answer: "forward", route(kind: "GRPCRoute")),
        Case("GRPCRoute without rules", good, answer: "500 no-backend-refs", route(rules: "[]", kind: "GRPCRoute")),
        Case(
            "GRPCRoute of another method", good, answer: "404",
            route(
                rules: "[{matches: [{method: {service: a.B, method: Put}}], backendRefs: [{name: echo, port: 80}]}]",
                kind: "GRPCRoute")),
        Case(
            "GRPCRoute with an HTTPRoute's filter", refused("UnsupportedValue"), says: "filter CORS is not served",
            answer: "500 filter-not-honoured",
            route(
                rules: "[{filters: [{type: CORS, cors: {}}], backendRefs: [{name: echo, port: 80}]}]", kind: "GRPCRoute"
            )),
        Case(
            "GRPCRoute with ExtensionRef in one rule", partly, says: "Dropped Rule 1: filter ExtensionRef",
            answer: "forward",
            route(
                rules: """
                    [{backendRefs: [{name: echo, port: 80}]}, \
                    {matches: [{method: {method: Odd}}], filters: [\(extensionRef)]}]
                    """, kind: "GRPCRoute")),
        Case(
            "GRPCRoute with a mirror to nowhere", unresolved("BackendNotFound"),
            says: "filters[0].requestMirror.backendRef", answer: "forward",
            route(
                rules: "[{filters: [\(mirror(name: "none"))], backendRefs: [{name: echo, port: 80}]}]",
                kind: "GRPCRoute")),
        Case(
            "GRPCRoute with Host changed", refused("UnsupportedValue"), says: "Host", answer: "plain",
            route(
                rules: "[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Host]}}]}]",
                kind: "GRPCRoute")),
        Case(
            "gRPC method of nothing", refused("UnsupportedValue"), says: "one of service and method must be given",
            answer: "plain", route(rules: "[{matches: [{method: {}}]}]", kind: "GRPCRoute")),
        Case(
            "gRPC service with a slash", refused("UnsupportedValue"), says: "'a/b' holds a slash", answer: "plain",
            route(rules: "[{matches: [{method: {service: a/b}}]}]", kind: "GRPCRoute")),
        Case(
            "gRPC method by no expression", refused("UnsupportedValue"), says: "'(' is no regular expression",
            answer: "plain",
            route(rules: "[{matches: [{method: {type: RegularExpression, method: '('}}]}]", kind: "GRPCRoute")),
        Case(
            "gRPC method of an unknown type", refused("UnsupportedValue"), says: "'Odd'", answer: "plain",
            route(rules: "[{matches: [{method: {type: Odd, method: a}}]}]", kind: "GRPCRoute")),
        Case(
            "ws backend of a GRPCRoute", unresolved("UnsupportedProtocol"),
            says: "kubernetes.io/ws of Service default/protocols port 4 is not served to GRPCRoutes",
            answer: "500 backend-protocol-unsupported",
            route(rules: "[{backendRefs: [{name: protocols, port: 4}]}]", kind: "GRPCRoute")),
        Case(
            "https backend of a GRPCRoute", unresolved("UnsupportedProtocol"), says: "https",
            answer: "500 backend-protocol-unsupported",
            route(rules: "[{backendRefs: [{name: protocols, port: 2}]}]", kind: "GRPCRoute")),
        Case(
            "h2c and unknown backends of a GRPCRoute", good, answer: "forward",
            route(
                rules: "[{backendRefs: [{name: protocols, port: 1}, {name: protocols, port: 5}]}]", kind: "GRPCRoute")),
    ]
}
