/// A namespaced object's name. Ordered by namespace, then name, which is the order of ties in the Gateway API.
package struct ObjectName: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(namespace)/\(name)" }

    package static func < (a: Self, b: Self) -> Bool {
        (a.namespace, a.name) < (b.namespace, b.name)
    }
}
