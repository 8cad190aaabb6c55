/// The encoder's dynamic table, and where in it a field is: a table of hashes, two places for each.
///
/// A place holds the number of an entry, or 0 for a field that came once. Fields with the same hash are told apart by their
/// bytes; the second of them is not indexed while the first is there. So whoever finds fields with the same hash gains
/// nothing but literals.
struct EncoderIndex: ~Copyable {
    private struct Place: BitwiseCopyable {
        /// From the hash; `seen` set for a field that came once.
        var tag: UInt32
        /// `DynamicTable.inserted` when the entry was in.
        var number: UInt32
    }

    /// As many as a slot has values.
    private static var placeCount: Int { 128 }
    private static var seen: UInt32 { 1 << 31 }

    var table: DynamicTable
    private var places: UnsafeMutablePointer<Place>?
    /// By kind, the number of the entry that a pseudo-field had last: mostly it is the same again.
    private var last = InlineArray<16, UInt32>(repeating: 0)
    /// The same for `te: trailers`, which has no other value.
    private var te: UInt32 = 0
    /// `Walk`: where heads and trailer sections start.
    private var firstField: UInt16 = 0
    private var firstTrailer: UInt16 = 0

    init(maximum: Int) {
        table = DynamicTable(maximum: maximum)
    }

    deinit { places?.deallocate() }

    /// Of the first, the middle and the last eight bytes, and the count.
    @inline(__always)
    static func hash(_ bytes: UnsafeRawPointer, _ count: Int, seed: UInt64) -> UInt64 {
        if count < 8 { return shortHash(bytes, count, seed) }
        return longHash(bytes, count, seed)
    }

    @inline(__always)
    private static func longHash(_ bytes: UnsafeRawPointer, _ count: Int, _ seed: UInt64) -> UInt64 {
        let middle = ByteScan.word(bytes, (count &>> 1) &- 4)
        let ends = ByteScan.word(bytes, 0) ^ (ByteScan.word(bytes, count &- 8) &<< 1)
        return mix(ends, middle, seed &+ UInt64(truncatingIfNeeded: count))
    }

    @inline(__always)
    private static func mix(_ ends: UInt64, _ middle: UInt64, _ seed: UInt64) -> UInt64 {
        (ends ^ seed) &* 0x9e37_79b9_7f4a_7c15 ^ middle &* 0xd6e8_feb8_6659_fd93
    }

    @inline(never)
    private static func shortHash(_ bytes: UnsafeRawPointer, _ count: Int, _ seed: UInt64) -> UInt64 {
        var word: UInt64 = 0
        for offset in 0..<count { word = word &<< 8 | UInt64(ByteScan.byte(bytes, offset)) }
        return mix(word, 0, seed &+ UInt64(truncatingIfNeeded: count))
    }

    /// The upper bits are the ones that depend on all.
    @inline(__always)
    private static func slot(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> 57) }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash &>> 26) & ~seen }

    /// How many entries came behind the one with this number; at least `table.count` when it is gone.
    @inline(__always)
    private func age(_ number: UInt32) -> Int { Int(table.inserted &- number) }

    /// `age` of the entry that is at the place of `hash`, or -1.
    @inline(__always)
    private func candidate(_ hash: UInt64) -> Int {
        guard let places else { return -1 }
        let slot = Self.slot(hash)
        let tag = Self.tag(hash)
        var place = places + slot
        if place.pointee.tag != tag {
            place = places + (slot ^ 1)
            if place.pointee.tag != tag { return -1 }
        }
        let age = age(place.pointee.number)
        return age < table.count ? age : -1
    }

    /// `age` of the entry whose line starts with the `run` bytes, at least 8, at `line`, `name: value`; -1 without one.
    @inline(__always)
    func find(line: UnsafeRawPointer, _ run: Int) -> Int {
        let age = candidate(Self.longHash(line, run, 0))
        return age >= 0 && holds(age, line, run) ? age : -1
    }

    /// Whether the entry of that age, which may be no entry's, is that.
    @inline(__always)
    func holds(_ age: Int, _ line: UnsafeRawPointer, _ run: Int) -> Bool {
        guard age < table.count else { return false }
        let entry = table.entries + table.place(age)
        // No name holds a colon, so equal runs have equal names.
        return Int(entry.pointee.lineCount) == run &+ 2
            && Self.same(UnsafeRawPointer(table.bytes + Int(entry.pointee.start)), line, run)
    }

    @inline(__always)
    static func index(_ age: Int) -> Int { StaticTable.count &+ 1 &+ age }

    /// Where a message's fields are in their order, as far as it was like that in the message before: fields come in the
    /// same order mostly, and the entry that comes next is then found without a hash. A link is the low half of an entry's
    /// number; in the encoder's table it is the entry's `detail`. One that is wrong costs a look.
    struct Walk {
        /// The section, and the place of the entry before, or -1.
        let isTrailers: Bool
        var place = -1
        var guess: UInt16
    }

    @inline(__always)
    func walk(isTrailers: Bool) -> Walk {
        Walk(isTrailers: isTrailers, guess: isTrailers ? firstTrailer : firstField)
    }

    /// As `find`.
    @inline(__always)
    mutating func next(_ walk: inout Walk, _ line: UnsafeRawPointer, _ run: Int) -> Int {
        var age = Int(UInt16(truncatingIfNeeded: table.inserted) &- walk.guess)
        if !holds(age, line, run) {
            age = search(walk, line, run)
            if age < 0 { return -1 }
        }
        walk.place = table.place(age)
        walk.guess = table.entries[walk.place].detail
        return age
    }

    /// Finds it by its hash, and links it to the one before.
    @inline(never)
    private mutating func search(_ walk: Walk, _ line: UnsafeRawPointer, _ run: Int) -> Int {
        let age = find(line: line, run)
        if age < 0 { return -1 }
        let number = UInt16(truncatingIfNeeded: Int(table.inserted) &- age)
        if walk.place >= 0 {
            table.entries[walk.place].detail = number
        } else if walk.isTrailers {
            firstTrailer = number
        } else {
            firstField = number
        }
        return age
    }

    /// The index of a pseudo-field, or 0.
    @inline(__always)
    func guess(_ kind: FieldKind, _ value: UnsafeRawPointer, _ count: Int) -> Int {
        let age = age(last[Int(kind.rawValue & 15)])
        return age < table.count ? compare(age, kind, value, count) : 0
    }

    @inline(never)
    mutating func find(_ hash: UInt64, _ kind: FieldKind, _ value: UnsafeRawPointer, _ count: Int) -> Int {
        let age = candidate(hash)
        if age < 0 { return 0 }
        let found = compare(age, kind, value, count)
        if found > 0 { last[Int(kind.rawValue & 15)] = table.inserted &- UInt32(truncatingIfNeeded: age) }
        return found
    }

    @inline(__always)
    private func compare(_ age: Int, _ kind: FieldKind, _ value: UnsafeRawPointer, _ count: Int) -> Int {
        let entry = table.entries + table.place(age)
        guard entry.pointee.kind.rawValue == kind.rawValue, Int(entry.pointee.valueCount) == count else { return 0 }
        let line = UnsafeRawPointer(table.bytes + Int(entry.pointee.start))
        let isSame = Self.same(line + entry.pointee.valueOffset, value, count)
        return isSame ? StaticTable.count &+ 1 &+ age : 0
    }

    /// The index of `te: trailers`, or 0.
    @inline(__always)
    var acceptsTrailers: Int {
        let age = age(te)
        return te != 0 && age < table.count ? StaticTable.count &+ 1 &+ age : 0
    }

    /// The index of a field whose name was not lowercase.
    func find(_ hash: UInt64, _ facts: FieldFacts, _ name: UnsafeRawPointer, _ value: UnsafeRawPointer) -> Int {
        let age = candidate(hash)
        if age < 0 { return 0 }
        let entry = table.entry(age)
        let line = table.line(entry)
        guard Int(entry.nameCount) == facts.nameCount, Int(entry.valueCount) == facts.valueCount,
            Self.same(line, name, facts.nameCount), Self.same(line + entry.valueOffset, value, facts.valueCount)
        else { return 0 }
        return StaticTable.count &+ 1 &+ age
    }

    @inline(__always)
    private static func same(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        if count < 8 { return shortSame(left, right, count) }
        let last = count &- 8
        var difference = ByteScan.word(left, 0) ^ ByteScan.word(right, 0)
        difference |= ByteScan.word(left, last) ^ ByteScan.word(right, last)
        if count <= 16 { return difference == 0 }
        difference |= ByteScan.word(left, 8) ^ ByteScan.word(right, 8)
        difference |= ByteScan.word(left, last &- 8) ^ ByteScan.word(right, last &- 8)
        return difference == 0 && (count <= 32 || longSame(left, right, last &- 8))
    }

    /// From the 16th byte to `end`.
    @inline(never)
    private static func longSame(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ end: Int) -> Bool {
        var offset = 16
        while offset < end {
            if ByteScan.word(left, offset) != ByteScan.word(right, offset) { return false }
            offset &+= 8
        }
        return true
    }

    @inline(never)
    private static func shortSame(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
        for offset in 0..<count where ByteScan.byte(left, offset) != ByteScan.byte(right, offset) { return false }
        return true
    }

    /// Whether a field that is not in the table should go there: it came before, or `atOnce`. Remembers it.
    mutating func admits(_ hash: UInt64, _ facts: FieldFacts, atOnce: Bool) -> Bool {
        let size = facts.nameCount &+ facts.valueCount &+ DynamicTable.overhead
        // One field should not push out all others.
        guard size <= table.maximum / 4 else { return false }
        let places = self.places ?? makePlaces()
        let slot = Self.slot(hash)
        let tag = Self.tag(hash)
        for slot in slot & ~1...slot | 1 {
            if places[slot].tag == tag | Self.seen { return true }
            // Another with the same hash is in the table; or this one was.
            if places[slot].tag == tag { return !isLive(places[slot]) }
        }
        // The newest mark comes first, and the one before it keeps the other place.
        if isLive(places[slot]) {
            if isLive(places[slot ^ 1]) { return false }
            places[slot ^ 1] = Place(tag: tag | Self.seen, number: 0)
        } else {
            if !isLive(places[slot ^ 1]) { places[slot ^ 1] = places[slot] }
            places[slot] = Place(tag: tag | Self.seen, number: 0)
        }
        return atOnce
    }

    private func isLive(_ place: Place) -> Bool {
        place.tag & Self.seen == 0 && age(place.number) < table.count
    }

    /// Puts a field that was admitted into the table.
    mutating func insert(_ hash: UInt64, _ facts: FieldFacts, name: UnsafeRawPointer, value: UnsafeRawPointer) {
        table.insert(facts, name: name, value: value)
        if facts.kind.isPseudo { last[Int(facts.kind.rawValue & 15)] = table.inserted }
        if case .te = facts.known, facts.valueCount == 8 { te = table.inserted }
        guard let places else { return }
        let slot = Self.slot(hash)
        let tag = Self.tag(hash)
        let place = places[slot].tag & ~Self.seen == tag ? slot : slot ^ 1
        places[place] = Place(tag: tag, number: table.inserted)
    }

    private mutating func makePlaces() -> UnsafeMutablePointer<Place> {
        let places = UnsafeMutablePointer<Place>.allocate(capacity: Self.placeCount)
        places.initialize(repeating: Place(tag: Self.seen, number: 0), count: Self.placeCount)
        self.places = places
        return places
    }
}
