/// An automaton whose states are the pattern's byte positions (Glushkov's construction), as bit sets.
///
/// Bit 0 is the start, bits 1… are the positions, and the last bit is acceptance. `follow` says, for a state and what
/// holds at the place behind it, which states can come next; `masks` says which states a byte can enter. A step over
/// one byte is therefore: unite the follow sets of the current states, then intersect with the byte's mask.
final class Program: Sendable {
    /// Start, positions and acceptance together; 16 words of 64 bits.
    static let stateLimit = 1024
    /// Branching points while the tables are made.
    private static let branchLimit = 4096

    let pattern: String
    /// 64-bit words in one state set, 1…16.
    let words: Int
    let stateCount: Int
    /// The conditions that the pattern's assertions read: a subset of `Condition`'s bits; 0 when it has none.
    let conditions: Int
    /// `[(condition * stateCount + state) * words ..< + words]`.
    let follow: [UInt64]
    /// A byte's row in `masks`.
    let classes: [UInt8]
    /// `[class * words ..< + words]`.
    let masks: [UInt64]

    /// What may hold at a place between two bytes, as bits.
    enum Condition {
        static let begin = 1
        static let end = 2
        static let wordBoundary = 4
    }

    init(_ node: Node, pattern: String) throws(RegularExpression.Failure) {
        self.pattern = pattern
        var builder = Builder()
        let accept = builder.add(.accept)
        let entry = try builder.build(node, next: accept)
        stateCount = builder.positions.count + 2
        words = (stateCount + 63) / 64
        conditions = builder.conditions
        follow = builder.follow(entry: entry, words: words, stateCount: stateCount)
        (classes, masks) = Self.byteClasses(builder.positions.map(\.set), words: words)
    }

    var acceptance: Int { stateCount - 1 }

    private static func byteClasses(_ sets: [ByteSet], words: Int) -> ([UInt8], [UInt64]) {
        var classes = [UInt8](repeating: 0, count: 256)
        var masks: [UInt64] = []
        var known: [[UInt64]: UInt8] = [:]
        for byte in UInt8.min...UInt8.max {
            var mask = [UInt64](repeating: 0, count: words)
            for (index, set) in sets.enumerated() where set.contains(byte) {
                let bit = index + 1
                mask[bit / 64] |= 1 << UInt64(bit % 64)
            }
            if let number = known[mask] {
                classes[Int(byte)] = number
            } else {
                let number = UInt8(known.count)
                known[mask] = number
                classes[Int(byte)] = number
                masks += mask
            }
        }
        return (classes, masks)
    }

    /// The pattern as a graph with empty transitions (Thompson's construction), built from its end to its beginning.
    private struct Builder {
        enum Step {
            case accept
            case position(Int)
            case assertion(Assertion, next: Int)
            case branch([Int])
        }

        private var steps: [Step] = []
        private(set) var positions: [(set: ByteSet, next: Int)] = []
        private(set) var conditions = 0

        mutating func add(_ step: Step) -> Int {
            steps.append(step)
            return steps.count - 1
        }

        /// Adds `node` in front of `next`; returns where it begins.
        mutating func build(_ node: Node, next: Int) throws(RegularExpression.Failure) -> Int {
            guard steps.count < Program.branchLimit, positions.count + 2 < Program.stateLimit else {
                throw RegularExpression.Failure(
                    message: "the pattern needs more than \(Program.stateLimit) states; shorten its repetitions",
                    position: nil)
            }
            switch node {
            case .empty: return next
            case .byte(let set):
                positions.append((set, next))
                return add(.position(positions.count))
            case .assertion(let assertion):
                switch assertion {
                case .begin: conditions |= Condition.begin
                case .end: conditions |= Condition.end
                case .wordBoundary, .noWordBoundary: conditions |= Condition.wordBoundary
                }
                return add(.assertion(assertion, next: next))
            case .sequence(let items):
                var entry = next
                for item in items.reversed() { entry = try build(item, next: entry) }
                return entry
            case .alternation(let branches):
                var entries: [Int] = []
                for branch in branches { entries.append(try build(branch, next: next)) }
                return add(.branch(entries))
            case .repetition(let body, let minimum, let maximum):
                return try repetition(body, minimum, maximum, next: next)
            }
        }

        private mutating func repetition(
            _ body: Node, _ minimum: Int, _ maximum: Int?, next: Int
        ) throws(RegularExpression.Failure) -> Int {
            var entry = next
            var required = minimum
            if let maximum {
                for _ in minimum..<max(minimum, maximum) {
                    let inner = try build(body, next: entry)
                    entry = add(.branch([inner, next]))
                }
            } else {
                let loop = add(.branch([]))
                let inner = try build(body, next: loop)
                steps[loop] = .branch([inner, next])
                if minimum > 0 {
                    entry = inner
                    required -= 1
                } else {
                    entry = loop
                }
            }
            for _ in 0..<required {
                let before = steps.count
                entry = try build(body, next: entry)
                // A body that stands for nothing does so however often.
                if steps.count == before { break }
            }
            return entry
        }

        func follow(entry: Int, words: Int, stateCount: Int) -> [UInt64] {
            var result = [UInt64](repeating: 0, count: (conditions + 1) * stateCount * words)
            var visited = [Int](repeating: -1, count: steps.count)
            var round = 0
            var pending: [Int] = []
            for holding in 0...conditions where holding & ~conditions == 0 {
                for state in 0..<(stateCount - 1) {
                    let row = (holding * stateCount + state) * words
                    pending.append(state == 0 ? entry : positions[state - 1].next)
                    while let index = pending.popLast() {
                        guard visited[index] != round else { continue }
                        visited[index] = round
                        switch steps[index] {
                        case .accept:
                            let bit = stateCount - 1
                            result[row + bit / 64] |= 1 << UInt64(bit % 64)
                        case .position(let bit): result[row + bit / 64] |= 1 << UInt64(bit % 64)
                        case .branch(let targets): pending += targets
                        case .assertion(let assertion, let next):
                            if Self.holds(assertion, holding) { pending.append(next) }
                        }
                    }
                    round += 1
                }
            }
            return result
        }

        private static func holds(_ assertion: Assertion, _ conditions: Int) -> Bool {
            switch assertion {
            case .begin: conditions & Condition.begin != 0
            case .end: conditions & Condition.end != 0
            case .wordBoundary: conditions & Condition.wordBoundary != 0
            case .noWordBoundary: conditions & Condition.wordBoundary == 0
            }
        }
    }
}
