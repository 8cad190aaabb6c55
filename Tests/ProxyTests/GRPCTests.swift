import HTTPWire
import Model
import Proxy
import Testing

@Suite struct GRPCTests {
    @Test(
        "grpc-timeout (grpc/doc/PROTOCOL-HTTP2.md)",
        arguments: [
            ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000), ("5u", 5000),
            ("6n", 6), ("0n", 0), ("00000001S", 1_000_000_000), ("99999999n", 99_999_999),
            ("99999999H", GRPCTimeout.longest), ("99999999M", GRPCTimeout.longest),
            ("99999999S", 99_999_999_000_000_000),
            ("", nil), ("1", nil), ("S", nil), ("1s", nil), ("1h", nil), ("123456789n", nil), ("-1S", nil),
            ("1.5S", nil),
            (" 1S", nil), ("1S ", nil), ("1 S", nil), ("1Sm", nil), ("+1S", nil),
        ] as [(String, UInt64?)])
    func timeouts(_ value: String, _ expected: UInt64?) {
        #expect(GRPCTimeout.parse(lasting(value)) == expected)
    }

    @Test(
        arguments: [
            (0, "0n"), (99_999_999, "99999999n"), (100_000_000, "100000u"), (99_999_999_999, "99999999u"),
            (100_000_000_000, "100000m"), (99_999_999_999_999, "99999999m"), (100_000_000_000_000, "100000S"),
            (99_999_999_999_999_999, "99999999S"), (100_000_000_000_000_000, "1666666M"),
            (GRPCTimeout.longest, "76861433M"),
            (.max, "5124095H"),
        ] as [(UInt64, String)])
    func timeoutText(_ nanoseconds: UInt64, _ expected: String) throws {
        let value = written { GRPCTimeout.append(nanoseconds, to: &$0) }
        #expect(text(value) == expected)
        let again = try #require(value.withUnsafeBytes { GRPCTimeout.parse($0) })
        #expect(again <= nanoseconds)
    }

    @Test(arguments: [
        ("plain text", "plain text"), ("100%", "100%25"), ("a\nb\r", "a%0Ab%0D"), ("~ \u{7f}", "~ %7F"),
        ("ä", "%C3%A4"),
        ("", ""),
    ])
    func messages(_ message: String, _ expected: String) {
        #expect(text(written { GRPCStatus.appendMessage(lasting(message), to: &$0) }) == expected)
    }

    @Test(arguments: [
        ("application/grpc", true), ("application/grpc+proto", true), ("Application/GRPC;charset=x", true),
        ("application/grpc ; a=b", true), ("application/grpc-web", false), ("application/grpcx", false),
        ("application/grp", false), ("text/plain", false), ("", false),
    ])
    func contentTypes(_ type: String, _ isGRPC: Bool) {
        #expect(GRPCStatus.isContentType(lasting(type)) == isGRPC)
    }

    @Test func statusOfOwnAnswers() {
        #expect(GRPCStatus(Reason.noRouteMatched) == .unimplemented)
        for reason in [
            Reason.backendNotFound, .backendKindInvalid, .backendRefNotPermitted, .noReadyEndpoint, .connectFailed,
        ] {
            #expect(GRPCStatus(reason) == .unavailable)
        }
        for reason in [Reason.requestTimeout, .backendRequestTimeout, .grpcTimeout] {
            #expect(GRPCStatus(reason) == .deadlineExceeded)
        }
        for reason in Reason.allCases { #expect(GRPCStatus(reason) != .ok) }
        #expect(GRPCStatus.unauthenticated.rawValue == 16)
        #expect(GRPCStatus.internal.rawValue == 13 && GRPCStatus.unavailable.rawValue == 14)
        #expect(GRPCStatus(httpStatus: 401) == .unauthenticated && GRPCStatus(httpStatus: 418) == .unknown)
    }

    @Test func framesOfAUnaryAnswer() {
        func read(_ bytes: [UInt8], limit: Int = 10) -> GRPCFraming.Unary {
            bytes.withUnsafeBytes { GRPCFraming.unary($0, limit: limit) }
        }
        #expect(read([]) == .needsMore)
        #expect(read([0, 0, 0, 0]) == .needsMore)
        #expect(read([0, 0, 0, 0, 0]) == .message(ByteRange(start: 5, count: 0)))
        #expect(read([0, 0, 0, 0, 2, 1]) == .needsMore)
        #expect(read([0, 0, 0, 0, 2, 1, 1]) == .message(ByteRange(start: 5, count: 2)))
        #expect(read([0, 0, 0, 0, 2, 1, 1, 0]) == .invalid, "two messages")
        #expect(read([1]) == .invalid, "compressed")
        #expect(read([0, 0, 0, 0, 11]) == .invalid)
        #expect(read([0, 0xff, 0xff, 0xff, 0xff]) == .invalid)
    }
}
