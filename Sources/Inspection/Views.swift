/// One Pod of the manifests, as `weir pods` shows it.
package struct PodView: Codable, Sendable, Equatable {
    package var namespace: String
    package var name: String
    package var enrolled: Bool
    /// `enrolled`, `not-labelled`, `opted-out`, `no-netns`, `waiting`, `failed`, `redirect-off`.
    package var state: String
    package var message: String?
    package var netns: String?
    /// The network namespace's cookie, by which the kernel programs know the pod.
    package var cookie: UInt64?
    package var addresses: [String]
    package var enrolMilliseconds: Double?

    package init(
        namespace: String, name: String, enrolled: Bool, state: String, message: String? = nil, netns: String? = nil,
        cookie: UInt64? = nil, addresses: [String] = [], enrolMilliseconds: Double? = nil
    ) {
        self.namespace = namespace
        self.name = name
        self.enrolled = enrolled
        self.state = state
        self.message = message
        self.netns = netns
        self.cookie = cookie
        self.addresses = addresses
        self.enrolMilliseconds = enrolMilliseconds
    }
}

/// One Service with what Weir does for each of its ports.
package struct ServiceView: Codable, Sendable, Equatable {
    package struct Address: Codable, Sendable, Equatable {
        package var address: String
        /// The index that stands for the address in 127.64.0.0/10 and fdc0:6d65:7368::/64.
        package var index: UInt32

        package init(address: String, index: UInt32) {
            self.address = address
            self.index = index
        }
    }

    package struct Port: Codable, Sendable, Equatable {
        package var name: String?
        package var port: UInt16
        package var `protocol`: String
        package var appProtocol: String?
        /// The kind of routes in force for all clients, and their names.
        package var producer: [String]
        /// Routes in force for clients of one namespace only, by that namespace.
        package var consumers: [String: [String]]
        package var endpoints: Int

        package init(
            name: String?, port: UInt16, protocol: String, appProtocol: String?, producer: [String],
            consumers: [String: [String]], endpoints: Int
        ) {
            self.name = name
            self.port = port
            self.protocol = `protocol`
            self.appProtocol = appProtocol
            self.producer = producer
            self.consumers = consumers
            self.endpoints = endpoints
        }
    }

    package var namespace: String
    package var name: String
    package var addresses: [Address]
    package var ports: [Port]

    package init(namespace: String, name: String, addresses: [Address], ports: [Port]) {
        self.namespace = namespace
        self.name = name
        self.addresses = addresses
        self.ports = ports
    }
}

/// One endpoint of one Service port.
package struct EndpointView: Codable, Sendable, Equatable {
    package var namespace: String
    package var service: String
    package var port: UInt16
    package var address: String
    package var endpointPort: UInt16
    package var pod: String?

    package init(
        namespace: String, service: String, port: UInt16, address: String, endpointPort: UInt16, pod: String?
    ) {
        self.namespace = namespace
        self.service = service
        self.port = port
        self.address = address
        self.endpointPort = endpointPort
        self.pod = pod
    }
}

package struct VersionView: Codable, Sendable, Equatable {
    package var version: String
    /// nil when no agent answers.
    package var agent: String?

    package init(version: String, agent: String?) {
        self.version = version
        self.agent = agent
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(agent, forKey: .agent)
    }
}
