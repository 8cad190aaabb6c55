/// Everything a request's fate depends on, made by `Compiler` and never changed afterwards.
///
/// The kernel tables, the proxy, the statuses and `weir explain` read the same snapshot, so they cannot disagree.
/// Unchanged services keep the identity of their `ServicePort`, `RouteTable` and `Backend` objects from one snapshot
/// to the next; a reader may compare by `===` to find what changed.
package final class Snapshot: Sendable {
    /// Counts up by one with each compile whose outcome differs; 0 is the empty snapshot before the first.
    package let generation: UInt64
    /// Sorted by name.
    package let services: [Service]
    /// Frontend addresses by their kernel index (the low bits of 127.64.0.0/10 or fdc0:6d65:7368::/64); nil where an
    /// index is free or still in quarantine. An address keeps its index for as long as a Service has it.
    package let frontends: [Frontend?]

    private let byName: [ObjectName: Int]
    private let byAddress: [IPAddress: Int]

    package init(generation: UInt64, services: [Service], frontends: [Frontend?]) {
        self.generation = generation
        self.services = services
        self.frontends = frontends
        byName = Dictionary(uniqueKeysWithValues: services.enumerated().map { ($1.name, $0) })
        byAddress = Dictionary(
            frontends.enumerated().compactMap { index, frontend in frontend.map { ($0.address, index) } },
            uniquingKeysWith: { first, _ in first })
    }

    package static let empty = Snapshot(generation: 0, services: [], frontends: [])

    package func service(_ name: ObjectName) -> Service? {
        byName[name].map { services[$0] }
    }

    /// The frontend that owns a ClusterIP.
    package func frontend(address: IPAddress) -> Frontend? {
        byAddress[address].flatMap { frontends[$0] }
    }
}

/// One ClusterIP of one Service.
package struct Frontend: Sendable {
    package let index: UInt32
    package let address: IPAddress
    package let service: Service

    package init(index: UInt32, address: IPAddress, service: Service) {
        self.index = index
        self.address = address
        self.service = service
    }
}

/// A Service as clients call it (the frontend facet) with its ports.
package final class Service: Sendable {
    package let name: ObjectName
    package let ports: [ServicePort]

    package init(name: ObjectName, ports: [ServicePort]) {
        self.name = name
        self.ports = ports
    }

    package func port(_ number: UInt16) -> ServicePort? {
        ports.first { $0.port == number && $0.transport == .tcp } ?? ports.first { $0.port == number }
    }
}

package enum Transport: String, Sendable, Codable {
    case tcp = "TCP"
    case udp = "UDP"
    case sctp = "SCTP"
}

/// One port of a Service: what is forwarded when no route claims it, and the route groups that claim it (GEP-1294).
package final class ServicePort: Sendable {
    package let service: ObjectName
    package let name: String?
    package let port: UInt16
    package let transport: Transport
    package let appProtocol: String?
    /// The Service's own endpoints: where traffic goes that no route claims.
    package let plain: Backend
    /// Routes of the Service's own namespace; they hold for every client.
    package let producer: RouteTable?
    /// Routes of other namespaces, by that namespace; they hold for clients there, instead of the producer's.
    package let consumers: [String: RouteTable]

    package init(
        service: ObjectName, name: String?, port: UInt16, transport: Transport, appProtocol: String?, plain: Backend,
        producer: RouteTable?, consumers: [String: RouteTable]
    ) {
        self.service = service
        self.name = name
        self.port = port
        self.transport = transport
        self.appProtocol = appProtocol
        self.plain = plain
        self.producer = producer
        self.consumers = consumers
    }

    /// The routes that hold for a client of `namespace`; nil when its connections are to be forwarded plainly.
    package func routes(forClientIn namespace: String) -> RouteTable? {
        consumers.isEmpty ? producer : consumers[namespace] ?? producer
    }
}

/// A Service port as a destination (the backend facet): its endpoints that are ready.
package final class Backend: Sendable {
    package let service: ObjectName
    package let port: UInt16
    package let appProtocol: String?
    /// Ready endpoints, sorted; no duplicates.
    package let endpoints: [Endpoint]

    package init(service: ObjectName, port: UInt16, appProtocol: String?, endpoints: [Endpoint]) {
        self.service = service
        self.port = port
        self.appProtocol = appProtocol
        self.endpoints = endpoints
    }
}

package struct Endpoint: Hashable, Sendable {
    package let address: IPAddress
    package let port: UInt16
    /// The Pod behind it, where the EndpointSlice says so. For people; routing ignores it.
    package let pod: ObjectName?

    package init(address: IPAddress, port: UInt16, pod: ObjectName?) {
        self.address = address
        self.port = port
        self.pod = pod
    }
}
