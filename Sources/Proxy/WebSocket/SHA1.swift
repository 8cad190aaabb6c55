/// SHA-1 (RFC 3174), for what the WebSocket handshake makes of its key; not for anything that must be hard to forge.
package enum SHA1 {
    /// Of at most 119 bytes: two blocks with their padding.
    package static func digest(_ bytes: UnsafeRawBufferPointer) -> InlineArray<20, UInt8> {
        precondition(bytes.count <= 119)
        var blocks = InlineArray<128, UInt8>(repeating: 0)
        for index in 0..<bytes.count { blocks[index] = bytes[index] }
        blocks[bytes.count] = 0x80
        let count = bytes.count < 56 ? 1 : 2
        let bits = bytes.count &* 8
        blocks[count &* 64 &- 2] = UInt8(truncatingIfNeeded: bits >> 8)
        blocks[count &* 64 &- 1] = UInt8(truncatingIfNeeded: bits)
        var state: InlineArray<5, UInt32> = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        for block in 0..<count { mix(&state, blocks, from: block &* 64) }
        var digest = InlineArray<20, UInt8>(repeating: 0)
        for index in 0..<20 {
            digest[index] = UInt8(truncatingIfNeeded: state[index / 4] >> UInt32(24 &- index % 4 &* 8))
        }
        return digest
    }

    /// RFC 3174 section 6.1.
    private static func mix(
        _ state: inout InlineArray<5, UInt32>, _ blocks: borrowing InlineArray<128, UInt8>, from start: Int
    ) {
        var words = InlineArray<80, UInt32>(repeating: 0)
        for index in 0..<64 { words[index / 4] = words[index / 4] << 8 | UInt32(blocks[start &+ index]) }
        for index in 16..<80 {
            words[index] = rotate(words[index &- 3] ^ words[index &- 8] ^ words[index &- 14] ^ words[index &- 16], 1)
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let mixed: UInt32
            switch index {
            case ..<20: mixed = (b & c | ~b & d) &+ 0x5a82_7999
            case ..<40: mixed = (b ^ c ^ d) &+ 0x6ed9_eba1
            case ..<60: mixed = (b & c | b & d | c & d) &+ 0x8f1b_bcdc
            default: mixed = (b ^ c ^ d) &+ 0xca62_c1d6
            }
            (a, b, c, d, e) = (rotate(a, 5) &+ mixed &+ e &+ words[index], a, rotate(b, 30), c, d)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
    }

    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 &- count) }
}
