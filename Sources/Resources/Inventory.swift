/// What a watch reports.
package enum Event: Equatable, Sendable {
    case upsert(Resource)
    case delete(ObjectKey)
    /// Applied in order, as one change.
    case batch([Event])
}

/// What differs in an inventory after an event.
package struct Changes: Equatable, Sendable {
    /// Objects that were added, that went, or whose value differs.
    package var objects: Set<ObjectKey>
    /// Services whose `endpointSlices(for:)` may give another answer.
    package var endpoints: Set<NamespacedName>

    package init(objects: Set<ObjectKey> = [], endpoints: Set<NamespacedName> = []) {
        self.objects = objects
        self.endpoints = endpoints
    }

    package var isEmpty: Bool {
        objects.isEmpty && endpoints.isEmpty
    }

    package mutating func formUnion(_ other: Changes) {
        objects.formUnion(other.objects)
        endpoints.formUnion(other.endpoints)
    }
}

/// All objects of the cluster that Weir reads, by kind and name. A value: what it holds is the sum of the events.
package struct Inventory: Sendable {
    package private(set) var namespaces: [NamespacedName: Namespace] = [:]
    package private(set) var services: [NamespacedName: Service] = [:]
    package private(set) var endpointSlices: [NamespacedName: EndpointSlice] = [:]
    package private(set) var pods: [NamespacedName: Pod] = [:]
    package private(set) var httpRoutes: [NamespacedName: HTTPRoute] = [:]
    package private(set) var grpcRoutes: [NamespacedName: GRPCRoute] = [:]
    package private(set) var tlsRoutes: [NamespacedName: TLSRoute] = [:]
    package private(set) var tcpRoutes: [NamespacedName: TCPRoute] = [:]
    package private(set) var udpRoutes: [NamespacedName: UDPRoute] = [:]
    package private(set) var referenceGrants: [NamespacedName: ReferenceGrant] = [:]
    package private(set) var backendTLSPolicies: [NamespacedName: BackendTLSPolicy] = [:]
    package private(set) var xBackendTrafficPolicies: [NamespacedName: XBackendTrafficPolicy] = [:]
    package private(set) var xMeshes: [NamespacedName: XMesh] = [:]
    /// Kinds that nothing here acts on.
    package private(set) var others: [ObjectKey: GenericObject] = [:]

    private var endpointIndex = EndpointIndex()

    package init() {}

    /// Takes the event in and says what differs. An upsert of an equal object changes nothing.
    package mutating func apply(_ event: Event) -> Changes {
        switch event {
        case .upsert(let resource): upsert(resource)
        case .delete(let key): delete(key)
        case .batch(let events):
            events.reduce(into: Changes()) { $0.formUnion(apply($1)) }
        }
    }

    private mutating func upsert(_ resource: Resource) -> Changes {
        let key = resource.key
        let name = key.name
        var endpoints: Set<NamespacedName> = []
        let changed =
            switch resource {
            case .namespace(let object): Self.replace(&namespaces[name], by: object)
            case .service(let object): replaceService(name, by: object, &endpoints)
            case .endpointSlice(let object): replaceSlice(name, by: object, &endpoints)
            case .pod(let object): replacePod(name, by: object, &endpoints)
            case .httpRoute(let object): Self.replace(&httpRoutes[name], by: object)
            case .grpcRoute(let object): Self.replace(&grpcRoutes[name], by: object)
            case .tlsRoute(let object): Self.replace(&tlsRoutes[name], by: object)
            case .tcpRoute(let object): Self.replace(&tcpRoutes[name], by: object)
            case .udpRoute(let object): Self.replace(&udpRoutes[name], by: object)
            case .referenceGrant(let object): Self.replace(&referenceGrants[name], by: object)
            case .backendTLSPolicy(let object): Self.replace(&backendTLSPolicies[name], by: object)
            case .xBackendTrafficPolicy(let object): Self.replace(&xBackendTrafficPolicies[name], by: object)
            case .xMesh(let object): Self.replace(&xMeshes[name], by: object)
            case .other(_, let object): Self.replace(&others[key], by: object)
            }
        return Changes(objects: changed ? [key] : [], endpoints: endpoints)
    }

    private mutating func delete(_ key: ObjectKey) -> Changes {
        let name = key.name
        var endpoints: Set<NamespacedName> = []
        let changed =
            switch key.kind {
            case .namespace: Self.replace(&namespaces[name], by: nil)
            case .service: replaceService(name, by: nil, &endpoints)
            case .endpointSlice: replaceSlice(name, by: nil, &endpoints)
            case .pod: replacePod(name, by: nil, &endpoints)
            case .httpRoute: Self.replace(&httpRoutes[name], by: nil)
            case .grpcRoute: Self.replace(&grpcRoutes[name], by: nil)
            case .tlsRoute: Self.replace(&tlsRoutes[name], by: nil)
            case .tcpRoute: Self.replace(&tcpRoutes[name], by: nil)
            case .udpRoute: Self.replace(&udpRoutes[name], by: nil)
            case .referenceGrant: Self.replace(&referenceGrants[name], by: nil)
            case .backendTLSPolicy: Self.replace(&backendTLSPolicies[name], by: nil)
            case .xBackendTrafficPolicy: Self.replace(&xBackendTrafficPolicies[name], by: nil)
            case .xMesh: Self.replace(&xMeshes[name], by: nil)
            case .gateway, .gatewayClass, .listenerSet, .xBackend: Self.replace(&others[key], by: nil)
            }
        return Changes(objects: changed ? [key] : [], endpoints: endpoints)
    }

    private static func replace<Object: Equatable>(_ slot: inout Object?, by object: Object?) -> Bool {
        guard slot != object else { return false }
        slot = object
        return true
    }

    private mutating func replaceService(
        _ name: NamespacedName, by service: Service?, _ endpoints: inout Set<NamespacedName>
    ) -> Bool {
        guard Self.replace(&services[name], by: service) else { return false }
        endpointIndex.replaceService(name, by: service)
        endpoints.insert(name)
        return true
    }

    private mutating func replaceSlice(
        _ name: NamespacedName, by slice: EndpointSlice?, _ endpoints: inout Set<NamespacedName>
    ) -> Bool {
        let old = endpointSlices[name]
        guard Self.replace(&endpointSlices[name], by: slice) else { return false }
        endpointIndex.replaceSlice(name, old: old, new: slice)
        for owner in [old?.serviceName, slice?.serviceName] {
            if let owner { endpoints.insert(owner) }
        }
        return true
    }

    private mutating func replacePod(
        _ name: NamespacedName, by pod: Pod?, _ endpoints: inout Set<NamespacedName>
    ) -> Bool {
        let old = pods[name]
        guard Self.replace(&pods[name], by: pod) else { return false }
        endpointIndex.replacePod(name, by: pod)
        for service in endpointIndex.selectingServices(in: name.namespace) {
            guard let selector = services[service]?.spec.selector else { continue }
            if old?.matches(selector) == true || pod?.matches(selector) == true { endpoints.insert(service) }
        }
        return true
    }

    /// The EndpointSlices of `service`: those that name it by the label `kubernetes.io/service-name`, or, when there
    /// is none and the Service has a selector, what the endpoints controller would write for the Pods that it selects.
    /// Sorted by name.
    package func endpointSlices(for service: Service) -> [EndpointSlice] {
        let written = endpointIndex.slices(of: service.name).sorted().compactMap { endpointSlices[$0] }
        guard written.isEmpty, let selector = service.spec.selector, !selector.isEmpty else { return written }
        let selected = endpointIndex.pods(in: service.name.namespace).compactMap { pods[$0] }
            .filter { $0.matches(selector) }
        return derivedEndpointSlices(for: service, selected: selected)
    }
}

/// Which slices, Pods and Services belong together, so that a change of one Pod costs no walk over the cluster.
private struct EndpointIndex {
    private var slicesByService: [NamespacedName: Set<NamespacedName>] = [:]
    private var podsByNamespace: [String: Set<NamespacedName>] = [:]
    private var selectingByNamespace: [String: Set<NamespacedName>] = [:]

    func slices(of service: NamespacedName) -> Set<NamespacedName> { slicesByService[service] ?? [] }
    func pods(in namespace: String) -> Set<NamespacedName> { podsByNamespace[namespace] ?? [] }
    func selectingServices(in namespace: String) -> Set<NamespacedName> { selectingByNamespace[namespace] ?? [] }

    mutating func replaceService(_ name: NamespacedName, by service: Service?) {
        let selects = service?.spec.selector?.isEmpty == false
        Self.set(name, in: &selectingByNamespace[name.namespace], selects)
    }

    mutating func replaceSlice(_ name: NamespacedName, old: EndpointSlice?, new: EndpointSlice?) {
        if let owner = old?.serviceName { Self.set(name, in: &slicesByService[owner], false) }
        if let owner = new?.serviceName { Self.set(name, in: &slicesByService[owner], true) }
    }

    mutating func replacePod(_ name: NamespacedName, by pod: Pod?) {
        Self.set(name, in: &podsByNamespace[name.namespace], pod != nil)
    }

    private static func set(_ name: NamespacedName, in names: inout Set<NamespacedName>?, _ present: Bool) {
        if present {
            names = names ?? []
            names?.insert(name)
        } else {
            names?.remove(name)
            if names?.isEmpty == true { names = nil }
        }
    }
}

extension EndpointSlice {
    /// The Service that the slice belongs to, by its label; nil without the label.
    package var serviceName: NamespacedName? {
        metadata.labels?["kubernetes.io/service-name"].map {
            NamespacedName(namespace: metadata.namespace ?? "", name: $0)
        }
    }
}
