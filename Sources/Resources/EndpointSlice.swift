package struct EndpointSlice: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    /// IPv4, IPv6 or FQDN.
    package var addressType: String
    package var endpoints: [Endpoint]?
    /// Absent or empty: no port at all.
    package var ports: [EndpointPort]?

    package init(
        apiVersion: String = "discovery.k8s.io/v1", kind: String = "EndpointSlice", metadata: ObjectMeta,
        addressType: String, endpoints: [Endpoint]? = nil, ports: [EndpointPort]? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.addressType = addressType
        self.endpoints = endpoints
        self.ports = ports
    }
}

/// One endpoint of an EndpointSlice.
package struct Endpoint: Codable, Hashable, Sendable {
    /// At least one; all are fungible, so a reader may keep to the first.
    package var addresses: [String]
    package var conditions: EndpointConditions?
    package var hostname: String?
    package var nodeName: String?
    package var zone: String?
    package var targetRef: ObjectReference?

    package init(
        addresses: [String], conditions: EndpointConditions? = nil, hostname: String? = nil, nodeName: String? = nil,
        zone: String? = nil, targetRef: ObjectReference? = nil
    ) {
        self.addresses = addresses
        self.conditions = conditions
        self.hostname = hostname
        self.nodeName = nodeName
        self.zone = zone
        self.targetRef = targetRef
    }
}

package struct EndpointConditions: Codable, Hashable, Sendable {
    /// Absent counts as true (discovery.k8s.io/v1).
    package var ready: Bool?
    /// Absent counts as true.
    package var serving: Bool?
    /// Absent counts as false.
    package var terminating: Bool?

    package init(ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil) {
        self.ready = ready
        self.serving = serving
        self.terminating = terminating
    }
}

package struct EndpointPort: Codable, Hashable, Sendable {
    /// The Service port's name; absent or empty for an unnamed one.
    package var name: String?
    package var `protocol`: String
    /// Absent means all ports.
    package var port: Int?
    package var appProtocol: String?

    package init(name: String? = nil, `protocol`: String = "TCP", port: Int? = nil, appProtocol: String? = nil) {
        self.name = name
        self.protocol = `protocol`
        self.port = port
        self.appProtocol = appProtocol
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decodeIfPresent(String.self, forKey: .name)
        `protocol` = try fields.decodeIfPresent(String.self, forKey: .protocol) ?? "TCP"
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
        appProtocol = try fields.decodeIfPresent(String.self, forKey: .appProtocol)
    }
}

package struct ObjectReference: Codable, Hashable, Sendable {
    package var apiVersion: String?
    package var kind: String?
    package var namespace: String?
    package var name: String?
    package var uid: String?
    package var fieldPath: String?

    package init(
        apiVersion: String? = nil, kind: String? = nil, namespace: String? = nil, name: String? = nil,
        uid: String? = nil, fieldPath: String? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.fieldPath = fieldPath
    }
}
