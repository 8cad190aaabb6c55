import Reactor
import Testing

@Suite struct SlabTests {
    @Test func elementsStayWhereTheyAre() {
        var slab = Slab(stride: 16)
        var pointers: [UnsafeMutableRawPointer] = []
        for number in 0..<10_000 {
            let index = slab.allocate()
            #expect(index == UInt32(number))
            let pointer = slab.pointer(index)
            pointer.storeBytes(of: number, as: Int.self)
            pointers.append(pointer)
        }
        for number in 0..<10_000 {
            #expect(value(slab.pointer(UInt32(number)) == pointers[number]))
            #expect(pointers[number].load(as: Int.self) == number)
        }
        #expect(value(slab.count == 10_000))
    }

    @Test func aFreedElementIsAnotherOne() {
        var slab = Slab(stride: 8)
        let index = slab.allocate()
        let generation = slab.generation(index)
        #expect(value(slab.isCurrent(index, generation: generation)))
        slab.free(index)
        #expect(value(!slab.isCurrent(index, generation: generation)))
        #expect(value(!slab.isUsed(index)))
        #expect(value(slab.allocate() == index))
        #expect(value(!slab.isCurrent(index, generation: generation)))
        #expect(value(slab.isCurrent(index, generation: slab.generation(index))))
        #expect(value(!slab.isCurrent(1_000_000, generation: 1)))
    }
}
