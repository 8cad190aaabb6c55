import Foundation
import HTTP2Rows
import Testing

/// `Tests/Fuzz/*.seeds` hold the tables' messages for `Deploy/fuzz`, one per line with `printf %b` escapes.
/// `UPDATE_GOLDEN=1` writes them anew.
@Suite struct SeedTests {
    @Test(
        "the fuzzers start from the tables",
        arguments: ["RequestHead", "ResponseHead", "Chunked", "HPACK", "HTTP2Frames"])
    func seeds(_ target: String) throws {
        let messages: [[UInt8]] =
            switch target {
            case "RequestHead":
                (goodRequests.map(\.head) + badRequests.map(\.head) + smuggling.map(\.stream)).map(bytes)
            // The first byte tells the fuzzer what the request was.
            case "ResponseHead":
                (goodResponses.map { flags($0) + $0.head } + badResponses.map { "0" + $0.head }).map(bytes)
            case "HPACK": HeadTests.seeds
            case "HTTP2Frames": Row.all.compactMap(seed)
            default: chunkCases.map { bytes($0.body) }
            }
        let expected = messages.map(escaped).joined(separator: "\n") + "\n"
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fuzz/\(target).seeds")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try expected.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == expected, "UPDATE_GOLDEN=1 writes \(file.path) anew")
    }

    private func flags(_ response: GoodResponse) -> String {
        "\((response.toHEAD ? 1 : 0) + (response.toCONNECT ? 2 : 0))"
    }

    /// A flag byte, then what the peer sends; a client's preface and SETTINGS are left out.
    private func seed(_ row: Row) -> [UInt8]? {
        let opening = row.role == .server ? preface + settings() : []
        guard row.bytes.starts(with: opening), row.bytes.count < 1500 else { return nil }
        let application =
            switch row.application {
            case .waits: 8
            case .answers: 2
            case .resets: 4
            }
        let flags = UInt8(0x30 + application + (row.role == .client ? 1 : 0))
        return [flags] + row.bytes.dropFirst(opening.count)
    }

    private func escaped(_ message: [UInt8]) -> String {
        var line = ""
        for byte in message {
            switch byte {
            case UInt8(ascii: "\\"): line += "\\\\"
            case 0x21...0x7e, UInt8(ascii: " "): line.unicodeScalars.append(Unicode.Scalar(byte))
            case 13: line += "\\r"
            case 10: line += "\\n"
            default:
                line += "\\0" + String(repeating: "0", count: byte < 8 ? 2 : byte < 64 ? 1 : 0) + String(byte, radix: 8)
            }
        }
        return line
    }
}
