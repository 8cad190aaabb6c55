/// Integers with a prefix (RFC 7541 section 5.1): those that fit the prefix's bits are there, others follow it in groups of
/// seven bits, lowest first.
package enum PrefixInteger {
    /// Reads the integer whose first byte is at `position` and moves behind it. `mask` has the prefix's bits. Nil when it
    /// is not whole, has more than five groups, or does not fit 32 bits.
    @inline(__always)
    package static func read(_ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, mask: UInt8) -> Int? {
        let first = ByteScan.byte(base, position) & mask
        position &+= 1
        return first < mask ? Int(first) : readGroups(base, end, &position, Int(mask))
    }

    @inline(never)
    private static func readGroups(_ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, _ prefix: Int) -> Int? {
        var value = prefix
        for group in 0..<5 {
            guard position < end else { return nil }
            let byte = ByteScan.byte(base, position)
            position &+= 1
            value &+= Int(byte & 0x7f) &<< (group &* 7)
            if byte & 0x80 == 0 { return value <= Int(UInt32.max) ? value : nil }
        }
        return nil
    }

    /// Writes `value`, at most 2^32 - 1, whose first byte also has `flags`; returns how many bytes that took, at most 6.
    @inline(__always)
    package static func write(_ value: Int, flags: UInt8, mask: UInt8, to place: UnsafeMutableRawPointer) -> Int {
        if value < Int(mask) {
            place.storeBytes(of: flags | UInt8(truncatingIfNeeded: value), as: UInt8.self)
            return 1
        }
        return writeGroups(value, flags: flags, mask: mask, to: place)
    }

    @inline(never)
    private static func writeGroups(
        _ value: Int, flags: UInt8, mask: UInt8, to place: UnsafeMutableRawPointer
    ) -> Int {
        place.storeBytes(of: flags | mask, as: UInt8.self)
        var rest = value &- Int(mask)
        var count = 1
        while rest >= 0x80 {
            place.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest &>>= 7
            count &+= 1
        }
        place.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        return count &+ 1
    }
}
