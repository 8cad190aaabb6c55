/// Every condition, status and reason that the Gateway API has for a route, a policy and a mesh (GEP-1364, GEP-713,
/// GEP-3388, GEP-3949): one row or more for each that can be, from manifests to the condition and on to its cure; and
/// why there is none for the others.
struct StatusMatrix {
    enum Subject: String {
        case route, policy, mesh
    }

    struct Row {
        let subject: Subject
        /// `Type Status Reason`.
        let condition: String
        /// What its message begins with.
        let message: String
        let yaml: String
        /// What is applied then, and what the condition is after it; nil: there is none of the type any more.
        let cure: (yaml: String, condition: String?)?
    }

    struct Unreachable {
        let subject: Subject
        let condition: String
        let why: String
    }

    /// The specification's.
    static let all: [Subject: Set<String>] = [
        .route: [
            "Accepted True Accepted", "Accepted False NoMatchingParent", "Accepted False NotAllowedByListeners",
            "Accepted False NoMatchingListenerHostname", "Accepted False UnsupportedValue",
            "Accepted False IncompatibleFilters", "Accepted False Conflicted", "Accepted Unknown Pending",
            "ResolvedRefs True ResolvedRefs", "ResolvedRefs False RefNotPermitted", "ResolvedRefs False InvalidKind",
            "ResolvedRefs False BackendNotFound", "ResolvedRefs False UnsupportedProtocol",
            "PartiallyInvalid True UnsupportedValue",
        ],
        .policy: [
            "Accepted True Accepted", "Accepted False Conflicted", "Accepted False Invalid",
            "Accepted False TargetNotFound",
        ],
        .mesh: [
            "Accepted True Accepted", "Accepted False InvalidParameters", "Accepted Unknown Pending",
            "Programmed Unknown Pending",
        ],
    ]

    static let unreachable = [
        Unreachable(
            subject: .route, condition: "Accepted False NotAllowedByListeners",
            why: "A Service has no listeners: routes of any namespace may claim it, as producer or consumer (GEP-1294)."
        ),
        Unreachable(
            subject: .route, condition: "Accepted False NoMatchingListenerHostname",
            why: "Host names do not count for a Service parent (GEP-1294)."),
        Unreachable(
            subject: .route, condition: "Accepted Unknown Pending",
            why: "A route is decided in the compile that first sees it, and no status is written before."),
        Unreachable(
            subject: .route, condition: "ResolvedRefs False RefNotPermitted",
            why: "Mesh routes need no ReferenceGrant: they expose nothing that their client could not dial (GEP-1294)."),
        Unreachable(
            subject: .mesh, condition: "Accepted Unknown Pending",
            why: "The schema's default, which stands until Weir first writes; Weir decides at once."),
        Unreachable(
            subject: .mesh, condition: "Programmed Unknown Pending",
            why: "The schema's default for a type that GEP-3949 does not define; Weir keeps it as any other's."),
    ]

    // MARK: Rows

    private static func route(
        _ condition: String, _ message: String, parent: String = "{group: '', kind: Service, name: echo, port: 80}",
        rules: String = "[{backendRefs: [{name: echo, port: 80}]}]", kind: String = "HTTPRoute", more: String = "",
        cure: (yaml: String, condition: String?)? = nil
    ) -> Row {
        Row(
            subject: .route, condition: condition, message: message,
            yaml: StatusTests.route(parent: parent, rules: rules, kind: kind, name: "subject", more: more), cure: cure)
    }

    private static func backend(_ condition: String, _ message: String, _ backend: String) -> Row {
        route(
            condition, "spec.rules[0].backendRefs[0]: \(message)", rules: "[{backendRefs: [\(backend)]}]",
            cure: (StatusTests.route(name: "subject"), "ResolvedRefs True ResolvedRefs"))
    }

    /// Cured by the plain route.
    private static func filtered(_ condition: String, _ message: String, _ rules: String) -> Row {
        route(
            condition, message, rules: rules,
            cure: (
                StatusTests.route(name: "subject"),
                condition.hasPrefix("PartiallyInvalid") ? nil : "Accepted True Accepted"
            ))
    }

    private static func service(_ name: String, _ spec: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: \(name), namespace: default}
        spec: {\(spec)}
        """
    }

    private static func policy(
        _ condition: String, _ message: String, targets: [String] = ["echo"], _ spec: String = "retryConstraint: {}",
        more: String = "", cure: (yaml: String, condition: String?)? = nil
    ) -> Row {
        Row(
            subject: .policy, condition: condition, message: message,
            yaml: PolicyTests.policy("subject", targets: targets, spec) + more, cure: cure)
    }

    /// Cured by a policy that asks for little.
    private static func invalid(_ message: String, _ spec: String) -> Row {
        policy(
            "Accepted False Invalid", message, spec,
            cure: (PolicyTests.policy("subject"), "Accepted True Accepted"))
    }

    private static func mesh(_ spec: String, status: String = "") -> String {
        """
        apiVersion: gateway.networking.x-k8s.io/v1alpha1
        kind: XMesh
        metadata: {name: weir, generation: 3}
        spec: {controllerName: weir.dev/mesh\(spec)}
        \(status)
        """
    }

    private static let accepted = "Accepted True Accepted"
    private static let older = "---\n" + PolicyTests.policy("older", created: "2020-01-01T00:00:00Z")

    static let rows: [Row] = routes + policies + meshes

    private static let routes: [Row] = [
        route(accepted, "in force on port 80 of Service default/echo"),
        route(
            accepted, "in force on ports 80, 8080 of Service default/echo",
            parent: "{group: '', kind: Service, name: echo}"),
        route(accepted, "in force on port 80", parent: "{group: '', kind: Service, name: echo, sectionName: http}"),
        route(
            accepted, "in force on port 8080 of Service default/echo; lost to routes of another kind: port 80",
            parent: "{group: '', kind: Service, name: echo}", more: "---\n" + StatusTests.route(kind: "GRPCRoute")),
        route(
            "Accepted False NoMatchingParent", "Service default/late does not exist",
            parent: "{group: '', kind: Service, name: late}",
            cure: (service("late", "clusterIP: 10.96.0.9, ports: [{port: 80}]"), accepted)),
        route(
            "Accepted False NoMatchingParent", "Service default/echo has no port of number 81",
            parent: "{group: '', kind: Service, name: echo, port: 81}",
            cure: (service("echo", "clusterIP: 10.96.0.1, ports: [{port: 81}]"), accepted)),
        route(
            "Accepted False NoMatchingParent", "Service default/echo has no port of number 80 and name alt",
            parent: "{group: '', kind: Service, name: echo, port: 80, sectionName: alt}"),
        route(
            "Accepted False NoMatchingParent", "no port of Service default/echo that is meant speaks TCP",
            parent: "{group: '', kind: Service, name: echo, port: 53}"),
        route(
            "Accepted False NoMatchingParent", "Service default/headless is headless",
            parent: "{group: '', kind: Service, name: headless}"),
        route(
            "Accepted False NoMatchingParent", "Service default/external is of type ExternalName",
            parent: "{group: '', kind: Service, name: external}"),
        route(
            "Accepted False NoMatchingParent", "Service default/pending has no cluster IP",
            parent: "{group: '', kind: Service, name: pending}",
            cure: (service("pending", "clusterIP: 10.96.0.9, ports: [{port: 80}]"), accepted)),
        filtered(
            "Accepted False UnsupportedValue", "spec.rules[0].filters[0].requestRedirect.statusCode: 299",
            "[{filters: [{type: RequestRedirect, requestRedirect: {statusCode: 299}}]}]"),
        filtered(
            "Accepted False UnsupportedValue", "spec.rules[0].timeouts.request: '1.5h' is not a duration",
            "[{backendRefs: [{name: echo, port: 80}], timeouts: {request: 1.5h}}]"),
        filtered(
            "Accepted False UnsupportedValue", "spec.rules[0].sessionPersistence.absoluteTimeout: a Permanent cookie",
            "[{backendRefs: [{name: echo, port: 80}], sessionPersistence: {cookieConfig: {lifetimeType: Permanent}}}]"),
        filtered(
            "Accepted False UnsupportedValue", "no rule can be served: rule 0: ",
            "[{filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]}]"),
        filtered(
            "Accepted False UnsupportedValue", "no rule can be served: rule 0: ",
            "[{matches: [{path: {type: RegularExpression, value: '/('}}], backendRefs: [{name: echo, port: 80}]}]"),
        filtered(
            "Accepted False IncompatibleFilters", "spec.rules[0].filters: RequestRedirect and URLRewrite exclude",
            "[{filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {hostname: a}}]}]"
        ),
        route(
            "Accepted False Conflicted", "GRPCRoutes have port 80 of Service default/echo",
            more: "---\n" + StatusTests.route(kind: "GRPCRoute"),
            cure: (
                StatusTests.route(parent: "{group: '', kind: Service, name: node-port}", kind: "GRPCRoute"), accepted
            )),
        route(
            "Accepted False Conflicted", "HTTPRoutes have port 80 of Service default/echo", kind: "TCPRoute",
            more: "---\n" + StatusTests.route()),
        route(
            "Accepted False Conflicted", "TLSRoutes have port 80 of Service default/echo", kind: "TCPRoute",
            more: "---\n" + StatusTests.route(kind: "TLSRoute")),

        route("ResolvedRefs True ResolvedRefs", "every reference resolves"),
        backend(
            "ResolvedRefs False InvalidKind", "a Other.x.org cannot be a backend",
            "{group: x.org, kind: Other, name: a}"),
        backend("ResolvedRefs False BackendNotFound", "Service default/none does not exist", "{name: none, port: 80}"),
        backend(
            "ResolvedRefs False BackendNotFound", "Service other/echo does not exist",
            "{name: echo, namespace: other, port: 80}"),
        backend(
            "ResolvedRefs False BackendNotFound", "Service default/echo has no TCP port 81", "{name: echo, port: 81}"),
        backend("ResolvedRefs False BackendNotFound", "a backendRef to a Service needs a port", "{name: echo}"),
        backend(
            "ResolvedRefs False BackendNotFound", "Service default/external is of type ExternalName",
            "{name: external, port: 80}"),
        backend(
            "ResolvedRefs False UnsupportedProtocol", "appProtocol https of Service default/protocols port 2",
            "{name: protocols, port: 2}"),

        filtered(
            "PartiallyInvalid True UnsupportedValue", "Dropped Rule 1: filter ExtensionRef",
            """
            [{backendRefs: [{name: echo, port: 80}]}, \
            {filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]}]
            """),
        filtered(
            "PartiallyInvalid True UnsupportedValue", "Dropped Rule 0: '('",
            """
            [{matches: [{headers: [{type: RegularExpression, name: a, value: '('}]}]}, \
            {backendRefs: [{name: echo, port: 80}]}]
            """),
        filtered(
            "PartiallyInvalid True UnsupportedValue", "Fall Back for rule 0: filter ExtensionRef",
            """
            [{backendRefs: [{name: echo, port: 80, \
            filters: [{type: ExtensionRef, extensionRef: {group: a, kind: B, name: c}}]}]}]
            """),
    ]

    private static let policies: [Row] = [
        policy(accepted, "in force for requests that routes lead to Service default/echo"),
        policy(
            accepted, "in force for requests that routes lead to Services default/echo, default/headless",
            targets: ["echo", "headless"]),
        policy(
            accepted,
            "in force for requests that routes lead to Service default/echo; not for others: Service default/none does not",
            targets: ["none", "echo"]),
        policy(
            "Accepted False Conflicted", "Service default/echo has XBackendTrafficPolicy default/older", more: older,
            cure: (
                PolicyTests.policy("older", targets: ["node-port"], created: "2020-01-01T00:00:00Z"), accepted
            )),
        policy(
            "Accepted False TargetNotFound", "Service default/late does not exist", targets: ["late"],
            cure: (service("late", "clusterIP: 10.96.0.9, ports: [{port: 80}]"), accepted)),
        policy(
            "Accepted False TargetNotFound", "Service default/external is of type ExternalName", targets: ["external"]),
        policy(
            "Accepted False TargetNotFound", "Service default/none does not exist; Service default/echo has",
            targets: ["none", "echo"], more: older),
        invalid("spec.retryConstraint.budget.percent: 101", "retryConstraint: {budget: {percent: 101}}"),
        invalid("spec.retryConstraint.budget.interval: '999ms'", "retryConstraint: {budget: {interval: 999ms}}"),
        invalid("spec.retryConstraint.budget.interval: '61m'", "retryConstraint: {budget: {interval: 61m}}"),
        invalid("spec.retryConstraint.minRetryRate.count: 0", "retryConstraint: {minRetryRate: {count: 0}}"),
        invalid("spec.retryConstraint.minRetryRate.interval: '0s'", "retryConstraint: {minRetryRate: {interval: 0s}}"),
        invalid(
            "spec.sessionPersistence.sessionName: 'a b' is no cookie name", "sessionPersistence: {sessionName: 'a b'}"),
    ]

    private static let meshes: [Row] = [
        Row(subject: .mesh, condition: accepted, message: "Weir serves this mesh", yaml: mesh(""), cure: nil),
        Row(
            subject: .mesh, condition: "Accepted False InvalidParameters",
            message: "spec.parametersRef: Weir has no parameters that a ConfigMap could hold: x/y",
            yaml: mesh(", parametersRef: {group: '', kind: ConfigMap, namespace: x, name: y}"),
            cure: (mesh(""), accepted)),
        Row(
            subject: .mesh, condition: accepted, message: "Weir serves this mesh",
            yaml: mesh(
                "",
                status: """
                    status:
                      conditions:
                      - {type: Accepted, status: Unknown, reason: Pending, message: m, lastTransitionTime: '1970-01-01T00:00:00Z'}
                    """), cure: nil),
    ]
}
