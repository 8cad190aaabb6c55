package import HTTPWire

/// What HTTP/1.1 exchanges when a connection becomes a WebSocket (RFC 6455 section 4), and HTTP/2 does not (RFC 8441
/// section 5).
package enum WebSocketHandshake {
    /// Bytes of a Sec-WebSocket-Key.
    static let keyLength = 24
    /// Bytes of a Sec-WebSocket-Accept.
    static let acceptLength = 28

    static func isWebSocket(_ upgrade: UnsafeRawBufferPointer) -> Bool { FieldEdits.isSame(upgrade, "websocket") }

    static func isKey(_ name: UnsafeRawBufferPointer) -> Bool { FieldEdits.isSame(name, "sec-websocket-key") }

    static func isAccept(_ name: UnsafeRawBufferPointer) -> Bool { FieldEdits.isSame(name, "sec-websocket-accept") }

    /// Sixteen random bytes in base64.
    static func appendKey(_ first: UInt64, _ second: UInt64, to writer: inout HeadWriter) {
        var bytes = InlineArray<18, UInt8>(repeating: 0)
        for index in 0..<8 {
            bytes[index] = UInt8(truncatingIfNeeded: first >> UInt64(index &* 8))
            bytes[index &+ 8] = UInt8(truncatingIfNeeded: second >> UInt64(index &* 8))
        }
        withUnsafeBytes(of: bytes) { appendBase64(UnsafeRawBufferPointer(rebasing: $0[..<16]), to: &writer) }
    }

    /// The Sec-WebSocket-Accept for a key of 24 bytes.
    package static func appendAccept(_ key: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { room in
            var text = HeadWriter(room)
            text.append(key)
            text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
            let digest = SHA1.digest(UnsafeRawBufferPointer(rebasing: room[..<text.count]))
            withUnsafeBytes(of: digest) { appendBase64($0, to: &writer) }
        }
    }

    /// RFC 4648 section 4.
    package static func appendBase64(_ bytes: UnsafeRawBufferPointer, to writer: inout HeadWriter) {
        var index = 0
        while index < bytes.count {
            let count = min(3, bytes.count &- index)
            var word: UInt32 = 0
            for offset in 0..<3 { word = word << 8 | (offset < count ? UInt32(bytes[index &+ offset]) : 0) }
            for digit in 0..<4 {
                let value = UInt8(truncatingIfNeeded: word >> UInt32(18 &- digit &* 6)) & 63
                writer.append(byte: digit > count ? 0x3d : letter(value))
            }
            index &+= 3
        }
    }

    private static func letter(_ value: UInt8) -> UInt8 {
        switch value {
        case ..<26: 0x41 &+ value
        case ..<52: 0x61 &+ (value &- 26)
        case ..<62: 0x30 &+ (value &- 52)
        case 62: 0x2b
        default: 0x2f
        }
    }
}
