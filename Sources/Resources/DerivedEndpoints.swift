extension Pod {
    /// Whether the Pod carries every label of the selector.
    package func matches(_ selector: [String: String]) -> Bool {
        let labels = metadata.labels ?? [:]
        return selector.allSatisfy { labels[$0.key] == $0.value }
    }

    /// The Ready condition; a Pod without one counts as ready, since nothing probes a Pod that only a file describes.
    package var isReady: Bool {
        guard let ready = status?.conditions?.first(where: { $0.type == "Ready" }) else { return true }
        return ready.status == "True"
    }

    /// Every address of the Pod, `podIP` first.
    package var addresses: [String] {
        var all: [String] = []
        for ip in [status?.podIP] + (status?.podIPs ?? []).map({ $0.ip }) {
            if let ip, !ip.isEmpty, !all.contains(ip) { all.append(ip) }
        }
        return all
    }

    /// The number of the container port with this name and protocol, sidecars included.
    package func containerPort(named name: String, protocol: String) -> Int? {
        let sidecars = (spec.initContainers ?? []).filter { $0.restartPolicy == "Always" }
        for container in spec.containers + sidecars {
            for port in container.ports ?? [] where port.name == name && port.protocol == `protocol` {
                return port.containerPort
            }
        }
        return nil
    }
}

/// What the endpoints controller of Kubernetes would write for a Service with a selector and these Pods: a slice for
/// each address family of the Service and each set of resolved ports. Ended Pods and Pods without an address have no
/// endpoint; a Pod whose containers lack a named target port is left out of that port only.
func derivedEndpointSlices(for service: Service, selected: [Pod]) -> [EndpointSlice] {
    guard service.spec.type != "ExternalName" else { return [] }
    struct Group: Hashable {
        let addressType: String
        let ports: [EndpointPort]
    }
    var groups: [Group: [Endpoint]] = [:]
    var order: [Group] = []
    let families = service.addressFamilies
    for pod in selected.sorted(by: { $0.name < $1.name }) {
        if pod.status?.phase == "Succeeded" || pod.status?.phase == "Failed" { continue }
        let ports = (service.spec.ports ?? []).compactMap { $0.resolved(on: pod) }
        for family in families {
            guard let address = pod.addresses.first(where: { addressType($0) == family }) else { continue }
            let group = Group(addressType: family, ports: ports)
            if groups[group] == nil { order.append(group) }
            groups[group, default: []].append(pod.endpoint(address: address, of: service))
        }
    }
    var counts: [String: Int] = [:]
    return order.map { group in
        let family = group.addressType.lowercased()
        counts[family, default: 0] += 1
        let count = counts[family, default: 1]
        return EndpointSlice(
            metadata: ObjectMeta(
                name: "\(service.metadata.name)-\(family)" + (count > 1 ? "-\(count)" : ""),
                namespace: service.metadata.namespace,
                labels: [
                    "kubernetes.io/service-name": service.metadata.name,
                    "endpointslice.kubernetes.io/managed-by": "weir.dev/mesh",
                ]),
            addressType: group.addressType, endpoints: groups[group], ports: group.ports)
    }
    .sorted { $0.name < $1.name }
}

extension Service {
    /// IPv4 and IPv6 in the Service's order: as it says, or as its addresses say, or both.
    package var addressFamilies: [String] {
        if let families = spec.ipFamilies, !families.isEmpty { return families }
        var families: [String] = []
        for address in [spec.clusterIP] + (spec.clusterIPs ?? []).map({ $0 }) {
            guard let address, !address.isEmpty, address != "None" else { continue }
            let family = addressType(address)
            if !families.contains(family) { families.append(family) }
        }
        return families.isEmpty ? ["IPv4", "IPv6"] : families
    }

    /// A Service without an address of its own: its name resolves to its Pods.
    package var isHeadless: Bool {
        spec.clusterIP == "None"
    }
}

extension ServicePort {
    fileprivate func resolved(on pod: Pod) -> EndpointPort? {
        let number: Int? =
            switch targetPort {
            case nil, .int(0), .string(""): port
            case .int(let number): number
            case .string(let name): pod.containerPort(named: name, protocol: `protocol`)
            }
        return number.map {
            EndpointPort(name: name ?? "", protocol: `protocol`, port: $0, appProtocol: appProtocol)
        }
    }
}

extension Pod {
    fileprivate func endpoint(address: String, of service: Service) -> Endpoint {
        let terminating = metadata.deletionTimestamp != nil
        let ready = service.spec.publishNotReadyAddresses == true || (isReady && !terminating)
        let named = spec.subdomain == service.metadata.name && service.name.namespace == name.namespace
        return Endpoint(
            addresses: [address],
            conditions: EndpointConditions(ready: ready, serving: isReady, terminating: terminating),
            hostname: named ? spec.hostname : nil, nodeName: spec.nodeName,
            targetRef: ObjectReference(
                kind: "Pod", namespace: metadata.namespace, name: metadata.name, uid: metadata.uid))
    }
}

private func addressType(_ address: String) -> String {
    address.utf8.contains(UInt8(ascii: ":")) ? "IPv6" : "IPv4"
}
