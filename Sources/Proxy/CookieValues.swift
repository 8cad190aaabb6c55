/// The values of one cookie in a Cookie field's value (RFC 6265 section 4.2.1), in the order in which they are there: user
/// agents send several of one name when their paths differ. Read as user agents write it and a little more leniently: white
/// space around names and values counts for nothing, a value may be quoted, what has no `=` is passed over.
package struct CookieValues: BitwiseCopyable {
    private let field: UnsafeRawBufferPointer
    private let name: UnsafeRawBufferPointer
    private var position = 0

    /// Both must outlive it. Names compare with case; an empty one has no values.
    package init(_ field: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer) {
        self.field = field
        self.name = name
    }

    /// Part of the field's bytes.
    package mutating func next() -> UnsafeRawBufferPointer? {
        while position < field.count {
            var end = position
            while end < field.count, field[end] != 0x3b { end &+= 1 }
            let start = position
            position = end &+ 1
            if let value = value(start, end) { return value }
        }
        return nil
    }

    private func value(_ start: Int, _ end: Int) -> UnsafeRawBufferPointer? {
        let start = trimmed(start, end)
        let valueStart = start &+ name.count &+ 1
        guard !name.isEmpty, valueStart <= end else { return nil }
        for offset in 0..<name.count where field[start &+ offset] != name[offset] { return nil }
        guard field[valueStart &- 1] == 0x3d else { return nil }
        var first = trimmed(valueStart, end)
        var last = end
        while last > first, Self.isBlank(field[last &- 1]) { last &-= 1 }
        if last &- first >= 2, field[first] == 0x22, field[last &- 1] == 0x22 {
            first &+= 1
            last &-= 1
        }
        return UnsafeRawBufferPointer(rebasing: field[first..<last])
    }

    private func trimmed(_ start: Int, _ end: Int) -> Int {
        var start = start
        while start < end, Self.isBlank(field[start]) { start &+= 1 }
        return start
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
