import Glibc

/// The server's side of a WebSocket (RFC 6455) that sends each message back, frame by frame, whatever their size.
struct EchoWebSocket {
    /// What has come of a frame's head.
    private var partial: [UInt8] = []
    /// The frame whose payload is coming.
    private var frame: Frame?
    /// Bytes of that payload so far.
    private var done: UInt64 = 0
    private var isOver = false

    /// Answers the handshake and serves until either side closes.
    static func serve(_ socket: inout EchoSocket, key: [UInt8], pod: String) {
        let accept = base64(SHA1.digest(of: key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
        let head =
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            + "sec-websocket-accept: \(accept)\r\nx-echo-pod: \(pod)\r\n\r\n"
        guard socket.send(Array(head.utf8)) else { return }
        var conversation = EchoWebSocket()
        var answer: [UInt8] = []
        var goesOn = true
        repeat {
            goesOn = conversation.receive(socket.pending, into: &answer)
            socket.use(socket.pending.count)
            guard socket.send(answer) else { return }
            answer.removeAll(keepingCapacity: true)
        } while goesOn && socket.fill()
        socket.linger()
    }

    /// Takes in bytes that came, however they are cut, and adds what is to be sent.
    /// - Returns: false when the conversation is over: the last has been added, and later bytes mean nothing.
    mutating func receive(_ bytes: UnsafeRawBufferPointer, into answer: inout [UInt8]) -> Bool {
        var rest = bytes
        while !isOver {
            guard let frame else {
                let missing = Frame.missing(partial)
                if missing > 0 {
                    if rest.isEmpty { return true }
                    partial += rest.prefix(missing)
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(missing))
                } else {
                    begin(Frame(partial), into: &answer)
                    partial.removeAll(keepingCapacity: true)
                }
                continue
            }
            let count = Int(min(frame.length - done, UInt64(rest.count)))
            if frame.opcode != 10 {
                let place = answer.count
                answer += rest.prefix(count)
                for index in 0..<count {
                    answer[place + index] ^= frame.mask[(Int(truncatingIfNeeded: done) &+ index) & 3]
                }
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            done += UInt64(count)
            if done < frame.length { return true }
            self.frame = nil
            if frame.opcode == 8 { isOver = true }
        }
        return false
    }

    private mutating func begin(_ frame: Frame, into answer: inout [UInt8]) {
        let isKnown = frame.opcode <= 2 || 8...10 ~= frame.opcode
        guard isKnown, frame.isMasked, !frame.hasReserved, !frame.isControl || frame.isFinal && frame.length <= 125
        else {
            answer += [0x88, 2, 0x03, 0xea]  // close, 1002: protocol error
            isOver = true
            return
        }
        self.frame = frame
        done = 0
        switch frame.opcode {
        case 9: answer += frame.head(opcode: 10)
        case 10: break
        default: answer += frame.head(opcode: frame.opcode)
        }
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

        /// Bytes that a head which begins so still lacks, as far as can be told.
        static func missing(_ bytes: [UInt8]) -> Int {
            if bytes.count < 2 { return 2 - bytes.count }
            return 2 + lengthSize(bytes[1]) + (bytes[1] & 0x80 != 0 ? 4 : 0) - bytes.count
        }

        private static func lengthSize(_ byte: UInt8) -> Int {
            switch byte & 0x7f {
            case 126: 2
            case 127: 8
            default: 0
            }
        }

        /// - Parameter bytes: a head that lacks nothing.
        init(_ bytes: [UInt8]) {
            isFinal = bytes[0] & 0x80 != 0
            hasReserved = bytes[0] & 0x70 != 0
            opcode = bytes[0] & 0x0f
            isMasked = bytes[1] & 0x80 != 0
            let size = Self.lengthSize(bytes[1])
            length =
                size == 0 ? UInt64(bytes[1] & 0x7f) : bytes[2..<(2 + size)].reduce(0) { $0 << 8 | UInt64($1) }
            mask = isMasked ? Array(bytes[(2 + size)...]) : [0, 0, 0, 0]
        }

        /// The head of an answer of the same length.
        func head(opcode: UInt8) -> [UInt8] {
            let first = isFinal ? 0x80 | opcode : opcode
            switch length {
            case 0...125: return [first, UInt8(length)]
            case 126...0xffff: return [first, 126, UInt8(length >> 8), UInt8(length & 0xff)]
            default: return [first, 127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
            }
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
