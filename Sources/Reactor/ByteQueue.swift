import Glibc

/// Memory for `ByteQueue`s, by powers of two from 512 bytes; freed blocks are kept for the next taker up to a bound.
package struct BufferPool: ~Copyable {
    package static let smallest = 512
    private static let classes = 8
    /// Free blocks kept per size: at most 256 KiB of each.
    private static let keptBytes = 256 << 10

    private let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let counts: UnsafeMutablePointer<Int>
    /// Bytes in blocks that queues hold now.
    package private(set) var bytesInUse = 0

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

    fileprivate mutating func take(_ size: inout Int) -> UnsafeMutableRawPointer {
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

    fileprivate mutating func give(_ block: UnsafeMutableRawPointer, _ size: Int) {
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
    private var base: UnsafeMutableRawPointer?
    private var capacity: UInt32 = 0
    private var start: UInt32 = 0
    /// 0 when it is empty: whoever reads it across modules pays no call.
    package private(set) var length: UInt32 = 0

    package init() {}

    package var count: Int { Int(length) }
    package var isEmpty: Bool { length == 0 }
    private var end: UInt32 { start &+ length }

    /// Valid until the next mutation.
    package var bytes: UnsafeRawBufferPointer {
        guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + Int(start), count: count)
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer, _ pool: inout BufferPool) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        let room = reserve(bytes.count, &pool)
        memcpy(room.baseAddress!, source, bytes.count)
        length &+= UInt32(bytes.count)
    }

    /// Room for at least `minimum` bytes behind the last; `commit` says how many were written to it.
    package mutating func reserve(_ minimum: Int, _ pool: inout BufferPool) -> UnsafeMutableRawBufferPointer {
        if Int(capacity - end) < minimum {
            let held = count
            if let base, Int(capacity) - held >= minimum, Int(start) >= held {
                memcpy(base, base + Int(start), held)
            } else {
                var size = max(held + minimum, min(held * 2, held + 65536))
                let block = pool.take(&size)
                if let base {
                    memcpy(block, base + Int(start), held)
                    pool.give(base, Int(capacity))
                }
                base = block
                capacity = UInt32(size)
            }
            start = 0
        }
        return UnsafeMutableRawBufferPointer(start: base! + Int(end), count: Int(capacity - end))
    }

    package mutating func commit(_ count: Int) {
        precondition(count <= Int(capacity - end))
        length &+= UInt32(count)
    }

    /// Drops `count` bytes in front, and the block with the last of them.
    package mutating func consume(_ count: Int, _ pool: inout BufferPool) {
        precondition(count <= self.count)
        start &+= UInt32(count)
        length &-= UInt32(count)
        if length == 0 { clear(&pool) }
    }

    package mutating func clear(_ pool: inout BufferPool) {
        if let base { pool.give(base, Int(capacity)) }
        self = ByteQueue()
    }
}
