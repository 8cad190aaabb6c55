// The fields of a block (RFC 7541 section 6).

extension HeaderBlockDecoder {
    enum Reading: BitwiseCopyable {
        case done
        /// `builder.outcome` says why; the rest of the block is to be drained from the position on.
        case givenUp
        case compression
    }

    /// A string literal (RFC 7541 section 5.2): where it is in the block.
    struct Literal: BitwiseCopyable {
        var start: Int
        var count: Int
        var isHuffman: Bool

        /// Nil when it is not whole.
        @inline(__always)
        init?(_ base: UnsafeRawPointer, _ end: Int, _ position: inout Int) {
            guard position < end else { return nil }
            isHuffman = ByteScan.byte(base, position) & 0x80 != 0
            guard let count = PrefixInteger.read(base, end, &position, mask: 0x7f), count <= end &- position else {
                return nil
            }
            start = position
            self.count = count
            position &+= count
        }
    }

    mutating func readFields(
        _ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, _ builder: inout HeadBuilder
    ) -> Reading {
        let statics = StaticTable.shared
        var place = position
        while place < end {
            let byte = ByteScan.byte(base, place)
            guard byte & 0x80 != 0 else {
                position = place
                switch readLiteral(base, end, &position, &builder) {
                case .done: break
                case .givenUp: return .givenUp
                case .compression: return .compression
                }
                place = position
                continue
            }
            guard let index = PrefixInteger.read(base, end, &place, mask: 0x7f) else { return .compression }
            let entry: TableEntry
            let line: UnsafeRawPointer
            let isDynamic = index > StaticTable.count
            if isDynamic {
                guard index &- StaticTable.count &- 1 < table.count else { return .compression }
                entry = table.entry(index &- StaticTable.count &- 1)
                line = table.line(entry)
            } else {
                if index == 0 { return .compression }
                entry = statics.entries[index]
                line = statics.line(entry)
            }
            if entry.kind.rawValue <= builder.plainest.rawValue {
                let count = Int(entry.lineCount)
                if builder.length > 0 || builder.begin(), builder.hasRoom(builder.length &+ count) {
                    copySteps(builder.text + builder.length, line, count)
                    if case .acceptsTrailers = entry.kind { builder.acceptsTrailers = true }
                    builder.note(
                        Int(entry.nameCount), Int(entry.valueCount), entry.known, hopByHop: entry.hopByHop,
                        neverIndexed: false)
                    continue
                }
            } else {
                let value = HeadBuilder.Value(
                    start: line + entry.valueOffset, count: UInt32(entry.valueCount), detail: UInt32(entry.detail))
                if builder.takePseudo(entry.kind, value, isPinned: isDynamic) { continue }
                if takeUnusual(entry, line, &builder) { continue }
            }
            position = place
            return .givenUp
        }
        position = place
        return .done
    }

    @inline(never)
    private func takeUnusual(_ entry: TableEntry, _ line: UnsafeRawPointer, _ builder: inout HeadBuilder) -> Bool {
        if entry.kind == .special, builder.length == 0, !builder.begin() { return false }
        return builder.take(entry.facts, line)
    }

    /// The entry with this index and its line; nil when there is none.
    func lookUp(_ index: Int) -> (entry: TableEntry, line: UnsafeRawPointer)? {
        if index > StaticTable.count {
            guard index &- StaticTable.count &- 1 < table.count else { return nil }
            let entry = table.entry(index &- StaticTable.count &- 1)
            return (entry, table.line(entry))
        }
        let statics = StaticTable.shared
        let entry = statics.entries[index]
        return (entry, statics.line(entry))
    }

    /// Reads a literal field (RFC 7541 section 6.2). After `givenUp`, `position` is where it was unless the field is in the
    /// table already.
    @inline(never)
    private mutating func readLiteral(
        _ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, _ builder: inout HeadBuilder
    ) -> Reading {
        var place = position
        let byte = ByteScan.byte(base, place)
        // A size update behind a field.
        if byte & 0xe0 == 0x20 { return .compression }
        let isIndexed = byte & 0x40 != 0
        guard let index = PrefixInteger.read(base, end, &place, mask: isIndexed ? 0x3f : 0x0f) else {
            return .compression
        }
        var facts: FieldFacts
        var name: UnsafeRawPointer
        if index > 0 {
            guard let found = lookUp(index) else { return .compression }
            if found.entry.nameKind.rawValue > FieldKind.special.rawValue {
                return readPseudo(base, end, &position, place, found.entry.facts, found.line, isIndexed, &builder)
            }
            if builder.length == 0, !builder.begin() { return .givenUp }
            facts = FieldFacts(nameCount: Int(found.entry.nameCount))
            facts.known = found.entry.known
            facts.nameKind = found.entry.nameKind
            // With `: ` and room for CRLF.
            guard builder.hasRoom(builder.length &+ facts.nameCount &+ 4) else { return .givenUp }
            copySteps(builder.text + builder.length, found.line, facts.nameCount &+ 2)
            name = UnsafeRawPointer(builder.text + builder.length)
        } else {
            guard let literal = Literal(base, end, &place) else { return .compression }
            // The code of a colon starts so.
            let first = literal.count > 0 ? ByteScan.byte(base, literal.start) : 0
            if literal.isHuffman ? first & 0xfe == 0xb8 : first == .colon {
                return readPseudo(base, end, &position, place, literal, isIndexed, &builder)
            }
            if builder.length == 0, !builder.begin() { return .givenUp }
            guard builder.hasRoom(builder.length &+ 4) else { return .givenUp }
            let room = builder.end &- builder.length &- 4
            guard let count = Self.copy(literal, base, end, to: builder.text + builder.length, room) else {
                return .compression
            }
            if count > room {
                _ = builder.refuse(tooLarge: .headTooLarge)
                return .givenUp
            }
            facts = FieldFacts(nameCount: count)
            name = UnsafeRawPointer(builder.text + builder.length)
            facts.readName(name)
            builder.text.storeBytes(
                of: UInt16(littleEndian: 0x203a), toByteOffset: builder.length &+ count, as: UInt16.self)
        }
        guard let literal = Literal(base, end, &place) else { return .compression }
        let start = builder.length &+ facts.nameCount &+ 2
        let room = builder.end &- start &- 2
        guard let count = Self.copy(literal, base, end, to: builder.text + start, room) else { return .compression }
        if count > room {
            _ = builder.refuse(tooLarge: .headTooLarge)
            return .givenUp
        }
        facts.valueCount = count
        facts.isNeverIndexed = byte & 0x10 != 0 && !isIndexed
        facts.readValue(UnsafeRawPointer(builder.text), start)
        builder.text.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: start &+ count, as: UInt16.self)
        if isIndexed { table.insert(facts, name: name, value: builder.text + start) }
        position = place
        if facts.kind.rawValue <= builder.plainest.rawValue {
            if case .acceptsTrailers = facts.kind { builder.acceptsTrailers = true }
            builder.note(
                facts.nameCount, facts.valueCount, facts.known, hopByHop: facts.known.isHopByHop,
                neverIndexed: facts.isNeverIndexed)
            return .done
        }
        return builder.take(facts, name) ? .done : .givenUp
    }

    /// Copies a literal's bytes, decoded, to `target` and returns how many they are; when that is more than `room`, not all
    /// of them are there. Nil for an error of the code. `slack` bytes behind `target` may
    /// be written in any case.
    @inline(__always)
    private static func copy(
        _ literal: Literal, _ base: UnsafeRawPointer, _ end: Int, to target: UnsafeMutableRawPointer, _ room: Int
    ) -> Int? {
        if literal.isHuffman {
            return HuffmanCode.shared.decode(
                base, literal.start, literal.start &+ literal.count, readable: end, into: target, capacity: room)
        }
        if literal.count > room { return literal.count }
        if literal.count <= 64, literal.start &+ 64 <= end {
            copySteps(target, base + literal.start, literal.count)
        } else {
            target.copyMemory(from: base + literal.start, byteCount: literal.count)
        }
        return literal.count
    }

    /// Reads a literal pseudo-field whose name is spelled out.
    @inline(never)
    private mutating func readPseudo(
        _ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, _ value: Int, _ name: Literal, _ isIndexed: Bool,
        _ builder: inout HeadBuilder
    ) -> Reading {
        // No name is longer.
        let longest = 16
        return withUnsafeTemporaryAllocation(byteCount: longest + Self.slack, alignment: 1) { room in
            let start = room.baseAddress!
            guard let count = Self.copy(name, base, end, to: start, longest) else { return .compression }
            if count > longest {
                _ = builder.refuse(.pseudoField)
                return .givenUp
            }
            var facts = FieldFacts(nameCount: count)
            facts.readName(start)
            return readPseudo(base, end, &position, value, facts, start, isIndexed, &builder)
        }
    }

    /// Reads a literal pseudo-field, whose value is at `value`, or one whose name is malformed. The value stays where it is,
    /// or is decoded to the end of the text.
    @inline(never)
    private mutating func readPseudo(
        _ base: UnsafeRawPointer, _ end: Int, _ position: inout Int, _ value: Int, _ name: FieldFacts,
        _ nameBytes: UnsafeRawPointer, _ isIndexed: Bool, _ builder: inout HeadBuilder
    ) -> Reading {
        if !name.nameKind.isPseudo || builder.length > 0 || builder.section == .trailers {
            _ = builder.refuse(name.nameKind == .malformed ? name.error : .pseudoField)
            return .givenUp
        }
        var place = value
        guard let literal = Literal(base, end, &place) else { return .compression }
        var facts = name
        var start = base + literal.start
        facts.valueCount = literal.count
        if literal.isHuffman {
            let bound = HuffmanCode.decodedBound(literal.count)
            guard let target = builder.reserve(bound) else { return .givenUp }
            guard
                let count = HuffmanCode.shared.decode(
                    base, literal.start, literal.start &+ literal.count, readable: end, into: target, capacity: bound)
            else { return .compression }
            facts.valueCount = count
            start = UnsafeRawPointer(target)
        }
        facts.readValue(start, 0)
        if isIndexed {
            guard builder.pinned == 0 || builder.unpin() else { return .givenUp }
            table.insert(facts, name: nameBytes, value: start)
        }
        position = place
        let taken = HeadBuilder.Value(
            start: start, count: UInt32(truncatingIfNeeded: facts.valueCount), detail: facts.detail)
        builder.isExact = true
        if builder.takePseudo(facts.kind, taken, isPinned: false) { return .done }
        _ = builder.refuse(facts.kind == .malformed ? facts.error : .pseudoField)
        return .givenUp
    }
}
