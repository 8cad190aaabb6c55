import HTTPWire
import Testing

@Suite struct SmugglingTests {
    @Test("is refused, or cut in the only way", arguments: smuggling.indices)
    func verdict(_ index: Int) throws {
        let attack = smuggling[index]
        let stream = bytes(attack.stream)
        let cut = Cut(stream)
        switch attack.verdict {
        case .head(let error): #expect(cut.end == .head(error), "\(attack.name)")
        case .body(let error): #expect(cut.end == .body(error), "\(attack.name)")
        case .requests(let requests):
            #expect(cut.requests.map(\.description) == requests, "\(attack.name)")
            #expect(cut.end == .done || cut.end == .closed || cut.end == .incomplete, "\(attack.name)")
        }
        for piece in 1...7 {
            #expect(Cut(stream, piece: piece) == cut, "\(attack.name) in pieces of \(piece)")
        }
        for first in 1..<stream.count {
            // The second piece holds all the rest.
            #expect(Cut(stream, firstPiece: first) == cut, "\(attack.name) cut at \(first)")
        }
    }

    @Test("the corpus is large, and its names are unique")
    func corpus() {
        #expect(smuggling.count >= 70)
        #expect(Set(smuggling.map(\.name)).count == smuggling.count)
    }
}
