package import HTTPWire

/// What session tokens are signed with. Every node of a mesh must have the same, over restarts too, or sessions end when
/// another node or another run of the agent gets the request.
package struct SessionKey: BitwiseCopyable, Sendable {
    package static let length = 32
    fileprivate let key0: UInt64
    fileprivate let key1: UInt64

    /// nil unless there are 32 bytes. All of them count.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        (key0, key1) = bytes.withUnsafeBytes { bytes in
            SipHash.hash(
                UnsafeRawBufferPointer(rebasing: bytes[16...]),
                key0: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                key1: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    /// One that nobody else has: sessions hold on this node until the agent ends.
    package static func random() -> SessionKey {
        var source = SystemRandomNumberGenerator()
        return SessionKey((0..<length).map { _ in source.next() })!
    }
}

/// What a client brings back to be served by the same endpoint (GEP-1619). Signed, so that a client can only bring an
/// endpoint that it was given; not secret.
///
/// Its text is 64 letters, digits, `-` and `_`: base64url (RFC 4648 section 5) of 32 bytes and their MAC.
package struct SessionToken: BitwiseCopyable, Equatable {
    /// The endpoint's address as `IPAddress` holds it.
    package var high: UInt64
    package var low: UInt64
    package var port: UInt16
    /// Milliseconds of Unix time: the session's first request, and its last that was noted.
    package var issued: UInt64
    package var used: UInt64

    /// Of the text.
    package static let length = 64
    private static let version: UInt64 = 1
    private static let timeMask: UInt64 = 1 << 48 - 1

    package init(high: UInt64, low: UInt64, port: UInt16, issued: UInt64, used: UInt64) {
        self.high = high
        self.low = low
        self.port = port
        self.issued = issued
        self.used = used
    }

    /// nil for anything that was not written with this key.
    package init?(_ text: UnsafeRawBufferPointer, key: SessionKey) {
        guard text.count == Self.length else { return nil }
        var words = InlineArray<6, UInt64>(repeating: 0)
        var invalid: UInt8 = 0
        // Eight characters are six bytes.
        for group in 0..<8 {
            var bits: UInt64 = 0
            for offset in 0..<8 {
                let value = Self.value(text[group &* 8 &+ offset])
                invalid |= value
                bits = bits << 6 | UInt64(value & 0x3f)
            }
            Self.place(bits, group, &words)
        }
        guard invalid < 0x40 else { return nil }
        let mac = SipHash.hash(words[0], words[1], words[2], words[3], key0: key.key0, key1: key.key1)
        // One comparison of all bits: how many agree shows in no time that passes.
        guard (mac.low ^ words[4]) | (mac.high ^ words[5]) == 0, words[3] >> 48 == Self.version else { return nil }
        high = words[0]
        low = words[1]
        port = UInt16(words[2] >> 48)
        issued = words[2] & Self.timeMask
        used = words[3] & Self.timeMask
    }

    package func write(key: SessionKey, to writer: inout HeadWriter) {
        var words = InlineArray<6, UInt64>(repeating: 0)
        words[0] = high
        words[1] = low
        words[2] = UInt64(port) << 48 | issued & Self.timeMask
        words[3] = Self.version << 48 | used & Self.timeMask
        (words[4], words[5]) = SipHash.hash(words[0], words[1], words[2], words[3], key0: key.key0, key1: key.key1)
        var text = InlineArray<64, UInt8>(repeating: 0)
        for group in 0..<8 {
            var bits = Self.bits(group, words)
            var place = group &* 8 &+ 8
            while place > group &* 8 {
                place &-= 1
                text[place] = Self.character(UInt8(truncatingIfNeeded: bits) & 0x3f)
                bits >>= 6
            }
        }
        writer.append(text.span)
    }

    /// The six bytes of a group, in the words' big-endian bytes.
    private static func bits(_ group: Int, _ words: InlineArray<6, UInt64>) -> UInt64 {
        let start = group &* 48
        let word = start >> 6
        let offset = UInt64(truncatingIfNeeded: start & 63)
        if offset <= 16 { return words[word] >> (16 &- offset) & timeMask }
        let rest = offset &- 16
        return (words[word] << rest | words[word &+ 1] >> (64 &- rest)) & timeMask
    }

    private static func place(_ bits: UInt64, _ group: Int, _ words: inout InlineArray<6, UInt64>) {
        let start = group &* 48
        let word = start >> 6
        let offset = UInt64(truncatingIfNeeded: start & 63)
        if offset <= 16 {
            words[word] |= bits << (16 &- offset)
        } else {
            let rest = offset &- 16
            words[word] |= bits >> rest
            words[word &+ 1] |= bits << (64 &- rest)
        }
    }

    private static func character(_ value: UInt8) -> UInt8 {
        switch value {
        case 0..<26: 0x41 &+ value
        case 26..<52: 0x47 &+ value
        case 52..<62: value &- 4
        case 62: 0x2d
        default: 0x5f
        }
    }

    /// 0x40 and above for what is no character of the text.
    private static func value(_ character: UInt8) -> UInt8 {
        switch character {
        case 0x41...0x5a: character &- 0x41
        case 0x61...0x7a: character &- 0x47
        case 0x30...0x39: character &+ 4
        case 0x2d: 62
        case 0x5f: 63
        default: 0xff
        }
    }
}
