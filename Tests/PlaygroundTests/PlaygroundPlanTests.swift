import Foundation
import Playground
import Resources
import Testing

@Suite struct PlaygroundPlanTests {
    private func address(_ text: String) throws -> NetworkAddress {
        try #require(NetworkAddress(text))
    }

    @Test func addressesAreGivenOutInOrderAndAroundThoseInUse() throws {
        let taken = try [address("10.244.0.2"), address("fd00:10:244::3")]
        let plan = try PlaygroundPlan(
            pods: [
                PodPlan(namespace: "b", name: "second"), PodPlan(namespace: "a", name: "first"),
                PodPlan(namespace: "a", name: "own", addresses: taken),
            ], services: [])
        #expect(plan.pods.map(\.pod.name) == ["first", "own", "second"])
        #expect(plan.pods[0].addresses.map(\.description) == ["10.244.0.4", "fd00:10:244::4"])
        #expect(plan.pods[1].addresses == taken)
        #expect(plan.pods[2].addresses.map(\.description) == ["10.244.0.5", "fd00:10:244::5"])
    }

    @Test func manyPodsGetDistinctAddresses() throws {
        let pods = (0..<600).map { PodPlan(namespace: "n", name: "p\($0)") }
        let all = try PlaygroundPlan(pods: pods, services: []).pods.flatMap(\.addresses)
        #expect(Set(all).count == 1200)
    }

    @Test func whatTheManifestLacksIsSaid() throws {
        let plan = try PlaygroundPlan(
            pods: [
                PodPlan(namespace: "a", name: "bare"),
                PodPlan(
                    namespace: "a", name: "whole", addresses: [address("10.9.9.9")], netns: "/run/netns/whole"),
            ], services: [ServicePlan(namespace: "a", name: "s", clusterIPs: [])])
        #expect(
            plan.notes == [
                "Pod a/bare: for an agent on the same folder, add metadata: {annotations: {weir.dev/netns: "
                    + "/run/netns/a-bare}} and status: {podIP: 10.244.0.2, podIPs: [{ip: \"10.244.0.2\"}, "
                    + "{ip: \"fd00:10:244::2\"}]}",
                "Service a/s has no clusterIP, so its name resolves in no pod; add spec.clusterIP",
            ])
    }

    @Test(arguments: [
        ([PodPlan(namespace: "a", name: "p"), PodPlan(namespace: "a", name: "p")], "Pod a/p is there twice"),
        (
            [PodPlan(namespace: "a-b", name: "c"), PodPlan(namespace: "a", name: "b-c")],
            "would share the network namespace /run/netns/a-b-c"
        ),
        (
            [
                PodPlan(namespace: "a", name: "p", addresses: [NetworkAddress("10.0.0.1")!]),
                PodPlan(namespace: "a", name: "q", addresses: [NetworkAddress("10.0.0.1")!]),
            ], "10.0.0.1 is the address of both Pod a/p and Pod a/q"
        ),
        (
            [PodPlan(namespace: "a", name: "p", addresses: [NetworkAddress("10.96.0.1")!])],
            "10.96.0.1 is the address of both Service a/s and Pod a/p"
        ),
        ([PodPlan(namespace: "a", name: "p", netns: "here")], "here is not the absolute path of a file"),
        ([], "the manifests hold no Pod"),
    ])
    func contradictionsAreRefused(_ pods: [PodPlan], _ wanted: String) throws {
        let service = ServicePlan(namespace: "a", name: "s", clusterIPs: [try address("10.96.0.1")])
        let error = #expect(throws: PlaygroundError.self) { try PlaygroundPlan(pods: pods, services: [service]) }
        #expect(error?.description.contains(wanted) == true, "\(String(describing: error))")
    }

    @Test func hostsFileKnowsServicesAsTheClusterDoes() throws {
        let plan = try PlaygroundPlan(
            pods: [
                PodPlan(namespace: "shop", name: "client", addresses: [address("10.1.0.1")], netns: "/run/netns/x"),
                PodPlan(
                    namespace: "reports", name: "db", labels: ["app": "db"],
                    addresses: [address("10.1.0.2"), address("fd01::2")], netns: "/run/netns/y"),
            ],
            services: [
                ServicePlan(namespace: "shop", name: "web", clusterIPs: [address("10.96.0.1"), address("fd02::1")]),
                ServicePlan(namespace: "reports", name: "web", clusterIPs: [address("10.96.0.2")]),
                ServicePlan(namespace: "reports", name: "db", clusterIPs: [], headlessSelector: ["app": "db"]),
            ])
        #expect(
            plan.pods[1].hosts == """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                10.1.0.1\tclient
                10.1.0.2\tdb.reports db.reports.svc db.reports.svc.cluster.local
                fd01::2\tdb.reports db.reports.svc db.reports.svc.cluster.local
                10.96.0.2\tweb.reports web.reports.svc web.reports.svc.cluster.local
                10.96.0.1\tweb web.shop web.shop.svc web.shop.svc.cluster.local
                fd02::1\tweb web.shop web.shop.svc web.shop.svc.cluster.local

                """)
    }

    @Test func fromTheInventory() throws {
        var inventory = Inventory()
        func add(_ resource: Resource) { _ = inventory.apply(.upsert(resource)) }
        add(
            .pod(
                Pod(
                    metadata: ObjectMeta(
                        name: "web", namespace: "shop", labels: ["app": "web"],
                        annotations: ["weir.dev/netns": "/run/netns/w"]),
                    spec: PodSpec(
                        containers: [
                            Container(
                                name: "main", command: ["nginx"], args: ["-q"],
                                env: [EnvironmentVariable(name: "A", value: "1")],
                                ports: [
                                    ContainerPort(containerPort: 80),
                                    ContainerPort(containerPort: 53, protocol: "UDP"),
                                ])
                        ],
                        initContainers: [
                            Container(name: "once"), Container(name: "side", restartPolicy: "Always"),
                        ]),
                    status: PodStatus(podIP: "10.0.0.1", podIPs: [PodIP(ip: "10.0.0.1"), PodIP(ip: "fd00::1")]))))
        add(
            .pod(
                Pod(
                    metadata: ObjectMeta(name: "host", namespace: "shop"),
                    spec: PodSpec(containers: [], hostNetwork: true))))
        add(
            .service(
                Service(
                    metadata: ObjectMeta(name: "web", namespace: "shop"), spec: ServiceSpec(clusterIP: "10.96.0.1"))))
        add(
            .service(
                Service(
                    metadata: ObjectMeta(name: "none", namespace: "shop"),
                    spec: ServiceSpec(selector: ["app": "web"], clusterIP: "None", clusterIPs: ["None"]))))
        add(
            .service(
                Service(
                    metadata: ObjectMeta(name: "out", namespace: "shop"),
                    spec: ServiceSpec(type: "ExternalName", externalName: "example.org"))))
        let manifests = try PlaygroundManifests(inventory, source: "here")
        let wanted = PodPlan(
            namespace: "shop", name: "web", labels: ["app": "web"],
            containers: [
                PodPlan.Container(name: "side"),
                PodPlan.Container(
                    name: "main", command: ["nginx"], arguments: ["-q"], environment: [("A", "1")], ports: [80]),
            ], addresses: try [address("10.0.0.1"), address("fd00::1")], netns: "/run/netns/w")
        #expect(manifests.pods == [wanted])
        let headless = ServicePlan(namespace: "shop", name: "none", clusterIPs: [], headlessSelector: ["app": "web"])
        let plain = ServicePlan(namespace: "shop", name: "web", clusterIPs: [try address("10.96.0.1")])
        #expect(manifests.services == [headless, plain])
        #expect(
            manifests.notes == [
                "Pod shop/host asks for the host's network: not made",
                "Pod shop/web: container main: weir echo serves TCP only, not port 53/UDP",
            ])
    }

    @Test func badAddressNamesItsObject() throws {
        var inventory = Inventory()
        _ = inventory.apply(
            .upsert(
                .service(
                    Service(
                        metadata: ObjectMeta(name: "web", namespace: "shop"),
                        spec: ServiceSpec(clusterIP: "10.96.0.256")))))
        let error = #expect(throws: PlaygroundError.self) { try PlaygroundManifests(inventory, source: "") }
        #expect(error?.description == "Service shop/web: spec.clusterIPs: 10.96.0.256 is no IP address")
    }

    @Test func theExampleIsWhole() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Deploy/example")
            .standardized.path
        let manifests = try PlaygroundManifests(folder: folder)
        let plan = try PlaygroundPlan(pods: manifests.pods, services: manifests.services)
        #expect(
            plan.pods.map(\.netns)
                == ["reports-client", "shop-client", "shop-web-v1", "shop-web-v2"].map { "/run/netns/" + $0 })
        #expect(plan.pods.map { $0.pod.containers.flatMap(\.ports) } == [[], [], [8080], [8080]])
        #expect(manifests.services.map(\.name) == ["web", "web-v1", "web-v2"])
        #expect(manifests.services.allSatisfy { $0.clusterIPs.count == 2 })
        #expect(manifests.notes + plan.notes == [])
    }

    @Test func refusedPodIsNamed() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wp-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n}\nspec: {containers: 7}\n"
        try Data(text.utf8).write(to: folder.appending(path: "p.yaml"))
        let manifests = try PlaygroundManifests(folder: folder.path)
        #expect(manifests.pods == [])
        #expect(manifests.notes.first?.hasPrefix("refused: p.yaml:4: Pod n/p: spec.containers: ") == true)
        let error = #expect(throws: PlaygroundError.self) {
            try Playground(state: "/run/wp-none").up(manifests, echo: [])
        }
        #expect(error?.description.contains("spec.containers") == true)
        #expect(throws: PlaygroundError.self) { try PlaygroundManifests(folder: folder.path + "/none") }
    }
}
