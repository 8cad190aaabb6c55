import Prometheus
import Testing

@Suite struct ExpositionTests {
    @Test func writesFamiliesSamplesAndEscapes() {
        var out = Exposition()
        out.family("weir_requests_total", .counter, "Requests,\nby \\ rule")
        out.sample("weir_requests_total", [("route", "a\"b\\c\nd"), ("code", "2xx")], UInt64(7))
        out.family("weir_age_seconds", .gauge, "Age")
        out.sample("weir_age_seconds", [], 0.25)
        #expect(
            out.text == #"""
                # HELP weir_requests_total Requests,\nby \\ rule
                # TYPE weir_requests_total counter
                weir_requests_total{route="a\"b\\c\nd",code="2xx"} 7
                # HELP weir_age_seconds Age
                # TYPE weir_age_seconds gauge
                weir_age_seconds 0.25

                """#)
    }

    @Test func accumulatesHistogramBuckets() {
        var out = Exposition()
        out.histogram("d", [("rule", "0")], bounds: [0.001, 0.5], counts: [3, 0, 2], sum: 4)
        #expect(
            out.text == """
                d_bucket{rule="0",le="0.001"} 3
                d_bucket{rule="0",le="0.5"} 3
                d_bucket{rule="0",le="+Inf"} 5
                d_sum{rule="0"} 4
                d_count{rule="0"} 5

                """)
    }

    @Test(arguments: [(Double.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"), (3, "3"), (1e300, "1e+300")])
    func writesNumbers(_ value: Double, _ text: String) {
        var out = Exposition()
        out.sample("x", [], value)
        #expect(out.text == "x \(text)\n")
    }
}
