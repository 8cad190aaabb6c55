import Foundation
import HTTPWire
import Model
import Proxy
import Reactor
import Testing

/// A proxy with one plain listener, and the snapshot it serves: Service `default/echo` port 80, and what routes a test gives.
final class Mesh: Sendable {
    let proxy: Proxy
    let port: UInt16

    /// Servers whose last use in a test is their port.
    private let servers: [any AnyObject & Sendable]

    static let service = ObjectName(namespace: "default", name: "echo")

    init(
        backends: [UInt16] = [], rules: [RouteTableEntry]? = nil, consumers: [String: [RouteTableEntry]] = [:],
        clientNamespace: String = "default", configure: (inout ProxyConfiguration) -> Void = { _ in }
    ) throws {
        servers = LivingServers.shared.take()
        var configuration = ProxyConfiguration()
        configure(&configuration)
        proxy = try Proxy(configuration)
        try proxy.start()
        port = try proxy.listen(
            address: IPAddress(v4: 0x7f00_0001), port: 0, service: Self.service, servicePort: 80,
            clientNamespace: clientNamespace)
        publish(1, backends: backends, rules: rules, consumers: consumers)
    }

    /// All requests go to these endpoints, in the version of HTTP given.
    convenience init(
        _ version: HTTPVersion, _ ports: [UInt16], filters: [Filter] = [], timeout: Double? = nil,
        backendTimeout: Double? = nil, configure: (inout ProxyConfiguration) -> Void = { _ in }
    ) throws {
        try self.init(
            rules: forward(
                weighted("echo", ports, version, filters: filters), timeout: timeout, backendTimeout: backendTimeout),
            configure: configure)
    }

    deinit { proxy.stop() }

    /// Publishes and waits until it is served.
    func publish(
        _ generation: UInt64, backends: [UInt16] = [], rules: [RouteTableEntry]? = nil,
        consumers: [String: [RouteTableEntry]] = [:]
    ) {
        proxy.publish(Self.snapshot(generation, backends: backends, rules: rules, consumers: consumers))
        #expect(proxy.waitUntilAcknowledged(generation, deadline: .now + .seconds(5)))
    }

    static func snapshot(
        _ generation: UInt64, backends: [UInt16], rules: [RouteTableEntry]?,
        consumers: [String: [RouteTableEntry]] = [:], port number: UInt16 = 80, index: Int = 0
    ) -> Snapshot {
        func table(_ group: RouteGroup, _ entries: [RouteTableEntry]) -> RouteTable {
            RouteTable(kind: .http, group: group, service: service, port: number, entries: entries)
        }
        let port = ServicePort(
            service: service, name: "http", port: number, transport: .tcp, appProtocol: nil,
            plain: backend("echo", backends), producer: rules.map { table(.producer, $0) },
            consumers: Dictionary(
                uniqueKeysWithValues: consumers.map { ($0, table(.consumer(namespace: $0), $1)) }))
        let echo = Service(name: service, ports: [port])
        let frontend = Frontend(index: UInt32(index), address: IPAddress(v4: 0x0a60_0001), service: echo)
        return Snapshot(
            generation: generation, services: [echo], frontends: Array(repeating: nil, count: index) + [frontend])
    }

    /// A connection to the listener.
    func connect(receiveBuffer: Int32? = nil) throws -> Wire { try Wire(port: port, receiveBuffer: receiveBuffer) }

    func counters() -> ProxyCounters { proxy.counters() }

    /// Waits for a condition on the counters.
    func expect(
        _ what: Comment? = nil, within seconds: Double = 5, sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (ProxyCounters) -> Bool
    ) {
        let deadline = Clock.now() + UInt64(seconds * 1e9)
        while !condition(counters()) {
            if Clock.now() > deadline {
                Issue.record(what ?? "counters: \(counters())", sourceLocation: sourceLocation)
                return
            }
            usleep(2000)
        }
    }
}

func backend(_ name: String, _ ports: [UInt16], _ version: HTTPVersion = .http11, ipv6: Bool = false) -> Backend {
    Backend(
        service: ObjectName(namespace: "default", name: name), port: 80,
        appProtocol: version == .http2 ? "kubernetes.io/h2c" : nil,
        endpoints: ports.sorted().map {
            Endpoint(
                address: ipv6 ? IPAddress(high: 0, low: 1) : IPAddress(v4: 0x7f00_0001), port: $0, pod: nil)
        })
}

func weighted(
    _ name: String, _ ports: [UInt16], _ version: HTTPVersion = .http11, weight: UInt32 = 1, filters: [Filter] = []
) -> WeightedBackend {
    WeightedBackend(
        service: ObjectName(namespace: "default", name: name), port: 80, weight: weight,
        target: .backend(backend(name, ports, version)), filters: filters)
}

func rule(
    _ index: Int = 0, _ matches: [RouteMatch] = [], _ action: RuleAction, filters: [Filter] = [],
    timeout: Double? = nil, backendTimeout: Double? = nil
) -> RouteTableEntry {
    RouteTableEntry(
        rule: Rule(
            route: RouteReference(kind: .http, name: ObjectName(namespace: "default", name: "route")), index: index,
            name: nil, action: action, filters: filters,
            timeouts: Timeouts(
                request: timeout.map { UInt64($0 * 1e9) }, backendRequest: backendTimeout.map { UInt64($0 * 1e9) })),
        matches: matches, creationTimestamp: nil)
}

/// A rule for all requests.
func forward(
    _ backends: WeightedBackend..., filters: [Filter] = [], timeout: Double? = nil, backendTimeout: Double? = nil
)
    -> [RouteTableEntry]
{
    [
        rule(0, [], .forward(Backends(backends)), filters: filters, timeout: timeout, backendTimeout: backendTimeout)
    ]
}

func prefix(_ path: String) -> RouteMatch {
    RouteMatch(path: .prefix(Array(path.utf8)), method: nil, headers: [], queryParams: [])
}

func header(_ name: String, _ value: String) -> HeaderModifier.Field {
    HeaderModifier.Field(name: Array(name.utf8), value: Array(value.utf8))
}
