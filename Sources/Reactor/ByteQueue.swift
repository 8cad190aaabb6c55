// Inlinable: a request uses several queues, and Swift calls across modules otherwise.

/// Memory for `ByteQueue`s, by powers of two from 512 bytes; freed blocks are kept for the next taker up to a bound.
package struct BufferPool: ~Copyable {
    @inlinable package static var smallest: Int { 512 }
    @usableFromInline static var classes: Int { 8 }
    /// Free blocks kept per size: at most 256 KiB of each.
    @usableFromInline static var keptBytes: Int { 256 << 10 }

    @usableFromInline let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    @usableFromInline let counts: UnsafeMutablePointer<Int>
    /// Bytes in blocks that queues hold now.
    package internal(set) var bytesInUse = 0

    package init() {
        lists = .allocate(capacity: Self.classes)
        lists.initialize(repeating: nil, count: Self.classes)
        counts = .allocate(capacity: Self.classes)
        counts.initialize(repeating: 0, count: Self.classes)
    }

    deinit {
        for index in 0..<Self.classes {
            while let block = lists[index] {
                lists[index] = block.load(as: UnsafeMutableRawPointer?.self)
                block.deallocate()
            }
        }
        lists.deallocate()
        counts.deallocate()
    }

    @inlinable mutating func take(_ size: inout Int) -> UnsafeMutableRawPointer {
        size = size <= Self.smallest ? Self.smallest : 1 << (Int.bitWidth - (size - 1).leadingZeroBitCount)
        bytesInUse += size
        let index = (size / Self.smallest).trailingZeroBitCount
        if index < Self.classes, let block = lists[index] {
            lists[index] = block.load(as: UnsafeMutableRawPointer?.self)
            counts[index] -= 1
            return block
        }
        return .allocate(byteCount: size, alignment: 16)
    }

    @inlinable mutating func give(_ block: UnsafeMutableRawPointer, _ size: Int) {
        bytesInUse -= size
        let index = (size / Self.smallest).trailingZeroBitCount
        guard index < Self.classes, (counts[index] + 1) * size <= Self.keptBytes else { return block.deallocate() }
        block.storeBytes(of: lists[index], as: UnsafeMutableRawPointer?.self)
        lists[index] = block
        counts[index] += 1
    }
}

/// Bytes that wait: appended behind, taken in front, in one block of a `BufferPool`. Empty, it holds no memory. It does not
/// free itself: `clear` before dropping it.
package struct ByteQueue: BitwiseCopyable {
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var capacity: UInt32 = 0
    @usableFromInline var start: UInt32 = 0
    /// 0 when it is empty.
    package internal(set) var length: UInt32 = 0

    @inlinable package init() {}

    @inlinable package var count: Int { Int(length) }
    @inlinable package var isEmpty: Bool { length == 0 }
    @inlinable var end: UInt32 { start &+ length }

    /// Valid until the next mutation.
    @inlinable package var bytes: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + Int(start), count: count)
    }

    @inlinable package mutating func append(_ bytes: UnsafeRawBufferPointer, _ pool: inout BufferPool) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        let room = reserve(bytes.count, &pool)
        room.baseAddress!.copyMemory(from: source, byteCount: bytes.count)
        length &+= UInt32(bytes.count)
    }

    /// Room for at least `minimum` bytes behind the last; `commit` says how many were written to it.
    @inlinable package mutating func reserve(_ minimum: Int, _ pool: inout BufferPool) -> UnsafeMutableRawBufferPointer
    {
        if Int(capacity - end) < minimum {
            let held = count
            if let base, Int(capacity) - held >= minimum, Int(start) >= held {
                base.copyMemory(from: base + Int(start), byteCount: held)
            } else {
                var size = max(held + minimum, min(held * 2, held + 65536))
                let block = pool.take(&size)
                if let base {
                    block.copyMemory(from: base + Int(start), byteCount: held)
                    pool.give(base, Int(capacity))
                }
                base = block
                capacity = UInt32(size)
            }
            start = 0
        }
        return UnsafeMutableRawBufferPointer(start: base! + Int(end), count: Int(capacity - end))
    }

    @inlinable package mutating func commit(_ count: Int) {
        precondition(count <= Int(capacity - end))
        length &+= UInt32(count)
    }

    /// Drops `count` bytes in front, and the block with the last of them.
    @inlinable package mutating func consume(_ count: Int, _ pool: inout BufferPool) {
        precondition(count <= self.count)
        start &+= UInt32(count)
        length &-= UInt32(count)
        if length == 0 { clear(&pool) }
    }

    @inlinable package mutating func clear(_ pool: inout BufferPool) {
        if let base { pool.give(base, Int(capacity)) }
        self = ByteQueue()
    }
}
