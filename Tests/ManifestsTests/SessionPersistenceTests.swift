import Manifests
import Resources
import Testing

/// `sessionPersistence` as the releases 1.5, 1.6 and 1.7 of the Gateway API write it, wherever it may stand.
@Suite struct SessionPersistenceTests {
    static let shapes: [(String, SessionPersistence)] = [
        ("{}", SessionPersistence()),
        ("{sessionName: s, absoluteTimeout: 1h}", SessionPersistence(sessionName: "s", absoluteTimeout: "1h")),
        (
            "{sessionName: s, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}",
            SessionPersistence(
                sessionName: "s", absoluteTimeout: "1h", cookieConfig: CookieConfig(lifetimeType: "Permanent"))
        ),
        ("{cookieConfig: {}}", SessionPersistence(cookieConfig: CookieConfig())),
        ("{type: Header, sessionName: s}", SessionPersistence(sessionName: "s", type: "Header")),
        ("{sessionName: s, idleTimeout: 5m}", SessionPersistence(sessionName: "s", idleTimeout: "5m")),
        ("{cookie: {}}", SessionPersistence(cookie: SessionCookie(name: nil, lifetimeType: "Session", path: "/"))),
        (
            "{cookie: {name: s, path: /a, lifetimeType: Permanent}, absoluteTimeout: 1h}",
            SessionPersistence(
                absoluteTimeout: "1h", cookie: SessionCookie(name: "s", lifetimeType: "Permanent", path: "/a"))
        ),
        ("{type: Header, header: {name: s}}", SessionPersistence(type: "Header", header: SessionHeader(name: "s"))),
    ]

    private func read(_ text: String) throws -> Resource {
        let batch = ManifestText.read(["a.yaml": text])
        #expect(batch.report.refusedObjects.isEmpty && batch.report.unknownFields.isEmpty)
        guard case .upsert(let resource) = try #require(batch.events.first) else { throw Missing() }
        return resource
    }

    private struct Missing: Error {}

    @Test(arguments: shapes) func ofARule(_ text: String, _ expected: SessionPersistence) throws {
        for kind in ["HTTPRoute", "GRPCRoute"] {
            let resource = try read(
                RuleTests.object(kind, RuleTests.gateway, "{rules: [{sessionPersistence: \(text)}]}"))
            switch resource {
            case .httpRoute(let route): #expect(route.spec.rules?.first?.sessionPersistence == expected)
            case .grpcRoute(let route): #expect(route.spec.rules?.first?.sessionPersistence == expected)
            default: Issue.record("\(resource)")
            }
        }
    }

    @Test(arguments: shapes) func ofAPolicy(_ text: String, _ expected: SessionPersistence) throws {
        let spec = "{targetRefs: [{group: '', kind: Service, name: e}], sessionPersistence: \(text)}"
        let kind = ResourceKind.xBackendTrafficPolicy
        guard case .xBackendTrafficPolicy(let policy) = try read(RuleTests.object(kind.rawValue, kind.apiVersion, spec))
        else { throw Missing() }
        #expect(policy.spec.sessionPersistence == expected)
    }

    @Test func policiesAndMeshesAreServed() {
        let text = """
            apiVersion: gateway.networking.x-k8s.io/v1alpha1
            kind: XBackendTrafficPolicy
            metadata: {name: p}
            spec: {targetRefs: [{group: "", kind: Service, name: e}], retryConstraint: {}}
            ---
            apiVersion: gateway.networking.x-k8s.io/v1alpha1
            kind: XMesh
            metadata: {name: weir}
            spec: {controllerName: weir.dev/mesh}
            """
        let batch = ManifestText.read(["a.yaml": text])
        #expect(batch.report.isClean)
        // The schema's defaults are there.
        var budget: RetryBudget?
        var pending: [Condition]?
        for case .upsert(let resource) in batch.events {
            if case .xBackendTrafficPolicy(let policy) = resource { budget = policy.spec.retryConstraint?.budget }
            if case .xMesh(let mesh) = resource { pending = mesh.status?.conditions }
        }
        #expect(budget == RetryBudget(percent: 20, interval: "10s"))
        #expect(pending?.map(\.reason) == ["Pending"])
    }
}
