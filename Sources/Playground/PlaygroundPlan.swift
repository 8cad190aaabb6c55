/// What the playground needs to know of a Pod.
package struct PodPlan: Equatable, Sendable {
    package struct Container: Equatable, Sendable {
        package var name: String
        /// `command` and `args` of the manifest; the program is the first word.
        package var command: [String]
        package var arguments: [String]
        /// Variables with a plain value, in the order of the manifest.
        package var environment: [(name: String, value: String)]
        package var directory: String?
        /// TCP containerPorts.
        package var ports: [UInt16]

        package init(
            name: String, command: [String] = [], arguments: [String] = [],
            environment: [(name: String, value: String)] = [], directory: String? = nil, ports: [UInt16] = []
        ) {
            self.name = name
            self.command = command
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
            self.ports = ports
        }

        package static func == (a: Self, b: Self) -> Bool {
            a.name == b.name && a.command == b.command && a.arguments == b.arguments
                && a.environment.elementsEqual(b.environment, by: ==) && a.directory == b.directory
                && a.ports == b.ports
        }
    }

    package var namespace: String
    package var name: String
    package var labels: [String: String]
    package var containers: [Container]
    /// From status.podIPs or status.podIP; empty when the manifest has neither.
    package var addresses: [NetworkAddress]
    /// From the annotation `weir.dev/netns`.
    package var netns: String?

    package init(
        namespace: String, name: String, labels: [String: String] = [:], containers: [Container] = [],
        addresses: [NetworkAddress] = [], netns: String? = nil
    ) {
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.containers = containers
        self.addresses = addresses
        self.netns = netns
    }

    var path: String { "\(namespace)/\(name)" }
}

/// What the playground needs to know of a Service.
package struct ServicePlan: Equatable, Sendable {
    package var namespace: String
    package var name: String
    /// Empty for a headless Service, and for one whose manifest leaves them to an API server.
    package var clusterIPs: [NetworkAddress]
    /// Set for a headless Service that selects pods: its names then stand for the pods' own addresses.
    package var headlessSelector: [String: String]?

    package init(
        namespace: String, name: String, clusterIPs: [NetworkAddress],
        headlessSelector: [String: String]? = nil
    ) {
        self.namespace = namespace
        self.name = name
        self.clusterIPs = clusterIPs
        self.headlessSelector = headlessSelector
    }
}

/// Where each pod of a playground will be. Pure: nothing has been made yet.
package struct PlaygroundPlan: Equatable, Sendable {
    /// A pod with every choice made.
    package struct Placed: Equatable, Sendable {
        package var pod: PodPlan
        package var addresses: [NetworkAddress]
        package var netns: String
        /// The text of its /etc/hosts.
        package var hosts: String
    }

    /// Ordered by namespace and name.
    package let pods: [Placed]
    /// What the user should know: one line each.
    package let notes: [String]

    /// - Throws: PlaygroundError, when there is no pod, or two pods claim one name, address or network namespace.
    package init(pods: [PodPlan], services: [ServicePlan]) throws(PlaygroundError) {
        guard !pods.isEmpty else { throw PlaygroundError("the manifests hold no Pod") }
        let ordered = pods.sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
        var owners: [NetworkAddress: String] = [:]
        for service in services {
            for address in service.clusterIPs {
                owners[address] = "Service \(service.namespace)/\(service.name)"
            }
        }
        for pod in ordered {
            for address in pod.addresses {
                if let owner = owners.updateValue("Pod \(pod.path)", forKey: address) {
                    throw PlaygroundError("\(address) is the address of both \(owner) and Pod \(pod.path)")
                }
            }
        }
        var files: [String: String] = [:]
        var placed: [Placed] = []
        var notes: [String] = []
        var next = 0
        for pod in ordered {
            let netns = pod.netns ?? "/run/netns/\(pod.namespace)-\(pod.name)"
            guard netns.hasPrefix("/"), !netns.hasSuffix("/"), !netns.contains("\n") else {
                throw PlaygroundError(
                    "Pod \(pod.path): metadata.annotations[weir.dev/netns]: \(netns) is not the absolute path of a file"
                )
            }
            if let other = files.updateValue(pod.path, forKey: netns) {
                throw PlaygroundError(
                    other == pod.path
                        ? "Pod \(pod.path) is there twice"
                        : "Pods \(other) and \(pod.path) would share the network namespace \(netns); give one of them "
                            + "the annotation weir.dev/netns with another file")
            }
            let addresses =
                pod.addresses.isEmpty ? Self.allocate(&next, owners: &owners, pod: pod.path) : pod.addresses
            placed.append(Placed(pod: pod, addresses: addresses, netns: netns, hosts: ""))
            notes += Self.additions(to: pod, netns: netns, addresses: addresses)
        }
        for service in services where service.clusterIPs.isEmpty && service.headlessSelector == nil {
            notes.append(
                "Service \(service.namespace)/\(service.name) has no clusterIP, so its name resolves in no pod; "
                    + "add spec.clusterIP")
        }
        for index in placed.indices {
            placed[index].hosts = HostsFile(for: placed[index], among: placed, services: services).text
        }
        self.pods = placed
        self.notes = notes
    }

    /// The next free pair from 10.244.0.0/16 and fd00:10:244::/64, host numbers 2 to 251 of each /24.
    private static func allocate(
        _ next: inout Int, owners: inout [NetworkAddress: String], pod: String
    ) -> [NetworkAddress] {
        while true {
            let block = UInt8(truncatingIfNeeded: next / 250)
            let host = UInt8(next % 250 + 2)
            next += 1
            let pair = [
                [10, 244, block, host], [0xfd, 0, 0, 0x10, 2, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, block, host],
            ].compactMap { NetworkAddress(bytes: $0) }
            if pair.allSatisfy({ owners[$0] == nil }) {
                for address in pair { owners[address] = "Pod \(pod)" }
                return pair
            }
        }
    }

    /// What a Pod's manifest lacks for an agent that reads the same folder: the playground never edits it.
    private static func additions(to pod: PodPlan, netns: String, addresses: [NetworkAddress]) -> [String] {
        var missing: [String] = []
        if pod.netns == nil {
            missing.append("metadata: {annotations: {weir.dev/netns: \(netns)}}")
        }
        if pod.addresses.isEmpty {
            let list = addresses.map { "{ip: \"\($0)\"}" }.joined(separator: ", ")
            missing.append("status: {podIP: \(addresses[0]), podIPs: [\(list)]}")
        }
        guard !missing.isEmpty else { return [] }
        return ["Pod \(pod.path): for an agent on the same folder, add " + missing.joined(separator: " and ")]
    }
}
