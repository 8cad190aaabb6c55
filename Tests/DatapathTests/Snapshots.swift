import Glibc
import Model

/// Snapshots as tests need them: few services with few ports.
struct Port {
    var number: UInt16
    var transport = Transport.tcp
    var producer = false
    var consumers: [String] = []
    var endpoints: [(String, UInt16)] = []
}

func address(_ text: String) -> IPAddress {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 { return IPAddress(v4: UInt32(bigEndian: four.s_addr)) }
    var six = in6_addr()
    precondition(inet_pton(AF_INET6, text, &six) == 1, "no address: \(text)")
    return withUnsafeBytes(of: &six) { bytes in
        IPAddress(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

func service(_ name: String, _ ports: [Port]) -> Service {
    let object = ObjectName(namespace: "apps", name: name)
    return Service(
        name: object,
        ports: ports.map { port in
            ServicePort(
                service: object, name: nil, port: port.number, transport: port.transport, appProtocol: nil,
                plain: Backend(
                    service: object, port: port.number, appProtocol: nil,
                    endpoints: port.endpoints.map { Endpoint(address: address($0.0), port: $0.1, pod: nil) }),
                producer: port.producer
                    ? RouteTable(kind: .http, group: .producer, service: object, port: port.number, entries: []) : nil,
                consumers: Dictionary(
                    uniqueKeysWithValues: port.consumers.map {
                        (
                            $0,
                            RouteTable(
                                kind: .http, group: .consumer(namespace: $0), service: object, port: port.number,
                                entries: [])
                        )
                    }))
        })
}

/// The frontends' indices are the positions in `frontends`.
func snapshot(_ frontends: [(String, Service)?]) -> Snapshot {
    let list = frontends.enumerated().map { index, entry in
        entry.map { Frontend(index: UInt32(index), address: address($0.0), service: $0.1) }
    }
    var services: [ObjectName: Service] = [:]
    for frontend in list { if let frontend { services[frontend.service.name] = frontend.service } }
    return Snapshot(
        generation: 1, services: services.values.sorted { $0.name < $1.name }, frontends: list)
}

extension Snapshot {
    /// One service with both of the test bed's addresses, at indices 0 (IPv4) and 1 (IPv6).
    static func one(_ ports: [Port]) -> Snapshot {
        let echo = DatapathTests.service("echo", ports)
        return snapshot([(Testbed.serviceV4, echo), (Testbed.serviceV6, echo)])
    }
}
