import Cgroups
import Foundation
import Glibc
import Playground
import Testing

/// Real pods: these need root, `ip` and cgroup v2.
@Suite(.serialized) struct PlaygroundTests {
    private let state: String
    private let cgroup: String
    private let playground: Playground

    init() throws {
        try #require(geteuid() == 0, "run the tests as root: they make network namespaces and cgroups")
        let tree = try #require(CgroupTree.find(), "no cgroup v2 is mounted")
        let id = "\(getpid())-\(UInt32.random(in: 0..<UInt32.max))"
        state = "/run/wp-\(id)"
        cgroup = "\(tree.root)/wp-\(id)/pods"
        playground = Playground(state: state)
    }

    private func pod(
        _ namespace: String, _ name: String, _ number: Int, _ containers: [PodPlan.Container] = []
    ) throws -> PodPlan {
        PodPlan(
            namespace: namespace, name: name, containers: containers,
            addresses: try [
                #require(NetworkAddress("10.244.3.\(number)")), #require(NetworkAddress("fd00:10:244:3::\(number)")),
            ], netns: "/run/netns/wp-\(getpid())-\(namespace)-\(name)")
    }

    private func up(_ pods: [PodPlan]) throws -> Playground.Report {
        let service = ServicePlan(
            namespace: "shop", name: "web",
            clusterIPs: try [#require(NetworkAddress("10.96.3.1")), #require(NetworkAddress("fd00:10:96:3::1"))])
        return try playground.up(
            PlaygroundManifests(source: "test", pods: pods, services: [service]), cgroup: cgroup,
            echo: [Command.weir, "echo"])
    }

    private func shop() throws -> [PodPlan] {
        try [
            pod("shop", "web", 1, [.init(name: "main", ports: [8080, 9090])]),
            pod("shop", "client", 2), pod("reports", "client", 3),
        ]
    }

    /// What runs as a pod, with its output.
    private func run(_ pod: String, _ words: String...) throws -> (status: Int32, output: String) {
        let file = FileManager.default.temporaryDirectory.appending(path: "wp-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let output = open(file.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(output >= 0)
        defer { close(output) }
        let status = try playground.run(pod, words, output: output)
        return (status, String(decoding: try Data(contentsOf: file), as: UTF8.self))
    }

    private func ask(_ pod: String, _ url: String) throws -> EchoAnswer {
        let (status, output) = try run(pod, "curl", "-sS", "-m", "10", url)
        try #require(status == 0, "curl as \(pod): \(url)")
        return try JSONDecoder().decode(EchoAnswer.self, from: Data(output.utf8))
    }

    /// Everything on this machine that a playground could have made.
    private struct Machine: Equatable {
        let links: [String]
        let namespaces: [String]
        let mounts: [String]
        let made: [String]

        init(state: String, cgroup: String) throws {
            func names(_ folder: String) -> [String] {
                ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
            }
            links = names("/sys/class/net").filter { $0.hasPrefix("v") || $0.hasPrefix("br") }
            namespaces = names("/run/netns").filter { $0.hasPrefix("wp-\(getpid())-") }
            let all = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
            mounts = all.split(separator: "\n").map(String.init).filter {
                $0.contains("wp-\(getpid())-") || $0.contains(state)
            }
            let parent = URL(filePath: cgroup).deletingLastPathComponent().path
            made = [state, cgroup, parent].filter { access($0, F_OK) == 0 }
        }

        var isClean: Bool { namespaces.isEmpty && mounts.isEmpty && made.isEmpty }
    }

    private func machine() throws -> Machine {
        try Machine(state: state, cgroup: cgroup)
    }

    @Test func podsTalkOverIPv4AndIPv6() throws {
        let before = try machine()
        let report = try up(shop())
        defer { _ = try? playground.down() }
        #expect(report.pods.map(\.sandbox.path) == ["reports/client", "shop/client", "shop/web"])
        #expect(report.pods.map(\.runs) == [[], [], ["weir echo on 8080, 9090"]])
        #expect(report.notes == [])
        for (client, number) in [("shop/client", 2), ("reports/client", 3)] {
            for port in [8080, 9090] {
                let four = try ask(client, "http://10.244.3.1:\(port)/x")
                #expect(four.pod == "web" && four.namespace == "shop" && four.path == "/x")
                #expect(four.client.hasPrefix("10.244.3.\(number):"))
                let six = try ask(client, "http://[fd00:10:244:3::1]:\(port)/")
                #expect(six.client.hasPrefix("[fd00:10:244:3::\(number)]:"))
            }
        }
        #expect(try ask("web", "http://10.244.3.1:8080/").client.hasPrefix("10.244.3.1:"))
        #expect(try machine().links == before.links)
        #expect(try playground.down() == [])
        #expect(try machine() == before)
        #expect(before.isClean)
    }

    @Test func namesResolveAsInTheCluster() throws {
        let hosts = try String(contentsOfFile: "/etc/hosts", encoding: .utf8)
        _ = try up(shop())
        defer { _ = try? playground.down() }
        for name in ["web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local"] {
            #expect(try run("shop/client", "getent", "ahostsv4", name).output.hasPrefix("10.96.3.1 "))
            #expect(try run("shop/client", "getent", "ahostsv6", name).output.hasPrefix("fd00:10:96:3::1 "))
        }
        #expect(try run("reports/client", "getent", "ahostsv4", "web.shop").output.hasPrefix("10.96.3.1 "))
        #expect(try run("reports/client", "grep", "-cw", "\tweb", "/etc/hosts").output == "0\n")
        #expect(try run("shop/client", "getent", "ahostsv4", "client").output.hasPrefix("10.244.3.2 "))
        #expect(try String(contentsOfFile: "/etc/hosts", encoding: .utf8) == hosts)
    }

    @Test func whatNobodyServesIsRefusedAtOnce() throws {
        _ = try up(shop())
        defer { _ = try? playground.down() }
        for url in ["http://web/", "http://[fd00:10:96:3::1]/", "http://192.0.2.1/", "http://10.244.3.1:1/"] {
            let (status, output) = try run("shop/client", "curl", "-s", "-m", "10", "-w", "%{time_total}", url)
            #expect(status == 7, "\(url)")
            #expect(try #require(Double(output)) < 0.5, "\(url)")
        }
    }

    @Test func execIsThatPod() throws {
        _ = try up(shop())
        defer { _ = try? playground.down() }
        let sandbox = try playground.pod("reports/client")
        let inside = try run(
            "reports/client", "sh", "-c",
            "echo $POD_NAMESPACE $POD_NAME $POD_IP $POD_IPS; grep ^0:: /proc/self/cgroup; ls /sys/fs/cgroup; readlink /proc/self/ns/net"
        )
        let lines = inside.output.split(separator: "\n").map(String.init)
        #expect(lines.first == "reports client 10.244.3.3 10.244.3.3,fd00:10:244:3::3")
        #expect(lines.contains { $0.hasPrefix("0::/") && $0.hasSuffix("/pods/reports_client") })
        #expect(lines.count > 3, "the cgroup tree is hidden")
        var facts = stat()
        #expect(stat(sandbox.netns, &facts) == 0)
        #expect(lines.last == "net:[\(facts.st_ino)]")
    }

    @Test func exitStatusPassesThrough() throws {
        _ = try up(shop())
        defer { _ = try? playground.down() }
        let exec = [Command.weir, "playground", "exec", "--state", state, "shop/client", "--"]
        #expect(try Command(exec + ["sh", "-c", "exit 7"]).status == 7)
        #expect(try Command(exec + ["true"]).status == 0)
        #expect(try Command(exec + ["sh", "-c", "kill -TERM $$"]).status == 128 + 15)
        let copied = try Command(exec + ["cat"], input: Data("through".utf8))
        #expect(copied.output == "through" && copied.status == 0)
        #expect(try run("shop/client", "sh", "-c", "exit 9").status == 9)
        #expect(try run("shop/client", "sh", "-c", "kill -KILL $$").status == 137)
        #expect(throws: PlaygroundError("wp-none: no such program on this machine")) {
            try run("shop/client", "wp-none")
        }
    }

    @Test func podsAreFoundByName() throws {
        #expect(throws: PlaygroundError.self) { try playground.pods() }
        _ = try up(shop())
        defer { _ = try? playground.down() }
        #expect(try playground.pod("web").path == "shop/web")
        #expect(throws: PlaygroundError("several pods are named client: reports/client, shop/client")) {
            try playground.pod("client")
        }
        #expect(
            throws: PlaygroundError("no pod db in the playground; there are reports/client, shop/client, shop/web")
        ) { try playground.pod("db") }
    }

    @Test func aCommandThatExistsRunsInsteadOfTheEchoServer() throws {
        let script = "echo $GREETING from $POD_NAME; hostname -I; exec sleep 1000"
        let report = try up([
            pod(
                "shop", "worker", 5,
                [
                    .init(
                        name: "a", command: ["sh"], arguments: ["-c", script], environment: [("GREETING", "hello")],
                        ports: [80]),
                    .init(name: "b", command: ["/no/such/program"], ports: [8080]),
                ])
        ])
        defer { _ = try? playground.down() }
        #expect(report.pods.map(\.runs) == [["sh -c \(script)", "weir echo on 8080"]])
        let log = "\(state)/playground/log/shop_worker.a"
        // The log is complete once the shell has become `sleep`.
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline,
            try run("shop/worker", "sh", "-c", "cat $(sed 's|^|/proc/|;s|$|/comm|' \(cgroup)/shop_worker/cgroup.procs)")
                .output.split(separator: "\n").contains("sleep") == false
        {}
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "hello from worker\n10.244.3.5 fd00:10:244:3::5 \n")
        #expect(try ask("shop/worker", "http://10.244.3.5:8080/").pod == "worker")
    }

    @Test func aSecondPlaygroundIsRefused() throws {
        _ = try up(shop())
        defer { _ = try? playground.down() }
        let error = #expect(throws: PlaygroundError.self) { try up(shop()) }
        #expect(error?.description.hasPrefix("a playground of test is up already (3 pods, ") == true)
        #expect(try ask("shop/client", "http://10.244.3.1:8080/").pod == "web")
    }

    @Test func aFailureHalfWayLeavesNothing() throws {
        let before = try machine()
        let twice: [PodPlan.Container] = [.init(name: "a", ports: [8080]), .init(name: "b", ports: [8080])]
        let error = #expect(throws: PlaygroundError.self) {
            try up([pod("shop", "client", 1), pod("shop", "web", 2, twice)])
        }
        #expect(error?.description.contains("Pod shop/web: weir echo on 8080: ended at once: ") == true)
        #expect(error?.description.contains("cannot listen on port 8080: Address already in use") == true)
        #expect(try machine() == before)
        #expect(before.isClean)
    }

    @Test func whatIsThereAlreadyIsLeftAlone() throws {
        let pods = try shop()
        let file = try #require(pods[0].netns)
        let name = URL(filePath: file).lastPathComponent
        try #require(Command(["ip", "netns", "add", name]).status == 0)
        let error = #expect(throws: PlaygroundError.self) { try up(pods) }
        #expect(
            error?.description
                == "Pod shop/web: the network namespace \(file) exists already, and not by this playground")
        #expect(try Command(["ip", "netns", "exec", name, "true"]).status == 0)
        try #require(Command(["ip", "netns", "del", name]).status == 0)
        #expect(try machine().isClean)
    }

    @Test func downCopesWithWhatIsGone() throws {
        _ = try up(shop())
        let sandbox = try playground.pod("shop/web")
        try #require(Command(["ip", "netns", "del", URL(filePath: sandbox.netns).lastPathComponent]).status == 0)
        try "1".write(toFile: sandbox.cgroup + "/cgroup.kill", atomically: false, encoding: .utf8)
        unlink(sandbox.hosts)
        #expect(try playground.down() == [])
        #expect(try machine().isClean)
        #expect(try playground.down() == nil)
    }

    @Test func downEndsWhatRunsInThePods() throws {
        _ = try up(shop())
        let said = Pipe()
        let stubborn = Process()
        stubborn.executableURL = URL(filePath: Command.weir)
        stubborn.arguments = [
            "playground", "exec", "--state", state, "shop/client", "--", "sh", "-c",
            "trap '' TERM INT; mkdir \(cgroup)/shop_client/nested; echo ready; while :; do sleep 1; done",
        ]
        stubborn.standardOutput = said
        try stubborn.run()
        #expect(said.fileHandleForReading.availableData == Data("ready\n".utf8))
        #expect(try playground.down() == [])
        stubborn.waitUntilExit()
        #expect(stubborn.terminationReason == .uncaughtSignal && stubborn.terminationStatus == SIGKILL)
        #expect(try machine().isClean)
    }

    @Test func twoPlaygroundsSideBySide() throws {
        _ = try up(shop())
        defer { _ = try? playground.down() }
        let other = Playground(state: state + "-b")
        var plan = try pod("shop", "web", 1, [.init(name: "main", ports: [8080])])
        plan.netns = "/run/netns/wp-\(getpid())-b"
        _ = try other.up(
            PlaygroundManifests(source: "b", pods: [plan], services: []), cgroup: cgroup + "/b",
            echo: [Command.weir, "echo"])
        #expect(try other.run("web", ["curl", "-sS", "-o", "/dev/null", "http://10.244.3.1:8080/"]) == 0)
        #expect(try other.down() == [])
        #expect(try ask("shop/client", "http://10.244.3.1:8080/").pod == "web")
        #expect(try playground.down() == [])
        #expect(try machine().isClean)
    }
}
