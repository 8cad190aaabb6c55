import Testing
import TestSupport

/// What `weir routes -o json` says, in the shape that the API would hold.
struct RouteList: Decodable, Sendable {
    struct Item: Decodable, Sendable {
        struct Metadata: Decodable, Sendable {
            var name: String
            var namespace: String
            var generation: Int
        }
        struct Spec: Decodable, Sendable {
            var parentRefs: [ParentReference]?
        }
        var apiVersion: String
        var kind: String
        var metadata: Metadata
        var spec: Spec
        var status: Status?
    }
    struct ParentReference: Decodable, Hashable, Sendable {
        var group: String?
        var kind: String?
        var name: String
        var namespace: String?
        var port: Int?
        var sectionName: String?
    }
    struct Status: Decodable, Sendable {
        var parents: [Parent]
    }
    struct Parent: Decodable, Sendable {
        var parentRef: ParentReference
        var controllerName: String
        var conditions: [Condition]
    }
    struct Condition: Decodable, Sendable {
        var type: String
        var status: String
        var reason: String
        var message: String
        var observedGeneration: Int
        var lastTransitionTime: String
    }
    var kind: String
    var items: [Item]
}

/// The conditions that a route is to have for each of its parents.
struct Conditions: Sendable {
    /// `Accepted: "True Accepted"`
    var wanted: [String: String]
    /// A part of a condition's message.
    var messages: [String: String] = [:]

    static let good = Conditions(wanted: ["Accepted": "True Accepted", "ResolvedRefs": "True ResolvedRefs"])

    static func notAccepted(_ reason: String, message: String? = nil, resolved: String = "True ResolvedRefs") -> Self {
        Conditions(
            wanted: ["Accepted": "False \(reason)", "ResolvedRefs": resolved],
            messages: message.map { ["Accepted": $0] } ?? [:])
    }

    static func notResolved(_ reason: String, message: String? = nil) -> Self {
        Conditions(
            wanted: ["Accepted": "True Accepted", "ResolvedRefs": "False \(reason)"],
            messages: message.map { ["ResolvedRefs": $0] } ?? [:])
    }

    func faults(in parent: RouteList.Parent, generation: Int) -> [String] {
        var faults: [String] = []
        if parent.controllerName != "weir.dev/mesh" { faults.append("controllerName is \(parent.controllerName)") }
        let seen = Dictionary(parent.conditions.map { ($0.type, $0) }) { first, _ in first }
        if seen.count != parent.conditions.count { faults.append("a condition type is there twice") }
        for type in Set(seen.keys).union(wanted.keys).sorted() {
            let state = seen[type].map { "\($0.status) \($0.reason)" }
            if state != wanted[type] {
                faults.append(
                    "\(type) is \(state ?? "absent") (\(seen[type]?.message ?? "")), not \(wanted[type] ?? "absent")")
            }
            if let condition = seen[type], condition.observedGeneration != generation {
                faults.append("\(type) has observedGeneration \(condition.observedGeneration), not \(generation)")
            }
            if let text = messages[type], seen[type]?.message.contains(text) != true {
                faults.append("\(type) says '\(seen[type]?.message ?? "")', without '\(text)'")
            }
        }
        return faults
    }
}

extension Node {
    func routes() async throws -> [RouteList.Item] {
        try await json(RouteList.self, "routes").items
    }

    /// Compares the conditions of the routes that parent to a Service: as named in `other`, and good for all others.
    func checkConditions(
        of file: String, except other: [String: Conditions] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let routes = try await routes()
        for name in other.keys where !routes.contains(where: { $0.metadata.name == name }) {
            Issue.record("\(file): no route \(name)", sourceLocation: sourceLocation)
        }
        for route in routes {
            let parents = route.status?.parents ?? []
            let own = (route.spec.parentRefs ?? []).filter { $0.group == "" && $0.kind == "Service" }
            if parents.map(\.parentRef) != own {
                Issue.record(
                    "\(file): \(route.metadata.name): status.parents is for \(parents.map(\.parentRef)), not \(own)",
                    sourceLocation: sourceLocation)
            }
            let wanted = other[route.metadata.name] ?? .good
            for parent in parents {
                for fault in wanted.faults(in: parent, generation: route.metadata.generation) {
                    Issue.record(
                        "\(file): \(route.kind) \(route.metadata.name): \(fault)", sourceLocation: sourceLocation)
                }
            }
        }
    }
}
