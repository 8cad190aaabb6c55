import Datapath
import Foundation
import Glibc
import Model
import Testing

extension KernelTests {
    /// The agent's death, hang, restart and removal, and pods that come and go.
    @Suite struct LifeTests {
        static let claimed = RedirectTests.claimed

        @Test func connectsPassWhenTheListenerIsGone() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let datapath = try Datapath(bed.configuration())
                var scopes = ScopeIDs()
                _ = try datapath.apply(Tables(snapshot: Self.claimed, serviceLB: false, scopes: &scopes))
                let pod = try datapath.enrol(
                    ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: scopes.id(for: "apps"))
                // As when the process dies: the sockets go, the pins stay.
                #expect(shutdown(pod.listener4, CInt(SHUT_RDWR)) == 0)
                let four = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(four.hasPrefix("server "))
                let counters = try datapath.counters()
                #expect(counters.passedNoListener == 1)
            }
        }

        @Test func connectsPassWhenTheHeartbeatIsStale() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                var configuration = bed.configuration()
                configuration.heartbeatMaxAge = 1
                let datapath = try Datapath(configuration)
                var scopes = ScopeIDs()
                _ = try datapath.apply(Tables(snapshot: Self.claimed, serviceLB: false, scopes: &scopes))
                let pod = try datapath.enrol(
                    ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: scopes.id(for: "apps"))
                bed.play(pod)
                let stale = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(stale.hasPrefix("server "))
                let counters = try datapath.counters()
                #expect(counters.passedStale == 1)
            }
        }

        @Test func nothingIsRedirectedAfterTheOrderlyEndNorBeforeTheFirstTables() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                do {
                    let (datapath, _, _) = try bed.enrolled(Self.claimed)
                    datapath.stopRedirecting()
                    datapath.heartbeat()
                    let ended = try bed.client("blocking", Testbed.serviceV4, "80")
                    #expect(ended.hasPrefix("server "))
                }
                bed.stopServers(saying: "proxy")
                let next = try Datapath(bed.configuration())
                let pod = try next.enrol(ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: 1)
                bed.play(pod)
                next.heartbeat()
                let early = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(early.hasPrefix("server "))
                var scopes = ScopeIDs()
                _ = try next.apply(Tables(snapshot: Self.claimed, serviceLB: false, scopes: &scopes))
                let later = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(later.hasPrefix("proxy "))
            }
        }

        @Test func aRestartedAgentTakesOverAndReconciles() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                try bed.serve(81, says: "server")
                let links: String
                do {
                    let (_, _, _) = try bed.enrolled(
                        .one([Port(number: 80, producer: true), Port(number: 81, producer: true)]))
                    links = try shell("ls \(bed.pins)/links \(bed.pins)/maps")
                    let other = try bed.client("blocking", Testbed.serviceV4, "81")
                    #expect(other.hasPrefix("proxy "))
                }
                bed.stopServers(saying: "proxy")
                // No agent: the pins stay, connects pass.
                let orphaned = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(orphaned.hasPrefix("server "))

                let ids = try shell("bpftool -j link show pinned \(bed.pins)/links/connect4")
                let datapath = try Datapath(bed.configuration())
                #expect(try shell("ls \(bed.pins)/links \(bed.pins)/maps") == links)
                let same = try shell("bpftool -j link show pinned \(bed.pins)/links/connect4")
                #expect(Self.field("id", of: ids) == Self.field("id", of: same), "the link stays")
                #expect(Self.field("prog_id", of: ids) != Self.field("prog_id", of: same), "its program is replaced")
                var scopes = ScopeIDs()
                let applied = try datapath.apply(Tables(snapshot: Self.claimed, serviceLB: false, scopes: &scopes))
                #expect(applied.updated == 0 && applied.removed == 2, "port 80 is as it was, port 81 goes")
                let pod = try datapath.enrol(
                    ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: scopes.id(for: "apps"))
                bed.play(pod)
                let claimed = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(claimed.hasPrefix("proxy "))
                let unclaimed = try bed.client("blocking", Testbed.serviceV4, "81")
                #expect(unclaimed.hasPrefix("server "))
            }
        }

        @Test func podsOfAnEarlierAgentAreDropped() throws {
            try withTestbed { bed in
                do { _ = try bed.enrolled(Self.claimed) }
                bed.stopServers(saying: "proxy")
                let datapath = try Datapath(bed.configuration())
                #expect(try datapath.dropStalePods() == 1)
                let routes = try shell("ip -n \(bed.name)p route show table local")
                #expect(!routes.contains("127.64.0.0"))
                #expect(try datapath.dropStalePods() == 0)
            }
        }

        @Test func aSecondAgentIsRefused() throws {
            try withTestbed { bed in
                let first = try Datapath(bed.configuration())
                let error = #expect(throws: DatapathError.self) { _ = try Datapath(bed.configuration()) }
                #expect(error?.description == "another weir agent uses the pins in \(bed.pins)")
                let removal = #expect(throws: DatapathError.self) {
                    try Datapath.uninstall(pins: bed.pins, state: bed.state)
                }
                #expect(removal?.description == "another weir agent uses the pins in \(bed.pins)")
                first.heartbeat()
            }
        }

        @Test func uninstallLeavesNothing() throws {
            try withTestbed { bed in
                do { _ = try bed.enrolled(Self.claimed) }
                bed.stopServers(saying: "proxy")
                let cgroup = try Cgroup(path: bed.pods).id()
                let attached = try shell("bpftool -j link show")
                #expect(attached.contains("\"cgroup_id\":\(cgroup)"))
                // The clients' cgroups below the one that Weir made go with it.
                try Datapath.uninstall(pins: bed.pins, state: bed.state)
                let links = try shell("bpftool -j link show")
                #expect(!links.contains("\"cgroup_id\":\(cgroup)"))
                #expect(!FileManager.default.fileExists(atPath: bed.pins))
                #expect(!FileManager.default.fileExists(atPath: bed.pods))
                #expect(!FileManager.default.fileExists(atPath: bed.state + "/datapath.undo"))
                let mounts = try shell("cat /proc/self/mountinfo")
                #expect(!mounts.contains(bed.folder))
                let routes = try shell(
                    "ip -n \(bed.name)p route show table local; ip -n \(bed.name)p -6 route show table local")
                #expect(!routes.contains("127.64.0.0") && !routes.contains("fdc0:6d65"))
                try Datapath.uninstall(pins: bed.pins, state: bed.state)
            }
        }

        @Test func aReplacedNamespaceIsEnrolledAnew() throws {
            try withTestbed { bed in
                let (datapath, first, scopes) = try bed.enrolled(Self.claimed)
                var ids = scopes
                let again = try datapath.enrol(first.name, netns: bed.pod, scope: ids.id(for: "apps"))
                #expect(again === first)
                try shell(
                    "ip netns del \(bed.name)p && ip netns add \(bed.name)p && ip -n \(bed.name)p link add eth0 type veth peer name eth1 "
                        + "&& ip -n \(bed.name)p addr add 10.199.1.9/24 dev eth0 && ip -n \(bed.name)p link set eth0 up"
                )
                let second = try datapath.enrol(first.name, netns: bed.pod, scope: ids.id(for: "apps"))
                #expect(second.cookie != first.cookie)
                bed.play(second)
                #expect(datapath.enrolled().map(\.cookie) == [second.cookie])
                let answer = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(answer == "proxy 127.64.0.0 80 10.199.1.9 | \(Testbed.serviceV4) 80 | 10.199.1.9")
            }
        }

        @Test func routesThatComeAndGoBreakNoConnect() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                var (datapath, _, scopes) = try bed.enrolled(Self.claimed)
                let swapping = Swapper(
                    datapath, &scopes, [.one([Port(number: 80)]), Self.claimed], serviceLB: false)
                let answers = try bed.client("threads", Testbed.serviceV4, "80", "2000").split(separator: "\n")
                let swaps = swapping.stop()
                let peers = "| \(Testbed.serviceV4) 80 | \(Testbed.podV4)"
                let proxied = answers.count { $0.hasPrefix("proxy 127.64.0.0 80 ") && $0.hasSuffix(peers) }
                let direct = answers.count { $0.hasPrefix("server ") && $0.hasSuffix(peers) }
                #expect(proxied + direct == 2000, "after \(swaps) swaps")
                #expect(proxied > 100 && direct > 100 && swaps > 10)
            }
        }

        @Test func routesGoEvenWhenTheStateFolderIsLost() throws {
            try withTestbed { bed in
                do { _ = try bed.enrolled(Self.claimed) }
                bed.stopServers(saying: "proxy")
                let note = bed.state + "/datapath.undo"
                let lines = try String(contentsOfFile: note, encoding: .utf8)
                try lines.split(separator: "\n").filter { !$0.hasPrefix("routes") }.joined(separator: "\n").appending(
                    "\n"
                )
                .write(toFile: note, atomically: true, encoding: .utf8)
                try Datapath.uninstall(pins: bed.pins, state: bed.state)
                let routes = try shell("ip -n \(bed.name)p route show table local")
                #expect(!routes.contains("127.64.0.0"))
            }
        }

        @Test func hooksReturnWithTheirCgroup() throws {
            try withTestbed { bed in
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                #expect(try !datapath.reattach())
                try Cgroup(path: bed.pods).remove()
                #expect(try datapath.reattach())
                #expect(try !datapath.reattach())
                let answer = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(answer.hasPrefix("proxy "))
            }
        }

        @Test func aCgroupInUseIsLeftForLater() throws {
            try withTestbed { bed in
                var configuration = bed.configuration()
                configuration.cgroup = bed.pods + "/made/with/parents"
                do { _ = try Datapath(configuration) }
                var sleeper: pid_t = 0
                var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
                defer { arguments.forEach { free($0) } }
                try #require(posix_spawnp(&sleeper, "sleep", nil, nil, &arguments, environ) == 0)
                let used = try Cgroup(path: bed.pods + "/made/with")
                try used.move(sleeper)
                let left = try Datapath.uninstall(pins: bed.pins, state: bed.state)
                #expect(
                    left == ["/made/with", "/made", ""].map { "cgroup \(bed.pods)\($0): processes are in it" })
                kill(sleeper, SIGKILL)
                waitpid(sleeper, nil, 0)
                #expect(try Datapath.uninstall(pins: bed.pins, state: bed.state) == [])
                #expect(!FileManager.default.fileExists(atPath: bed.pods))
            }
        }

        @Test func twoPodsMayNotShareANamespace() throws {
            try withTestbed { bed in
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                #expect(throws: DatapathError.self) {
                    _ = try datapath.enrol(ObjectName(namespace: "apps", name: "other"), netns: bed.pod, scope: 1)
                }
                #expect(throws: DatapathError.self) {
                    _ = try datapath.enrol(ObjectName(namespace: "apps", name: "file"), netns: "/etc/passwd", scope: 1)
                }
                #expect(throws: DatapathError.self) {
                    _ = try datapath.enrol(ObjectName(namespace: "apps", name: "none"), netns: bed.pod + "x", scope: 1)
                }
            }
        }

        private static func field(_ name: String, of json: String) -> String? {
            let object = try? JSONSerialization.jsonObject(with: Data(json.utf8))
            return (object as? [String: Any])?[name].map { "\($0)" }
        }
    }
}
