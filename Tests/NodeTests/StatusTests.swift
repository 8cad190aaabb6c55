import Glibc
import Testing
import TestSupport

/// One route with what is to be said of it.
struct StatusRow: Sendable, CustomTestStringConvertible {
    var name: String
    var parent = #"{group: "", kind: Service, name: echo, port: 80}"#
    var rules: String
    var wanted: Conditions
    /// Other objects that the row needs.
    var more = ""
    /// What requests to http://echo/ give; none: they are forwarded as if there were no route.
    var exchanges: [Exchange] = []

    var testDescription: String { name }

    var manifest: String {
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: \(name), namespace: gateway-conformance-mesh, generation: 7}
        spec:
          parentRefs: [\(parent)]
          rules: \(rules)
        ---
        \(more)
        """
    }

    static let v1 = "[{backendRefs: [{name: echo-v1, port: 80}]}]"

    private static let extended = """
        {matches: [{path: {value: /m}}], filters: [{type: ExtensionRef,
        extensionRef: {group: example.org, kind: Filter, name: f}}], backendRefs: [{name: echo-v1, port: 80}]}
        """
    private static let badExpression = """
        {matches: [{path: {type: RegularExpression, value: "/("}}], backendRefs: [{name: echo-v2, port: 80}]}
        """

    private static func partly(_ start: String) -> Conditions {
        var conditions = Conditions.good
        conditions.wanted["PartiallyInvalid"] = "True UnsupportedValue"
        conditions.messages["PartiallyInvalid"] = start
        return conditions
    }

    static let all: [StatusRow] = [
        StatusRow(name: "accepted", rules: v1, wanted: .good, exchanges: [Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "accepted-by-section-name", parent: #"{group: "", kind: Service, name: echo, sectionName: http}"#,
            rules: v1, wanted: .good, exchanges: [Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "accepted-by-section-name-and-port",
            parent: #"{group: "", kind: Service, name: echo, sectionName: http, port: 80}"#,
            rules: v1, wanted: .good, exchanges: [Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "no-such-service", parent: #"{group: "", kind: Service, name: absent}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent", message: "absent")),
        StatusRow(
            name: "no-such-port", parent: #"{group: "", kind: Service, name: echo, port: 81}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent", message: "81")),
        StatusRow(
            name: "no-such-section", parent: #"{group: "", kind: Service, name: echo, sectionName: nope}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent", message: "nope")),
        StatusRow(
            name: "section-of-another-port",
            parent: #"{group: "", kind: Service, name: echo, sectionName: http, port: 8080}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent")),
        StatusRow(
            name: "headless", parent: #"{group: "", kind: Service, name: headless-parent}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent", message: "eadless")),
        StatusRow(
            name: "external-name", parent: #"{group: "", kind: Service, name: external}"#, rules: v1,
            wanted: .notAccepted("NoMatchingParent", message: "ExternalName")),
        StatusRow(
            name: "modifies-host",
            rules: """
                [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: x}]}}],
                backendRefs: [{name: echo-v1, port: 80}]}]
                """,
            wanted: .notAccepted("UnsupportedValue", message: "Host")),
        StatusRow(
            name: "modifies-hop-by-hop",
            rules: """
                [{filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Connection]}}],
                backendRefs: [{name: echo-v1, port: 80}]}]
                """,
            wanted: .notAccepted("UnsupportedValue", message: "Connection")),
        StatusRow(
            name: "backend-not-found", rules: "[{backendRefs: [{name: absent, port: 80}]}]",
            wanted: .notResolved("BackendNotFound", message: "absent"),
            exchanges: [Exchange("/", status: 500, reason: "backend-not-found")]),
        StatusRow(
            name: "backend-port-not-found", rules: "[{backendRefs: [{name: echo-v1, port: 81}]}]",
            wanted: .notResolved("BackendNotFound", message: "81"),
            exchanges: [Exchange("/", status: 500, reason: "backend-not-found")]),
        StatusRow(
            name: "backend-external-name", rules: "[{backendRefs: [{name: external, port: 80}]}]",
            wanted: .notResolved("BackendNotFound", message: "ExternalName"),
            exchanges: [Exchange("/", status: 500, reason: "backend-not-found")]),
        StatusRow(
            name: "backend-kind", rules: "[{backendRefs: [{group: example.org, kind: Bucket, name: b, port: 80}]}]",
            wanted: .notResolved("InvalidKind", message: "Bucket"),
            exchanges: [Exchange("/", status: 500, reason: "backend-kind-invalid")]),
        StatusRow(
            name: "weight-zero-dangling",
            rules: "[{backendRefs: [{name: echo-v1, port: 80}, {name: absent, port: 80, weight: 0}]}]",
            wanted: .notResolved("BackendNotFound", message: "absent"), exchanges: [Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "all-weights-zero", rules: "[{backendRefs: [{name: echo-v1, port: 80, weight: 0}]}]",
            wanted: .good, exchanges: [Exchange("/", status: 500, reason: "all-weights-zero")]),
        StatusRow(
            name: "unsupported-protocol", rules: "[{backendRefs: [{name: secure, port: 80}]}]",
            wanted: .notResolved("UnsupportedProtocol", message: "kubernetes.io/wss"),
            more: """
                apiVersion: v1
                kind: Service
                metadata: {name: secure, namespace: gateway-conformance-mesh}
                spec:
                  clusterIP: 10.96.0.99
                  selector: {app: echo, version: v1}
                  ports: [{port: 80, targetPort: 8080, appProtocol: kubernetes.io/wss}]
                """,
            exchanges: [Exchange("/", status: 500, reason: "backend-protocol-unsupported")]),
        StatusRow(
            name: "filter-not-served", rules: "[\(extended)]",
            wanted: .notAccepted("UnsupportedValue", message: "ExtensionRef"),
            exchanges: [Exchange("/m", status: 500, reason: "filter-not-honoured")]),
        StatusRow(
            name: "one-filter-not-served", rules: "[\(extended), {backendRefs: [{name: echo-v1, port: 80}]}]",
            wanted: partly("Dropped Rule"),
            exchanges: [Exchange("/m", status: 500, reason: "filter-not-honoured"), Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "one-regular-expression-bad",
            rules: "[\(badExpression), {backendRefs: [{name: echo-v1, port: 80}]}]", wanted: partly("Dropped Rule"),
            exchanges: [Exchange("/", to: Base.v1)]),
        StatusRow(
            name: "regular-expression-bad", rules: "[\(badExpression)]",
            wanted: .notAccepted("UnsupportedValue", message: "/(")),
        StatusRow(
            name: "backend-filter-not-served",
            rules: """
                [{backendRefs: [{name: echo-v1, port: 80, filters: [{type: ExtensionRef,
                extensionRef: {group: example.org, kind: Filter, name: f}}]}]}]
                """,
            wanted: partly("Fall Back"),
            exchanges: [Exchange("/", status: 500, reason: "filter-not-honoured")]),
        StatusRow(
            name: "no-endpoints", rules: "[{backendRefs: [{name: empty, port: 80}]}]", wanted: .good,
            exchanges: [Exchange("/", status: 503, reason: "no-ready-endpoint")]),
    ]
}

extension NodeTests {
    /// Conditions by reason, and what a request then meets.
    @Suite("Status", .serialized)
    struct Status {
        private let node = SharedNode.node

        @Test("One row per reason", arguments: StatusRow.all)
        func row(_ row: StatusRow) async throws {
            try await node.apply("case.yaml", row.manifest)
            try await node.checkConditions(of: row.name, except: [row.name: row.wanted])
            let generation = try await node.routes().first { $0.metadata.name == row.name }?.metadata.generation
            #expect(generation == 7)
            if !row.exchanges.isEmpty {
                try await node.check(row.exchanges)
            } else {
                var request = ClientRequest("echo")
                request.count = 30
                let answers = try await node.requests([request], from: Base.v1)
                #expect(answers.allSatisfy { $0.status == 200 }, "\(answers.map(\.summary))")
                #expect(Set(answers.compactMap { $0.echo?.pod }) == ["echo-v1", "echo-v2"])
            }
            try await node.remove("case.yaml")
        }

        /// GRPCRoute beats HTTPRoute on a port, HTTPRoute beats TCPRoute.
        @Test("Conflicted") func conflicted() async throws {
            func manifest(_ kind: String, _ name: String, port: String) -> String {
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: \(kind)
                metadata: {name: \(name), namespace: gateway-conformance-mesh}
                spec:
                  parentRefs: [{group: "", kind: Service, name: echo\(port)}]
                  rules: [{backendRefs: [{name: echo-v1, port: 80}]}]
                ---

                """
            }
            try await node.apply(
                "case.yaml",
                manifest("GRPCRoute", "wins", port: ", port: 80") + manifest("HTTPRoute", "loses", port: ", port: 80"))
            try await node.checkConditions(
                of: "grpc and http", except: ["loses": .notAccepted("Conflicted")])
            // Lost on port 80 only: accepted for the others, with a message that names the port.
            try await node.apply(
                "case.yaml",
                manifest("GRPCRoute", "wins", port: ", port: 80") + manifest("HTTPRoute", "loses", port: ""))
            var partly = Conditions.good
            partly.messages = ["Accepted": "80"]
            try await node.checkConditions(of: "grpc and http, partly", except: ["loses": partly])
            try await node.check([Exchange("/", port: 8080, to: Base.v1)])
            try await node.remove("case.yaml")
        }

        @Test("A parentRef that is not a Service gets no status") func foreignParent() async throws {
            try await node.apply(
                "case.yaml",
                StatusRow(
                    name: "foreign",
                    parent: #"{name: gateway}, {group: "", kind: Service, name: echo, port: 80}"#,
                    rules: StatusRow.v1, wanted: .good
                ).manifest)
            try await node.checkConditions(of: "foreign")
            try await node.remove("case.yaml")
        }

        @Test("An object that breaks its schema keeps its last good version") func refused() async throws {
            let good = StatusRow(name: "edited", rules: StatusRow.v1, wanted: .good)
            try await node.apply("case.yaml", good.manifest)
            let bad = StatusRow(
                name: "edited",
                rules: """
                    [{matches: [{path: {type: PathPrefix, value: nope}}], backendRefs: [{name: echo-v2, port: 80}]}]
                    """, wanted: .good)
            try await node.apply("case.yaml", bad.manifest)
            try await node.check([Exchange("/", to: Base.v1)])
            let status = try await node.json(AgentReport.self, "status")
            #expect(
                status.refused.contains {
                    $0.file?.hasSuffix("case.yaml") == true && $0.object?.contains("edited") == true
                        && $0.field?.contains("rules[0].matches[0].path") == true
                }, "\(status.refused)")
            try await node.remove("case.yaml")
            let after = try await node.json(AgentReport.self, "status")
            #expect(after.refused.isEmpty, "\(after.refused)")
        }

        @Test("weir wait waits for the writer of a file") func openFile() async throws {
            let one = StatusRow(name: "written", rules: StatusRow.v1, wanted: .good).manifest
            try await node.apply("case.yaml", one)
            let file = open("\(node.manifests)/case.yaml", O_WRONLY | O_TRUNC | O_CLOEXEC)
            try #require(file >= 0)
            let two = Array(one.replacing("echo-v1", with: "echo-v2").utf8)
            #expect(write(file, two, two.count) == two.count)
            let early = try await ChildProcess.run([node.weir, "wait", "--timeout", "500ms", "--state", node.state])
            #expect(early.status != 0)
            #expect(early.error.contains("case.yaml"), "\(early.error)")
            try await node.check([Exchange("/", to: Base.v1)])
            async let waiting: Void = node.wait()
            close(file)
            try await waiting
            try await node.check([Exchange("/", to: Base.v2)])
            try await node.remove("case.yaml")
        }

        @Test("A file that does not parse keeps its last good objects; fields and duplicates are reported")
        func reports() async throws {
            let good = StatusRow(name: "kept", rules: StatusRow.v1, wanted: .good)
            try await node.apply("case.yaml", good.manifest)
            try await node.apply("case.yaml", "kind: [\n" + good.manifest)
            try await node.check([Exchange("/", to: Base.v1)])
            var status = try await node.json(AgentReport.self, "status")
            #expect(status.refused.contains { $0.file?.hasSuffix("case.yaml") == true && $0.line != nil })

            try await node.apply("case.yaml", good.manifest.replacing("  rules:", with: "  colour: red\n  rules:"))
            status = try await node.json(AgentReport.self, "status")
            #expect(status.unknownFields.contains { $0.field?.contains("colour") == true })
            try await node.check([Exchange("/", to: Base.v1)])

            try await node.apply("case.yaml", good.manifest)
            try await node.apply("duplicate.yaml", good.manifest.replacing("echo-v1", with: "echo-v2"))
            status = try await node.json(AgentReport.self, "status")
            #expect(status.duplicates.contains { $0.object?.contains("kept") == true })
            try await node.check([Exchange("/", to: Base.v1)])
            try await node.remove("duplicate.yaml")

            try await node.apply("case.yaml", "")
            let routes = try await node.routes()
            #expect(!routes.contains { $0.metadata.name == "kept" })
            try await node.remove("case.yaml")
        }
    }
}

/// The parts of `weir status -o json` that the tests look at.
struct AgentReport: Decodable, Sendable {
    struct Finding: Decodable, Sendable {
        var file: String?
        var line: Int?
        var object: String?
        var field: String?
        var message: String
    }
    var pid: Int32
    var ready: Bool
    var generation: UInt64
    var refused: [Finding]
    var unknownFields: [Finding]
    var duplicates: [Finding]
    var ignored: [Finding]
    var problems: [Finding]
}
