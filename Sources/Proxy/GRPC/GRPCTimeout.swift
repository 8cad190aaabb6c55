package import HTTPWire

/// The value of grpc-timeout: one to eight digits and a unit.
package enum GRPCTimeout {
    /// Nanoseconds are given up to this, about 146 years; longer ones are as good as none.
    package static let longest: UInt64 = 1 << 62

    /// In nanoseconds; 0 is a deadline that has passed. nil for what is no timeout.
    package static func parse(_ value: UnsafeRawBufferPointer) -> UInt64? {
        guard value.count >= 2, value.count <= 9, let unit = unit(value[value.count &- 1]) else { return nil }
        var number: UInt64 = 0
        for index in 0..<(value.count &- 1) {
            let digit = value[index] &- 0x30
            guard digit < 10 else { return nil }
            number = number &* 10 &+ UInt64(digit)
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? longest : min(product, longest)
    }

    /// In the smallest unit in which it has at most eight digits, rounded down.
    package static func append(_ nanoseconds: UInt64, to writer: inout HeadWriter) {
        var rest = nanoseconds
        var letter: UInt8 = 0x6e
        if rest >= 100_000_000 {
            (rest, letter) = (nanoseconds / 1000, 0x75)
            if rest >= 100_000_000 { (rest, letter) = (nanoseconds / 1_000_000, 0x6d) }
            if rest >= 100_000_000 { (rest, letter) = (nanoseconds / 1_000_000_000, 0x53) }
            if rest >= 100_000_000 { (rest, letter) = (nanoseconds / 60_000_000_000, 0x4d) }
            if rest >= 100_000_000 { (rest, letter) = (nanoseconds / 3_600_000_000_000, 0x48) }
        }
        writer.append(decimal: rest)
        writer.append(byte: letter)
    }

    private static func unit(_ letter: UInt8) -> UInt64? {
        switch letter {
        case 0x48: 3_600_000_000_000
        case 0x4d: 60_000_000_000
        case 0x53: 1_000_000_000
        case 0x6d: 1_000_000
        case 0x75: 1000
        case 0x6e: 1
        default: nil
        }
    }
}
