import Foundation
import Resources
import Testing

@Suite struct InventoryTests {
    static func route(_ name: String, hostname: String? = nil) -> HTTPRoute {
        HTTPRoute(
            metadata: ObjectMeta(name: name, namespace: "default"),
            spec: HTTPRouteSpec(hostnames: hostname.map { [$0] }))
    }

    static func key(_ name: String) -> ObjectKey {
        ObjectKey(kind: .httpRoute, namespace: "default", name: name)
    }

    @Test func changesAreWhatDiffers() {
        var inventory = Inventory()
        #expect(inventory.apply(.upsert(.httpRoute(Self.route("a")))).objects == [Self.key("a")])
        #expect(inventory.apply(.upsert(.httpRoute(Self.route("a")))).isEmpty)
        #expect(inventory.apply(.upsert(.httpRoute(Self.route("a", hostname: "x")))).objects == [Self.key("a")])
        #expect(inventory.apply(.delete(Self.key("b"))).isEmpty)
        let changes = inventory.apply(
            .batch([.upsert(.httpRoute(Self.route("b"))), .delete(Self.key("a")), .batch([])]))
        #expect(changes.objects == [Self.key("a"), Self.key("b")])
        #expect(inventory.httpRoutes.keys.map(\.name) == ["b"])
    }

    /// One object of each kind goes in and out.
    @Test func everyKind() throws {
        var inventory = Inventory()
        for kind in ResourceKind.allCases {
            let resource = try Self.smallest(kind)
            #expect(resource.kind == kind)
            #expect(inventory.apply(.upsert(resource)).objects == [resource.key])
            #expect(resource.key.name.namespace == (kind.isNamespaced ? "ns" : ""))
            #expect(inventory.apply(.delete(resource.key)).objects == [resource.key])
            #expect(inventory.apply(.delete(resource.key)).isEmpty)
        }
    }

    @Test func everyKindSurvivesItsJSON() throws {
        for kind in ResourceKind.allCases {
            let resource = try Self.smallest(kind)
            let data = try JSONEncoder().encode(resource)
            #expect(try JSONDecoder().decode(Resource.self, from: data) == resource)
        }
    }

    static func smallest(_ kind: ResourceKind) throws -> Resource {
        var metadata: JSONObject = ["name": .string("x")]
        if kind.isNamespaced { metadata["namespace"] = .string("ns") }
        let spec: JSONValue = .object([
            "containers": .array([]), "rules": .array([]), "from": .array([]), "to": .array([]),
            "targetRefs": .array([]), "validation": .object(["hostname": .string("a")]),
            "controllerName": .string("a/b"),
        ])
        let value: JSONValue = .object([
            "apiVersion": .string(kind.apiVersion), "kind": .string(kind.rawValue), "metadata": .object(metadata),
            "spec": spec, "addressType": .string("IPv4"),
        ])
        return try value.decodeResource(kind)
    }

    /// A Pod's change concerns the Services that selected it before and those that select it now.
    @Test func aPodsChangeConcernsItsServices() {
        var inventory = Inventory()
        for name in ["web", "api"] {
            let service = Service(
                metadata: ObjectMeta(name: name, namespace: "default"), spec: ServiceSpec(selector: ["app": name]))
            _ = inventory.apply(.upsert(.service(service)))
        }
        func apply(_ app: String) -> Set<NamespacedName> {
            inventory.apply(.upsert(.pod(DerivedEndpointsTests.pod("a", labels: ["app": app])))).endpoints
        }
        let web = NamespacedName(namespace: "default", name: "web")
        let api = NamespacedName(namespace: "default", name: "api")
        #expect(apply("web") == [web])
        #expect(apply("web").isEmpty)
        #expect(apply("api") == [web, api])
        #expect(apply("other") == [api])
        #expect(inventory.apply(.delete(ObjectKey(kind: .pod, namespace: "default", name: "a"))).endpoints.isEmpty)
    }

    @Test func decodingSaysWhichField() {
        let value: JSONValue = .object([
            "metadata": .object(["name": .string("x")]),
            "apiVersion": .string("v1"), "kind": .string("Service"),
            "spec": .object(["ports": .array([.object(["port": .int(1)]), .object(["port": .string("a")])])]),
        ])
        do {
            _ = try value.decode(Service.self)
            Issue.record("a port is no number")
        } catch DecodingError.typeMismatch(_, let context) {
            let path = context.codingPath.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }
            #expect(path == ["spec", "ports", "1", "port"])
            #expect(context.debugDescription == "must be integer, is string")
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func numbersMustFit() throws {
        #expect(try JSONValue.int(255).decode(UInt8.self) == 255)
        #expect(throws: DecodingError.self) { try JSONValue.int(256).decode(UInt8.self) }
        #expect(throws: DecodingError.self) { try JSONValue.int(-1).decode(UInt.self) }
        #expect(try JSONValue.int(1).decode(Double.self) == 1)
        #expect(throws: DecodingError.self) { try JSONValue.double(1.5).decode(Int.self) }
        #expect(try JSONValue.array([.null, .int(1)]).decode([Int?].self) == [nil, 1])
    }

    @Test func objectsAreEqualInAnyOrder() {
        let left: JSONObject = ["a": .int(1), "b": .int(2)]
        let right: JSONObject = ["b": .int(2), "a": .int(1)]
        #expect(left == right)
        #expect(left.keys == ["a", "b"])
        #expect(left != ["a": .int(1)])
    }
}
