import CDatapath
import Datapath
import Model
import Testing

/// The pure side: what the kernel is to hold, and what must change.
struct TablesTests {
    private static let endpoint = [("10.0.0.1", UInt16(8080))]

    private func tables(_ snapshot: Snapshot, lb: Bool = false, previous: Tables = .empty) -> Tables {
        var scopes = ScopeIDs()
        return Tables(snapshot: snapshot, serviceLB: lb, scopes: &scopes, previous: previous)
    }

    @Test func aPortNeedsARouteOrBalancing() {
        let ports = [
            Port(number: 80, producer: true), Port(number: 81), Port(number: 82, consumers: ["b", "a"]),
            Port(number: 83, producer: true, consumers: ["a"]),
            Port(number: 53, transport: .udp, producer: true, consumers: ["a"]),
            Port(number: 99, transport: .sctp, producer: true),
        ]
        let plans = tables(snapshot([("10.1.0.1", service("s", ports))])).rows[0]?.ports ?? []
        #expect(plans.map(\.port) == [80, 82, 83])
        #expect(plans.map(\.redirected) == [[0], [1, 2], [0]])
        #expect(plans.map(\.scopes) == [[0], [1, 2], [0]])
        #expect(plans.allSatisfy { $0.targets == nil })
        let balanced = tables(snapshot([("10.1.0.1", service("s", ports))]), lb: true).rows[0]?.ports ?? []
        #expect(balanced.map(\.port) == [80, 81, 82, 83, 53])
        #expect(balanced.map(\.redirected) == [[0], [], [1, 2], [0], []])
        #expect(balanced.map(\.scopes) == [[0], [0], [0, 1, 2], [0], [0]])
    }

    @Test func endpointsAreOfTheFrontendsFamily() {
        let ports = [Port(number: 80, endpoints: [("10.0.0.1", 8080), ("fd00::1", 8081)])]
        let dual = tables(snapshot([("10.1.0.1", service("s", ports)), ("fd01::1", service("s", ports))]), lb: true)
        #expect(dual.rows[0]?.ports[0].targets == [.init(address: address("10.0.0.1"), port: 8080)])
        #expect(dual.rows[1]?.ports[0].targets == [.init(address: address("fd00::1"), port: 8081)])
    }

    @Test func unchangedServicesShareTheirRows() {
        let kept = service("kept", [Port(number: 80, producer: true)])
        let first = tables(snapshot([("10.1.0.1", kept), ("10.1.0.2", service("old", [Port(number: 80)]))]))
        let second = tables(
            snapshot([("10.1.0.1", kept), ("10.1.0.2", service("new", [Port(number: 80, producer: true)]))]),
            previous: first)
        #expect(second.rows[0] === first.rows[0])
        let difference = TableDifference(from: first, to: second)
        #expect(difference.changed.map(\.at.address) == [address("10.1.0.2")])
        #expect(difference.removed.isEmpty && difference.readdressed.isEmpty)
        #expect(TableDifference(from: second, to: second).isEmpty)
    }

    @Test func differencesAreByPort() {
        let old = tables(
            snapshot([("10.1.0.1", service("s", [Port(number: 80, producer: true), Port(number: 81, producer: true)]))])
        )
        let new = tables(
            snapshot([("10.1.0.1", service("s", [Port(number: 81, producer: true), Port(number: 82, producer: true)]))])
        )
        let difference = TableDifference(from: old, to: new)
        #expect(difference.changed.map(\.at.port) == [82])
        #expect(difference.removed.map(\.port) == [80])
        #expect(TableDifference(from: old, to: .empty).removed.count == 2)
    }

    @Test func anAddressThatMovesToAnotherIndexIsRewritten() {
        let s = service("s", [Port(number: 80, producer: true)])
        let old = tables(snapshot([("10.1.0.1", s), nil]))
        let new = tables(snapshot([nil, ("10.1.0.1", s)]))
        let difference = TableDifference(from: old, to: new)
        #expect(difference.changed.map(\.index) == [1])
        #expect(difference.changed.map(\.retarget) == [false])
        #expect(difference.removed.isEmpty)
        #expect(difference.readdressed.map(\.index) == [1])
    }

    @Test func onlyOtherEndpointsAreWrittenAgain() {
        func one(_ port: Port) -> Tables { tables(snapshot([("10.1.0.1", service("s", [port]))]), lb: true) }
        let plain = one(Port(number: 80, endpoints: Self.endpoint))
        let claimed = one(Port(number: 80, producer: true, endpoints: Self.endpoint))
        let moved = one(Port(number: 80, endpoints: [("10.0.0.2", 8080)]))
        #expect(TableDifference(from: plain, to: claimed).changed.map(\.retarget) == [false])
        #expect(TableDifference(from: plain, to: moved).changed.map(\.retarget) == [true])
        #expect(TableDifference(from: .empty, to: plain).changed.map(\.retarget) == [true])
    }

    /// Who is redirected before and after a change, and between them, while the proxy does not know of it yet.
    @Test(
        arguments: [
            ([0], [0], [0]), ([0], [1, 2], [1, 2]), ([0], [], nil), ([1, 2], [0], [1, 2]), ([1, 2], [2, 3], [2]),
            ([1], [2], nil), ([1, 2], [], nil), ([], [0], nil), ([], [1], nil),
        ] as [([Int], [Int], [UInt32]?)])
    func narrowingKeepsWhoStaysRedirected(before: [Int], after: [Int], between: [UInt32]?) {
        var scopes = ScopeIDs()
        for name in ["1", "2", "3"] { _ = scopes.id(for: name) }
        func one(_ redirected: [Int], lb: Bool) -> Tables {
            let consumers = redirected.filter { $0 > 0 }.map(String.init)
            let port = Port(
                number: 80, producer: redirected.contains(0), consumers: consumers, endpoints: Self.endpoint)
            return Tables(snapshot: snapshot([("10.1.0.1", service("s", [port]))]), serviceLB: lb, scopes: &scopes)
        }
        let plain = one(before, lb: false).narrowed(to: one(after, lb: false))
        #expect(plain.rows[0]?.ports.first?.redirected == between)
        let balanced = one(before, lb: true).narrowed(to: one(after, lb: true))
        #expect(balanced.rows[0]?.ports.first?.redirected == between ?? [])
        #expect(balanced.rows[0]?.ports.first?.targets?.count == 1)
    }

    @Test func narrowingForgetsWhatIsGone() {
        let ports = [Port(number: 80, producer: true), Port(number: 81, producer: true)]
        let kept = service("kept", ports)
        let old = tables(snapshot([("10.1.0.1", kept), ("10.1.0.2", service("gone", ports)), ("10.1.0.3", kept)]))
        let new = tables(snapshot([("10.1.0.1", service("kept", [ports[0]])), nil, ("10.1.0.4", kept)]))
        let narrowed = old.narrowed(to: new)
        #expect(narrowed.rows[0]?.ports.map(\.port) == [80])
        #expect(narrowed.rows[1] == nil && narrowed.rows[2] == nil)
        #expect(TableDifference(from: old, to: old.narrowed(to: old)).isEmpty)
    }

    @Test func narrowingKeepsTheOldEndpoints() {
        func one(_ endpoint: String) -> Tables {
            tables(snapshot([("10.1.0.1", service("s", [Port(number: 80, endpoints: [(endpoint, 80)])]))]), lb: true)
        }
        let narrowed = one("10.0.0.1").narrowed(to: one("10.0.0.2"))
        #expect(narrowed.rows[0]?.ports[0].targets == [.init(address: address("10.0.0.1"), port: 80)])
    }

    @Test func whatTheKernelHasNoRoomForIsRefused() {
        var scopes = ScopeIDs()
        let ports = [Port(number: 80, producer: true), Port(number: 81, consumers: ["a", "b"])]
        let frontends = snapshot([
            ("10.1.0.1", service("one", ports)), ("10.1.0.2", service("two", ports)),
            ("10.1.0.3", service("three", [ports[0]])),
        ])
        let exact = Tables(snapshot: frontends, serviceLB: false, scopes: &scopes, capacity: 7)
        #expect(exact.refused.isEmpty && exact.rows.allSatisfy { $0 != nil })
        let short = Tables(snapshot: frontends, serviceLB: false, scopes: &scopes, previous: exact, capacity: 5)
        #expect(short.rows.map { $0 == nil } == [false, true, false])
        #expect(
            short.refused == [
                "service apps/two: the kernel table's 5 entries are taken; 10.1.0.2 is not redirected"
            ])
    }

    @Test func scopesKeepTheirNumbers() {
        var scopes = ScopeIDs()
        #expect(scopes.id(for: "a") == 1)
        #expect(scopes.id(for: "b") == 2)
        #expect(scopes.id(for: "a") == 1)
    }

    @Test func theModelAndTheProgramsAgreeOnRedirectAddresses() {
        for index in [0, 1, 0xffff, UInt32(WEIR_MAX_FRONTENDS) - 1] {
            let four = IPAddress.redirect(index: index, isIPv4: true)
            #expect(UInt32(truncatingIfNeeded: four.low) == UInt32(WEIR_V4_PREFIX) | index)
            #expect(four.redirectIndex == index)
            let six = IPAddress.redirect(index: index, isIPv4: false)
            #expect(six.high == UInt64(WEIR_V6_PREFIX_0) << 32 | UInt64(WEIR_V6_PREFIX_1))
            #expect(six.low == UInt64(index))
            #expect(six.redirectIndex == index)
        }
        #expect(WEIR_MAX_FRONTENDS <= 1 << 22)
        for other in ["127.0.0.1", "127.63.0.1", "127.128.0.1", "10.64.0.1", "fdc0:6d65:7368:1::1", "::1"] {
            #expect(address(other).redirectIndex == nil, "\(other)")
        }
        #expect(address("127.127.255.255").redirectIndex == 0x3f_ffff)
    }
}

struct AliasTableTests {
    /// The share of each position, exactly, from the table itself.
    private func shares(_ table: AliasTable) -> [Double] {
        var shares = [Double](repeating: 0, count: table.slots.count)
        for (position, slot) in table.slots.enumerated() {
            let own = slot.alias == UInt32(position) ? 1 : Double(slot.threshold) / 4_294_967_296
            shares[position] += own
            shares[Int(slot.alias)] += 1 - own
        }
        return shares.map { $0 / Double(table.slots.count) }
    }

    @Test(
        arguments: [[1], [1, 1, 1], [1, 3, 6], [0, 1], [100, 0, 0, 1], [7, 7, 7, 7, 1], [.max, 1, .max]] as [[UInt32]])
    func sharesAreTheWeights(weights: [UInt32]) {
        let total = Double(weights.reduce(0) { $0 + UInt64($1) })
        for (share, weight) in zip(shares(AliasTable(weights: weights)), weights) {
            #expect(abs(share - Double(weight) / total) < 1e-9)
        }
    }

    @Test func equalWeightsNeedNoAlias() {
        let slots = AliasTable(weights: [5, 5]).slots
        #expect(slots.map(\.threshold) == [.max, .max] && slots.map(\.alias) == [0, 1])
    }

    @Test func sharesAreTheWeightsForManyRandomTables() {
        var generator = SplitMix(state: 42)
        for _ in 0..<200 {
            let weights = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                UInt32.random(in: 0...1_000_000, using: &generator)
            }
            guard weights.contains(where: { $0 > 0 }) else { continue }
            let total = Double(weights.reduce(0) { $0 + UInt64($1) })
            for (share, weight) in zip(shares(AliasTable(weights: weights)), weights) {
                #expect(abs(share - Double(weight) / total) < 1e-7)
            }
        }
    }
}

struct RegionsTests {
    private typealias Region = Regions.Region

    @Test func regionsRestBeforeTheyAreGivenOutAgain() {
        var regions = Regions(capacity: 4)
        let first = regions.allocate(4)
        #expect(first == Region(base: 0, count: 4))
        #expect(regions.allocate(1) == nil)
        regions.release(Region(base: 0, count: 4), now: 5)
        regions.wake(now: 5 + Regions.rest - 1)
        #expect(regions.allocate(1) == nil)
        regions.wake(now: 5 + Regions.rest)
        #expect(regions.allocate(4) == first)
    }

    @Test func neighboursMerge() {
        var regions = Regions(capacity: 6)
        let three = (0..<3).compactMap { _ in regions.allocate(2) }
        for index in [2, 0, 1] { regions.release(three[index], now: 0) }
        regions.wake(now: Regions.rest)
        #expect(regions.allocate(6) == Region(base: 0, count: 6))
    }

    @Test func claimedRegionsAreNotGivenOut() {
        var regions = Regions(capacity: 10)
        regions.claim(Region(base: 3, count: 4))
        regions.claim(Region(base: 3, count: 4))
        #expect(regions.allocate(4) == nil)
        #expect(regions.allocate(3) == Region(base: 0, count: 3))
        #expect(regions.allocate(3) == Region(base: 7, count: 3))
    }

    @Test func aResetKeepsWhatRests() {
        var regions = Regions(capacity: 4)
        _ = regions.allocate(2)
        regions.release(Region(base: 0, count: 2), now: 0)
        regions.reset(capacity: 4)
        #expect(regions.allocate(4) == nil)
        #expect(regions.allocate(2) == Region(base: 2, count: 2))
    }

    /// No slot is ever in two regions at once, and all come back.
    @Test func noSlotIsGivenOutTwice() {
        var regions = Regions(capacity: 256)
        var generator = SplitMix(state: 7)
        var held: [Region] = []
        for step in 0..<5000 {
            let now = UInt64(step) * (Regions.rest / 8)
            regions.wake(now: now)
            if Bool.random(using: &generator),
                let region = regions.allocate(UInt32.random(in: 1...20, using: &generator))
            {
                #expect(region.end <= 256 && held.allSatisfy { region.end <= $0.base || $0.end <= region.base })
                held.append(region)
            } else if let index = held.indices.randomElement(using: &generator) {
                regions.release(held.remove(at: index), now: now)
            }
        }
        for region in held { regions.release(region, now: UInt64(5000) * Regions.rest) }
        regions.wake(now: 5001 * Regions.rest)
        #expect(regions.allocate(256) == Region(base: 0, count: 256))
    }
}

/// SplitMix64: the same numbers in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
