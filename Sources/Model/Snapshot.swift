package import HTTPWire

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

    private let indices: [IPAddress: UInt32]

    package init(generation: UInt64, services: [Service], frontends: [Frontend?]) {
        self.generation = generation
        self.services = services.sorted { $0.name < $1.name }
        self.frontends = frontends
        indices = Dictionary(
            frontends.enumerated().compactMap { index, frontend in frontend.map { ($0.address, UInt32(index)) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// For who has them at hand: `services` are sorted by name, and `indices` has every address in `frontends`; it may
    /// have more.
    package init(generation: UInt64, sorted services: [Service], frontends: [Frontend?], indices: [IPAddress: UInt32]) {
        self.generation = generation
        self.services = services
        self.frontends = frontends
        self.indices = indices
    }

    package static let empty = Snapshot(generation: 0, services: [], frontends: [])

    package func service(_ name: ObjectName) -> Service? {
        let index = services.firstIndex(ofServiceNamed: name)
        return index < services.count && services[index].name == name ? services[index] : nil
    }

    /// The frontend that owns a ClusterIP.
    package func frontend(address: IPAddress) -> Frontend? {
        guard let index = indices[address], Int(index) < frontends.count else { return nil }
        return frontends[Int(index)].flatMap { $0.address == address ? $0 : nil }
    }
}

extension [Service] {
    /// Where a Service of that name is, or belongs, in an array sorted by name.
    package func firstIndex(ofServiceNamed name: ObjectName) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if self[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low
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
    /// What the Service's XBackendTrafficPolicy asks for.
    package let trafficPolicy: TrafficPolicy?
    /// Ready endpoints, sorted: all IPv4 ones first; no duplicates.
    package let endpoints: [Endpoint]
    private let firstIPv6: Int

    package init(
        service: ObjectName, port: UInt16, appProtocol: String?, endpoints: [Endpoint],
        trafficPolicy: TrafficPolicy? = nil
    ) {
        self.trafficPolicy = trafficPolicy
        self.service = service
        self.port = port
        self.appProtocol = appProtocol
        var seen: Set<EndpointPlace> = []
        let sorted = endpoints.sorted().filter { seen.insert(EndpointPlace($0)).inserted }
        self.endpoints = sorted
        firstIPv6 = sorted.firstIndex { !$0.address.isIPv4 } ?? sorted.count
    }

    /// The version of HTTP that its endpoints are spoken to with, where the request and its route leave the choice.
    package var httpVersion: HTTPVersion {
        switch appProtocol {
        case "kubernetes.io/h2c", "http2", "grpc": .http2
        default: .http11
        }
    }

    /// The indices of the endpoints that a client may be given that dialled an address of one family: those of that
    /// family, since its pod surely has it; those of the other when there are none. A pod with both has one share.
    package func endpoints(forIPv4 client: Bool) -> Range<Int> {
        let own = client ? 0..<firstIPv6 : firstIPv6..<endpoints.count
        return own.isEmpty ? 0..<endpoints.count : own
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

extension Endpoint: Comparable {
    package static func < (a: Self, b: Self) -> Bool {
        if a.address != b.address { return a.address < b.address }
        if a.port != b.port { return a.port < b.port }
        switch (a.pod, b.pod) {
        case (let own?, let other?): return own < other
        case (.some, nil): return true
        case (nil, _): return false
        }
    }
}

/// What makes two endpoints the same destination, whatever Pod they are said to be.
private struct EndpointPlace: Hashable {
    let address: IPAddress
    let port: UInt16

    init(_ endpoint: Endpoint) {
        address = endpoint.address
        port = endpoint.port
    }
}
