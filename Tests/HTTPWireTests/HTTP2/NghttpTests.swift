import HTTP2Rows
import HTTPWire
import Testing

/// Our end against libnghttp2's, in memory.
@Suite struct NghttpTests {
    private func run(_ ours: RandomEndpoint, _ theirs: NghttpPeer, _ random: inout Seeded) -> Bool {
        var fromThem: [UInt8] = []
        for _ in 0..<200_000 {
            ours.now += 100_000
            ours.act()
            theirs.act()
            if !ours.output.isEmpty {
                let count =
                    random.one(in: 3) ? ours.output.count : Int.random(in: 1...ours.output.count, using: &random)
                theirs.receive(Array(ours.output[..<count]))
                ours.output.removeFirst(count)
            }
            fromThem += theirs.takeOutput()
            if !fromThem.isEmpty {
                let count = random.one(in: 3) ? fromThem.count : Int.random(in: 1...fromThem.count, using: &random)
                ours.receive(Array(fromThem[..<count]))
                fromThem.removeFirst(count)
            }
            if ours.failure != nil || theirs.complaint != nil { return false }
            let isDone = ours.isIdle && theirs.isIdle && fromThem.isEmpty && ours.output.isEmpty
            if isDone { return true }
        }
        return false
    }

    @Test("nghttp2's server and our client, and the reverse", arguments: 0..<16)
    func traffic(_ seed: Int) {
        var random = Seeded(UInt64(seed) << 40)
        let weAreClient = seed % 2 == 0
        let hasResets = seed % 4 >= 2
        let ours = RandomEndpoint(
            weAreClient ? .client : .server, UInt64(seed), requests: weAreClient ? 60 : 0, resets: hasResets)
        let theirs = NghttpPeer(
            isClient: !weAreClient, UInt64(seed) + 500, requests: weAreClient ? 0 : 60, resets: hasResets)
        #expect(run(ours, theirs, &random), "it stops")
        #expect(theirs.complaint == nil)
        #expect(ours.streams == 0 && ours.slots.isEmpty)
        #expect(ours.completed + ours.resetCount == 60)
        if !hasResets { #expect(ours.completed == 60 && theirs.completed == 60) }
    }
}
