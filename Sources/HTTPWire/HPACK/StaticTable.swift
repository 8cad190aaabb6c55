/// The static table (RFC 7541 Appendix A), in the shape of the dynamic one.
struct StaticTable {
    static var count: Int { 61 }

    /// Made at the first use and never freed.
    nonisolated(unsafe) static let shared = StaticTable()

    /// From index 1 on; the place of index 0 holds nothing.
    let entries: UnsafeMutablePointer<TableEntry>
    let bytes: UnsafeMutableRawPointer
    /// For each known field, the index of its first entry, or 0.
    private let indexes: UnsafeMutablePointer<UInt8>
    /// The indexes of all names by hash, with open addressing; 0 is free.
    private let names: UnsafeMutablePointer<UInt8>

    private static var nameMask: Int { 255 }

    private static var lines: StaticString {
        """
        :authority: |:method: GET|:method: POST|:path: /|:path: /index.html|:scheme: http|:scheme: https|:status: 200|\
        :status: 204|:status: 206|:status: 304|:status: 400|:status: 404|:status: 500|accept-charset: |\
        accept-encoding: gzip, deflate|accept-language: |accept-ranges: |accept: |access-control-allow-origin: |age: |\
        allow: |authorization: |cache-control: |content-disposition: |content-encoding: |content-language: |\
        content-length: |content-location: |content-range: |content-type: |cookie: |date: |etag: |expect: |expires: |\
        from: |host: |if-match: |if-modified-since: |if-none-match: |if-range: |if-unmodified-since: |last-modified: |\
        link: |location: |max-forwards: |proxy-authenticate: |proxy-authorization: |range: |referer: |refresh: |\
        retry-after: |server: |set-cookie: |strict-transport-security: |transfer-encoding: |user-agent: |vary: |via: |\
        www-authenticate: |
        """
    }

    private init() {
        let source = UnsafeRawPointer(Self.lines.utf8Start)
        entries = .allocate(capacity: Self.count + 1)
        bytes = .allocate(
            byteCount: Self.lines.utf8CodeUnitCount * 2 + 16 * Self.count + DynamicTable.slack, alignment: 16)
        indexes = .allocate(capacity: KnownField.allCases.count)
        indexes.initialize(repeating: 0, count: KnownField.allCases.count)
        names = .allocate(capacity: Self.nameMask + 1)
        names.initialize(repeating: 0, count: Self.nameMask + 1)
        entries[0] = TableEntry(start: 0, FieldFacts(nameCount: 0))
        var position = 0
        var start = 0
        for index in 1...Self.count {
            // A pseudo-field's name has a colon at its front.
            var colon = position + 1
            while ByteScan.byte(source, colon) != .colon { colon += 1 }
            let value = colon + 2
            var end = value
            while ByteScan.byte(source, end) != UInt8(ascii: "|") { end += 1 }
            var facts = FieldFacts(nameCount: colon - position)
            facts.valueCount = end - value
            facts.readName(source + position)
            facts.readValue(source, value)
            let line = bytes + start
            line.copyMemory(from: source + position, byteCount: end - position)
            line.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: end - position, as: UInt16.self)
            entries[index] = TableEntry(start: start, facts)
            if indexes[Int(facts.known.rawValue)] == 0 { indexes[Int(facts.known.rawValue)] = UInt8(index) }
            var slot = Self.slot(source + position, facts.nameCount)
            while names[slot] > 0 { slot = (slot + 1) & Self.nameMask }
            names[slot] = UInt8(index)
            start += (end - position + 2 + 15) & ~15
            position = end + 1
        }
        indexes[Int(KnownField.other.rawValue)] = 0
    }

    @inline(__always)
    func line(_ entry: TableEntry) -> UnsafeRawPointer { UnsafeRawPointer(bytes + Int(entry.start)) }

    private static func slot(_ name: UnsafeRawPointer, _ count: Int) -> Int {
        let ends = Int(ByteScan.byte(name, 0)) &* 7 &+ Int(ByteScan.byte(name, count &- 1)) &* 31
        return (ends &+ Int(ByteScan.byte(name, count / 2)) &* 3 &+ count &* 17) & nameMask
    }

    /// The lowest index with this lowercase name, or 0.
    func index(_ name: UnsafeRawPointer, _ count: Int, _ known: KnownField) -> Int {
        if case .other = known {} else { return Int(indexes[Int(known.rawValue)]) }
        if count == 0 { return 0 }
        var slot = Self.slot(name, count)
        while true {
            let index = Int(names[slot])
            if index == 0 { return 0 }
            let entry = entries[index]
            if Int(entry.nameCount) == count, Self.same(line(entry), name, count) { return index }
            slot = (slot &+ 1) & Self.nameMask
        }
    }

    private static func same(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        for offset in 0..<count where ByteScan.byte(left, offset) != ByteScan.byte(right, offset) { return false }
        return true
    }
}
