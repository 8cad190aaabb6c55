import Datapath
import Glibc
import Model
import Testing

extension KernelTests {
    /// Real connects of real processes in a cgroup and a network namespace, on this machine's kernel.
    @Suite struct RedirectTests {
        static let claimed = Snapshot.one([Port(number: 80, producer: true)])

        @Test(arguments: [
            "blocking", "nonblocking", "fastopen", "fastopen-connect", "mptcp",
        ])
        func everyKindOfConnectIsRedirected(way: String) throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                let four = try bed.client(way, Testbed.serviceV4, "80")
                #expect(four == "proxy 127.64.0.0 80 \(Testbed.podV4) | \(Testbed.serviceV4) 80 | \(Testbed.podV4)")
                let six = try bed.client(way, Testbed.serviceV6, "80")
                #expect(
                    six == "proxy fdc0:6d65:7368::1 80 \(Testbed.podV6) | \(Testbed.serviceV6) 80 | \(Testbed.podV6)")
                let mapped = try bed.client(way, "::ffff:" + Testbed.serviceV4, "80")
                #expect(
                    mapped
                        == "proxy 127.64.0.0 80 \(Testbed.podV4) | ::ffff:\(Testbed.serviceV4) 80 | ::ffff:\(Testbed.podV4)"
                )
                let counters = try datapath.counters()
                #expect(counters.redirected == 3 && counters.steered == 3)
            }
        }

        @Test func v6OnlySocketsAndSocketsBoundToTheirAddress() throws {
            try withTestbed { bed in
                _ = try bed.enrolled(Self.claimed)
                let only = try bed.client("v6only", Testbed.serviceV6, "80")
                #expect(only.hasPrefix("proxy fdc0:6d65:7368::1 80 "))
                let bound = try bed.client("source", Testbed.serviceV4, "80", "1", Testbed.podV4)
                #expect(bound == "proxy 127.64.0.0 80 \(Testbed.podV4) | \(Testbed.serviceV4) 80 | \(Testbed.podV4)")
            }
        }

        @Test func threadsEachSeeTheirOwnService() throws {
            try withTestbed { bed in
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                let answers = try bed.client("threads", Testbed.serviceV4, "80", "400").split(separator: "\n")
                #expect(answers.count == 400)
                #expect(
                    Set(answers)
                        == ["proxy 127.64.0.0 80 \(Testbed.podV4) | \(Testbed.serviceV4) 80 | \(Testbed.podV4)"])
                let counters = try datapath.counters()
                #expect(counters.redirected == 400)
            }
        }

        @Test func curlIsRedirected() throws {
            try withTestbed { bed in
                _ = try bed.enrolled(Self.claimed)
                let four = try bed.run("curl -sS -w \"%{remote_ip}\" http://\(Testbed.serviceV4)/")
                #expect(four == "proxy 127.64.0.0 80 \(Testbed.podV4)\(Testbed.serviceV4)")
                let six = try bed.run("curl -sS http://[\(Testbed.serviceV6)]/")
                #expect(six == "proxy fdc0:6d65:7368::1 80 \(Testbed.podV6)")
            }
        }

        @Test func onlyClaimedPortsOfServicesAreRedirected() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                try bed.serve(81, says: "unclaimed")
                let (datapath, _, _) = try bed.enrolled(
                    .one([Port(number: 80, producer: true), Port(number: 81)]))
                let unclaimed = try bed.client("blocking", Testbed.serviceV4, "81")
                #expect(unclaimed.hasPrefix("unclaimed ::ffff:\(Testbed.serviceV4) 81 "))
                // The pod's own address behind the Service, same port.
                let direct = try bed.client("blocking", Testbed.farV4, "80")
                #expect(direct.hasPrefix("server ::ffff:\(Testbed.farV4) 80 "))
                let direct6 = try bed.client("blocking", Testbed.farV6, "80")
                #expect(direct6.hasPrefix("server \(Testbed.farV6) 80 "))
                let counters = try datapath.counters()
                #expect(counters.redirected == 0)
            }
        }

        @Test func loopbackOfThePodIsItsOwn() throws {
            try withTestbed { bed in
                _ = try bed.enrolled(Self.claimed)
                try bed.serve(80, in: bed.pod, says: "app")
                let loopback = try bed.client("blocking", "127.0.0.1", "80")
                #expect(loopback.hasPrefix("app ::ffff:127.0.0.1 80 "))
                // The hairpin's second leg: the agent's connect to the pod's own address arrives at the app.
                let own = try bed.client("blocking", Testbed.podV4, "80")
                #expect(
                    own
                        == "app ::ffff:\(Testbed.podV4) 80 ::ffff:\(Testbed.podV4) | \(Testbed.podV4) 80 | \(Testbed.podV4)"
                )
                // While the first leg meets the proxy although the app listens on the very port, on all addresses.
                let service = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(service.hasPrefix("proxy 127.64.0.0 80 "))
            }
        }

        @Test func listenersAreNotReachableFromOtherHosts() throws {
            try withTestbed { bed in
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                let far = "ip -n \(bed.name)f"
                try shell("\(far) -6 route add fdc0:6d65:7368::/64 via \(Testbed.podV6)")
                try shell("\(far) route add 127.64.0.0/10 via \(Testbed.podV4) src \(Testbed.farV4)")
                let six = try bed.client("blocking", "fdc0:6d65:7368::1", "80", cgroup: "outside", netns: bed.far)
                #expect(six == "ECONNREFUSED")
                let counters = try datapath.counters()
                #expect(counters.steered == 0)
            }
        }

        @Test func processesOutsideTheCgroupAndPodsNotEnrolledPass() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let datapath = try Datapath(bed.configuration())
                var scopes = ScopeIDs()
                _ = try datapath.apply(Tables(snapshot: Self.claimed, serviceLB: false, scopes: &scopes))
                let early = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(early.hasPrefix("server "))
                let pod = try datapath.enrol(
                    ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: scopes.id(for: "apps"))
                bed.play(pod)
                let outside = try bed.client("blocking", Testbed.serviceV4, "80", cgroup: "outside")
                #expect(outside.hasPrefix("server "))
                let enrolled = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(enrolled.hasPrefix("proxy "))
                try datapath.unenrol(pod.name)
                let gone = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(gone.hasPrefix("server "))
                let routes = try shell(
                    "ip -n \(bed.name)p route show table local; ip -n \(bed.name)p -6 route show table local")
                #expect(!routes.contains("127.64.0.0") && !routes.contains("fdc0:6d65"))
            }
        }

        @Test func theAgentIsExcludedByItsCgroup() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let agent = try bed.cgroup.make("pods").make("agent")
                let (datapath, _, _) = try bed.enrolled(Self.claimed, agents: [7, try agent.id()])
                let excluded = try bed.client("blocking", Testbed.serviceV4, "80", cgroup: "pods/agent")
                #expect(excluded.hasPrefix("server "))
                let other = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(other.hasPrefix("proxy "))
                let counters = try datapath.counters()
                #expect(counters.passedAgent == 1 && counters.redirected == 1)
            }
        }

        @Test func aSocketBoundToADevicePasses() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let (datapath, _, _) = try bed.enrolled(Self.claimed)
                let four = try bed.client("device", Testbed.serviceV4, "80")
                #expect(four.hasPrefix("server ") && four.hasSuffix("| \(Testbed.serviceV4) 80 | \(Testbed.podV4)"))
                let six = try bed.client("device", Testbed.serviceV6, "80")
                #expect(six.hasPrefix("server "))
                let counters = try datapath.counters()
                #expect(counters.passedBoundDevice == 2)
            }
        }

        @Test func consumerRoutesHoldForTheirNamespaceOnly() throws {
            let snapshot = Snapshot.one([Port(number: 80, consumers: ["tenant"])])
            for (namespace, expected) in [("tenant", "proxy "), ("apps", "server ")] {
                try withTestbed { bed in
                    try bed.serve(80, says: "server")
                    _ = try bed.enrolled(snapshot, namespace: namespace)
                    let answer = try bed.client("blocking", Testbed.serviceV4, "80")
                    #expect(answer.hasPrefix(expected), "a client in \(namespace)")
                }
            }
        }

        @Test func aPodWithoutIPv6IsEnrolled() throws {
            try withTestbed(ipv6: false) { bed in
                let (_, pod, _) = try bed.enrolled(Self.claimed)
                #expect(pod.listener6 == nil)
                let answer = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(answer.hasPrefix("proxy 127.64.0.0 80 "))
                let mapped = try bed.client("blocking", "::ffff:" + Testbed.serviceV4, "80")
                #expect(mapped.hasPrefix("proxy 127.64.0.0 80 "))
            }
        }

        @Test func removedServicesAreForgotten() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                var (datapath, _, scopes) = try bed.enrolled(Self.claimed)
                let before = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(before.hasPrefix("proxy "))
                let applied = try datapath.apply(
                    Tables(snapshot: .one([Port(number: 80)]), serviceLB: false, scopes: &scopes))
                #expect(applied.removed == 2 && applied.updated == 0)
                let after = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(after.hasPrefix("server "))
            }
        }
    }
}
