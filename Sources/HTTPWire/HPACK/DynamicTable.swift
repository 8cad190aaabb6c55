/// One entry of the static or the dynamic table. Its line, `name: value CRLF`, starts at `start` of the table's bytes; up to
/// a multiple of 16 behind that they are the entry's alone.
struct TableEntry: BitwiseCopyable {
    var start: UInt32
    var nameCount: UInt16
    var valueCount: UInt16
    /// `FieldFacts.detail`
    var detail: UInt16
    /// Bytes of the line.
    var lineCount: UInt16
    var known: KnownField
    var nameKind: FieldKind
    var kind: FieldKind
    var hopByHop: Bool

    init(start: Int, _ facts: FieldFacts) {
        self.start = UInt32(truncatingIfNeeded: start)
        nameCount = UInt16(truncatingIfNeeded: facts.nameCount)
        valueCount = UInt16(truncatingIfNeeded: facts.valueCount)
        detail = UInt16(truncatingIfNeeded: facts.detail)
        lineCount = UInt16(truncatingIfNeeded: facts.nameCount &+ facts.valueCount &+ 4)
        known = facts.known
        nameKind = facts.nameKind
        kind = facts.kind
        hopByHop = facts.known.isHopByHop
    }

    /// As it counts in the table (RFC 7541 section 4.1).
    @inline(__always) var size: Int { Int(nameCount) &+ Int(valueCount) &+ DynamicTable.overhead }
    @inline(__always) var valueOffset: Int { Int(nameCount) &+ 2 }

    var facts: FieldFacts {
        var facts = FieldFacts(nameCount: Int(nameCount))
        facts.valueCount = Int(valueCount)
        facts.detail = UInt32(detail)
        facts.known = known
        facts.nameKind = nameKind
        facts.kind = kind
        return facts
    }
}

/// The dynamic table (RFC 7541 section 2.3.2): entries in a ring, and their lines in a ring of bytes in which no line
/// wraps. Nothing is allocated for a table without entries; from there the rings double as they fill, up to what the largest
/// table needs.
///
/// A line takes four bytes more than its name and value, and is rounded up to 16, while the entry counts for 32 more: so the
/// lines of a full table take less than the table's size, and twice that always has a gap that is long enough.
struct DynamicTable: ~Copyable {
    /// RFC 7541 section 4.1.
    static var overhead: Int { 32 }
    /// Readable bytes behind the last line.
    static var slack: Int { 64 }

    /// Bytes of the first ring, and per place for an entry.
    private static var firstRing: Int { 1024 }
    private static var bytesPerEntry: Int { 64 }

    private(set) var entries: UnsafeMutablePointer<TableEntry>
    private(set) var bytes: UnsafeMutableRawPointer
    private var ring = 0
    /// Places for entries (a power of two) less 1.
    private(set) var mask = 0
    /// Entries ever inserted, and how many of them are left.
    private(set) var inserted: UInt32 = 0
    private(set) var count = 0
    /// Where the next line starts.
    private var head = 0
    private(set) var size = 0
    private(set) var maximum: Int

    /// `maximum` at most 65,536.
    init(maximum: Int) {
        precondition(maximum >= 0 && maximum <= 65536)
        self.maximum = maximum
        bytes = UnsafeMutableRawPointer(bitPattern: 16)!
        entries = bytes.assumingMemoryBound(to: TableEntry.self)
    }

    deinit {
        if ring > 0 { bytes.deallocate() }
    }

    /// The entry with the 0-based index `index` among the dynamic ones, which must be below `count`.
    @inline(__always)
    func entry(_ index: Int) -> TableEntry { entries[place(index)] }

    @inline(__always)
    func place(_ index: Int) -> Int { (Int(truncatingIfNeeded: inserted) &- 1 &- index) & mask }

    @inline(__always)
    func line(_ entry: TableEntry) -> UnsafeRawPointer { UnsafeRawPointer(bytes + Int(entry.start)) }

    /// RFC 7541 section 4.3.
    mutating func setMaximum(_ maximum: Int) {
        precondition(maximum >= 0 && maximum <= 65536)
        self.maximum = maximum
        evict(room: 0)
    }

    @inline(__always)
    private mutating func evict(room: Int) {
        while size &+ room > maximum, count > 0 {
            size &-= entry(count &- 1).size
            count &-= 1
        }
        if count == 0 { head = 0 }
    }

    /// RFC 7541 section 4.4: the oldest go until the new one fits; one that is larger than the table empties it, and is not
    /// inserted. `name` may lie in an entry, also in one that goes; `value` may not.
    @inline(never)
    mutating func insert(_ facts: FieldFacts, name: UnsafeRawPointer, value: UnsafeRawPointer) {
        let size = facts.nameCount &+ facts.valueCount &+ Self.overhead
        evict(room: size)
        if size > maximum { return }
        let length = (facts.nameCount &+ facts.valueCount &+ 4 &+ 15) & ~15
        var former: UnsafeMutableRawPointer?
        while true {
            if count <= mask, ring > 0, let start = room(length) {
                let line = bytes + start
                // The name first: `line` may overlap it.
                line.copyMemory(from: name, byteCount: facts.nameCount)
                line.storeBytes(of: UInt16(littleEndian: 0x203a), toByteOffset: facts.nameCount, as: UInt16.self)
                (line + facts.nameCount + 2).copyMemory(from: value, byteCount: facts.valueCount)
                line.storeBytes(
                    of: UInt16(littleEndian: 0x0a0d), toByteOffset: facts.nameCount &+ 2 &+ facts.valueCount,
                    as: UInt16.self)
                entries[Int(truncatingIfNeeded: inserted) & mask] = TableEntry(start: start, facts)
                inserted &+= 1
                count &+= 1
                head = start &+ length
                self.size &+= size
                former?.deallocate()
                return
            }
            // At most one ring that held entries is given up here: the next one has room for all.
            let old = grow(length)
            if former == nil { former = old } else { old?.deallocate() }
        }
    }

    /// Where `length` bytes are free.
    private func room(_ length: Int) -> Int? {
        if count == 0 { return length <= ring ? 0 : nil }
        let tail = Int(entry(count &- 1).start)
        if tail < head {
            if head &+ length <= ring { return head }
            return length <= tail ? 0 : nil
        }
        return head &+ length <= tail ? head : nil
    }

    /// Doubles the rings at least; returns the old ones, which the caller must free.
    private mutating func grow(_ length: Int) -> UnsafeMutableRawPointer? {
        let old = ring > 0 ? bytes : nil
        let formerEntries = entries
        let formerMask = mask
        let formerBytes = bytes
        var ring = max(self.ring &* 2, Self.firstRing)
        while ring < length { ring &*= 2 }
        let places = ring / Self.bytesPerEntry
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: ring &+ Self.slack &+ places &* MemoryLayout<TableEntry>.stride, alignment: 16)
        let entries = (memory + ring + Self.slack).bindMemory(to: TableEntry.self, capacity: places)
        var start = 0
        for index in (0..<count).reversed() {
            let number = Int(truncatingIfNeeded: inserted) &- 1 &- index
            var entry = formerEntries[number & formerMask]
            let length = (entry.size &- Self.overhead &+ 4 &+ 15) & ~15
            (memory + start).copyMemory(from: formerBytes + Int(entry.start), byteCount: length)
            entry.start = UInt32(truncatingIfNeeded: start)
            entries[number & (places &- 1)] = entry
            start &+= length
        }
        self.entries = entries
        self.bytes = memory
        self.ring = ring
        mask = places &- 1
        head = start
        return old
    }
}
