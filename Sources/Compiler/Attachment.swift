import Model
import Resources

extension ParentReference {
    /// A Service as parent needs the empty group in so many words: the default is a Gateway, somebody else's.
    var isService: Bool { group.isEmpty && kind == "Service" }
}

/// Where one parentRef leads (GEP-1294): the Service and those of its ports that it claims, or why it leads nowhere.
struct Attachment {
    let parentRef: ParentReference
    let service: ObjectName
    /// Numbers of TCP ports (UDP for a UDPRoute), ascending; empty exactly when `failure` is set.
    let ports: [UInt16]
    let failure: Verdict?

    init(_ parentRef: ParentReference, routeNamespace: String, kind: RouteKind, inventory: Inventory) {
        self.parentRef = parentRef
        service = ObjectName(namespace: parentRef.namespace ?? routeNamespace, name: parentRef.name)
        switch Self.ports(parentRef, service, kind, inventory) {
        case .success(let ports):
            self.ports = ports
            failure = nil
        case .failure(let failure):
            ports = []
            self.failure = failure.verdict
        }
    }

    private struct Failure: Error {
        let verdict: Verdict
    }

    private static func ports(
        _ parentRef: ParentReference, _ name: ObjectName, _ kind: RouteKind, _ inventory: Inventory
    ) -> Result<[UInt16], Failure> {
        func none(_ message: String) -> Result<[UInt16], Failure> {
            .failure(Failure(verdict: Verdict(.noMatchingParent, message)))
        }
        guard let service = inventory.services[NamespacedName(name)] else {
            return none("Service \(name) does not exist")
        }
        if service.spec.type == "ExternalName" {
            return none("Service \(name) is of type ExternalName: it has no address that a route could claim")
        }
        if service.isHeadless {
            return none("Service \(name) is headless: clients dial its pods, which routes do not claim")
        }
        if service.frontendAddresses.isEmpty {
            return none("Service \(name) has no cluster IP")
        }
        let wanted = kind == .udp ? "UDP" : "TCP"
        let candidates = (service.spec.ports ?? []).filter { port in
            parentRef.port.map { $0 == port.port } ?? true && parentRef.sectionName.map { $0 == port.name } ?? true
        }
        if candidates.isEmpty {
            let parts = [parentRef.port.map { "number \($0)" }, parentRef.sectionName.map { "name \($0)" }]
            let what = parts.compactMap { $0 }.joined(separator: " and ")
            return none(what.isEmpty ? "Service \(name) has no ports" : "Service \(name) has no port of \(what)")
        }
        let ports = candidates.filter { $0.protocol == wanted }.compactMap { UInt16(exactly: $0.port) }
        guard !ports.isEmpty else { return none("no port of Service \(name) that is meant speaks \(wanted)") }
        return .success(ports.sorted())
    }
}
