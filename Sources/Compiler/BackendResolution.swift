import Model
import Resources

/// The backends of the cluster by Service and port. Unchanged ones keep their identity.
struct BackendTable {
    struct Key: Hashable {
        let service: ObjectName
        let port: UInt16
        let transport: Transport
    }

    private(set) var backends: [Key: Backend] = [:]
    private var ports: [ObjectName: [Key]] = [:]

    /// Brings the backends of one Service up to date; true when any differs from before.
    mutating func refresh(_ name: ObjectName, in inventory: Inventory, policy: TrafficPolicy?) -> Bool {
        let old = ports.removeValue(forKey: name) ?? []
        var changed = false
        var keys: [Key] = []
        if let service = inventory.services[NamespacedName(name)],
            service.spec.type != "ExternalName"
        {
            let slices = inventory.endpointSlices(for: service)
            for port in service.spec.ports ?? [] {
                guard let number = UInt16(exactly: port.port), let transport = Transport(rawValue: port.protocol) else {
                    continue
                }
                let key = Key(service: name, port: number, transport: transport)
                let new = Backend(
                    service: name, port: number, appProtocol: port.appProtocol,
                    endpoints: servingEndpoints(of: port, in: slices), trafficPolicy: policy)
                keys.append(key)
                if let known = backends[key], known.endpoints == new.endpoints, known.appProtocol == new.appProtocol,
                    known.trafficPolicy == new.trafficPolicy
                {
                    continue
                }
                backends[key] = new
                changed = true
            }
        }
        for key in old where !keys.contains(key) {
            backends[key] = nil
            changed = true
        }
        if !keys.isEmpty { ports[name] = keys }
        return changed
    }

    subscript(service: ObjectName, port: UInt16, transport: Transport) -> Backend? {
        backends[Key(service: service, port: port, transport: transport)]
    }
}

/// What the backendRefs of all kinds of routes have in common.
struct BackendReference {
    let group: String
    let kind: String
    let name: ObjectName
    let port: Int?

    init<Filter>(_ ref: FilteredBackendRef<Filter>, of route: ObjectName) {
        self.init(ref.group, ref.kind, ref.namespace, ref.name, ref.port, route)
    }

    init(_ ref: BackendObjectReference, of route: ObjectName) {
        self.init(ref.group, ref.kind, ref.namespace, ref.name, ref.port, route)
    }

    init(_ ref: BackendRef, of route: ObjectName) {
        self.init(ref.group, ref.kind, ref.namespace, ref.name, ref.port, route)
    }

    private init(
        _ group: String, _ kind: String, _ namespace: String?, _ name: String, _ port: Int?, _ route: ObjectName
    ) {
        self.group = group
        self.kind = kind
        self.name = ObjectName(namespace: namespace ?? route.namespace, name: name)
        self.port = port
    }
}

/// What a backendRef leads to: a backend, or the reason and the words for its share's 500 and for ResolvedRefs.
enum ResolvedBackend {
    case backend(Backend)
    case invalid(Model.Reason, Verdict)

    /// Whether a backend of this appProtocol can be spoken to. The proxy speaks no TLS to backends, and gRPC does not
    /// go through WebSocket; names that it does not know say nothing (KEP-3726), and `Backend.httpVersion` reads
    /// the others.
    private static func isServed(_ appProtocol: String, in kind: RouteKind) -> Bool {
        switch appProtocol {
        case "kubernetes.io/wss", "https": kind != .http && kind != .grpc
        case "kubernetes.io/ws": kind != .grpc
        default: true
        }
    }

    /// Routes of any namespace may name a Service of any other without a ReferenceGrant: a mesh route exposes nothing
    /// that its client could not reach by itself (GEP-1294). The upstream socket is the client pod's own, so
    /// NetworkPolicy still judges the pod.
    init(_ ref: BackendReference, in kind: RouteKind, inventory: Inventory, backends: BackendTable) {
        let name = ref.name
        func notFound(_ message: String) -> ResolvedBackend {
            .invalid(.backendNotFound, Verdict(.backendNotFound, message))
        }
        guard ref.group.isEmpty, ref.kind == "Service" else {
            let kind = ref.group.isEmpty ? ref.kind : "\(ref.kind).\(ref.group)"
            self = .invalid(.backendKindInvalid, Verdict(.invalidKind, "a \(kind) cannot be a backend: \(name)"))
            return
        }
        guard let service = inventory.services[NamespacedName(name)] else {
            self = notFound("Service \(name) does not exist")
            return
        }
        if service.spec.type == "ExternalName" {
            self = notFound("Service \(name) is of type ExternalName, which cannot be a backend")
            return
        }
        guard let number = ref.port else {
            self = notFound("a backendRef to a Service needs a port: \(name)")
            return
        }
        let transport: Transport = kind == .udp ? .udp : .tcp
        guard let port = UInt16(exactly: number), let backend = backends[name, port, transport] else {
            self = notFound("Service \(name) has no \(transport.rawValue) port \(number)")
            return
        }
        if let appProtocol = backend.appProtocol, !Self.isServed(appProtocol, in: kind) {
            self = .invalid(
                .backendProtocolUnsupported,
                Verdict(
                    .unsupportedProtocol,
                    "appProtocol \(appProtocol) of Service \(name) port \(port) is not served to \(kind.rawValue)s"))
            return
        }
        self = .backend(backend)
    }
}

/// The references of one route that lead nowhere, as its ResolvedRefs condition tells them.
struct UnresolvedReferences {
    private var first: Verdict?
    private var messages: [String] = []

    mutating func add(_ verdict: Verdict, at field: String) {
        if first == nil { first = verdict }
        messages.append("\(field): \(verdict.message)")
    }

    /// The first one's reason and all of them in words; nil when every reference resolves.
    var verdict: Verdict? {
        first.map { Verdict($0.reason, messages.joined(separator: "; ")) }
    }
}
