/// Writes metric families in the Prometheus text format, version 0.0.4.
///
/// A family's samples must follow its `family` line before the next family starts; names and labels are written in the
/// order given. Label values are escaped; names are the caller's, checked by a precondition since they are constants.
package struct Exposition {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    package typealias Labels = [(name: String, value: String)]

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package private(set) var text = ""

    package init() {}

    package mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        precondition(Self.isName(name), "not a metric name: \(name)")
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    package mutating func sample(_ name: String, _ labels: Labels = [], _ value: UInt64) {
        line(name, labels, String(value))
    }

    package mutating func sample(_ name: String, _ labels: Labels = [], _ value: Double) {
        line(name, labels, Self.number(value))
    }

    /// One histogram series. `bounds` are upper bounds, ascending; `counts` has one entry more, the last for +Inf, and
    /// holds observations per bucket, not accumulated.
    package mutating func histogram(
        _ name: String, _ labels: Labels, bounds: [Double], counts: [UInt64], sum: Double
    ) {
        precondition(counts.count == bounds.count + 1)
        var accumulated: UInt64 = 0
        for (index, count) in counts.enumerated() {
            accumulated += count
            let bound = index < bounds.count ? Self.number(bounds[index]) : "+Inf"
            line("\(name)_bucket", labels + [("le", bound)], String(accumulated))
        }
        line("\(name)_sum", labels, Self.number(sum))
        line("\(name)_count", labels, String(accumulated))
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += "\(label.name)=\"\(Self.escaped(label.value, quotes: true))\""
            }
            text += "}"
        }
        text += " \(value)\n"
    }

    static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(48...57).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == 95 || $0 == 58
        }
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\"" where quotes: out += "\\\""
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }
}
