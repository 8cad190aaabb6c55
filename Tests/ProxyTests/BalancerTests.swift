import Model
import Proxy
import Testing

@Suite struct BalancerTests {
    private static let second: UInt64 = 1_000_000_000

    private static func backend(_ addresses: [String]) -> Backend {
        Backend(
            service: ObjectName(namespace: "default", name: "echo"), port: 80, appProtocol: nil,
            endpoints: addresses.map { Endpoint(address: IPAddress($0)!, port: 80, pod: nil) })
    }

    private static func trial(_ count: Int) -> BalancerTrial {
        BalancerTrial(backend((1...count).map { "10.0.0.\($0)" }), seed: 7)
    }

    /// How often each was chosen in 2000 goes.
    private static func shares(_ trial: BalancerTrial, _ count: Int, now: UInt64) -> [Int] {
        var shares = [Int](repeating: 0, count: count)
        for _ in 0..<2000 { shares[trial.choose(now: now)!] += 1 }
        return shares
    }

    /// True when the last of the failures ejected it.
    private static func fail(_ trial: BalancerTrial, _ index: Int, times: Int = 5, now: UInt64) -> Bool {
        trial.begin(index)
        defer { trial.end(index) }
        var isEjected = false
        for _ in 0..<times {
            #expect(!isEjected)
            isEjected = trial.noteFailure(index, now: now)
        }
        return isEjected
    }

    @Test func lessLoadedOfTwo() {
        let trial = Self.trial(2)
        for _ in 0..<3 { trial.begin(0) }
        #expect(Self.shares(trial, 2, now: 0) == [0, 2000])
        for _ in 0..<3 { trial.end(0) }
        #expect(Self.shares(trial, 2, now: 0).allSatisfy { $0 > 800 })
    }

    @Test func fiveFailuresInARowEject() {
        let trial = Self.trial(4)
        #expect(!Self.fail(trial, 1, times: 4, now: 0))
        trial.noteSuccess(1)
        #expect(!Self.fail(trial, 1, times: 4, now: 0))
        #expect(trial.health(now: 0).map(\.failures) == [4])
        #expect(Self.shares(trial, 4, now: 0)[1] > 300)
        #expect(Self.fail(trial, 1, times: 1, now: 0))
        #expect(
            trial.health(now: 0).map { [$0.slot, UInt32($0.failures), UInt32($0.ejectedUntil! / Self.second)] } == [
                [1, 0, 30]
            ])
        let shares = Self.shares(trial, 4, now: 30 * Self.second - 1)
        #expect(shares[1] == 0)
        #expect([0, 2, 3].allSatisfy { shares[$0] > 500 }, "the others share what it got: \(shares)")
        #expect(Self.shares(trial, 4, now: 30 * Self.second)[1] > 300)
        #expect(trial.health(now: 30 * Self.second) == [])
    }

    @Test func ejectedNeverMoreThanHalf() {
        let trial = Self.trial(4)
        #expect(Self.fail(trial, 0, now: 0) && Self.fail(trial, 1, now: 0))
        #expect(Self.shares(trial, 4, now: 1)[..<2] == [0, 0])
        #expect(Self.fail(trial, 2, now: 0))
        let shares = Self.shares(trial, 4, now: 1)
        #expect(shares.allSatisfy { $0 > 300 }, "all are chosen from: \(shares)")
    }

    @Test func theOnlyOneIsNeverEjected() {
        let trial = Self.trial(1)
        #expect(Self.fail(trial, 0, now: 0))
        #expect(trial.choose(now: 1) == 0)
        #expect(trial.preferred(Endpoint(address: IPAddress("10.0.0.1")!, port: 80, pod: nil), now: 1) == 0)
        let two = Self.trial(2)
        #expect(Self.fail(two, 0, now: 0))
        #expect(Self.shares(two, 2, now: 1) == [0, 2000])
        #expect(Self.fail(two, 1, now: 0))
        #expect(Self.shares(two, 2, now: 1).allSatisfy { $0 > 800 })
    }

    @Test func ejectionsGrowAndAreForgotten() {
        let trial = Self.trial(4)
        var now: UInt64 = 0
        for seconds in [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300] as [UInt64] {
            #expect(Self.fail(trial, 2, now: now))
            now += seconds * Self.second
            #expect(trial.health(now: now - 1).map(\.ejectedUntil) == [now])
            #expect(!Self.fail(trial, 2, now: now - 1), "what fails while it is ejected counts for nothing")
            #expect(trial.health(now: now) == [])
        }
        // Well for four times 30 s: four steps less.
        now += 4 * 30 * Self.second
        #expect(Self.fail(trial, 2, now: now))
        now += 210 * Self.second
        #expect(trial.health(now: now - 1).count == 1 && trial.health(now: now) == [])
        now += 3600 * Self.second
        #expect(Self.fail(trial, 2, now: now))
        #expect(trial.health(now: now).map(\.ejectedUntil) == [now + 30 * Self.second])
    }

    @Test func afterAFailureUntriedOnesThenEjectedOnes() {
        let trial = Self.trial(4)
        #expect(Self.fail(trial, 0, now: 0))
        for _ in 0..<100 {
            #expect([2, 3].contains(trial.choose(tried: [1], now: 1)))
            #expect(trial.choose(tried: [1, 2, 3], now: 1) == 0)
        }
        #expect(trial.choose(tried: [0, 1, 2, 3], now: 1) == nil)
    }

    @Test func otherFamilyComesAfterAFailureOnly() {
        let trial = BalancerTrial(Self.backend(["10.0.0.1", "fd00::1", "10.0.0.2"]), seed: 3)
        for _ in 0..<100 {
            #expect([0, 1].contains(trial.choose(now: 0)))
            #expect(trial.choose(isIPv4: false, now: 0) == 2)
        }
        #expect(trial.choose(tried: [0, 1], now: 0) == 2)
    }

    @Test func avoidedForASecondUnlessAllAre() {
        let trial = Self.trial(2)
        trial.begin(0)
        trial.avoid(0, now: 0)
        trial.end(0)
        #expect(Self.shares(trial, 2, now: Self.second - 1) == [0, 2000])
        #expect(Self.shares(trial, 2, now: Self.second).allSatisfy { $0 > 800 })
    }

    @Test func exactEndpointOfASession() {
        let addresses = (1...9).map { "10.0.0.\($0)" } + ["9.255.255.255", "fd00::1", "fd00::2", "::1"]
        let backend = Self.backend(addresses)
        let trial = BalancerTrial(backend, seed: 1)
        for (index, endpoint) in backend.endpoints.enumerated() {
            #expect(trial.preferred(endpoint, now: 0) == index)
            #expect(trial.preferred(Endpoint(address: endpoint.address, port: 81, pod: nil), now: 0) == nil)
            #expect(trial.preferred(Endpoint(address: endpoint.address, port: 79, pod: nil), now: 0) == nil)
        }
        for other in ["10.0.0.10", "0.0.0.0", "255.255.255.255", "::", "fd00::3", "fcff::1"] {
            #expect(trial.preferred(Endpoint(address: IPAddress(other)!, port: 80, pod: nil), now: 0) == nil)
        }
        #expect(Self.fail(trial, 3, now: 0))
        #expect(trial.preferred(backend.endpoints[3], now: 1) == nil)
        #expect(trial.preferred(backend.endpoints[4], now: 1) == 4)
        #expect(trial.preferred(backend.endpoints[3], now: 30 * Self.second) == 3)
    }
}
