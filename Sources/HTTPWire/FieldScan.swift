/// Scans a field section (RFC 9112 section 5): field lines up to and including the empty line. Used for heads and for
/// trailers.
///
/// Every verdict is a function of the bytes alone, not of how they were cut: a bad byte is told as soon as it is there.
/// Between calls it keeps the offset up to which it looked and the part of the line that this offset is in.
struct FieldScan: BitwiseCopyable, Sendable {
    enum Part: UInt8, BitwiseCopyable {
        case line
        /// Behind at least one byte of a name.
        case name
        /// Behind the colon, or at a CR.
        case value
    }

    enum Outcome: BitwiseCopyable {
        case incomplete
        /// `position` is behind the final CRLF.
        case done
        case invalid(HeadError)
    }

    var position: UInt32 = 0
    /// Whole lines so far.
    var count: UInt16 = 0
    var part = Part.line

    /// Scans on, up to `end`. With `fields`, which must hold `capacity` entries, each line is written there: only for a
    /// scan that was never interrupted.
    ///
    /// `wholeLine` takes the lines that are whole and plain; what it leaves, the rest of the loop takes or refuses.
    @inline(never)
    mutating func run(
        _ base: UnsafeRawPointer, _ end: Int, fields: UnsafeMutablePointer<FieldRange>?, capacity: Int
    ) -> Outcome {
        var position = Int(self.position)
        var count = Int(self.count)
        var part = self.part
        defer {
            self.position = UInt32(truncatingIfNeeded: position)
            self.count = UInt16(truncatingIfNeeded: count)
            self.part = part
        }
        while true {
            var name = position
            var nameEnd = position
            if part == .line {
                if let fields {
                    while count < capacity, let next = Self.wholeLine(base, position, end, fields + count) {
                        position = next
                        count &+= 1
                    }
                    name = position
                }
                if position >= end { return .incomplete }
                let byte = ByteScan.byte(base, position)
                if byte == .carriageReturn {
                    if position &+ 1 >= end { return .incomplete }
                    if ByteScan.byte(base, position &+ 1) != .lineFeed { return .invalid(.bareCarriageReturn) }
                    position &+= 2
                    return .done
                }
                if count >= capacity { return .invalid(.tooManyFields) }
                position = ByteScan.token(base, position, end)
                if position == name { return .invalid(Self.badStart(byte)) }
                part = .name
            } else if part == .name {
                position = ByteScan.token(base, position, end)
            }
            if part == .name {
                if position >= end { return .incomplete }
                let byte = ByteScan.byte(base, position)
                if byte != .colon { return .invalid(Self.badName(byte)) }
                nameEnd = position
                position &+= 1
                while position < end, Self.isBlank(ByteScan.byte(base, position)) { position &+= 1 }
                part = .value
            }
            let value = position
            position = ByteScan.value(base, position, end)
            if position >= end { return .incomplete }
            let byte = ByteScan.byte(base, position)
            if byte != .carriageReturn { return .invalid(byte == .lineFeed ? .bareLineFeed : .valueByte) }
            if position &+ 1 >= end { return .incomplete }
            if ByteScan.byte(base, position &+ 1) != .lineFeed { return .invalid(.bareCarriageReturn) }
            if let fields {
                var valueEnd = position
                while valueEnd > value, Self.isBlank(ByteScan.byte(base, valueEnd &- 1)) { valueEnd &-= 1 }
                Self.write(fields + count, base, name, nameEnd, value, valueEnd)
            }
            position &+= 2
            count &+= 1
            part = .line
        }
    }

    /// Writes the line that starts at `name` and returns where the next one starts; nil when it is not whole, not valid, or
    /// has an empty value or more white space around its value than one space before it.
    @inline(__always)
    private static func wholeLine(
        _ base: UnsafeRawPointer, _ name: Int, _ end: Int, _ field: UnsafeMutablePointer<FieldRange>
    ) -> Int? {
        let nameEnd = ByteScan.token(base, name, end)
        guard nameEnd > name, nameEnd &+ 2 < end, ByteScan.byte(base, nameEnd) == .colon else { return nil }
        let value = nameEnd &+ (ByteScan.byte(base, nameEnd &+ 1) == .space ? 2 : 1)
        guard ByteScan.byte(base, value) > .space else { return nil }
        let valueEnd = ByteScan.value(base, value, end)
        guard valueEnd &+ 1 < end, ByteScan.byte(base, valueEnd &- 1) > .space,
            base.loadUnaligned(fromByteOffset: valueEnd, as: UInt16.self) == UInt16(littleEndian: 0x0a0d)
        else { return nil }
        write(field, base, name, nameEnd, value, valueEnd)
        return valueEnd &+ 2
    }

    @inline(__always)
    private static func write(
        _ field: UnsafeMutablePointer<FieldRange>, _ base: UnsafeRawPointer, _ name: Int, _ nameEnd: Int, _ value: Int,
        _ valueEnd: Int
    ) {
        let known = KnownField.recognise(base + name, count: nameEnd &- name)
        field.pointee = FieldRange(
            name: ByteRange(name, nameEnd), value: ByteRange(value, valueEnd), known: known,
            hopByHop: known.isHopByHop)
    }

    @inline(__always)
    private static func isBlank(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }

    private static func badStart(_ byte: UInt8) -> HeadError {
        switch byte {
        case .space, .tab: .foldedLine
        case .lineFeed: .bareLineFeed
        default: .fieldName
        }
    }

    private static func badName(_ byte: UInt8) -> HeadError {
        switch byte {
        case .space, .tab: .spaceBeforeColon
        case .lineFeed: .bareLineFeed
        default: .fieldName
        }
    }
}
