// Blocks whose head is of no use (any more).

extension HeaderBlockDecoder {
    /// Decodes from `position` to the end for the table only, with `text` as scratch. False for a compression error.
    @inline(never)
    mutating func drain(
        _ base: UnsafeRawPointer, _ end: Int, _ position: Int, _ text: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var scratch = Scratch(text, table.maximum)
        var place = position
        while place < end {
            let byte = ByteScan.byte(base, place)
            if byte & 0x80 != 0 {
                guard let index = PrefixInteger.read(base, end, &place, mask: 0x7f), index > 0,
                    index <= StaticTable.count &+ table.count
                else { return false }
                continue
            }
            guard drainLiteral(base, end, &place, &scratch) else { return false }
        }
        return true
    }

    private mutating func drainLiteral(
        _ base: UnsafeRawPointer, _ end: Int, _ place: inout Int, _ scratch: inout Scratch
    ) -> Bool {
        let byte = ByteScan.byte(base, place)
        if byte & 0xe0 == 0x20 { return false }
        let isIndexed = byte & 0x40 != 0
        guard let index = PrefixInteger.read(base, end, &place, mask: isIndexed ? 0x3f : 0x0f) else { return false }
        scratch.clear()
        var facts: FieldFacts
        let name: UnsafeRawPointer
        if index > 0 {
            guard let found = lookUp(index) else { return false }
            facts = found.entry.facts
            name = found.line
        } else {
            guard let literal = Literal(base, end, &place), let found = scratch.add(literal, base, end) else {
                return false
            }
            facts = FieldFacts(nameCount: found.count)
            name = found.start
        }
        guard let literal = Literal(base, end, &place), let value = scratch.add(literal, base, end) else {
            return false
        }
        facts.valueCount = value.count
        if !isIndexed { return true }
        // What is larger than the table empties it, and its bytes may not be there.
        if facts.nameCount &+ facts.valueCount &+ DynamicTable.overhead <= table.maximum {
            if index == 0 { facts.readName(name) }
            // A verdict on the value of the entry that named it does not count.
            if facts.nameKind != .malformed { facts.detail = 0 }
            facts.readValue(value.start, 0)
        }
        table.insert(facts, name: name, value: value.start)
        return true
    }

    /// Room for the decoded strings of one field, as far as an entry of the table may be long.
    private struct Scratch: ~Copyable {
        private var start: UnsafeMutableRawPointer?
        private let capacity: Int
        private var used = 0
        private var isOwned = false

        /// Uses `text` when it is large enough.
        init(_ text: UnsafeMutableRawBufferPointer, _ maximum: Int) {
            capacity = maximum
            start = text.count >= maximum ? text.baseAddress : nil
        }

        deinit {
            if isOwned { start?.deallocate() }
        }

        mutating func clear() { used = 0 }

        /// The decoded string; more bytes than the table can hold are counted only. Nil for an error of the code.
        mutating func add(
            _ literal: Literal, _ base: UnsafeRawPointer, _ end: Int
        ) -> (start: UnsafeRawPointer, count: Int)? {
            if !literal.isHuffman { return (base + literal.start, literal.count) }
            let start = self.start ?? allocate()
            let target = start + used
            guard
                let count = HuffmanCode.shared.decode(
                    base, literal.start, literal.start &+ literal.count, readable: end, into: target,
                    capacity: capacity &- used)
            else { return nil }
            used = min(capacity, used &+ count)
            return (UnsafeRawPointer(target), count)
        }

        private mutating func allocate() -> UnsafeMutableRawPointer {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: capacity &+ 16, alignment: 16)
            start = memory
            isOwned = true
            return memory
        }
    }
}
