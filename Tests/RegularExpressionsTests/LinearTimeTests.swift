import Glibc
import RegularExpressions
import Testing

/// Patterns that take backtracking engines exponential or quadratic time.
@Suite(.serialized) struct LinearTimeTests {
    @Test(arguments: [
        ("(a+)+b", "a", ""), ("(a|a)*b", "a", ""), ("(a|aa)+c", "a", ""), ("(.*)(.*)(.*)(.*)x", "a", ""),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", "a", "1"), ("(x+x+)+y", "x", ""), (".*.*=.*", "=", "\n"),
        ("([a-zA-Z0-9])(([-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+", "a", ""), ("(a?){30}a{30}b", "a", ""),
        ("(((a*)*)*)*b", "a", ""),
    ])
    func timeGrowsWithTheInput(_ pattern: String, _ unit: String, _ end: String) throws {
        let expression = try RegularExpression(pattern)
        /// Nanoseconds of this thread on a processor: what other programs take is not in it.
        func processorTime() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        func duration(_ count: Int) -> Int {
            let text = Array((String(repeating: unit, count: count) + end).utf8)
            return (0..<7).map { _ in
                let start = processorTime()
                let matches = expression.matchesWhole(text.span)
                #expect(!matches)
                return processorTime() - start
            }.min()!
        }
        _ = duration(1_000)
        let short = duration(4_000)
        let long = duration(64_000)
        // 16 times the input: quadratic time would be 256 times as long.
        #expect(long < max(short, 20_000) * 64, "\(short) ns for 4,000 bytes, \(long) ns for 64,000")
    }
}
