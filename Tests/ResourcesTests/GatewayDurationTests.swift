import Resources
import Testing

/// The vectors of GEP-2257.
@Suite struct GatewayDurationTests {
    @Test(arguments: [
        ("0h", "0s"), ("0s", "0s"), ("0h0m0s", "0s"), ("1h", "1h"), ("30m", "30m"), ("10s", "10s"), ("500ms", "500ms"),
        ("2h30m", "2h30m"), ("150m", "2h30m"), ("7230s", "2h30s"), ("1h30m10s", "1h30m10s"), ("10s30m1h", "1h30m10s"),
        ("100ms200ms300ms", "600ms"), ("240h", "240h"), ("00060m", "1h"), ("99999h", "99999h"), ("1s1ms", "1s1ms"),
    ])
    func isParsedAndShown(_ text: String, _ shown: String) throws {
        let duration = try #require(GatewayDuration(text))
        #expect(duration.description == shown)
        #expect(GatewayDuration(duration.description) == duration)
    }

    @Test(arguments: [
        "", "1", "1m1", "1d", "1h30m10s20ms50h", "999999h", "1.5h", "-15m", "h", "1 h", "1h ", "+1h", "1H", "1us",
        "1ns",
        "١s",
    ])
    func isRefused(_ text: String) {
        #expect(GatewayDuration(text) == nil)
    }

    @Test func isExact() {
        #expect(GatewayDuration("1h2m3s4ms")?.nanoseconds == 3_723_004_000_000)
        #expect(GatewayDuration("99999h99999h99999h99999h")?.nanoseconds == 4 * 99_999 * 3_600 * 1_000_000_000)
    }
}
