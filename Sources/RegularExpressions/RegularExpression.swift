/// A regular expression over bytes, whose matching takes time proportional to the input and allocates nothing.
///
/// The syntax is RE2's: literals, `.`, classes with ranges and POSIX names, `\d \D \w \W \s \S`, `\b \B \A \z`,
/// `^ $` (begin and end of the input), groups (plain, named, `(?:…)`), `(?i) (?s) (?U)`, `|`, `* + ?` and `{m,n}` up to
/// 1,000 (lazy forms too), `\Q…\E`, `\x7F`, `\x{10FFFF}`. Not supported, and refused: back references, look-around,
/// Unicode classes, `(?m)`, characters outside ASCII inside `[ ]`.
///
/// The alphabet is bytes: `.` and an inverted class match one byte; a character outside ASCII in the pattern stands for
/// its UTF-8 bytes. The automaton has at most 1,024 states; a pattern that needs more is refused.
package struct RegularExpression: Sendable {
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let message: String
        /// Unicode scalars before the fault, where it has a place.
        package let position: Int?

        package var description: String {
            position.map { "\(message) (at character \($0 + 1))" } ?? message
        }
    }

    /// All of it behind one reference, so that a copy costs one retain.
    private let program: Program

    package var pattern: String { program.pattern }

    package init(_ pattern: String) throws(Failure) {
        var parser = Parser(pattern)
        program = try Program(try parser.parse(), pattern: pattern)
    }

    /// True when the whole input matches.
    package func matchesWhole(_ bytes: Span<UInt8>) -> Bool {
        var run = Run()
        for index in bytes.indices {
            feed(bytes[index], &run)
            if run.isDead { return false }
        }
        return accepts(run)
    }

    /// True when any part of the input matches, the empty one included.
    package func search(_ bytes: Span<UInt8>) -> Bool {
        var run = Run()
        for index in bytes.indices {
            if accepts(run, before: bytes[index]) { return true }
            feed(bytes[index], &run)
            run.states[0] |= 1
        }
        return accepts(run)
    }

    /// A match under way, for input that comes in pieces. Begins at the start of the input; for one expression only.
    package struct Run {
        fileprivate var states = InlineArray<16, UInt64>(repeating: 0)
        /// The byte before this place; -1 at the beginning.
        fileprivate var previous: Int16 = -1
        /// No continuation can match.
        package fileprivate(set) var isDead = false

        package init() {
            states[0] = 1
        }
    }

    package func feed(_ byte: UInt8, _ run: inout Run) {
        let program = program
        let row = conditions(run.previous, Int16(byte)) * program.stateCount
        let mask = Int(program.classes[Int(byte)]) * program.words
        run.previous = Int16(byte)
        if program.words == 1 {
            var next: UInt64 = 0
            var current = run.states[0]
            while current != 0 {
                next |= program.follow[row + current.trailingZeroBitCount]
                current &= current - 1
            }
            next &= program.masks[mask]
            run.states[0] = next
            run.isDead = next == 0
            return
        }
        var next = InlineArray<16, UInt64>(repeating: 0)
        for word in 0..<program.words {
            var current = run.states[word]
            while current != 0 {
                let state = word * 64 + current.trailingZeroBitCount
                let start = (row + state) * program.words
                for index in 0..<program.words { next[index] |= program.follow[start + index] }
                current &= current - 1
            }
        }
        var any: UInt64 = 0
        for index in 0..<program.words {
            next[index] &= program.masks[mask + index]
            any |= next[index]
        }
        run.states = next
        run.isDead = any == 0
    }

    /// True when the input that `run` was fed matches as a whole.
    package func accepts(_ run: Run) -> Bool {
        accepts(run, conditions(run.previous, -1))
    }

    private func accepts(_ run: Run, before byte: UInt8) -> Bool {
        accepts(run, conditions(run.previous, Int16(byte)))
    }

    private func accepts(_ run: Run, _ conditions: Int) -> Bool {
        let row = conditions * program.stateCount
        let bit = program.acceptance
        for word in 0..<program.words {
            var current = run.states[word]
            while current != 0 {
                let state = word * 64 + current.trailingZeroBitCount
                if program.follow[(row + state) * program.words + bit / 64] >> UInt64(bit % 64) & 1 == 1 { return true }
                current &= current - 1
            }
        }
        return false
    }

    /// The conditions that hold between two bytes, of those that the program reads; -1 is the input's edge.
    private func conditions(_ previous: Int16, _ next: Int16) -> Int {
        guard program.conditions != 0 else { return 0 }
        var result = 0
        if previous < 0 { result |= Program.Condition.begin }
        if next < 0 { result |= Program.Condition.end }
        let before = previous >= 0 && Self.isWord(UInt8(truncatingIfNeeded: previous))
        let after = next >= 0 && Self.isWord(UInt8(truncatingIfNeeded: next))
        if before != after { result |= Program.Condition.wordBoundary }
        return result & program.conditions
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}

extension RegularExpression {
    /// `matchesWhole` over a string's UTF-8 bytes. May copy the string.
    package func matchesWhole(_ text: String) -> Bool {
        matchesWhole(Array(text.utf8).span)
    }

    /// `search` over a string's UTF-8 bytes. May copy the string.
    package func search(_ text: String) -> Bool {
        search(Array(text.utf8).span)
    }
}
