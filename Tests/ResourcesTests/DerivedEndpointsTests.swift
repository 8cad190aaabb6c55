import Resources
import Testing

/// What the endpoints controller would write.
@Suite struct DerivedEndpointsTests {
    var inventory = Inventory()

    static func pod(
        _ name: String, _ ips: [String] = ["10.0.0.1"], labels: [String: String] = ["app": "web"],
        ports: [ContainerPort] = [ContainerPort(containerPort: 8080, name: "http")], ready: String? = nil,
        phase: String? = "Running", deleted: Bool = false, namespace: String = "default"
    ) -> Pod {
        Pod(
            metadata: ObjectMeta(
                name: name, namespace: namespace, deletionTimestamp: deleted ? "2026-01-31T12:00:00Z" : nil,
                labels: labels),
            spec: PodSpec(containers: [Container(name: "main", ports: ports)], nodeName: "node-1"),
            status: PodStatus(
                phase: phase, conditions: ready.map { [PodCondition(type: "Ready", status: $0)] }, podIP: ips.first,
                podIPs: ips.map { PodIP(ip: $0) }))
    }

    static func service(
        _ ports: [ServicePort] = [ServicePort(port: 80, targetPort: .string("http"))],
        selector: [String: String]? = ["app": "web"], clusterIP: String? = nil, clusterIPs: [String]? = nil,
        ipFamilies: [String]? = nil, type: String = "ClusterIP", publishNotReady: Bool? = nil
    ) -> Service {
        Service(
            metadata: ObjectMeta(name: "web", namespace: "default"),
            spec: ServiceSpec(
                type: type, selector: selector, clusterIP: clusterIP, clusterIPs: clusterIPs, ipFamilies: ipFamilies,
                ports: ports, publishNotReadyAddresses: publishNotReady))
    }

    mutating func add(_ pods: Pod...) {
        for pod in pods { _ = inventory.apply(.upsert(.pod(pod))) }
    }

    func addresses(_ service: Service, ready: Bool? = true) -> [String] {
        inventory.endpointSlices(for: service).flatMap { $0.endpoints ?? [] }
            .filter { ready == nil || $0.conditions?.ready == ready }.flatMap { $0.addresses }
    }

    @Test mutating func aNamedTargetPort() throws {
        add(Self.pod("a"), Self.pod("b", ["10.0.0.2"]))
        let slice = try #require(inventory.endpointSlices(for: Self.service()).first)
        #expect(slice.serviceName == NamespacedName(namespace: "default", name: "web"))
        #expect(slice.ports == [EndpointPort(name: "", protocol: "TCP", port: 8080)])
        #expect(slice.endpoints?.map(\.addresses) == [["10.0.0.1"], ["10.0.0.2"]])
        #expect(slice.endpoints?.first?.targetRef?.name == "a")
        #expect(slice.endpoints?.first?.nodeName == "node-1")
    }

    /// Pods that give one name different numbers come in different slices.
    @Test mutating func aNameWithSeveralNumbers() {
        add(
            Self.pod("a"), Self.pod("b", ["10.0.0.2"], ports: [ContainerPort(containerPort: 9090, name: "http")]),
            Self.pod("c", ["10.0.0.3"], ports: []),
            Self.pod("d", ["10.0.0.4"], ports: [ContainerPort(containerPort: 53, name: "http", protocol: "UDP")]))
        let slices = inventory.endpointSlices(for: Self.service())
        #expect(slices.map { $0.ports?.map(\.port) } == [[8080], [9090], []])
        #expect(Set(slices.map(\.metadata.name)).count == 3)
    }

    @Test(
        arguments: [
            (nil, 80), (.int(0), 80), (.int(8081), 8081), (.string(""), 80), (.string("http"), 8080),
        ] as [(IntOrString?, Int)])
    mutating func targetPorts(_ target: IntOrString?, _ number: Int) {
        add(Self.pod("a"))
        let service = Self.service([ServicePort(name: "x", port: 80, targetPort: target, appProtocol: "http")])
        #expect(
            inventory.endpointSlices(for: service).map(\.ports) == [
                [EndpointPort(name: "x", protocol: "TCP", port: number, appProtocol: "http")]
            ])
    }

    @Test mutating func readiness() {
        add(
            Self.pod("none", ["10.0.0.1"]), Self.pod("yes", ["10.0.0.2"], ready: "True"),
            Self.pod("no", ["10.0.0.3"], ready: "False"), Self.pod("unknown", ["10.0.0.4"], ready: "Unknown"),
            Self.pod("ended", ["10.0.0.5"], phase: "Succeeded"), Self.pod("failed", ["10.0.0.6"], phase: "Failed"),
            Self.pod("leaving", ["10.0.0.7"], deleted: true), Self.pod("no-address", []),
            Self.pod("other", ["10.0.0.8"], labels: ["app": "other"]),
            Self.pod("elsewhere", ["10.0.0.9"], namespace: "prod"), Self.pod("no-phase", ["10.0.0.10"], phase: nil))
        #expect(Set(addresses(Self.service())) == ["10.0.0.1", "10.0.0.2", "10.0.0.10"])
        #expect(Set(addresses(Self.service(), ready: false)) == ["10.0.0.3", "10.0.0.4", "10.0.0.7"])
        #expect(addresses(Self.service(publishNotReady: true)).count == 6)
    }

    @Test mutating func addressFamilies() {
        add(Self.pod("a", ["10.0.0.1", "fd00::1"]), Self.pod("b", ["fd00::2"]))
        #expect(addresses(Self.service()) == ["10.0.0.1", "fd00::1", "fd00::2"])
        #expect(addresses(Self.service(clusterIP: "10.96.0.1")) == ["10.0.0.1"])
        #expect(addresses(Self.service(clusterIP: "fd01::1")) == ["fd00::1", "fd00::2"])
        #expect(addresses(Self.service(clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1", "fd01::1"])).count == 3)
        #expect(addresses(Self.service(ipFamilies: ["IPv6"])) == ["fd00::1", "fd00::2"])
        #expect(addresses(Self.service(clusterIP: "None")).count == 3)
    }

    @Test mutating func servicesWithoutDerivedEndpoints() {
        add(Self.pod("a", labels: [:]), Self.pod("b"))
        #expect(addresses(Self.service(selector: nil)).isEmpty)
        #expect(addresses(Self.service(selector: [:])).isEmpty)
        #expect(addresses(Self.service(type: "ExternalName")).isEmpty)
        #expect(addresses(Self.service(selector: ["app": "web", "tier": "x"])).isEmpty)
    }

    @Test mutating func aSidecarsPortCounts() {
        var pod = Self.pod("a", ports: [])
        let port = ContainerPort(containerPort: 7000, name: "http")
        pod.spec.initContainers = [Container(name: "once", ports: [port])]
        add(pod)
        #expect(inventory.endpointSlices(for: Self.service()).map(\.ports) == [[]])
        pod.spec.initContainers = [Container(name: "sidecar", ports: [port], restartPolicy: "Always")]
        add(pod)
        #expect(inventory.endpointSlices(for: Self.service()).first?.ports?.first?.port == 7000)
    }

    @Test mutating func slicesThatAreWrittenTakeTheirPlace() {
        add(Self.pod("a"))
        let slice = EndpointSlice(
            metadata: ObjectMeta(
                name: "web-1", namespace: "default", labels: ["kubernetes.io/service-name": "web"]),
            addressType: "IPv4", endpoints: [Endpoint(addresses: ["192.0.2.1"])], ports: [EndpointPort(port: 1)])
        #expect(
            inventory.apply(.upsert(.endpointSlice(slice))).endpoints
                == [NamespacedName(namespace: "default", name: "web")])
        #expect(inventory.endpointSlices(for: Self.service()) == [slice])
        _ = inventory.apply(.delete(ObjectKey(kind: .endpointSlice, namespace: "default", name: "web-1")))
        #expect(addresses(Self.service()) == ["10.0.0.1"])
    }
}
