import Foundation
import RegularExpressions
import Testing

/// Thousands of generated patterns and inputs against Python's `re`.
@Suite struct DifferentialTests {
    private struct Pair: Codable {
        let pattern: String
        let text: String
    }

    private struct Outcome: Codable {
        let whole: Bool
        let part: Bool
    }

    @Test func agreesWithPython() throws {
        var generator = Generator(state: 20_260_717)
        let pairs = (0..<1_000).flatMap { _ in
            let pattern = generator.pattern(depth: 2)
            return (0..<4).map { _ in Pair(pattern: pattern, text: generator.text()) }
        }
        let expected = try python(pairs)
        #expect(expected.count == pairs.count)
        var matches = 0
        var compared = 0
        for (pair, outcome) in zip(pairs, expected) {
            // Before 3.14 Python's \B does not match the empty input, against its own documentation and RE2.
            guard let outcome, !(pair.text.isEmpty && pair.pattern.contains(#"\B"#)) else { continue }
            compared += 1
            let expression = try RegularExpression(pair.pattern)
            let seen = Outcome(whole: expression.matchesWhole(pair.text), part: expression.search(pair.text))
            #expect(seen.whole == outcome.whole, "whole: \(pair.pattern) on \(pair.text)")
            #expect(seen.part == outcome.part, "search: \(pair.pattern) on \(pair.text)")
            if outcome.whole { matches += 1 }
        }
        // The generator is of use only if both outcomes are common.
        #expect(matches > pairs.count / 20)
        #expect(compared > pairs.count * 9 / 10)
    }

    private func python(_ pairs: [Pair]) throws -> [Outcome?] {
        let script = """
            import json, re, signal, sys
            class Slow(Exception): pass
            def stop(*_): raise Slow
            signal.signal(signal.SIGALRM, stop)
            def outcome(p):
                # Python backtracks, so some of these would take it hours.
                signal.setitimer(signal.ITIMER_REAL, 0.005)
                try:
                    return {"whole": re.fullmatch(p["pattern"], p["text"], re.A) is not None,
                            "part": re.search(p["pattern"], p["text"], re.A) is not None}
                except Slow:
                    return None
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            json.dump([outcome(p) for p in json.load(sys.stdin)], sys.stdout)
            """
        let file = FileManager.default.temporaryDirectory.appending(component: "weir-re-\(UUID().uuidString).json")
        try JSONEncoder().encode(pairs).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-W", "ignore", "-c", script]
        process.standardInput = try FileHandle(forReadingFrom: file)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try JSONDecoder().decode([Outcome?].self, from: data)
    }
}

/// Patterns in the syntax that both engines read alike, over a small alphabet so that matches are common.
private struct Generator {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 33) % UInt64(bound))
    }

    mutating func text() -> String {
        let alphabet = Array("aabbc1_- .")
        return String((0..<next(9)).map { _ in alphabet[next(alphabet.count)] })
    }

    mutating func pattern(depth: Int) -> String {
        (0..<(1 + next(3))).map { _ in item(depth: depth) }.joined()
    }

    mutating func item(depth: Int) -> String {
        let atom = atom(depth: depth)
        let operators = ["", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??"]
        // Python refuses to repeat some assertions, so those stay as they are.
        let repeats = !["^", "$", #"\b"#, #"\B"#, ""].contains(atom)
        return repeats ? atom + operators[next(operators.count)] : atom
    }

    mutating func atom(depth: Int) -> String {
        let simple = [
            "a", "b", "c", ".", "[ab]", "[^a]", "[a-c1]", #"\d"#, #"\w"#, #"\W"#, #"\s"#, #"\S"#, #"\."#, "-", "(?i:A)",
            "[-a]", #"[\w.]"#, "^", "$", #"\b"#, #"\B"#,
        ]
        guard depth > 0, next(3) == 0 else { return simple[next(simple.count)] }
        return switch next(3) {
        case 0: "(\(pattern(depth: depth - 1)))"
        case 1: "(?:\(pattern(depth: depth - 1))|\(pattern(depth: depth - 1)))"
        default: "(\(pattern(depth: depth - 1))|)"
        }
    }
}
