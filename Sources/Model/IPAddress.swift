/// An IPv4 or IPv6 address as 16 bytes in network order; IPv4 is held as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2),
/// the form in which the kernel tables hold it. Ordered with all IPv4 addresses before all others.
package struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, read big-endian.
    package let high: UInt64
    /// The last eight bytes, read big-endian.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its value read big-endian: 127.0.0.1 is 0x7f00_0001.
    package init(v4 value: UInt32) {
        high = 0
        low = 0x0000_ffff_0000_0000 | UInt64(value)
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
}

extension IPAddress: Comparable {
    package static func < (a: Self, b: Self) -> Bool {
        if a.isIPv4 != b.isIPv4 { return a.isIPv4 }
        return (a.high, a.low) < (b.high, b.low)
    }
}

extension IPAddress {
    /// Dotted decimal without leading zeros, or the forms of RFC 4291 section 2.2; no zone, no brackets, no length.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(bytes[...]) else { return nil }
            self.init(
                high: groups[0..<4].reduce(0) { $0 << 16 | UInt64($1) },
                low: groups[4..<8].reduce(0) { $0 << 16 | UInt64($1) })
        } else {
            guard let value = Self.dotted(bytes[...]) else { return nil }
            self.init(v4: value)
        }
    }

    /// The eight groups of an IPv6 address.
    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var compressed = false
        var rest = text
        if rest.starts(with: "::".utf8) {
            compressed = true
            rest = rest.dropFirst(2)
        }
        var expectsGroup = !compressed
        while !rest.isEmpty || expectsGroup {
            let part = rest.prefix { $0 != UInt8(ascii: ":") }
            rest = rest.dropFirst(part.count)
            var new: [UInt16] = []
            if part.contains(UInt8(ascii: ".")) {
                guard rest.isEmpty, let value = dotted(part) else { return nil }
                new = [UInt16(value >> 16), UInt16(truncatingIfNeeded: value)]
            } else {
                guard let group = hexadecimal(part) else { return nil }
                new = [group]
            }
            if compressed { tail += new } else { head += new }
            expectsGroup = false
            if rest.starts(with: "::".utf8) {
                guard !compressed else { return nil }
                compressed = true
                rest = rest.dropFirst(2)
            } else if !rest.isEmpty {
                rest = rest.dropFirst()
                expectsGroup = true
            }
        }
        let missing = 8 - head.count - tail.count
        // `::` stands for at least one group (RFC 5952 would not write it for one, yet it is valid).
        guard compressed ? missing >= 1 : missing == 0 else { return nil }
        return head + [UInt16](repeating: 0, count: missing) + tail
    }

    private static func hexadecimal(_ text: ArraySlice<UInt8>) -> UInt16? {
        guard (1...4).contains(text.count) else { return nil }
        var value: UInt16 = 0
        for byte in text {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt16(byte - 0x30)
            case 0x41...0x46: value = value << 4 | UInt16(byte - 0x41 + 10)
            case 0x61...0x66: value = value << 4 | UInt16(byte - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }

    private static func dotted(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != 0x30,
                part.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            let number = part.reduce(0 as UInt32) { $0 * 10 + UInt32($1 - 0x30) }
            guard number <= 255 else { return nil }
            value = value << 8 | number
        }
        return value
    }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted decimal for IPv4, else the form of RFC 5952 section 4.
    package var description: String {
        if isIPv4 {
            return [24, 16, 8, 0].map { String(low >> UInt64($0) & 0xff) }.joined(separator: ".")
        }
        let groups = [high, low].flatMap { word in
            [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: word >> UInt64($0)) }
        }
        // The first of the longest runs of at least two zero groups.
        var longest = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start > max(longest.count, 1) { longest = start..<index }
            start = index + 1
        }
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        return longest.isEmpty
            ? text(groups[...]) : text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
    }
}
