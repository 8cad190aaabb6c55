import Foundation
import Playground

/// The Python programs beside these tests.
enum EchoPrograms {
    struct Failure: Error {
        let text: String
    }

    /// Runs one that reads JSON and writes JSON. Debian's own Python, which has the packages.
    static func run<Answer: Decodable>(
        _ name: String, _ arguments: [String], _ input: some Encodable, as type: Answer.Type = Answer.self
    ) throws -> Answer {
        let program = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Programs/\(name).py").path
        let command = try Command(
            ["timeout", "120", "/usr/bin/python3", "-B", program] + arguments, input: JSONEncoder().encode(input))
        guard command.status == 0 else {
            throw Failure(text: "\(name) ended with \(command.status): \(command.errors)")
        }
        return try JSONDecoder().decode(type, from: Data(command.output.utf8))
    }
}

/// What `http2_client.py` is asked for.
struct HTTP2Wish: Encodable {
    var headers: [[String]]
    var body: String?
    var size: Int?
    var trailers: [[String]]?

    init(
        _ path: String, method: String = "GET", _ headers: [[String]] = [], body: [UInt8]? = nil, size: Int? = nil,
        trailers: [[String]]? = nil
    ) {
        self.headers =
            [[":method", method], [":scheme", "http"], [":authority", "echo.test"], [":path", path]] + headers
        self.body = body.map { $0.map { String(format: "%02x", $0) }.joined() }
        self.size = size
        self.trailers = trailers
    }
}

/// What it tells.
struct HTTP2Answers: Decodable {
    struct Stream: Decodable {
        var headers: [[String]]
        var interim: [[[String]]]
        var body: String
        var length: Int
        var trailers: [[String]]
        var reset: Int?
        var bytesSentBeforeInterim: Int?

        func header(_ name: String) -> String? { headers.first { $0[0] == name }?[1] }

        var bytes: [UInt8] {
            var bytes: [UInt8] = []
            var high: UInt8?
            for digit in body.utf8 {
                let value = digit <= UInt8(ascii: "9") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10
                if let first = high { bytes.append(first << 4 | value) }
                high = high == nil ? value : nil
            }
            return bytes
        }

        var echo: EchoAnswer {
            get throws { try JSONDecoder().decode(EchoAnswer.self, from: Data(bytes)) }
        }
    }

    var streams: [Stream]
    var goAway: Int?
    var closed: Bool
}
