/// A growing array of equal-sized elements that never move, with a free list. An element is known by its index and a
/// generation that changes when it is freed, so that an event which comes late finds nobody.
///
/// Elements are raw memory of `stride` bytes: the caller binds them to one trivial type.
package struct Slab: ~Copyable {
    private static let chunkShift: UInt32 = 6
    private static let chunkMask: UInt32 = 63
    @inlinable package static var none: UInt32 { .max }

    package let stride: Int
    /// 64 elements each.
    package private(set) var chunks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private var chunkCapacity = 64
    private var chunkCount = 0
    /// Per element: bit 0 says that it is in use, the rest is its generation. Never 0 once the element exists.
    private var marks: UnsafeMutablePointer<UInt32>
    private var nextFree: UnsafeMutablePointer<UInt32>
    private var firstFree = Slab.none
    package private(set) var count = 0

    package init(stride: Int) {
        self.stride = stride
        chunks = .allocate(capacity: chunkCapacity)
        marks = .allocate(capacity: chunkCapacity << Int(Slab.chunkShift))
        nextFree = .allocate(capacity: chunkCapacity << Int(Slab.chunkShift))
    }

    deinit {
        for index in 0..<chunkCount { chunks[index].deallocate() }
        chunks.deallocate()
        marks.deallocate()
        nextFree.deallocate()
    }

    /// Indices in existence, in use or not: 0..<limit.
    package var limit: UInt32 { UInt32(chunkCount) << Slab.chunkShift }

    /// A free element, its memory as its last user left it.
    package mutating func allocate() -> UInt32 {
        if firstFree == Slab.none { grow() }
        let index = firstFree
        firstFree = nextFree[Int(index)]
        marks[Int(index)] |= 1
        count += 1
        return index
    }

    package mutating func free(_ index: UInt32) {
        precondition(marks[Int(index)] & 1 == 1, "freed twice")
        marks[Int(index)] = (marks[Int(index)] & ~1) &+ 2
        nextFree[Int(index)] = firstFree
        firstFree = index
        count -= 1
    }

    package func isUsed(_ index: UInt32) -> Bool { marks[Int(index)] & 1 == 1 }

    /// 24 bits that tell this use of the element from earlier ones.
    package func generation(_ index: UInt32) -> UInt32 { marks[Int(index)] >> 1 & 0xff_ffff }

    package func isCurrent(_ index: UInt32, generation: UInt32) -> Bool {
        index < limit && marks[Int(index)] & 1 == 1 && self.generation(index) == generation
    }

    package func pointer(_ index: UInt32) -> UnsafeMutableRawPointer {
        chunks[Int(index >> Slab.chunkShift)] + Int(index & Slab.chunkMask) &* stride
    }

    private mutating func grow() {
        if chunkCount == chunkCapacity {
            let old = chunkCapacity
            chunkCapacity *= 2
            chunks = Self.enlarged(chunks, from: old, to: chunkCapacity)
            let elements = old << Int(Slab.chunkShift)
            marks = Self.enlarged(marks, from: elements, to: elements * 2)
            nextFree = Self.enlarged(nextFree, from: elements, to: elements * 2)
        }
        let first = limit
        chunks[chunkCount] = .allocate(byteCount: stride << Int(Slab.chunkShift), alignment: 64)
        chunkCount += 1
        for index in (first..<limit).reversed() {
            marks[Int(index)] = 2
            nextFree[Int(index)] = firstFree
            firstFree = index
        }
    }

    private static func enlarged<T>(_ old: UnsafeMutablePointer<T>, from: Int, to: Int) -> UnsafeMutablePointer<T> {
        let new = UnsafeMutablePointer<T>.allocate(capacity: to)
        new.moveInitialize(from: old, count: from)
        old.deallocate()
        return new
    }
}
