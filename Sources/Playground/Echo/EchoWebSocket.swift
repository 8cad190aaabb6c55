import Glibc

/// The server's side of a WebSocket (RFC 6455) that sends each message back, frame by frame, whatever their size.
enum EchoWebSocket {
    /// Answers the handshake and serves until either side closes.
    static func serve(_ socket: inout EchoSocket, key: [UInt8], pod: String) {
        let accept = base64(SHA1.digest(of: key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            + "sec-websocket-accept: \(accept)\r\nx-echo-pod: \(pod)\r\n\r\n"
        guard socket.send(Array(head.utf8)) else { return }
        while let frame = Frame(&socket) {
            guard frame.isMasked, !frame.hasReserved, !frame.isControl || frame.isFinal && frame.length <= 125 else {
                _ = socket.send([0x88, 2, 0x03, 0xea])  // close, 1002: protocol error
                break
            }
            switch frame.opcode {
            case 0, 1, 2:
                guard frame.echo(&socket, opcode: frame.opcode) else { return }
            case 8:
                _ = frame.echo(&socket, opcode: 8)
                socket.linger()
                return
            case 9:
                guard frame.echo(&socket, opcode: 10) else { return }
            case 10:
                guard frame.skip(&socket) else { return }
            default:
                _ = socket.send([0x88, 2, 0x03, 0xea])
                socket.linger()
                return
            }
        }
        socket.linger()
    }

    /// A frame's head (RFC 6455 section 5.2).
    private struct Frame {
        let isFinal: Bool
        let hasReserved: Bool
        let opcode: UInt8
        let isMasked: Bool
        let length: UInt64
        let mask: [UInt8]

        var isControl: Bool { opcode >= 8 }

        /// Nil when the stream ends.
        init?(_ socket: inout EchoSocket) {
            guard let first = Self.take(2, &socket) else { return nil }
            isFinal = first[0] & 0x80 != 0
            hasReserved = first[0] & 0x70 != 0
            opcode = first[0] & 0x0f
            isMasked = first[1] & 0x80 != 0
            switch first[1] & 0x7f {
            case 126, 127:
                guard let more = Self.take(first[1] & 0x7f == 126 ? 2 : 8, &socket) else { return nil }
                length = more.reduce(0) { $0 << 8 | UInt64($1) }
            case let short: length = UInt64(short)
            }
            guard isMasked else {
                mask = [0, 0, 0, 0]
                return
            }
            guard let key = Self.take(4, &socket) else { return nil }
            mask = key
        }

        func echo(_ socket: inout EchoSocket, opcode: UInt8) -> Bool {
            var head = [isFinal ? 0x80 | opcode : opcode]
            switch length {
            case 0...125: head.append(UInt8(length))
            case 126...0xffff: head += [126, UInt8(length >> 8), UInt8(length & 0xff)]
            default: head += [127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
            }
            return socket.send(head) && payload(&socket, send: true)
        }

        func skip(_ socket: inout EchoSocket) -> Bool {
            payload(&socket, send: false)
        }

        private func payload(_ socket: inout EchoSocket, send: Bool) -> Bool {
            var done: UInt64 = 0
            while done < length {
                if socket.pending.isEmpty, !socket.fill() { return false }
                let count = Int(min(length - done, UInt64(socket.pending.count)))
                if send {
                    var plain = Array(socket.pending[..<count])
                    for index in plain.indices { plain[index] ^= mask[(Int(truncatingIfNeeded: done) &+ index) & 3] }
                    guard socket.send(plain) else { return false }
                }
                socket.use(count)
                done += UInt64(count)
            }
            return true
        }

        private static func take(_ count: Int, _ socket: inout EchoSocket) -> [UInt8]? {
            while socket.pending.count < count {
                guard socket.fill() else { return nil }
            }
            let bytes = Array(socket.pending[..<count])
            socket.use(count)
            return bytes
        }
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let value = (0..<3).reduce(0) { $0 << 8 | (start + $1 < bytes.count ? Int(bytes[start + $1]) : 0) }
            for place in 0..<4 {
                result.append(place <= group.count ? letters[value >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// SHA-1 (FIPS 180-4 section 6.1), which the WebSocket handshake needs; it protects nothing here.
enum SHA1 {
    static func digest(of message: [UInt8]) -> [UInt8] {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        var padded = message + [0x80]
        padded += [UInt8](repeating: 0, count: (120 - padded.count % 64) % 64)
        padded += (0..<8).reversed().map { UInt8(truncatingIfNeeded: (UInt64(message.count) << 3) >> ($0 * 8)) }
        for block in stride(from: 0, to: padded.count, by: 64) {
            var words = (0..<16).map { word in
                (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + word * 4 + $1]) }
            }
            for index in 16..<80 {
                words.append(
                    rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
            }
            var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
            for (index, word) in words.enumerated() {
                let (mixed, constant): (UInt32, UInt32) =
                    switch index {
                    case ..<20: (b & c | ~b & d, 0x5a82_7999)
                    case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                    case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                    default: (b ^ c ^ d, 0xca62_c1d6)
                    }
                (a, b, c, d, e) = (rotate(a, 5) &+ mixed &+ e &+ constant &+ word, a, rotate(b, 30), c, d)
            }
            for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
        }
        return state.flatMap { word in (0..<4).reversed().map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 {
        value << count | value >> (32 - count)
    }
}
