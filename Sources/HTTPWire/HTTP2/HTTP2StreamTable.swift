/// The streams of a connection: slots that stay in place until they are released, and an index from identifiers to slots by
/// open addressing, both in one block that doubles.
struct HTTP2StreamTable: ~Copyable {
    private static let first: UInt32 = 8
    private static let none = UInt32.max

    /// `capacity` records, then an index of twice as many entries, each a slot plus 1, or 0.
    private var records: UnsafeMutablePointer<HTTP2Stream>?
    private(set) var capacity: UInt32 = 0
    private var free = Self.none
    /// Slots in use.
    private(set) var count: UInt32 = 0

    deinit {
        UnsafeMutableRawPointer(records)?.deallocate()
    }

    /// The record of a slot in use; valid until the next `insert`.
    @inline(__always)
    func record(_ slot: UInt32) -> UnsafeMutablePointer<HTTP2Stream> {
        precondition(slot < capacity, "no such slot")
        return records.unsafelyUnwrapped + Int(slot)
    }

    @inline(__always)
    private var index: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(records.unsafelyUnwrapped + Int(capacity)).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always)
    private var mask: UInt32 { capacity &* 2 &- 1 }

    @inline(__always)
    private func home(_ identifier: UInt32) -> UInt32 {
        // Fibonacci hashing: the high bits of the product are mixed best.
        (identifier &* 0x9e37_79b1) &>> UInt32(truncatingIfNeeded: (capacity &* 2).leadingZeroBitCount &+ 1)
    }

    func find(_ identifier: UInt32) -> UInt32? {
        guard count > 0, identifier != 0 else { return nil }
        let index = index
        var place = home(identifier)
        while true {
            let entry = index[Int(place)]
            if entry == 0 { return nil }
            if records.unsafelyUnwrapped[Int(entry &- 1)].identifier == identifier { return entry &- 1 }
            place = (place &+ 1) & mask
        }
    }

    /// A slot for `stream`, which `find` finds if it has an identifier.
    mutating func insert(_ stream: HTTP2Stream) -> UInt32 {
        if free == Self.none { grow() }
        let slot = free
        let record = record(slot)
        free = record.pointee.nextFree
        record.pointee = stream
        record.pointee.flags.insert(.isUsed)
        count &+= 1
        if stream.identifier != 0 { enter(slot) }
        return slot
    }

    /// Gives a stream that has none its identifier.
    mutating func identify(_ slot: UInt32, _ identifier: UInt32) {
        let record = record(slot)
        precondition(record.pointee.identifier == 0 && identifier != 0)
        record.pointee.identifier = identifier
        enter(slot)
    }

    mutating func remove(_ slot: UInt32) {
        let record = record(slot)
        precondition(record.pointee.flags.contains(.isUsed), "the slot is free")
        if record.pointee.identifier != 0 { leave(slot) }
        record.pointee.flags = []
        record.pointee.identifier = 0
        record.pointee.nextFree = free
        free = slot
        count &-= 1
    }

    /// The first slot in use from `slot` on.
    func used(from slot: UInt32) -> UInt32? {
        guard count > 0 else { return nil }
        var slot = slot
        while slot < capacity {
            if record(slot).pointee.flags.contains(.isUsed) { return slot }
            slot &+= 1
        }
        return nil
    }

    @inline(__always)
    private func enter(_ slot: UInt32) {
        let index = index
        var place = home(record(slot).pointee.identifier)
        while index[Int(place)] != 0 { place = (place &+ 1) & mask }
        index[Int(place)] = slot &+ 1
    }

    /// Takes the slot out of the index and moves those behind it up, so that no search ends early.
    private func leave(_ slot: UInt32) {
        let index = index
        let records = records.unsafelyUnwrapped
        var hole = home(records[Int(slot)].identifier)
        while index[Int(hole)] != slot &+ 1 { hole = (hole &+ 1) & mask }
        var place = hole
        while true {
            place = (place &+ 1) & mask
            let entry = index[Int(place)]
            if entry == 0 { break }
            let home = home(records[Int(entry &- 1)].identifier)
            // It may move when its home is not between the hole and its place.
            if (place &- home) & mask >= (place &- hole) & mask {
                index[Int(hole)] = entry
                hole = place
            }
        }
        index[Int(hole)] = 0
    }

    private mutating func grow() {
        let old = capacity
        let doubled = max(Self.first, old &* 2)
        let recordBytes = Int(doubled) * MemoryLayout<HTTP2Stream>.stride
        let indexBytes = Int(doubled) * 2 * MemoryLayout<UInt32>.stride
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: recordBytes + indexBytes, alignment: MemoryLayout<HTTP2Stream>.alignment)
        let grown = block.bindMemory(to: HTTP2Stream.self, capacity: Int(doubled))
        (block + recordBytes).initializeMemory(as: UInt8.self, repeating: 0, count: indexBytes)
        if let records {
            grown.update(from: records, count: Int(old))
            UnsafeMutableRawPointer(records).deallocate()
        }
        records = grown
        capacity = doubled
        for slot in 0..<old where grown[Int(slot)].identifier != 0 { enter(slot) }
        for slot in (old..<doubled).reversed() {
            grown[Int(slot)] = HTTP2Stream(
                identifier: 0, user: 0, flags: [], sendWindow: 0, receiveWindow: 0, window: 0, nextFree: free)
            free = slot
        }
    }
}
