/// The parts of a Service that routing reads; other fields of the core API are checked and left out.
package struct Service: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: ServiceSpec

    package init(apiVersion: String = "v1", kind: String = "Service", metadata: ObjectMeta, spec: ServiceSpec) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
    }
}

package struct ServiceSpec: Codable, Hashable, Sendable {
    /// ClusterIP, NodePort, LoadBalancer or ExternalName.
    package var type: String
    /// Which Pods are its endpoints; absent or empty means that somebody else writes its EndpointSlices.
    package var selector: [String: String]?
    /// `None` when headless; absent or empty when none has been given to it.
    package var clusterIP: String?
    package var clusterIPs: [String]?
    package var ipFamilies: [String]?
    package var ipFamilyPolicy: String?
    package var externalName: String?
    package var ports: [ServicePort]?
    package var publishNotReadyAddresses: Bool?
    package var sessionAffinity: String?

    package init(
        type: String = "ClusterIP", selector: [String: String]? = nil, clusterIP: String? = nil,
        clusterIPs: [String]? = nil, ipFamilies: [String]? = nil, ipFamilyPolicy: String? = nil,
        externalName: String? = nil, ports: [ServicePort]? = nil, publishNotReadyAddresses: Bool? = nil,
        sessionAffinity: String? = nil
    ) {
        self.type = type
        self.selector = selector
        self.clusterIP = clusterIP
        self.clusterIPs = clusterIPs
        self.ipFamilies = ipFamilies
        self.ipFamilyPolicy = ipFamilyPolicy
        self.externalName = externalName
        self.ports = ports
        self.publishNotReadyAddresses = publishNotReadyAddresses
        self.sessionAffinity = sessionAffinity
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        type = try fields.decodeIfPresent(String.self, forKey: .type) ?? "ClusterIP"
        selector = try fields.decodeIfPresent([String: String].self, forKey: .selector)
        clusterIP = try fields.decodeIfPresent(String.self, forKey: .clusterIP)
        clusterIPs = try fields.decodeIfPresent([String].self, forKey: .clusterIPs)
        ipFamilies = try fields.decodeIfPresent([String].self, forKey: .ipFamilies)
        ipFamilyPolicy = try fields.decodeIfPresent(String.self, forKey: .ipFamilyPolicy)
        externalName = try fields.decodeIfPresent(String.self, forKey: .externalName)
        ports = try fields.decodeIfPresent([ServicePort].self, forKey: .ports)
        publishNotReadyAddresses = try fields.decodeIfPresent(Bool.self, forKey: .publishNotReadyAddresses)
        sessionAffinity = try fields.decodeIfPresent(String.self, forKey: .sessionAffinity)
    }
}

package struct ServicePort: Codable, Hashable, Sendable {
    /// Absent only when the Service has a single port.
    package var name: String?
    /// TCP, UDP or SCTP.
    package var `protocol`: String
    /// 1...65535.
    package var port: Int
    /// The port on the Pod, by number or by a container port's name; absent means `port`.
    package var targetPort: IntOrString?
    package var nodePort: Int?
    package var appProtocol: String?

    package init(
        name: String? = nil, `protocol`: String = "TCP", port: Int, targetPort: IntOrString? = nil,
        nodePort: Int? = nil, appProtocol: String? = nil
    ) {
        self.name = name
        self.protocol = `protocol`
        self.port = port
        self.targetPort = targetPort
        self.nodePort = nodePort
        self.appProtocol = appProtocol
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decodeIfPresent(String.self, forKey: .name)
        `protocol` = try fields.decodeIfPresent(String.self, forKey: .protocol) ?? "TCP"
        port = try fields.decode(Int.self, forKey: .port)
        targetPort = try fields.decodeIfPresent(IntOrString.self, forKey: .targetPort)
        nodePort = try fields.decodeIfPresent(Int.self, forKey: .nodePort)
        appProtocol = try fields.decodeIfPresent(String.self, forKey: .appProtocol)
    }
}
