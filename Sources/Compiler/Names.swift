package import Model
package import Resources

/// Resources and Model know nothing of each other; here is where their names meet.
extension ObjectName {
    package init(_ name: NamespacedName) {
        self.init(namespace: name.namespace, name: name.name)
    }
}

extension NamespacedName {
    package init(_ name: ObjectName) {
        self.init(namespace: name.namespace, name: name.name)
    }
}
