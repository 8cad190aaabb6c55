/// A duration as routes write it (GEP-2257): one to four parts of up to five decimal digits and a unit, added up.
package struct GatewayDuration: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// At most 4 × 99,999 h, below 2^61.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    /// nil unless `text` matches `^([0-9]{1,5}(h|m|s|ms)){1,4}$`.
    package init?(_ text: String) {
        var rest = text.utf8[...]
        var total: UInt64 = 0
        var parts = 0
        while let first = rest.first {
            guard parts < 4, UInt8(ascii: "0")...UInt8(ascii: "9") ~= first else { return nil }
            let digits = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
            guard digits.count <= 5 else { return nil }
            let count = digits.reduce(0 as UInt64) { $0 * 10 + UInt64($1 - UInt8(ascii: "0")) }
            rest = rest[digits.endIndex...]
            guard let unit = rest.popFirst() else { return nil }
            switch unit {
            case UInt8(ascii: "h"): total += count * 3_600_000_000_000
            case UInt8(ascii: "m") where rest.first == UInt8(ascii: "s"):
                rest.removeFirst()
                total += count * 1_000_000
            case UInt8(ascii: "m"): total += count * 60_000_000_000
            case UInt8(ascii: "s"): total += count * 1_000_000_000
            default: return nil
            }
            parts += 1
        }
        guard parts > 0 else { return nil }
        nanoseconds = total
    }

    /// The largest units first, down to milliseconds; zero is `0s`.
    package var description: String {
        var rest = nanoseconds / 1_000_000
        guard rest > 0 else { return "0s" }
        var text = ""
        for (unit, size) in [("h", 3_600_000 as UInt64), ("m", 60_000), ("s", 1_000), ("ms", 1)] where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return text
    }

    package static func < (left: Self, right: Self) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
