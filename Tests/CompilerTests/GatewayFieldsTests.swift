import Compiler
import Resources
import Testing

/// Fields for Gateways on routes: without effect on Services, and never so in silence.
@Suite struct GatewayFieldsTests {
    struct Row: CustomTestStringConvertible {
        let name: String
        let parent: String
        var more = ""
        var kind = "HTTPRoute"
        /// `field: message`, by the beginning; none when there is nothing to say.
        let problems: [String]
        /// How many entries of ours the status has.
        let entries: Int
        var testDescription: String { name }

        init(
            _ name: String, parent: String = "{group: '', kind: Service, name: echo, port: 80}", more: String = "",
            kind: String = "HTTPRoute", _ problems: [String], entries: Int
        ) {
            self.name = name
            self.parent = parent
            self.more = more
            self.kind = kind
            self.problems = problems
            self.entries = entries
        }
    }

    private static let service = "{group: '', kind: Service, name: echo, port: 80}"
    private static let gateway = "spec.parentRefs[0]: a Gateway is for another controller"

    static let rows = [
        Row("a Service", [], entries: 1),
        Row("a Gateway", parent: "{name: g}", [gateway], entries: 0),
        Row("a Gateway's section", parent: "{name: g, sectionName: https, port: 443}", [gateway], entries: 0),
        Row(
            "a ListenerSet", parent: "{kind: ListenerSet, name: l}",
            ["spec.parentRefs[0]: a ListenerSet is for another controller"], entries: 0),
        Row(
            "a Service without its group", parent: "{kind: Service, name: echo}",
            ["spec.parentRefs[0].group: a Service as parent needs the group ''"], entries: 0),
        Row(
            "a ServiceImport", parent: "{group: multicluster.x-k8s.io, kind: ServiceImport, name: echo}",
            ["spec.parentRefs[0]: a ServiceImport.multicluster.x-k8s.io as parent is not served"], entries: 0),
        Row("a Gateway and a Service", parent: "{name: g}, \(service)", [gateway], entries: 1),
        Row(
            "default Gateways", more: "  useDefaultGateways: All",
            ["spec.useDefaultGateways: the default Gateways are for another controller"], entries: 1),
        Row("no default Gateways", more: "  useDefaultGateways: None", [], entries: 1),
        Row(
            "host names", more: "  hostnames: [example.org]", ["spec.hostnames: hostnames do not count"], entries: 1),
        Row("a Gateway's host names", parent: "{name: g}", more: "  hostnames: [example.org]", [gateway], entries: 0),
        Row(
            "a TCPRoute of a Gateway", parent: "{name: g}", kind: "TCPRoute", [gateway], entries: 0),
    ]

    @Test(arguments: rows) func isSaid(_ row: Row) throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            StatusTests.services + "---\n" + StatusTests.route(parent: row.parent, kind: row.kind, more: row.more))
        // Only what stands beside a Service parent is anybody's fault.
        let said = (compilation.ignored + compilation.problems).map { "\($0.field ?? ""): \($0.message)" }
        #expect(compilation.problems.isEmpty || row.problems.contains { $0.hasPrefix("spec.hostnames") })
        #expect(said.count == row.problems.count, "\(said)")
        for (said, wanted) in zip(said, row.problems) { #expect(said.hasPrefix(wanted), "\(said)") }
        #expect(compilation.statuses.values.joined().count == row.entries)
        // It goes with the object.
        let key = try #require(ResourceKind(rawValue: row.kind))
        let gone = mesh.apply(.delete(ObjectKey(kind: key, namespace: "default", name: "route")))
        #expect(gone.problems.isEmpty && gone.ignored.isEmpty && gone.statuses.isEmpty)
    }
}
