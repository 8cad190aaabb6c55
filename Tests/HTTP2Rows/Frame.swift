/// One HTTP/2 frame, as the tests write and read them: RFC 9113 section 4.1, spelled out once more and apart from the codec.
package struct Frame: Equatable, Sendable, CustomStringConvertible {
    package enum Kind: UInt8, Sendable {
        case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    package static let endStream: UInt8 = 0x1
    package static let ack: UInt8 = 0x1
    package static let endHeaders: UInt8 = 0x4
    package static let padded: UInt8 = 0x8
    package static let priority: UInt8 = 0x20

    package var type: UInt8
    package var flags: UInt8
    package var stream: UInt32
    package var payload: [UInt8]

    package init(_ kind: Kind, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) {
        self.init(type: kind.rawValue, flags, stream, payload)
    }

    package init(_ kind: Kind, _ stream: UInt32, _ payload: [UInt8]) {
        self.init(kind, 0, stream, payload)
    }

    package init(type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) {
        self.type = type
        self.flags = flags
        self.stream = stream
        self.payload = payload
    }

    package var bytes: [UInt8] {
        let length = UInt32(payload.count)
        return [UInt8(length >> 16 & 0xff), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), type, flags]
            + big(stream) + payload
    }

    /// The frames of `bytes`, which must be whole.
    package static func parse(_ bytes: [UInt8]) -> [Frame]? {
        var frames: [Frame] = []
        var position = 0
        while position < bytes.count {
            guard bytes.count - position >= 9 else { return nil }
            let length = Int(bytes[position]) << 16 | Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
            guard bytes.count - position - 9 >= length else { return nil }
            frames.append(
                Frame(
                    type: bytes[position + 3], bytes[position + 4], word(bytes, position + 5) & 0x7fff_ffff,
                    Array(bytes[position + 9..<position + 9 + length])))
            position += 9 + length
        }
        return frames
    }

    /// The code of RST_STREAM or GOAWAY, the increment of WINDOW_UPDATE.
    package var number: UInt32? {
        switch Kind(rawValue: type) {
        case .resetStream, .windowUpdate: word(payload, 0)
        case .goAway: word(payload, 4)
        default: nil
        }
    }

    package func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    package var description: String {
        let name = Kind(rawValue: type).map { "\($0)" } ?? "type \(type)"
        return "\(name) flags \(flags) stream \(stream) length \(payload.count)"
            + (number.map { " number \($0)" } ?? "")
    }
}

/// Big-endian.
package func big(_ value: UInt32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(value >> $0 & 0xff) } }

private func word(_ bytes: [UInt8], _ start: Int) -> UInt32 {
    bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
}

package let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

/// Header fields; a name or value may hold any bytes below U+0100.
package typealias Fields = [(String, String)]

/// A header block of literals that enter no table (RFC 7541 section 6.2.2), without Huffman coding.
package func block(_ fields: Fields) -> [UInt8] {
    fields.flatMap { name, value in [0x00] + string(name) + string(value) }
}

/// A literal that enters the dynamic table (RFC 7541 section 6.2.1).
package func indexed(_ name: String, _ value: String) -> [UInt8] { [0x40] + string(name) + string(value) }

private func string(_ text: String) -> [UInt8] {
    let bytes = text.unicodeScalars.map { UInt8($0.value) }
    if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
    var rest = bytes.count - 127
    var prefix: [UInt8] = [127]
    while rest >= 128 {
        prefix.append(UInt8(rest & 127 | 128))
        rest >>= 7
    }
    return prefix + [UInt8(rest)] + bytes
}

package func settings(_ entries: [(UInt16, UInt32)] = []) -> [UInt8] {
    Frame(.settings, 0, entries.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] + big($1) }).bytes
}

package func headers(
    _ stream: UInt32, _ fields: Fields, end: Bool = true, flags: UInt8 = Frame.endHeaders
) -> [UInt8] {
    Frame(.headers, flags | (end ? Frame.endStream : 0), stream, block(fields)).bytes
}

package func data(_ stream: UInt32, _ count: Int, end: Bool = false) -> [UInt8] {
    Frame(.data, end ? Frame.endStream : 0, stream, [UInt8](repeating: 0x78, count: count)).bytes
}

/// The pseudo-fields of a request, and more behind them.
package func request(_ method: String = "GET", _ more: Fields = []) -> Fields {
    [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "example.com")] + more
}

package func response(_ status: String = "200", _ more: Fields = []) -> Fields { [(":status", status)] + more }
