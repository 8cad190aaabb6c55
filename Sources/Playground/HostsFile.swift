/// A pod's /etc/hosts: itself, and every Service under the names that the cluster's DNS would know it by from the pod's
/// namespace. The unqualified name is a Service of the pod's own namespace only.
struct HostsFile {
    let text: String

    init(for pod: PlaygroundPlan.Placed, among pods: [PlaygroundPlan.Placed], services: [ServicePlan]) {
        var lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
        lines += pod.addresses.map { "\($0)\t\(pod.pod.name)" }
        for service in services.sorted(by: { ($0.namespace, $0.name) < ($1.namespace, $1.name) }) {
            let qualified = "\(service.name).\(service.namespace)"
            var names = [qualified, "\(qualified).svc", "\(qualified).svc.cluster.local"]
            if service.namespace == pod.pod.namespace { names.insert(service.name, at: 0) }
            let list = names.joined(separator: " ")
            lines += Self.addresses(of: service, among: pods).map { "\($0)\t\(list)" }
        }
        text = lines.joined(separator: "\n") + "\n"
    }

    private static func addresses(
        of service: ServicePlan, among pods: [PlaygroundPlan.Placed]
    ) -> [NetworkAddress] {
        guard service.clusterIPs.isEmpty, let selector = service.headlessSelector, !selector.isEmpty else {
            return service.clusterIPs
        }
        return pods.filter { placed in
            placed.pod.namespace == service.namespace
                && selector.allSatisfy { placed.pod.labels[$0.key] == $0.value }
        }.flatMap(\.addresses)
    }
}
