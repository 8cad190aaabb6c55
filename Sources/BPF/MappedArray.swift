import Glibc

/// The elements of an array map made with BPF_F_MMAPABLE, as memory that programs read while it is written.
package struct MappedArray<Element: BitwiseCopyable>: ~Copyable {
    package let base: UnsafeMutablePointer<Element>
    package let count: Int
    private let bytes: Int

    package init(_ map: borrowing Map) throws(BPFError) {
        precondition(MemoryLayout<Element>.stride == map.valueSize && map.valueSize % 8 == 0)
        let page = Int(getpagesize())
        bytes = (map.capacity * map.valueSize + page - 1) / page * page
        let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.descriptor.number, 0)
        guard let memory, memory != MAP_FAILED else { throw BPFError("mmap map \(map.name)", code: errno) }
        base = memory.assumingMemoryBound(to: Element.self)
        count = map.capacity
    }

    deinit { munmap(base, bytes) }

    package subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return base[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < count)
            base[index] = newValue
        }
    }
}
