/// The parts of a Pod that Weir reads; other fields of the core API are checked and left out, so that their changes
/// are no change here.
package struct Pod: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: PodSpec
    package var status: PodStatus?

    package init(
        apiVersion: String = "v1", kind: String = "Pod", metadata: ObjectMeta, spec: PodSpec,
        status: PodStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct PodSpec: Codable, Hashable, Sendable {
    package var containers: [Container]
    package var initContainers: [Container]?
    package var hostNetwork: Bool?
    package var nodeName: String?
    package var serviceAccountName: String?
    package var hostname: String?
    package var subdomain: String?

    package init(
        containers: [Container], initContainers: [Container]? = nil, hostNetwork: Bool? = nil,
        nodeName: String? = nil, serviceAccountName: String? = nil, hostname: String? = nil, subdomain: String? = nil
    ) {
        self.containers = containers
        self.initContainers = initContainers
        self.hostNetwork = hostNetwork
        self.nodeName = nodeName
        self.serviceAccountName = serviceAccountName
        self.hostname = hostname
        self.subdomain = subdomain
    }
}

package struct Container: Codable, Hashable, Sendable {
    package var name: String
    package var image: String?
    package var command: [String]?
    package var args: [String]?
    package var env: [EnvironmentVariable]?
    package var ports: [ContainerPort]?
    /// `Always` on an init container makes it a sidecar, whose ports count like those of a container.
    package var restartPolicy: String?

    package init(
        name: String, image: String? = nil, command: [String]? = nil, args: [String]? = nil,
        env: [EnvironmentVariable]? = nil, ports: [ContainerPort]? = nil, restartPolicy: String? = nil
    ) {
        self.name = name
        self.image = image
        self.command = command
        self.args = args
        self.env = env
        self.ports = ports
        self.restartPolicy = restartPolicy
    }
}

/// A variable with a literal value; `valueFrom` is left out.
package struct EnvironmentVariable: Codable, Hashable, Sendable {
    package var name: String
    package var value: String?

    package init(name: String, value: String? = nil) {
        self.name = name
        self.value = value
    }
}

package struct ContainerPort: Codable, Hashable, Sendable {
    /// 1...65535.
    package var containerPort: Int
    package var name: String?
    package var `protocol`: String

    package init(containerPort: Int, name: String? = nil, `protocol`: String = "TCP") {
        self.containerPort = containerPort
        self.name = name
        self.protocol = `protocol`
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        containerPort = try fields.decode(Int.self, forKey: .containerPort)
        name = try fields.decodeIfPresent(String.self, forKey: .name)
        `protocol` = try fields.decodeIfPresent(String.self, forKey: .protocol) ?? "TCP"
    }
}

package struct PodStatus: Codable, Hashable, Sendable {
    /// Pending, Running, Succeeded, Failed or Unknown.
    package var phase: String?
    package var conditions: [PodCondition]?
    package var podIP: String?
    package var podIPs: [PodIP]?
    package var hostIP: String?

    package init(
        phase: String? = nil, conditions: [PodCondition]? = nil, podIP: String? = nil, podIPs: [PodIP]? = nil,
        hostIP: String? = nil
    ) {
        self.phase = phase
        self.conditions = conditions
        self.podIP = podIP
        self.podIPs = podIPs
        self.hostIP = hostIP
    }
}

package struct PodCondition: Codable, Hashable, Sendable {
    package var type: String
    /// True, False or Unknown.
    package var status: String

    package init(type: String, status: String) {
        self.type = type
        self.status = status
    }
}

package struct PodIP: Codable, Hashable, Sendable {
    package var ip: String

    package init(ip: String) {
        self.ip = ip
    }
}
