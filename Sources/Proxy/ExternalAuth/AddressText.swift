/// An address, as `IPAddress` holds it, as text: dotted decimal, or RFC 5952 section 4.
struct AddressText: BitwiseCopyable {
    private var bytes = InlineArray<40, UInt8>(repeating: 0)
    private(set) var count = 0

    init(high: UInt64, low: UInt64) {
        if high == 0 && low >> 32 == 0xffff {
            writeIPv4(UInt32(truncatingIfNeeded: low))
        } else {
            writeIPv6(high, low)
        }
    }

    subscript(_ index: Int) -> UInt8 { bytes[index] }

    private mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count &+= 1
    }

    private mutating func writeIPv4(_ value: UInt32) {
        var shift: UInt32 = 32
        while shift > 0 {
            shift &-= 8
            let part = UInt8(truncatingIfNeeded: value >> shift)
            if part >= 100 { append(0x30 &+ part / 100) }
            if part >= 10 { append(0x30 &+ part / 10 % 10) }
            append(0x30 &+ part % 10)
            if shift > 0 { append(0x2e) }
        }
    }

    private mutating func writeIPv6(_ high: UInt64, _ low: UInt64) {
        func group(_ index: Int) -> UInt16 {
            UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64((3 &- index & 3) &* 16))
        }
        // The first of the longest runs of at least two zero groups.
        var longest = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || group(index) != 0 {
            if index &- start > max(longest.count, 1) { longest = start..<index }
            start = index &+ 1
        }
        var index = 0
        while index < 8 {
            if longest.contains(index) {
                append(0x3a)
                append(0x3a)
                index = longest.upperBound
                continue
            }
            let value = group(index)
            var shift: UInt16 = value >= 0x1000 ? 12 : value >= 0x100 ? 8 : value >= 0x10 ? 4 : 0
            while true {
                let digit = UInt8(truncatingIfNeeded: value >> shift) & 0xf
                append(digit < 10 ? 0x30 &+ digit : 0x57 &+ digit)
                if shift == 0 { break }
                shift &-= 4
            }
            index &+= 1
            if index < 8 && !longest.contains(index) { append(0x3a) }
        }
    }
}
