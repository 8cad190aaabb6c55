import Model
import Resources

extension Resources.Service {
    /// The ClusterIPs that routes can claim: none for headless and ExternalName Services.
    var frontendAddresses: [IPAddress] {
        guard spec.type != "ExternalName", !isHeadless else { return [] }
        var addresses: [IPAddress] = []
        for text in [spec.clusterIP ?? ""] + (spec.clusterIPs ?? []) {
            if let address = IPAddress(text), !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}

/// The endpoints of one Service port that traffic may go to: those that are ready and not terminating; when there is
/// none, those that still serve while they terminate, as kube-proxy does (KEP-1669).
func servingEndpoints(of port: Resources.ServicePort, in slices: [EndpointSlice]) -> [Model.Endpoint] {
    var ready: [Model.Endpoint] = []
    var terminating: [Model.Endpoint] = []
    for slice in slices where slice.addressType != "FQDN" {
        for slicePort in slice.ports ?? [] {
            guard (slicePort.name ?? "") == (port.name ?? ""), slicePort.protocol == port.protocol,
                let number = slicePort.port.flatMap(UInt16.init(exactly:))
            else { continue }
            for endpoint in slice.endpoints ?? [] {
                guard let text = endpoint.addresses.first, let address = IPAddress(text) else { continue }
                let pod = endpoint.targetRef.flatMap { target -> ObjectName? in
                    guard target.kind == "Pod", let name = target.name else { return nil }
                    return ObjectName(namespace: target.namespace ?? slice.metadata.namespace ?? "", name: name)
                }
                let value = Model.Endpoint(address: address, port: number, pod: pod)
                let conditions = endpoint.conditions
                if conditions?.terminating == true {
                    if conditions?.serving ?? true { terminating.append(value) }
                } else if conditions?.ready ?? true {
                    ready.append(value)
                }
            }
        }
    }
    return ready.isEmpty ? terminating : ready
}
