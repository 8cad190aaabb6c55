/// One object of the cluster, of a kind that Weir reads.
package enum Resource: Equatable, Sendable {
    case namespace(Namespace)
    case service(Service)
    case endpointSlice(EndpointSlice)
    case pod(Pod)
    case httpRoute(HTTPRoute)
    case grpcRoute(GRPCRoute)
    case tlsRoute(TLSRoute)
    case tcpRoute(TCPRoute)
    case udpRoute(UDPRoute)
    case referenceGrant(ReferenceGrant)
    case backendTLSPolicy(BackendTLSPolicy)
    case xBackendTrafficPolicy(XBackendTrafficPolicy)
    case xMesh(XMesh)
    /// A kind that is checked and shown, and that nothing here acts on.
    case other(ResourceKind, GenericObject)

    package var kind: ResourceKind {
        switch self {
        case .namespace: .namespace
        case .service: .service
        case .endpointSlice: .endpointSlice
        case .pod: .pod
        case .httpRoute: .httpRoute
        case .grpcRoute: .grpcRoute
        case .tlsRoute: .tlsRoute
        case .tcpRoute: .tcpRoute
        case .udpRoute: .udpRoute
        case .referenceGrant: .referenceGrant
        case .backendTLSPolicy: .backendTLSPolicy
        case .xBackendTrafficPolicy: .xBackendTrafficPolicy
        case .xMesh: .xMesh
        case .other(let kind, _): kind
        }
    }

    package var object: any APIObject {
        switch self {
        case .namespace(let object): object
        case .service(let object): object
        case .endpointSlice(let object): object
        case .pod(let object): object
        case .httpRoute(let object): object
        case .grpcRoute(let object): object
        case .tlsRoute(let object): object
        case .tcpRoute(let object): object
        case .udpRoute(let object): object
        case .referenceGrant(let object): object
        case .backendTLSPolicy(let object): object
        case .xBackendTrafficPolicy(let object): object
        case .xMesh(let object): object
        case .other(_, let object): object
        }
    }

    package var metadata: ObjectMeta {
        get { object.metadata }
        set { self = with(newValue) }
    }

    private func with(_ metadata: ObjectMeta) -> Resource {
        func changed<Object: APIObject>(_ object: Object) -> Object {
            var object = object
            object.metadata = metadata
            return object
        }
        return switch self {
        case .namespace(let object): .namespace(changed(object))
        case .service(let object): .service(changed(object))
        case .endpointSlice(let object): .endpointSlice(changed(object))
        case .pod(let object): .pod(changed(object))
        case .httpRoute(let object): .httpRoute(changed(object))
        case .grpcRoute(let object): .grpcRoute(changed(object))
        case .tlsRoute(let object): .tlsRoute(changed(object))
        case .tcpRoute(let object): .tcpRoute(changed(object))
        case .udpRoute(let object): .udpRoute(changed(object))
        case .referenceGrant(let object): .referenceGrant(changed(object))
        case .backendTLSPolicy(let object): .backendTLSPolicy(changed(object))
        case .xBackendTrafficPolicy(let object): .xBackendTrafficPolicy(changed(object))
        case .xMesh(let object): .xMesh(changed(object))
        case .other(let kind, let object): .other(kind, changed(object))
        }
    }

    package var key: ObjectKey {
        ObjectKey(kind: kind, name: object.name)
    }

    /// Decodes the object of `kind` that `decoder` holds.
    package init(_ kind: ResourceKind, from decoder: any Decoder) throws {
        self =
            switch kind {
            case .namespace: .namespace(try Namespace(from: decoder))
            case .service: .service(try Service(from: decoder))
            case .endpointSlice: .endpointSlice(try EndpointSlice(from: decoder))
            case .pod: .pod(try Pod(from: decoder))
            case .httpRoute: .httpRoute(try HTTPRoute(from: decoder))
            case .grpcRoute: .grpcRoute(try GRPCRoute(from: decoder))
            case .tlsRoute: .tlsRoute(try TLSRoute(from: decoder))
            case .tcpRoute: .tcpRoute(try TCPRoute(from: decoder))
            case .udpRoute: .udpRoute(try UDPRoute(from: decoder))
            case .referenceGrant: .referenceGrant(try ReferenceGrant(from: decoder))
            case .backendTLSPolicy: .backendTLSPolicy(try BackendTLSPolicy(from: decoder))
            case .xBackendTrafficPolicy: .xBackendTrafficPolicy(try XBackendTrafficPolicy(from: decoder))
            case .xMesh: .xMesh(try XMesh(from: decoder))
            case .gateway, .gatewayClass, .listenerSet, .xBackend: .other(kind, try GenericObject(from: decoder))
            }
    }
}

/// Encodes as the API object alone; decoding reads the kind from it.
extension Resource: Codable {
    private enum TypeKeys: String, CodingKey {
        case apiVersion, kind
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: TypeKeys.self)
        let apiVersion = try fields.decode(String.self, forKey: .apiVersion)
        let group = apiVersion.contains("/") ? String(apiVersion.prefix { $0 != "/" }) : ""
        let name = try fields.decode(String.self, forKey: .kind)
        guard let kind = ResourceKind(group: group, kind: name) else {
            throw DecodingError.dataCorruptedError(
                forKey: .kind, in: fields, debugDescription: "unknown kind \(name) of \(apiVersion)")
        }
        try self.init(kind, from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        try object.encode(to: encoder)
    }
}

/// An object kept as it came: its metadata for the inventory, the rest as JSON.
package struct GenericObject: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: JSONValue?
    package var status: JSONValue?

    package init(
        apiVersion: String, kind: String, metadata: ObjectMeta, spec: JSONValue? = nil, status: JSONValue? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}
