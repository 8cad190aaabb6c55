import Inspection
import Model

extension ServiceView {
    /// `service` as the snapshot has it; `frontends` are those of the snapshot that belong to it.
    init(_ service: Service, frontends: [Frontend]) {
        self.init(
            namespace: service.name.namespace, name: service.name.name,
            addresses: frontends.map { Address(address: "\($0.address)", index: $0.index) },
            ports: service.ports.map { port in
                Port(
                    name: port.name, port: port.port, protocol: port.transport.rawValue, appProtocol: port.appProtocol,
                    producer: port.producer.map(Self.routes) ?? [],
                    consumers: port.consumers.mapValues(Self.routes), endpoints: port.plain.endpoints.count)
            })
    }

    /// The routes of a table, each once, in the table's order.
    private static func routes(_ table: RouteTable) -> [String] {
        var seen: Set<RouteReference> = []
        return table.rules.compactMap {
            seen.insert($0.route).inserted ? "\($0.route.kind.rawValue) \($0.route.name)" : nil
        }
    }

    static func all(_ snapshot: Snapshot) -> [ServiceView] {
        let frontends = Dictionary(grouping: snapshot.frontends.compactMap { $0 }) { $0.service.name }
        return snapshot.services.map { ServiceView($0, frontends: frontends[$0.name] ?? []) }
    }
}

extension EndpointView {
    static func all(_ snapshot: Snapshot) -> [EndpointView] {
        snapshot.services.flatMap { service in
            service.ports.flatMap { port in
                port.plain.endpoints.map { endpoint in
                    EndpointView(
                        namespace: service.name.namespace, service: service.name.name, port: port.port,
                        address: "\(endpoint.address)", endpointPort: endpoint.port,
                        pod: endpoint.pod.map { "\($0)" })
                }
            }
        }
    }
}
