package import Resources

extension PlaygroundManifests {
    /// The Pods and Services of an inventory, as far as this machine can be their node.
    /// - Throws: PlaygroundError, when a Pod or Service has an address that is none.
    package init(_ inventory: Inventory, source: String) throws(PlaygroundError) {
        var pods: [PodPlan] = []
        var notes: [String] = []
        for (name, pod) in inventory.pods.sorted(by: { $0.key < $1.key }) {
            if pod.spec.hostNetwork == true {
                notes.append("Pod \(name) asks for the host's network: not made")
            } else if let phase = pod.status?.phase, ["Succeeded", "Failed"].contains(phase) {
                notes.append("Pod \(name) has ended (\(phase)): not made")
            } else {
                pods.append(try PodPlan(name, pod))
                notes += Self.unservedPorts(name, pod)
            }
        }
        var services: [ServicePlan] = []
        for (name, service) in inventory.services.sorted(by: { $0.key < $1.key }) {
            if let plan = try ServicePlan(name, service) { services.append(plan) }
        }
        self.init(source: source, pods: pods, services: services, notes: notes)
    }

    private static func unservedPorts(_ name: NamespacedName, _ pod: Pod) -> [String] {
        pod.spec.containers.flatMap { container in
            (container.ports ?? []).filter { $0.protocol != "TCP" }.map {
                "Pod \(name): container \(container.name): weir echo serves TCP only, not port \($0.containerPort)/\($0.protocol)"
            }
        }
    }
}

extension PodPlan {
    /// Sidecars (init containers that are always restarted) run like containers; other init containers have nothing to do
    /// here.
    init(_ name: NamespacedName, _ pod: Pod) throws(PlaygroundError) {
        let sidecars = (pod.spec.initContainers ?? []).filter { $0.restartPolicy == "Always" }
        let listed = pod.status?.podIPs?.map(\.ip) ?? []
        let texts = listed.isEmpty ? [pod.status?.podIP].compactMap(\.self).filter { !$0.isEmpty } : listed
        self.init(
            namespace: name.namespace, name: name.name, labels: pod.metadata.labels ?? [:],
            containers: (sidecars + pod.spec.containers).map(Container.init),
            addresses: try texts.map { text throws(PlaygroundError) in
                guard let address = NetworkAddress(text) else {
                    throw PlaygroundError("Pod \(name): status.podIPs: \(text) is no IP address")
                }
                return address
            },
            netns: pod.metadata.annotations?["weir.dev/netns"])
    }
}

extension PodPlan.Container {
    init(_ container: Resources.Container) {
        self.init(
            name: container.name, command: container.command ?? [], arguments: container.args ?? [],
            environment: (container.env ?? []).map { ($0.name, $0.value ?? "") },
            ports: (container.ports ?? []).filter { $0.protocol == "TCP" }
                .compactMap { UInt16(exactly: $0.containerPort) })
    }
}

extension ServicePlan {
    /// Nil for an ExternalName Service: a hosts file has no aliases for names elsewhere.
    init?(_ name: NamespacedName, _ service: Service) throws(PlaygroundError) {
        guard service.spec.type != "ExternalName" else { return nil }
        let listed = service.spec.clusterIPs ?? []
        let texts = (listed.isEmpty ? [service.spec.clusterIP].compactMap(\.self) : listed).filter { !$0.isEmpty }
        guard texts.first != "None" else {
            self.init(
                namespace: name.namespace, name: name.name, clusterIPs: [],
                headlessSelector: service.spec.selector ?? [:])
            return
        }
        self.init(
            namespace: name.namespace, name: name.name,
            clusterIPs: try texts.map { text throws(PlaygroundError) in
                guard let address = NetworkAddress(text) else {
                    throw PlaygroundError("Service \(name): spec.clusterIPs: \(text) is no IP address")
                }
                return address
            })
    }
}
