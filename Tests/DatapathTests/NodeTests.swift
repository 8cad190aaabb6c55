import Datapath
import Foundation
import Glibc
import Model
import Testing

extension KernelTests {
    @Suite struct NodeTests {
        @Test func thisNodeHasWhatWeirNeeds() throws {
            let checks = NodeCheck.all(pins: "/sys/fs/bpf/weir/v1")
            #expect(checks.filter { !$0.isFine } == [])
            #expect(
                checks.map(\.name)
                    == ["kernel", "btf", "cgroup2", "bpffs", "capabilities", "ipv6", "load"] + Hook.all.map(\.name) + [
                        "sk_lookup"
                    ])
            let scratch = try Cgroup.root().path + "/weir-check-\(getpid())"
            #expect(!FileManager.default.fileExists(atPath: scratch))
        }

        @Test(arguments: [
            ("6.1.0-18-amd64", 6, 1), ("5.18-rc1", 5, 18), ("6.18.44-fc-v669", 6, 18), ("10.0", 10, 0),
        ])
        func releasesAreRead(release: String, major: Int, minor: Int) {
            #expect(KernelVersion(release: release) == KernelVersion(major: major, minor: minor))
        }

        @Test func oddReleasesAreUnknown() {
            #expect(KernelVersion(release: "") == nil)
            #expect(KernelVersion(release: "linux") == nil)
            #expect(KernelVersion(release: "6.x") == nil)
            #expect(KernelVersion(major: 5, minor: 17) < NodeCheck.oldestKernel)
            #expect(!(KernelVersion(major: 6, minor: 0) < NodeCheck.oldestKernel))
        }

        @Test func cgroups() throws {
            let cgroup = try Cgroup.root().make("wk-\(getpid())-cgroups")
            let child = try cgroup.make("child")
            let grandchild = try child.make("grandchild")
            #expect(try child.id() != grandchild.id())
            let sleeper = try #require(spawnSleeper())
            try grandchild.move(sleeper)
            #expect(try grandchild.processes() == [sleeper])
            #expect(try Cgroup.of(pid: sleeper) == grandchild)
            #expect(throws: DatapathError.self) { try cgroup.remove() }
            kill(sleeper, SIGKILL)
            waitpid(sleeper, nil, 0)
            try cgroup.remove()
            try cgroup.remove()
            #expect(!FileManager.default.fileExists(atPath: cgroup.path))
            #expect(throws: DatapathError.self) { _ = try Cgroup(path: "/proc") }
        }

        private func spawnSleeper() -> pid_t? {
            var process: pid_t = 0
            var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
            defer { arguments.forEach { free($0) } }
            return posix_spawnp(&process, "sleep", nil, nil, &arguments, environ) == 0 ? process : nil
        }

        /// 10,000 services, of which 100 change.
        @Test func aSmallChangeOfManyServicesIsQuick() throws {
            try withTestbed { bed in
                func many(_ changed: Range<Int>, net: Int, from old: [(String, Service)?] = []) -> [(String, Service)?]
                {
                    (0..<10_000).map { index in
                        if index < old.count && !changed.contains(index) { return old[index] }
                        let target = "10.\(net).\(index / 250).\(index % 250)"
                        return (
                            "10.99.\(index / 250).\(index % 250)",
                            service(
                                "s\(index)",
                                [
                                    Port(
                                        number: 80, producer: index % 2 == 0,
                                        endpoints: [(target, 8080), (target, 8081)])
                                ])
                        )
                    }
                }
                let datapath = try Datapath(bed.configuration())
                var scopes = ScopeIDs()
                var services = many(0..<10_000, net: 20)
                var tables = Tables(snapshot: snapshot(services), serviceLB: true, scopes: &scopes)
                let clock = ContinuousClock()
                let all = try clock.measure {
                    let applied = try datapath.apply(tables)
                    #expect(applied.updated == 10_000 && applied.slots == 20_000)
                }
                var times: [Duration] = []
                for round in 0..<9 {
                    services = many(round * 101..<round * 101 + 100, net: 21 + round, from: services)
                    let next = snapshot(services)
                    let time = try clock.measure {
                        tables = Tables(snapshot: next, serviceLB: true, scopes: &scopes, previous: tables)
                        let applied = try datapath.apply(tables)
                        #expect(applied.updated == 100 && applied.slots == 200)
                    }
                    times.append(time)
                }
                let median = times.sorted()[4]
                print("10,000 services: first apply \(all), then 100 changed: median \(median)")
                // Generous, for debug builds on a busy machine; a rewrite of everything takes far longer.
                #expect(median < .milliseconds(50))
            }
        }

        @Test func enrolmentIsQuick() throws {
            try withTestbed { bed in
                let (datapath, pod, scopes) = try bed.enrolled(RedirectTests.claimed)
                var ids = scopes
                var times: [Duration] = []
                let clock = ContinuousClock()
                bed.stopServers(saying: "proxy")
                for _ in 0..<9 {
                    try datapath.unenrol(pod.name)
                    times.append(
                        try clock.measure {
                            _ = try datapath.enrol(pod.name, netns: bed.pod, scope: ids.id(for: "apps"))
                        })
                }
                print("enrolment: median \(times.sorted()[4])")
                #expect(times.sorted()[4] < .milliseconds(100))
            }
        }
    }
}
