import Compiler
import Model
import Resources
import Testing

/// Session persistence of a rule (GEP-1619), in the shapes of 1.5, 1.6 and 1.7.
@Suite struct PersistenceTests {
    struct Row: CustomTestStringConvertible {
        let text: String
        /// What the rule keeps sessions by; nil when the route is refused.
        let session: String?
        /// The beginning of the refusal.
        let says: String
        var testDescription: String { text }

        init(_ text: String, _ session: String?, says: String = "") {
            self.text = text
            self.session = session
            self.says = says
        }
    }

    private static func refused(_ text: String, _ field: String, _ message: String) -> Row {
        Row(text, nil, says: "spec.rules[0].sessionPersistence\(field): \(message)")
    }

    static let rows = [
        // 1.6
        Row("{sessionName: s}", "cookie s path /"),
        Row("{sessionName: s, type: Cookie, absoluteTimeout: 1h}", "cookie s path /, at most 3600000000000 ns"),
        Row(
            "{sessionName: s, absoluteTimeout: 1m30s, cookieConfig: {lifetimeType: Permanent}}",
            "permanent cookie s path /, at most 90000000000 ns"),
        Row("{cookieConfig: {}}", "cookie weir-session-3a5c91e6c6890b34 path /"),
        Row("{type: Header, sessionName: X-Session}", "header x-session"),
        Row("{}", "cookie weir-session-3a5c91e6c6890b34 path /"),
        Row("{type: Header}", "header x-weir-session-3a5c91e6c6890b34"),
        // 1.5
        Row("{sessionName: s, idleTimeout: 5s}", "cookie s path /, idle at most 5000000000 ns"),
        // 1.7
        Row("{cookie: {name: s}}", "cookie s path /"),
        Row("{cookie: {}}", "cookie weir-session-3a5c91e6c6890b34 path /"),
        Row(
            "{cookie: {name: s, path: /a/b, lifetimeType: Permanent}, absoluteTimeout: 1s}",
            "permanent cookie s path /a/b, at most 1000000000 ns"),
        Row("{type: Header, header: {name: X-Session}}", "header x-session"),
        // Zero is no limit.
        Row("{sessionName: s, absoluteTimeout: 0s, idleTimeout: 0ms}", "cookie s path /"),

        refused("{sessionName: 'a b'}", ".sessionName", "'a b' is no cookie name"),
        refused("{sessionName: 'a;b'}", ".sessionName", "'a;b' is no cookie name"),
        refused("{sessionName: ''}", ".sessionName", "'' is no cookie name"),
        refused("{cookie: {name: 'a=b'}}", ".cookie.name", "'a=b' is no cookie name"),
        refused(#"{type: Header, sessionName: "a\r\nb"}"#, ".sessionName", "'a"),
        refused("{type: Header, header: {name: ':path'}}", ".header.name", "':path' is no field name"),
        refused("{type: Header, header: {name: Host}}", ".header.name", "the field Host has a meaning of its own"),
        refused("{type: Header, sessionName: Cookie}", ".sessionName", "the field Cookie has a meaning of its own"),
        refused("{cookie: {path: a}}", ".cookie.path", "'a' is no path of a cookie"),
        refused("{cookie: {path: ''}}", ".cookie.path", "'' is no path of a cookie"),
        refused("{cookie: {path: '/a;Domain=x'}}", ".cookie.path", "'/a;Domain=x' is no path of a cookie"),
        refused("{cookieConfig: {lifetimeType: Permanent}}", ".absoluteTimeout", "a Permanent cookie needs"),
        refused(
            "{cookieConfig: {lifetimeType: Permanent}, absoluteTimeout: 999ms}", ".absoluteTimeout",
            "a Permanent cookie needs"),
        refused("{cookie: {lifetimeType: Permanent}, absoluteTimeout: 0s}", ".absoluteTimeout", "a Permanent cookie"),
        refused("{cookie: {lifetimeType: Odd}}", ".cookie.lifetimeType", "'Odd' is not served"),
        refused("{cookieConfig: {lifetimeType: Odd}}", ".cookieConfig.lifetimeType", "'Odd' is not served"),
        refused("{type: Odd}", ".type", "'Odd' is not served"),
        refused("{absoluteTimeout: 1.5h}", ".absoluteTimeout", "'1.5h' is not a duration"),
        refused("{idleTimeout: 1d}", ".idleTimeout", "'1d' is not a duration"),
        refused("{type: Header, cookieConfig: {}}", ".cookieConfig", "the type is Header"),
        refused("{type: Header, cookie: {}}", ".cookie", "the type is Header"),
        refused("{header: {name: a}}", ".header", "the type is Cookie"),
        refused("{sessionName: a, cookie: {name: a}}", "", "cookie and header exclude sessionName and cookieConfig"),
    ]

    @Test(arguments: rows) func isTranslated(_ row: Row) throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            StatusTests.services + "---\n"
                + StatusTests.route(
                    rules: "[{backendRefs: [{name: echo, port: 80}], sessionPersistence: \(row.text)}]"))
        let accepted = try #require(compilation.statuses.values.first?.first?.conditions?.first)
        let table = compilation.snapshot.service(ObjectName(namespace: "default", name: "echo"))?.port(80)?.producer
        guard let session = row.session else {
            #expect(accepted.reason == "UnsupportedValue" && accepted.status == "False")
            #expect(accepted.message.hasPrefix(row.says), "\(accepted.message)")
            #expect(table == nil)
            return
        }
        #expect(accepted.status == "True" && compilation.problems.isEmpty)
        #expect(table?.rules[0].sessionPersistence.map(Outcome.session) == session)
    }

    /// Two rules never share a session by chance, and each keeps its own over restarts and edits of others.
    @Test func namesOfTheirOwnAreUniqueAndStable() throws {
        func names(_ rules: String, route: String = "route") throws -> [String] {
            var mesh = Mesh()
            let compilation = try mesh.apply(
                StatusTests.services + "---\n" + StatusTests.route(rules: rules, name: route))
            let echo = compilation.snapshot.service(ObjectName(namespace: "default", name: "echo"))
            return try #require(echo?.port(80)?.producer).rules.compactMap {
                $0.sessionPersistence.map(Outcome.session)
            }
        }
        func rule(_ more: String) -> String { "{backendRefs: [{name: echo, port: 80}], sessionPersistence: {}\(more)}" }
        let two = try names("[\(rule("")), \(rule(", name: named"))]")
        #expect(Set(two).count == 2)
        #expect(try names("[\(rule(", name: named")), \(rule(""))]")[0] == two[1])
        #expect(try names("[\(rule("")), \(rule(", name: '0'"))]")[0] == two[0])
        #expect(Set(try names("[\(rule("")), \(rule(", name: '0'"))]")).count == 2)
        #expect(Set(try names("[\(rule(""))]", route: "other") + two).count == 3)
    }

    @Test func aRulesOwnComesBesideThePolicys() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            [
                StatusTests.services, PolicyTests.policy("p", "sessionPersistence: {sessionName: service}"),
                StatusTests.route(
                    rules: "[{backendRefs: [{name: echo, port: 80}], sessionPersistence: {sessionName: rule}}]"),
            ].joined(separator: "---\n"))
        let echo = compilation.snapshot.service(ObjectName(namespace: "default", name: "echo"))
        let rule = try #require(echo?.port(80)?.producer?.rules[0])
        #expect(rule.sessionPersistence.map(Outcome.session) == "cookie rule path /")
        guard case .forward(let backends) = rule.action, case .backend(let backend) = backends.all[0].target else {
            Issue.record("no backend")
            return
        }
        #expect(backend.trafficPolicy?.sessionPersistence.map(Outcome.session) == "cookie service path /")
    }
}
