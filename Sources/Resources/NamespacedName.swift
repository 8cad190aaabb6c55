/// The name of an object among those of its kind. `namespace` is empty for kinds without one.
package struct NamespacedName: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    package var description: String {
        namespace.isEmpty ? name : "\(namespace)/\(name)"
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.namespace, left.name) < (right.namespace, right.name)
    }
}

/// An object of the cluster.
package struct ObjectKey: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    package let kind: ResourceKind
    package let name: NamespacedName

    package init(kind: ResourceKind, name: NamespacedName) {
        self.kind = kind
        self.name = name
    }

    package init(kind: ResourceKind, namespace: String, name: String) {
        self.init(kind: kind, name: NamespacedName(namespace: namespace, name: name))
    }

    /// `HTTPRoute default/name`.
    package var description: String {
        "\(kind.rawValue) \(name)"
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.kind.rawValue, left.name) < (right.kind.rawValue, right.name)
    }
}
