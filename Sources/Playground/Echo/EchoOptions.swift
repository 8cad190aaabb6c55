/// What a request asks of the echo server beyond the plain answer, by query parameters, or by header fields of the same
/// names behind `x-echo-`; a parameter wins over a field.
///
/// | name | value | effect |
/// |---|---|---|
/// | `delay` | `250ms`, `2s`; a bare number is milliseconds | waits before it answers, or closes |
/// | `pause` | the same | waits between the head and the body of the answer |
/// | `status` | 200 to 599 | that status |
/// | `size` | bytes; `k`, `m`, `g` for powers of 1024 | a body of that size in place of the JSON: lines of 64 bytes |
/// | `body` | `echo` | sends the request's body back while it comes in |
/// | `chunked` | `1` | a chunked body, whatever its size is known to be; HTTP/2: no Content-Length |
/// | `header` | `Name: value`, repeatable | adds a field to the answer |
/// | `trailer` | `Name: value`, repeatable | adds a trailer field; the body is chunked |
/// | `early` | `1` | answers before the request's body has been read |
/// | `close` | `now` | closes after the request's head, without an answer |
/// | | `reset` | the same with a TCP reset |
/// | | `half`, `half-reset` | closes, or resets, half way through the answer's body |
/// | | `after` | closes after the answer, which says so; HTTP/2: GOAWAY, and closes when nothing is open |
/// | | `connection` | as `reset`; HTTP/2: a TCP reset of the connection with all its streams |
/// | `error` | 0 to 13 | the code of HTTP/2's RST_STREAM, see below |
/// | `uuid` | at most 200 bytes | counts the requests with that value, which the answer tells as `attempt` |
/// | `succeedAfter` | 0 to 2^32 - 1 | so many requests with the same `uuid` fail, those behind them do not |
/// | `responseCode` | 200 to 599 | such a request gets that status; without it, `close=reset` |
/// | `delayRetry` | a duration as in `delay` | what such a request waits besides |
/// | `grpc-status` | 0 to 16 | a gRPC call gets that status; with `succeedAfter`, it is how it fails |
/// | `grpc-message` | text | that call's message |
///
/// The names from `uuid` to `delayRetry` are those of the conformance suite's own backend.
///
/// Over HTTP/2, `close` is about the stream: `now` and `half` reset it with CANCEL, `reset` and `half-reset` with
/// INTERNAL_ERROR, all of them with `error` where that is given. In gRPC, where a path has no query, options are metadata;
/// `body`, `chunked` and `early` mean nothing there.
package struct EchoOptions: Equatable, Sendable {
    package enum Close: String, Equatable, Sendable {
        case now
        case reset
        case half
        case halfReset = "half-reset"
        case after
        case connection

        /// It takes the place of an answer.
        var isAnswerless: Bool { self == .now || self == .reset || self == .connection }
    }

    /// How the first requests of a key fail.
    package struct Failure: Equatable, Sendable {
        package var count: UInt64 = 0
        package var status: UInt16?
        package var delay = 0
    }

    package struct Field: Equatable, Sendable {
        package var name: [UInt8]
        package var value: [UInt8]

        init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }

        init(_ name: String, _ value: String) {
            self.init(name: Array(name.utf8), value: Array(value.utf8))
        }

        var line: [UInt8] { name + ": ".utf8 + value + "\r\n".utf8 }
    }

    package var delay = 0
    package var pause = 0
    package var status: UInt16 = 200
    package var size: UInt64?
    package var echoesBody = false
    package var chunked = false
    package var headers: [Field] = []
    package var trailers: [Field] = []
    package var early = false
    package var close: Close?
    /// HTTP/2's error code of a reset stream.
    package var error: UInt32?
    package var key: String?
    package var failure: Failure?
    package var grpcStatus: UInt8?
    package var grpcMessage = ""

    package init() {}

    /// - Parameters:
    ///   - query: the target's query as sent, without its question mark.
    ///   - fields: the request's field lines.
    /// - Throws: PlaygroundError that names the option and the value which it cannot have.
    package init(query: some Collection<UInt8>, fields: [Field]) throws(PlaygroundError) {
        for field in fields {
            let name = String(decoding: field.name, as: UTF8.self).lowercased()
            guard name.hasPrefix("x-echo-") else { continue }
            try set(String(name.dropFirst(7)), field.value)
        }
        headers.reserveCapacity(4)
        for (name, value) in Self.parameters(of: query) { try set(name, value) }
        if !trailers.isEmpty { chunked = true }
        guard failure == nil || key != nil else {
            throw PlaygroundError("succeedAfter, responseCode and delayRetry want a uuid")
        }
    }

    /// Counts the request, when it has a key, and makes of the options what they are for this attempt.
    /// - Returns: which attempt it is.
    mutating func countAttempt(_ memory: EchoMemory) -> UInt64? {
        guard let key else { return nil }
        let attempt = memory.attempt(of: key)
        guard let failure else { return attempt }
        if attempt > failure.count {
            if failure.count > 0 { grpcStatus = nil }
        } else {
            delay += failure.delay
            if let code = failure.status {
                status = code
            } else if grpcStatus == nil {
                close = .reset
            }
        }
        return attempt
    }

    /// The parameters of a query as sent, decoded.
    static func parameters(of query: some Collection<UInt8>) -> [(name: String, value: [UInt8])] {
        query.split(separator: UInt8(ascii: "&")).map { pair in
            let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            return (String(decoding: decoded(parts[0]), as: UTF8.self), parts.count > 1 ? decoded(parts[1]) : [])
        }
    }

    /// Names that are no option are the application's.
    private mutating func set(_ name: String, _ bytes: [UInt8]) throws(PlaygroundError) {
        let text = String(decoding: bytes, as: UTF8.self)
        func refused(_ wanted: String) -> PlaygroundError {
            PlaygroundError("\(name): \(text) is not \(wanted)")
        }
        switch name {
        case "delay": delay = try Self.duration(text, refused)
        case "pause": pause = try Self.duration(text, refused)
        case "status": status = try Self.number(text, 200...599, refused)
        case "size":
            guard let number = Self.byteCount(text) else { throw refused("a number of bytes") }
            size = number
        case "body":
            guard text == "echo" else { throw refused("echo") }
            echoesBody = true
        case "chunked": chunked = try Self.flag(text) { refused("1 or 0") }
        case "early": early = try Self.flag(text) { refused("1 or 0") }
        case "header", "trailer":
            guard let field = Self.field(bytes) else { throw refused("Name: value") }
            if name == "header" { headers.append(field) } else { trailers.append(field) }
        case "close":
            guard let value = Close(rawValue: text) else {
                throw refused("now, reset, half, half-reset, after or connection")
            }
            close = value
        case "error": error = try Self.number(text, 0...13, refused)
        case "uuid":
            guard (1...200).contains(bytes.count) else { throw refused("a text of 1 to 200 bytes") }
            key = text
        // A field's name may come in any case.
        case "succeedAfter", "succeedafter":
            failure = failure ?? Failure()
            failure?.count = UInt64(try Self.number(text, 0...UInt32.max, refused))
        case "responseCode", "responsecode":
            failure = failure ?? Failure()
            failure?.status = try Self.number(text, 200...599, refused)
        case "delayRetry", "delayretry":
            failure = failure ?? Failure()
            failure?.delay = try Self.duration(text, refused)
        case "grpc-status": grpcStatus = try Self.number(text, 0...16, refused)
        case "grpc-message": grpcMessage = text
        default: break
        }
    }

    private static func flag(
        _ text: String, _ refused: () -> PlaygroundError
    ) throws(PlaygroundError) -> Bool {
        switch text {
        case "", "1", "true": return true
        case "0", "false": return false
        default: throw refused()
        }
    }

    private static func number<Number: FixedWidthInteger>(
        _ text: String, _ range: ClosedRange<Number>, _ refused: (String) -> PlaygroundError
    ) throws(PlaygroundError) -> Number {
        guard let number = Number(text), range.contains(number) else {
            throw refused("within \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private static func duration(
        _ text: String, _ refused: (String) -> PlaygroundError
    ) throws(PlaygroundError) -> Int {
        guard let duration = milliseconds(text) else { throw refused("a duration of at most an hour") }
        return duration
    }

    private static func milliseconds(_ text: String) -> Int? {
        let (digits, unit) = parts(text)
        guard let value = Int(digits), value >= 0 else { return nil }
        let factor: Int
        switch unit {
        case "", "ms": factor = 1
        case "s": factor = 1000
        default: return nil
        }
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        return !overflow && product <= 3_600_000 ? product : nil
    }

    private static func byteCount(_ text: String) -> UInt64? {
        let (digits, unit) = parts(text)
        guard let value = UInt64(digits), let power = ["": 0, "k": 10, "m": 20, "g": 30][unit.lowercased()],
            value <= UInt64(Int64.max) >> UInt64(power)
        else { return nil }
        return value << UInt64(power)
    }

    private static func parts(_ text: String) -> (Substring, Substring) {
        let digits = text.prefix { ("0"..."9").contains($0) }
        return (digits, text[digits.endIndex...])
    }

    private static func field(_ bytes: [UInt8]) -> Field? {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return nil }
        let name = Array(bytes[..<colon])
        var value = bytes[(colon + 1)...]
        while value.first == 0x20 || value.first == 0x09 { value.removeFirst() }
        let letters = name.allSatisfy {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        guard letters, value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else { return nil }
        return Field(name: name, value: Array(value))
    }

    /// Percent- and plus-decoding; a percent sign that starts no escape stands for itself.
    private static func decoded(_ bytes: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(bytes)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let high = hexadecimal(bytes[index + 1]), let low = hexadecimal(bytes[index + 2])
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index] == UInt8(ascii: "+") ? 0x20 : bytes[index])
                index += 1
            }
        }
        return result
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
