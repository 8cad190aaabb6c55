import Manifests
import Resources
import Testing

/// One invalid object for each family of rules: what is said, and of which field.
@Suite struct RuleTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let text: String
        let field: String
        let message: String
        var testDescription: String { name }

        init(_ name: String, _ text: String, _ field: String, _ message: String) {
            self.name = name
            self.text = text
            self.field = field
            self.message = message
        }
    }

    static func http(_ rule: String, spec: String = "") -> String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: r}
        spec: {parentRefs: [{group: "", kind: Service, name: echo}], \(spec) rules: [{\(rule)}]}
        """
    }

    static func object(_ kind: String, _ version: String, _ spec: String) -> String {
        "apiVersion: \(version)\nkind: \(kind)\nmetadata: {name: r}\nspec: \(spec)\n"
    }

    static let gateway = "gateway.networking.k8s.io/v1"
    static func service(_ spec: String) -> String { object("Service", "v1", spec) }
    static func path(_ value: String) -> String { http("matches: [{path: {type: Exact, value: \"\(value)\"}}]") }
    static func backend(_ ref: String) -> String { http("backendRefs: [\(ref)]") }
    static func filters(_ list: String) -> String { http("filters: [\(list)]") }
    static let redirect = "{type: RequestRedirect, requestRedirect: {scheme: https}}"
    static let rewrite = "{type: URLRewrite, urlRewrite: {hostname: a.b}}"

    static let cases: [Case] = [
        // Structure.
        Case("a required field", http("backendRefs: [{port: 80}]"), "spec.rules[0].backendRefs[0].name", "is required"),
        Case(
            "a wrong type", backend("{name: e, port: \"80\"}"), "spec.rules[0].backendRefs[0].port",
            "must be integer, is string"),
        Case(
            "a number for a name", backend("{name: 80, port: 80}"), "spec.rules[0].backendRefs[0].name",
            "must be string, is integer"),
        Case("a list for an object", http("timeouts: []"), "spec.rules[0].timeouts", "must be object, is array"),
        Case("a null list", http("backendRefs: null"), "spec.rules[0].backendRefs", "must be array, is null"),
        Case("no spec", "apiVersion: \(gateway)\nkind: HTTPRoute\nmetadata: {name: r}\n", "spec", "is required"),
        Case(
            "a minimum", backend("{name: e, port: 0}"), "spec.rules[0].backendRefs[0].port",
            "must be at least 1, is 0"),
        Case(
            "a maximum", backend("{name: e, port: 65536}"), "spec.rules[0].backendRefs[0].port",
            "must be at most 65535, is 65536"),
        Case(
            "a weight", backend("{name: e, port: 1, weight: 1000001}"), "spec.rules[0].backendRefs[0].weight",
            "must be at most 1000000, is 1000001"),
        Case(
            "an enum", http("matches: [{method: get}]"), "spec.rules[0].matches[0].method",
            "must be one of \"GET\", \"HEAD\", \"POST\", \"PUT\", \"DELETE\", \"CONNECT\", \"OPTIONS\", \"TRACE\", "
                + "\"PATCH\"; is \"get\""),
        Case(
            "an enum of numbers", filters("{type: RequestRedirect, requestRedirect: {statusCode: 304}}"),
            "spec.rules[0].filters[0].requestRedirect.statusCode",
            "must be one of 301, 302, 303, 307, 308; is 304"),
        Case(
            "a pattern", http("", spec: "hostnames: [UPPER.example.com],"), "spec.hostnames[0]",
            "must match ^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$, "
                + "is \"UPPER.example.com\""),
        Case(
            "a duration", http("timeouts: {request: 1.5s}"), "spec.rules[0].timeouts.request",
            "must match ^([0-9]{1,5}(h|m|s|ms)){1,4}$, is \"1.5s\""),
        Case(
            "a length", path("/" + String(repeating: "a", count: 1024)), "spec.rules[0].matches[0].path.value",
            "must be at most 1024 characters long, is 1025"),
        Case(
            "an empty name", backend("{name: '', port: 1}"), "spec.rules[0].backendRefs[0].name",
            "must be at least 1 characters long, is 0"),
        Case(
            "too many items", http("", spec: "hostnames: [" + (0...16).map { "h\($0)" }.joined(separator: ", ") + "],"),
            "spec.hostnames", "must have at most 16 items, has 17"),
        Case(
            "no rules", object("HTTPRoute", gateway, "{rules: []}"), "spec.rules",
            "must have at least 1 items, has 0"),
        Case(
            "a list's keys", http("matches: [{headers: [{name: a, value: x}, {name: a, value: y}]}]"),
            "spec.rules[0].matches[0].headers[1]", "is a duplicate: \"a\" occurs twice"),
        Case(
            "a set",
            filters(
                "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a, b]}}, "
                    + "{type: CORS, cors: {allowOrigins: ['*', '*']}}"),
            "spec.rules[0].filters[1].cors.allowOrigins[1]", "is a duplicate: \"*\" occurs twice"),
        // Paths.
        Case(
            "a relative path", path("a"), "spec.rules[0].matches[0].path",
            "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']"),
        Case(
            "an empty element", path("/a//b"), "spec.rules[0].matches[0].path",
            "must not contain '//' when type one of ['Exact', 'PathPrefix']"),
        Case(
            "a dot element", path("/a/./b"), "spec.rules[0].matches[0].path",
            "must not contain '/./' when type one of ['Exact', 'PathPrefix']"),
        Case(
            "a parent at the end", path("/a/.."), "spec.rules[0].matches[0].path",
            "must not end with '/..' when type one of ['Exact', 'PathPrefix']"),
        Case(
            "an escaped slash", path("/a%2fb"), "spec.rules[0].matches[0].path",
            "must not contain '%2f' when type one of ['Exact', 'PathPrefix']"),
        Case(
            "a fragment", path("/a#b"), "spec.rules[0].matches[0].path",
            "must not contain '#' when type one of ['Exact', 'PathPrefix']"),
        // Rules between fields.
        Case(
            "a port for a Service", backend("{name: e}"), "spec.rules[0].backendRefs[0]",
            "Must have port for Service reference"),
        Case(
            "a filter without its field", filters("{type: URLRewrite}"), "spec.rules[0].filters[0]",
            "filter.urlRewrite must be specified for URLRewrite filter.type"),
        Case(
            "a filter with another's field", filters("{type: URLRewrite, urlRewrite: {}, cors: {}}"),
            "spec.rules[0].filters[0]", "filter.cors must be nil if the filter.type is not CORS"),
        Case(
            "a filter twice", filters("\(rewrite), \(rewrite)"), "spec.rules[0].filters",
            "URLRewrite filter cannot be repeated"),
        Case(
            "redirect and rewrite", filters("\(rewrite), \(redirect)"), "spec.rules[0].filters",
            "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both"),
        Case(
            "redirect and backends", http("filters: [\(redirect)], backendRefs: [{name: e, port: 1}]"),
            "spec.rules[0]", "RequestRedirect filter must not be used together with backendRefs"),
        Case(
            "a prefix rewrite of an exact path",
            http(
                "matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: "
                    + "{type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]"), "spec.rules[0]",
            "When using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be "
                + "specified"),
        Case(
            "a path modifier without its value",
            filters("{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath}}}"),
            "spec.rules[0].filters[0].urlRewrite.path",
            "replaceFullPath must be specified when type is set to 'ReplaceFullPath'"),
        Case(
            "a fraction",
            filters(
                "{type: RequestMirror, requestMirror: {backendRef: {name: e, port: 1}, fraction: "
                    + "{numerator: 3, denominator: 2}}}"), "spec.rules[0].filters[0].requestMirror.fraction",
            "numerator must be less than or equal to denominator"),
        Case(
            "percent and fraction",
            filters(
                "{type: RequestMirror, requestMirror: {backendRef: {name: e, port: 1}, "
                    + "percent: 1, fraction: {numerator: 1}}}"), "spec.rules[0].filters[0].requestMirror",
            "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter"),
        Case(
            "timeouts", http("timeouts: {request: 1s, backendRequest: 1001ms}"), "spec.rules[0].timeouts",
            "backendRequest timeout cannot be longer than request timeout"),
        Case(
            "rule names", object("HTTPRoute", gateway, "{rules: [{name: a}, {name: a}]}"), "spec.rules",
            "Rule name must be unique within the route"),
        Case(
            "matches of a route",
            object(
                "HTTPRoute", gateway,
                "{rules: ["
                    + [String](
                        repeating: "{matches: ["
                            + [String](repeating: "{method: GET}", count: 43).joined(separator: ", ")
                            + "]}", count: 3
                    ).joined(separator: ", ") + "]}"), "spec.rules",
            "While 16 rules and 64 matches per rule are allowed, the total number of matches across all rules in a "
                + "route must be less than 128"),
        Case(
            "a parent twice", object("HTTPRoute", gateway, "{parentRefs: [{name: g}, {name: g}]}"), "spec.parentRefs",
            "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent"),
        Case(
            "a parent with and without port",
            object("HTTPRoute", gateway, "{parentRefs: [{name: g, port: 1}, {name: g}]}"),
            "spec.parentRefs",
            "sectionName or port must be specified when parentRefs includes 2 or more references to the same "
                + "parent"),
        Case(
            "a cookie's life", http("sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}"),
            "spec.rules[0].sessionPersistence",
            "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent"),
        Case(
            "a cookie's life, as 1.7 writes it", http("sessionPersistence: {cookie: {lifetimeType: Permanent}}"),
            "spec.rules[0].sessionPersistence",
            "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent"),
        Case(
            "a header's cookie", http("sessionPersistence: {type: Header, cookie: {}}"),
            "spec.rules[0].sessionPersistence", "cookie must be nil if type is not Cookie"),
        Case(
            "a cookie's header", http("sessionPersistence: {header: {name: a}}"), "spec.rules[0].sessionPersistence",
            "header must be nil if type is not Header"),
        Case(
            "two forms of a session", http("sessionPersistence: {sessionName: a, cookie: {name: a}}"),
            "spec.rules[0].sessionPersistence",
            "cookie and header exclude sessionName and cookieConfig, which are their older forms"),
        Case(
            "a cookie's name", http("sessionPersistence: {cookie: {name: 'a b'}}"),
            "spec.rules[0].sessionPersistence.cookie.name",
            "must match ^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$, is \"a b\""),
        Case(
            "a session header without name", http("sessionPersistence: {type: Header, header: {}}"),
            "spec.rules[0].sessionPersistence.header.name", "is required"),
        Case(
            "an idle timeout", http("sessionPersistence: {idleTimeout: 1d}"),
            "spec.rules[0].sessionPersistence.idleTimeout",
            "must match ^([0-9]{1,5}(h|m|s|ms)){1,4}$, is \"1d\""),
        // Other kinds.
        Case(
            "rule names of a GRPCRoute", object("GRPCRoute", gateway, "{rules: [{name: a}, {name: a}]}"), "spec.rules",
            "Rule name must be unique within the route"),
        Case(
            "a gRPC method", object("GRPCRoute", gateway, "{rules: [{matches: [{method: {type: Exact}}]}]}"),
            "spec.rules[0].matches[0].method", "One or both of 'service' or 'method' must be specified"),
        Case(
            "a gRPC service", object("GRPCRoute", gateway, "{rules: [{matches: [{method: {service: 'a b'}}]}]}"),
            "spec.rules[0].matches[0].method",
            "service must only contain valid characters (matching ^(?i)\\.?[a-z_][a-z_0-9]*(\\.[a-z_][a-z_0-9]*)*$)"),
        Case(
            "a TLS host name",
            object(
                "TLSRoute", gateway,
                "{hostnames: [10.0.0.1], rules: [{backendRefs: [{name: e, "
                    + "port: 1}]}]}"), "spec.hostnames", "Hostnames cannot contain an IP"),
        Case(
            "TCP rules", object("TCPRoute", gateway, "{rules: []}"), "spec.rules",
            "must have at least 1 items, has 0"),
        Case(
            "a CA",
            object(
                "BackendTLSPolicy", gateway,
                "{targetRefs: [{group: '', kind: Service, name: e}], "
                    + "validation: {hostname: a.b}}"), "spec.validation",
            "must specify either CACertificateRefs or WellKnownCACertificates"),
        Case(
            "a budget",
            object(
                "XBackendTrafficPolicy", "gateway.networking.x-k8s.io/v1alpha1",
                "{targetRefs: [{group: '', kind: Service, name: e}], retryConstraint: {budget: {interval: 2h}}}"),
            "spec.retryConstraint.budget.interval", "interval cannot be greater than one hour or less than one second"),
        Case(
            "a controller's name", object("XMesh", "gateway.networking.x-k8s.io/v1alpha1", "{controllerName: weir}"),
            "spec.controllerName",
            "must match ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/"
                + "[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$, is \"weir\""),
        Case(
            "a Gateway's address",
            object(
                "Gateway", gateway,
                "{gatewayClassName: c, listeners: [{name: a, port: 80, "
                    + "protocol: HTTP}], addresses: [{type: IPAddress, value: x}]}"), "spec.addresses[0]",
            "must satisfy exactly one schema of oneOf"),
        // Core kinds.
        Case("a Service's ports", service("{selector: {a: b}}"), "spec", "ports are required"),
        Case(
            "a Service port", service("{ports: [{port: 65536}]}"), "spec.ports[0].port",
            "must be at most 65535, is 65536"),
        Case(
            "a Service port's protocol", service("{ports: [{port: 1, protocol: tcp}]}"), "spec.ports[0].protocol",
            "must be one of \"TCP\", \"UDP\", \"SCTP\"; is \"tcp\""),
        Case(
            "unnamed Service ports", service("{ports: [{port: 1}, {port: 2, name: b}]}"), "spec.ports",
            "every port must have a name when there are several"),
        Case(
            "a Service port twice", service("{ports: [{port: 1, name: a}, {port: 1, name: b}]}"), "spec.ports",
            "port and protocol together must be unique"),
        Case(
            "a Service's address", service("{clusterIP: 10.0.0, ports: [{port: 1}]}"), "spec.clusterIP",
            "must be empty, None or an IP address"),
        Case(
            "a Service's addresses", service("{clusterIP: 10.0.0.1, clusterIPs: ['::1'], ports: [{port: 1}]}"), "spec",
            "clusterIP must be the first of clusterIPs"),
        Case("an external name", service("{type: ExternalName}"), "spec", "an ExternalName Service needs externalName"),
        Case(
            "a target port", service("{ports: [{port: 1, targetPort: not_a_name}]}"), "spec.ports[0].targetPort",
            "must be a port number or the name of a container port"),
        Case(
            "a Service's name", "apiVersion: v1\nkind: Service\nmetadata: {name: 1echo}\nspec: {ports: [{port: 1}]}\n",
            "metadata.name", "must match ^[a-z]([-a-z0-9]*[a-z0-9])?$, is \"1echo\""),
        Case(
            "a slice's address",
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: r}\n"
                + "addressType: IPv4\nendpoints: [{addresses: ['::1']}]\n", "", "addresses must be IPv4 addresses"),
        Case(
            "a slice without a type", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: r}\n",
            "addressType", "is required"),
        Case(
            "a Pod without containers", object("Pod", "v1", "{containers: []}"), "spec.containers",
            "must have at least 1 items, has 0"),
        Case(
            "a container port", object("Pod", "v1", "{containers: [{name: a, ports: [{containerPort: 0}]}]}"),
            "spec.containers[0].ports[0].containerPort", "must be at least 1, is 0"),
        Case(
            "containers of one name", object("Pod", "v1", "{containers: [{name: a}, {name: a}]}"),
            "spec.containers[1]", "is a duplicate: \"a\" occurs twice"),
        Case(
            "a Pod's address", object("Pod", "v1", "{containers: [{name: a}]}") + "status: {podIP: 300.1.1.1}\n",
            "status.podIP", "must be a valid ip, is \"300.1.1.1\""),
        // Metadata.
        Case(
            "a name", "apiVersion: \(gateway)\nkind: HTTPRoute\nmetadata: {name: Upper}\nspec: {}\n", "metadata.name",
            "must match ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$, is \"Upper\""),
        Case(
            "no name", "apiVersion: \(gateway)\nkind: HTTPRoute\nmetadata: {}\nspec: {}\n", "metadata.name",
            "is required"),
        Case(
            "a namespace", "apiVersion: \(gateway)\nkind: HTTPRoute\nmetadata: {name: r, namespace: a.b}\nspec: {}\n",
            "metadata.namespace", "must be a DNS label, is \"a.b\""),
        Case(
            "a namespace where there is none",
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: r, namespace: a}\n", "metadata.namespace",
            "the kind has no namespaces"),
        Case(
            "a label's key", "apiVersion: v1\nkind: Namespace\nmetadata: {name: r, labels: {a/b/c: x}}\n",
            "metadata.labels[a/b/c]", "the key must be a name with an optional DNS prefix"),
        Case(
            "a label's value", "apiVersion: v1\nkind: Namespace\nmetadata: {name: r, labels: {a: 'x y'}}\n",
            "metadata.labels[a]",
            "must be at most 63 letters, digits, - _ or . between letters or digits, is \"x y\""),
        Case(
            "a label that is no text", "apiVersion: v1\nkind: Namespace\nmetadata: {name: r, labels: {a: true}}\n",
            "metadata.labels[a]", "must be string, is boolean"),
        Case(
            "a time", "apiVersion: v1\nkind: Namespace\nmetadata: {name: r, creationTimestamp: yesterday}\n",
            "metadata.creationTimestamp", "must be a valid date-time, is \"yesterday\""),
    ]

    @Test(arguments: cases) func isRefused(_ example: Case) {
        let batch = ManifestText.read(["a.yaml": example.text])
        #expect(batch.events.isEmpty)
        let findings = batch.report.refusedObjects
        #expect(
            findings.contains { $0.field == example.field && $0.message == example.message },
            "\(findings.map { "\($0.field ?? "-"): \($0.message)" })")
    }

    /// Experimental semantics: a parent may come twice when the ports differ.
    @Test func parentsMayDifferByPort() {
        let text = Self.object("HTTPRoute", Self.gateway, "{parentRefs: [{name: g, port: 1}, {name: g, port: 2}]}")
        #expect(ManifestText.read(["a.yaml": text]).report.refusedObjects.isEmpty)
    }

    /// The value before stays in force where a field may not change.
    @Test func aFieldThatMayNotChange() throws {
        let temporary = TemporaryFolder()
        func text(_ name: String) -> String {
            Self.object("GatewayClass", Self.gateway, "{controllerName: example.com/\(name)}")
        }
        temporary.write("a.yaml", text("one"))
        let follower = try Follower(temporary)
        temporary.write("a.yaml", text("two"))
        try follower.synchronize()
        #expect(follower.report.refusedObjects.map(\.field) == ["spec.controllerName"])
        #expect(follower.events.isEmpty)
    }
}
