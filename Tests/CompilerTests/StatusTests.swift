import Compiler
import Model
import Resources
import Testing

/// Every condition and reason that a Service parent can have, one case each, and what the data path does then.
@Suite struct StatusTests {
    struct Case: CustomTestStringConvertible {
        let name: String
        /// `Type Status Reason`, in the order of conditions.
        let conditions: [String]
        /// What a message must hold; empty for none.
        var says = ""
        /// The answer of the Service `echo` to GET /, as in golden cases, or to a call of a.B/Get when GRPCRoutes have it.
        let answer: String
        let yaml: String

        init(_ name: String, _ conditions: [String], says: String = "", answer: String, _ yaml: String) {
            self.name = name
            self.conditions = conditions
            self.says = says
            self.answer = answer
            self.yaml = yaml
        }

        var testDescription: String { name }
    }

    static let services = """
        apiVersion: v1
        kind: Service
        metadata: {name: echo, namespace: default}
        spec:
          clusterIP: 10.96.0.1
          ports:
          - {name: http, port: 80}
          - {name: alt, port: 8080}
          - {name: dns, port: 53, protocol: UDP}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: echo, namespace: default, labels: {kubernetes.io/service-name: echo}}
        addressType: IPv4
        ports: [{name: http, port: 8000}, {name: alt, port: 8001}]
        endpoints: [{addresses: [10.1.0.1]}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: protocols, namespace: default}
        spec:
          clusterIP: 10.96.0.2
          ports:
          - {name: h2c, port: 1, appProtocol: kubernetes.io/h2c}
          - {name: https, port: 2, appProtocol: https}
          - {name: wss, port: 3, appProtocol: kubernetes.io/wss}
          - {name: ws, port: 4, appProtocol: kubernetes.io/ws}
          - {name: odd, port: 5, appProtocol: example.org/odd}
          - {name: udp, port: 6, protocol: UDP}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: headless, namespace: default}
        spec: {clusterIP: None, ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: external, namespace: default}
        spec: {type: ExternalName, externalName: example.org, ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: pending, namespace: default}
        spec: {ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: node-port, namespace: default}
        spec: {type: NodePort, clusterIP: 10.96.0.3, ports: [{port: 80}]}

        """

    static func route(
        parent: String = "{group: '', kind: Service, name: echo, port: 80}",
        rules: String = "[{backendRefs: [{name: echo, port: 80}]}]",
        kind: String = "HTTPRoute", name: String = "route", more: String = ""
    ) -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: \(kind)
        metadata: {name: \(name), namespace: default, generation: 3}
        spec:
          parentRefs: [\(parent)]
          rules: \(rules)
        \(more)
        """
    }

    static func filtered(_ filters: String, match: String = "{}", backends: String = "[{name: echo, port: 80}]")
        -> String
    {
        route(rules: "[{matches: [\(match)], filters: [\(filters)], backendRefs: \(backends)}]")
    }

    private static func header(_ kind: String, _ change: String) -> String {
        filtered("{type: \(kind)HeaderModifier, \(kind.lowercased())HeaderModifier: \(change)}")
    }

    private static func parent(_ rest: String) -> String {
        route(parent: "{group: '', kind: Service, \(rest)}")
    }

    static func backend(_ backend: String) -> String {
        route(rules: "[{backendRefs: [\(backend)]}]")
    }

    static let good = ["Accepted True Accepted", "ResolvedRefs True ResolvedRefs"]
    static func refused(_ reason: String) -> [String] {
        ["Accepted False \(reason)", "ResolvedRefs True ResolvedRefs"]
    }
    static func unresolved(_ reason: String) -> [String] {
        ["Accepted True Accepted", "ResolvedRefs False \(reason)"]
    }
    static let partly = good + ["PartiallyInvalid True UnsupportedValue"]

    static let cases: [Case] = [
        Case("accepted", good, says: "port 80 of Service default/echo", answer: "forward", route()),
        Case("port and name of one port", good, answer: "forward", parent("name: echo, port: 80, sectionName: http")),
        Case("node port", good, answer: "plain", parent("name: node-port")),
        Case(
            "no parent Service", refused("NoMatchingParent"), says: "does not exist", answer: "plain",
            parent("name: none")),
        Case(
            "Service of another namespace", refused("NoMatchingParent"), says: "Service other/echo does not exist",
            answer: "plain", parent("name: echo, namespace: other")),
        Case(
            "no such port", refused("NoMatchingParent"), says: "number 81", answer: "plain",
            parent("name: echo, port: 81")),
        Case(
            "no such section", refused("NoMatchingParent"), says: "name https", answer: "plain",
            parent("name: echo, sectionName: https")),
        Case(
            "port and name of two ports", refused("NoMatchingParent"), says: "number 80 and name alt", answer: "plain",
            parent("name: echo, port: 80, sectionName: alt")),
        Case("UDP port", refused("NoMatchingParent"), says: "TCP", answer: "plain", parent("name: echo, port: 53")),
        Case(
            "headless parent", refused("NoMatchingParent"), says: "headless", answer: "plain", parent("name: headless")),
        Case(
            "ExternalName parent", refused("NoMatchingParent"), says: "ExternalName", answer: "plain",
            parent("name: external")),
        Case(
            "parent without address", refused("NoMatchingParent"), says: "no cluster IP", answer: "plain",
            parent("name: pending")),
        Case("Gateway parent", [], answer: "plain", route(parent: "{name: echo}")),
        Case("Service without empty group", [], answer: "plain", route(parent: "{kind: Service, name: echo}")),

        Case(
            "missing backend", unresolved("BackendNotFound"), says: "Service default/none does not exist",
            answer: "500 backend-not-found", backend("{name: none, port: 80}")),
        Case(
            "missing backend in another namespace", unresolved("BackendNotFound"), says: "Service other/echo",
            answer: "500 backend-not-found", backend("{name: echo, namespace: other, port: 80}")),
        Case(
            "missing backend port", unresolved("BackendNotFound"), says: "no TCP port 81",
            answer: "500 backend-not-found",
            backend("{name: echo, port: 81}")),
        Case(
            "UDP backend port", unresolved("BackendNotFound"), says: "no TCP port 6", answer: "500 backend-not-found",
            backend("{name: protocols, port: 6}")),
        Case(
            "backend without port", unresolved("BackendNotFound"), says: "needs a port",
            answer: "500 backend-not-found",
            backend("{name: echo}")),
        Case(
            "ExternalName backend", unresolved("BackendNotFound"), says: "ExternalName",
            answer: "500 backend-not-found",
            backend("{name: external, port: 80}")),
        Case(
            "unknown backend kind", unresolved("InvalidKind"), says: "Other.example.org",
            answer: "500 backend-kind-invalid",
            backend("{group: example.org, kind: Other, name: echo, port: 80}")),
        Case("h2c backend", good, answer: "forward", backend("{name: protocols, port: 1}")),
        Case(
            "https backend", unresolved("UnsupportedProtocol"), says: "https",
            answer: "500 backend-protocol-unsupported", backend("{name: protocols, port: 2}")),
        Case(
            "wss backend", unresolved("UnsupportedProtocol"), says: "kubernetes.io/wss",
            answer: "500 backend-protocol-unsupported", backend("{name: protocols, port: 3}")),
        Case("ws backend", good, answer: "forward", backend("{name: protocols, port: 4}")),
        Case("unknown protocol", good, answer: "forward", backend("{name: protocols, port: 5}")),
        Case(
            "share of a bad backend", unresolved("BackendNotFound"), answer: "forward",
            backend("{name: echo, port: 80, weight: 9}, {name: none, port: 80}")),
        Case(
            "bad backend of no weight", unresolved("BackendNotFound"), answer: "forward",
            backend("{name: none, port: 80, weight: 0}, {name: echo, port: 80}")),
        Case(
            "all weights zero", good, answer: "500 all-weights-zero", backend("{name: echo, port: 80, weight: 0}")),
        Case("no backends", good, answer: "500 no-backend-refs", route(rules: "[{matches: [{}]}]")),

        Case(
            "Host header", refused("UnsupportedValue"), says: "Host", answer: "plain",
            header("Request", "{set: [{name: Host, value: x}]}")),
        Case(
            "pseudo header", refused("UnsupportedValue"), says: ":path", answer: "plain",
            header("Request", "{remove: [':path']}")),
        Case(
            "hop-by-hop header", refused("UnsupportedValue"), says: "transfer-Encoding", answer: "plain",
            header("Response", "{add: [{name: transfer-Encoding, value: chunked}]}")),
        Case(
            "framing header", refused("UnsupportedValue"), says: "Content-Length", answer: "plain",
            header("Request", "{set: [{name: Content-Length, value: '0'}]}")),
        Case(
            "line break in a value", refused("UnsupportedValue"), says: "control character", answer: "plain",
            header("Request", #"{set: [{name: a, value: "x\r\nHost: y"}]}"#)),
        Case(
            "space in a name", refused("UnsupportedValue"), says: "no field name", answer: "plain",
            header("Request", "{set: [{name: 'a b', value: x}]}")),
        Case(
            "line break in a path", refused("UnsupportedValue"), says: "no path", answer: "plain",
            filtered(
                #"{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: "/ HTTP/1.1\r\n"}}}"#)),
        Case(
            "query in a path", refused("UnsupportedValue"), says: "no path", answer: "plain",
            filtered("{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: '/a?b'}}}")),
        Case(
            "space in a host name", refused("UnsupportedValue"), says: "no host name", answer: "plain",
            filtered("{type: URLRewrite, urlRewrite: {hostname: 'a b'}}")),
        Case(
            "prefix replaced without prefix match", refused("UnsupportedValue"), says: "exactly one match",
            answer: "plain",
            filtered(
                "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}}}",
                match: "{path: {type: Exact, value: /}}")),
        Case(
            "prefix replaced with two matches", refused("UnsupportedValue"), says: "exactly one match", answer: "plain",
            filtered(
                "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /a}}}",
                match: "{path: {value: /}}, {path: {value: /b}}")),
        Case(
            "prefix replaced in a backendRef", refused("UnsupportedValue"),
            says: "backendRefs[0].filters[0].urlRewrite.path",
            answer: "plain",
            filtered(
                "", match: "{path: {type: Exact, value: /}}",
                backends:
                    "[{name: echo, port: 80, filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]}]"
            )),
        Case(
            "unknown path modifier", refused("UnsupportedValue"), says: "'Odd'", answer: "plain",
            filtered("{type: URLRewrite, urlRewrite: {path: {type: Odd}}}")),
        Case(
            "unknown redirect status", refused("UnsupportedValue"), says: "299", answer: "plain",
            route(rules: "[{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 299}}]}]")),
        Case(
            "no duration", refused("UnsupportedValue"), says: "'1.5h'", answer: "plain",
            route(rules: "[{backendRefs: [{name: echo, port: 80}], timeouts: {request: 1.5h}}]")),
        Case(
            "refused, and a backend missing",
            ["Accepted False UnsupportedValue", "ResolvedRefs False BackendNotFound"],
            answer: "plain",
            filtered(
                "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Host]}}",
                backends: "[{name: none, port: 80}]")),
        Case(
            "bad regular expression", refused("UnsupportedValue"), says: "( without )", answer: "plain",
            filtered("", match: "{path: {type: RegularExpression, value: '/('}}")),
        Case(
            "unknown match type", refused("UnsupportedValue"), says: "'Odd'", answer: "plain",
            filtered("", match: "{headers: [{type: Odd, name: a, value: b}]}")),
        Case(
            "unknown method", refused("UnsupportedValue"), says: "'QUERY'", answer: "plain",
            filtered("", match: "{method: QUERY}")),
        Case(
            "redirect and rewrite", refused("IncompatibleFilters"), says: "exclude each other", answer: "plain",
            route(
                rules:
                    "[{filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {hostname: a}}]}]"
            )),
        Case(
            "a filter twice", refused("IncompatibleFilters"), says: "may be there once", answer: "plain",
            filtered(
                "{type: URLRewrite, urlRewrite: {hostname: a}}, {type: URLRewrite, urlRewrite: {hostname: b}}")),

        Case(
            "filter not honoured in the only rule", refused("UnsupportedValue"), says: "ExtensionRef",
            answer: "500 filter-not-honoured", filtered(extensionRef)),
        Case(
            "filter not honoured beside a redirect", refused("UnsupportedValue"), answer: "500 filter-not-honoured",
            route(rules: "[{filters: [\(extensionRef), {type: RequestRedirect, requestRedirect: {}}]}]")),
        Case(
            "filter of no known type", refused("UnsupportedValue"), says: "filter Odd is not served",
            answer: "500 filter-not-honoured", filtered("{type: Odd}")),
        Case(
            "filter not honoured in one rule", partly, says: "Dropped Rule 1: filter ExtensionRef is not served",
            answer: "forward",
            route(
                rules: """
                    [{backendRefs: [{name: echo, port: 80}]}, {matches: [{path: {value: /x}}], \
                    filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]}]
                    """)),
        Case(
            "bad regular expression in one rule", partly, says: "Dropped Rule 0: '['", answer: "forward",
            route(
                rules: """
                    [{matches: [{headers: [{type: RegularExpression, name: a, value: '['}]}]}, \
                    {backendRefs: [{name: echo, port: 80}]}]
                    """)),
        Case(
            "session persistence", good, answer: "forward",
            route(rules: "[{backendRefs: [{name: echo, port: 80}], sessionPersistence: {sessionName: a}}]")),
        Case(
            "filter not honoured in a backendRef", partly, says: "Fall Back for rule 0: filter ExtensionRef",
            answer: "500 filter-not-honoured", backend("{name: echo, port: 80, filters: [\(extensionRef)]}")),

        Case(
            "TLSRoute", refused("UnsupportedValue"), says: "TLSRoute is not served yet", answer: "plain",
            route(kind: "TLSRoute")),
        Case(
            "TCPRoute", refused("UnsupportedValue"), says: "TCPRoute is not served yet", answer: "plain",
            route(kind: "TCPRoute")),
        Case(
            "UDPRoute", ["Accepted False UnsupportedValue", "ResolvedRefs False BackendNotFound"],
            says: "has no UDP port 80", answer: "plain",
            route(parent: "{group: '', kind: Service, name: echo, port: 53}", kind: "UDPRoute")),
        Case(
            "TCPRoute and HTTPRoute", ["Accepted False Conflicted", "ResolvedRefs True ResolvedRefs"],
            says: "HTTPRoutes have port 80", answer: "forward",
            route(kind: "TCPRoute", more: "---\n" + route(name: "other"))),
        Case(
            "HTTPRoute and GRPCRoute", ["Accepted False Conflicted", "ResolvedRefs True ResolvedRefs"],
            says: "GRPCRoutes have port 80", answer: "forward",
            route(more: "---\n" + route(kind: "GRPCRoute", name: "other"))),
        Case(
            "HTTPRoute and a refused GRPCRoute", good, answer: "forward",
            route(
                more: "---\n" + route(rules: "[{matches: [{method: {}}]}]", kind: "GRPCRoute", name: "other"))),
        Case(
            "HTTPRoute and a GRPCRoute whose filter is not honoured",
            ["Accepted False Conflicted", "ResolvedRefs True ResolvedRefs"], says: "GRPCRoutes have port 80",
            answer: "500 filter-not-honoured",
            route(
                more: "---\n" + route(rules: "[{filters: [\(extensionRef)]}]", kind: "GRPCRoute", name: "other"))),
        Case(
            "conflict on one port of two", good,
            says: "in force on port 8080 of Service default/echo; lost to routes of another kind: port 80",
            answer: "forward",
            route(
                parent: "{group: '', kind: Service, name: echo}",
                more: "---\n" + route(kind: "GRPCRoute", name: "other"))),
        Case(
            "a refused route contends for nothing", good, answer: "forward",
            route(
                more: "---\n"
                    + route(
                        rules: "[{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Host]}}]}]",
                        name: "other"))),
        Case(
            "UDPRoute and HTTPRoute do not compete", good, answer: "forward",
            route(
                more: "---\n"
                    + route(parent: "{group: '', kind: Service, name: echo, port: 53}", kind: "UDPRoute", name: "other")
            )),
    ]

    @Test(arguments: cases + filterCases + grpcCases) func conditionsAndAnswer(_ example: Case) throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(Self.services + "---\n" + example.yaml)
        let parents = compilation.statuses.first { $0.key.name.name == "route" }?.value ?? []
        let conditions = parents.flatMap { $0.conditions ?? [] }
        #expect(conditions.map { "\($0.type) \($0.status) \($0.reason)" } == example.conditions)
        #expect(conditions.allSatisfy { $0.observedGeneration == 3 && $0.lastTransitionTime == Mesh.start })
        #expect(conditions.allSatisfy { !$0.message.isEmpty })
        #expect(parents.allSatisfy { $0.controllerName == "weir.dev/mesh" })
        if !example.says.isEmpty {
            #expect(conditions.contains { $0.message.contains(example.says) }, "\(conditions.map(\.message))")
        }
        #expect(try answer(compilation.snapshot) == example.answer)
        // A problem for everything that is not as its author wants it.
        let isGood = example.conditions == Self.good || example.conditions.isEmpty
        let hasOwn = compilation.problems.contains { $0.object.name.name == "route" }
        if !isGood,
            !example.conditions.contains(where: { $0.contains("NoMatchingParent") || $0.contains("Conflicted") })
        {
            #expect(hasOwn)
        }
    }

    private func answer(_ snapshot: Snapshot) throws -> String {
        let echo = try #require(snapshot.service(ObjectName(namespace: "default", name: "echo")))
        let port = try #require(echo.port(80))
        guard let table = port.routes(forClientIn: "default") else { return "plain" }
        let request =
            table.kind == .grpc
            ? Bytes(
                method: "POST", target: "/a.B/Get", authority: "echo", headers: [("content-type", "application/grpc")])
            : Bytes(method: "GET", target: "/", authority: "echo", headers: [])
        guard let index = request.match(table) else { return "404" }
        switch table.rules[index].action {
        case .fail(let reason): return "\(reason.status ?? 0) \(reason.rawValue)"
        case .redirect: return "redirect"
        case .forward(let backends):
            let serving = backends.all.filter { $0.weight > 0 }
            if (table.rules[index].filters + serving.flatMap(\.filters)).unreachableAuth != nil {
                return "403 external-auth-failed"
            }
            for case .backend in serving.map(\.target) { return "forward" }
            guard case .invalid(let reason) = serving.first?.target else { return "nothing" }
            return "\(reason.status ?? 0) \(reason.rawValue)"
        }
    }

    @Test func transitionTimesChangeWithTheStatusOnly() throws {
        var mesh = Mesh()
        func conditions(_ compilation: Compilation) -> [String] {
            compilation.statuses.values.joined().flatMap { $0.conditions ?? [] }
                .map { "\($0.type) \($0.status) \($0.observedGeneration ?? 0) \($0.lastTransitionTime)" }
        }
        _ = try mesh.apply(
            Self.services + "---\n" + Self.route(rules: "[{backendRefs: [{name: a, port: 1}, {name: b, port: 1}]}]"),
            timestamp: "T1")
        // Another message, another generation, the same status.
        let second = Self.route(rules: "[{backendRefs: [{name: b, port: 1}]}]").split(separator: "generation: 3")
            .joined(separator: "generation: 4")
        #expect(
            conditions(try mesh.apply(second, timestamp: "T2")) == ["Accepted True 4 T1", "ResolvedRefs False 4 T1"])
        #expect(
            conditions(try mesh.apply(Self.route(), timestamp: "T3")) == [
                "Accepted True 3 T1", "ResolvedRefs True 3 T3",
            ])
        let partly = Self.backend("{name: echo, port: 80, filters: [\(Self.extensionRef)]}")
        #expect(
            conditions(try mesh.apply(partly, timestamp: "T4")) == [
                "Accepted True 3 T1", "ResolvedRefs True 3 T3", "PartiallyInvalid True 3 T4",
            ])
        #expect(
            conditions(try mesh.apply(Self.route(), timestamp: "T5")) == [
                "Accepted True 3 T1", "ResolvedRefs True 3 T3",
            ])
        let gone = mesh.apply(
            .delete(ObjectKey(kind: .service, namespace: "default", name: "echo")), timestamp: "T6")
        #expect(conditions(gone) == ["Accepted False 3 T6", "ResolvedRefs False 3 T6"])
        let none = mesh.apply(.delete(ObjectKey(kind: .httpRoute, namespace: "default", name: "route")))
        #expect(none.statuses.isEmpty)
        #expect(none.problems.isEmpty)
    }

    @Test func timesThatTheObjectCameWithAreKept() throws {
        var mesh = Mesh()
        let status = """
            status:
              parents:
              - parentRef: {group: '', kind: Service, name: echo, port: 80}
                controllerName: weir.dev/mesh
                conditions:
                - {type: Accepted, status: "True", reason: Accepted, message: m, lastTransitionTime: T0}
                - {type: ResolvedRefs, status: "False", reason: BackendNotFound, message: m, lastTransitionTime: T0}
              - parentRef: {group: '', kind: Service, name: echo, port: 80}
                controllerName: example.org/other
                conditions: []
            """
        let compilation = try mesh.apply(Self.services + "---\n" + Self.route(more: status), timestamp: "T1")
        let parents = compilation.statuses.values.joined()
        #expect(parents.count == 1)
        #expect(parents.flatMap { $0.conditions ?? [] }.map(\.lastTransitionTime) == ["T0", "T1"])
    }

    @Test func everyParentRefHasItsEntry() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            Self.services + "---\n"
                + Self.route(
                    parent: """
                        {group: '', kind: Service, name: echo, port: 80}, {name: gateway}, \
                        {group: '', kind: Service, name: echo, port: 8080}, {group: '', kind: Service, name: none}
                        """))
        let parents = try #require(compilation.statuses.values.first)
        #expect(parents.map(\.parentRef.port) == [80, 8080, nil])
        #expect(parents.map { $0.conditions?.first?.status } == ["True", "True", "False"])
    }

    @Test func hostnamesAreReported() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            Self.services + "---\n" + Self.route(more: "  hostnames: [example.org]"))
        #expect(compilation.problems.map(\.field) == ["spec.hostnames"])
        #expect(try answer(compilation.snapshot) == "forward")
    }

    @Test func kindsCompetePerGroup() throws {
        var mesh = Mesh()
        let consumer = Self.route(
            parent: "{group: '', kind: Service, name: echo, namespace: default, port: 80}", kind: "GRPCRoute",
            name: "theirs"
        ).split(separator: "namespace: default, generation").joined(separator: "namespace: client, generation")
        let compilation = try mesh.apply(Self.services + "---\n" + Self.route() + "\n---\n" + consumer)
        let reasons = compilation.statuses.sorted { $0.key < $1.key }.map {
            "\($0.key): \($0.value[0].conditions![0].reason)"
        }
        #expect(reasons == ["GRPCRoute client/theirs: Accepted", "HTTPRoute default/route: Accepted"])
        let port = try #require(
            compilation.snapshot.service(ObjectName(namespace: "default", name: "echo"))?.port(80))
        #expect(port.routes(forClientIn: "client")?.kind == .grpc)
        #expect(port.routes(forClientIn: "default")?.kind == .http)
    }
}
