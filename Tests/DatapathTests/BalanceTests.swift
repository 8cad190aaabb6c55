import CDatapath
import Datapath
import Glibc
import Model
import Testing

extension KernelTests {
    /// In-kernel balancing of Services without routes, on this machine's kernel.
    @Suite struct BalanceTests {
        private static let three = [(Testbed.farV4, UInt16(7001)), ("10.199.1.3", 7001), ("10.199.1.4", 7001)]

        private func count(_ answers: String) -> [Substring: Int] {
            Dictionary(answers.split(separator: "\n").map { ($0.prefix { $0 != " " }, 1) }, uniquingKeysWith: +)
        }

        @Test func connectionsSpreadOverTheEndpointsAndOutliveTheAgent() throws {
            try withTestbed { bed in
                for (index, target) in Self.three.enumerated() {
                    try bed.serve(target.1, address: target.0, says: "s\(index)")
                }
                do {
                    let (datapath, _, _) = try bed.enrolled(
                        .one([Port(number: 90, endpoints: Self.three)]), serviceLB: true)
                    let answers = try bed.client("blocking", Testbed.serviceV4, "90", "300")
                    let counts = count(answers)
                    #expect(counts.count == 3 && counts.values.allSatisfy { $0 > 60 }, "\(counts)")
                    #expect(answers.split(separator: "\n").allSatisfy { $0.contains("| \(Testbed.serviceV4) 90 |") })
                    let mapped = try bed.client("blocking", "::ffff:" + Testbed.serviceV4, "90")
                    #expect(mapped.contains("| ::ffff:\(Testbed.serviceV4) 90 |"))
                    // No endpoint of that family.
                    let six = try bed.client("blocking", Testbed.serviceV6, "90")
                    #expect(six == "ECONNREFUSED")
                    let counters = try datapath.counters()
                    #expect(counters.balanced == 301 && counters.refusedNoEndpoint == 1)
                }
                bed.stopServers(saying: "proxy")
                let orphaned = count(try bed.client("blocking", Testbed.serviceV4, "90", "60"))
                #expect(orphaned.count == 3)
            }
        }

        @Test func aClaimedPortIsBalancedWhileNoAgentLives() throws {
            try withTestbed { bed in
                try bed.serve(7001, address: Testbed.farV4, says: "endpoint")
                do {
                    _ = try bed.enrolled(
                        .one([Port(number: 80, producer: true, endpoints: [(Testbed.farV4, 7001)])]), serviceLB: true)
                    let alive = try bed.client("blocking", Testbed.serviceV4, "80")
                    #expect(alive.hasPrefix("proxy "))
                }
                bed.stopServers(saying: "proxy")
                let dead = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(
                    dead.hasPrefix("endpoint \(Testbed.farV4) 7001 ") && dead.contains("| \(Testbed.serviceV4) 80 |"))
            }
        }

        @Test func aServiceTooLargeForTheTableIsReportedAndStillRedirected() throws {
            try withTestbed { bed in
                try bed.serve(80, says: "server")
                let targets = (0...Int(WEIR_MAX_SLOTS)).map { ("10.200.\($0 / 60_000).1", UInt16($0 % 60_000 + 1)) }
                let snapshot = snapshot([
                    (Testbed.serviceV4, service("large", [Port(number: 80, producer: true, endpoints: targets)]))
                ])
                let datapath = try Datapath(bed.configuration())
                var scopes = ScopeIDs()
                let applied = try datapath.apply(Tables(snapshot: snapshot, serviceLB: true, scopes: &scopes))
                #expect(
                    applied.refused == [
                        "service apps/large: TCP port 80: no room for its 262145 endpoints in the kernel's table"
                    ])
                #expect(applied.slots == 0 && applied.updated == 1)
                let pod = try datapath.enrol(ObjectName(namespace: "apps", name: "client"), netns: bed.pod, scope: 1)
                bed.play(pod)
                let alive = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(alive.hasPrefix("proxy "))
                datapath.stopRedirecting()
                let passed = try bed.client("blocking", Testbed.serviceV4, "80")
                #expect(passed.hasPrefix("server "))
            }
        }

        @Test func endpointsOverIPv6() throws {
            try withTestbed { bed in
                try bed.serve(7001, address: Testbed.farV6, says: "six")
                _ = try bed.enrolled(
                    .one([Port(number: 90, endpoints: [(Testbed.farV6, 7001)])]), serviceLB: true)
                let answer = try bed.client("blocking", Testbed.serviceV6, "90")
                #expect(
                    answer == "six \(Testbed.farV6) 7001 \(Testbed.podV6) | \(Testbed.serviceV6) 90 | \(Testbed.podV6)")
            }
        }

        @Test(arguments: [Testbed.serviceV4, "::ffff:" + Testbed.serviceV4, Testbed.serviceV6])
        func repliesToDatagramsShowTheService(address: String) throws {
            try withTestbed { bed in
                for (index, target) in Self.three.enumerated() {
                    try bed.serveDatagrams(target.0, target.1, says: "d\(index)")
                }
                try bed.serveDatagrams(Testbed.farV6, 7001, says: "d6")
                _ = try bed.enrolled(
                    .one([
                        Port(
                            number: 53, transport: .udp, producer: true, endpoints: Self.three + [(Testbed.farV6, 7001)]
                        )
                    ]), serviceLB: true)
                let answers = try bed.client("udp", address, "53", "90")
                let counts = count(answers)
                #expect(counts.count == (address == Testbed.serviceV6 ? 1 : 3), "\(counts)")
                #expect(answers.split(separator: "\n").allSatisfy { $0.hasSuffix("| \(address) 53") }, "\(answers)")
                let connected = try bed.client("udp-connected", address, "53")
                #expect(connected.hasSuffix("| \(address) 53 | \(address) 53"), "\(connected)")
                let stable = try bed.client("udp-stable", address, "53")
                #expect(stable == "1")
            }
        }

        @Test func swapsUnderLoadNeverLeaveTheEndpoints() throws {
            try withTestbed { bed in
                for (index, target) in Self.three.enumerated() {
                    try bed.serve(target.1, address: target.0, says: "s\(index)")
                }
                var (datapath, _, scopes) = try bed.enrolled(
                    .one([Port(number: 90, endpoints: Self.three)]), serviceLB: true)
                let swapping = Swapper(
                    datapath, &scopes,
                    [
                        .one([Port(number: 90, endpoints: Array(Self.three[..<1]))]),
                        .one([Port(number: 90, endpoints: Self.three)]),
                    ])
                let answers = try bed.client("threads", Testbed.serviceV4, "90", "2000").split(separator: "\n")
                let swaps = swapping.stop()
                #expect(answers.count == 2000 && answers.allSatisfy { $0.hasPrefix("s") }, "after \(swaps) swaps")
                #expect(swaps > 10)
            }
        }
    }
}
