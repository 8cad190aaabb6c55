import BPF
import CDatapath
import CLibbpf
import Datapath
import Glibc
import Testing

struct BPFTests {
    @Test func somethingElseThanAnObjectIsRefused() {
        let error = #expect(throws: BPFError.self) { _ = try Object(bytes: [1, 2, 3, 4], name: "junk") }
        #expect(error?.code != 0)
        #expect(error?.operation == "open BPF object junk")
        #expect(error?.log.isEmpty == false, "libbpf says why")
    }

    @Test func namesThatAreNotThereAreRefused() throws {
        let object = try DatapathObject.open()
        try object.load()
        let program = #expect(throws: BPFError.self) { _ = try object.program("none") }
        #expect(program?.code == ENOENT)
        #expect(program?.description == "find program none in BPF object datapath: No such file or directory (errno 2)")
        let map = #expect(throws: BPFError.self) { _ = try object.map("none") }
        #expect(map?.code == ENOENT)
    }

    /// A program that the verifier refuses: its object is ours, with one instruction made wrong.
    @Test func theVerifiersWordsComeWithTheError() throws {
        var bytes = DatapathObject.bytes
        // `exit` (opcode 0x95) of the first program becomes `r0 = r10 + nothing` (0xbf, src r10): it then leaks the
        // frame pointer or runs off its end, either of which the verifier refuses.
        let exit: [UInt8] = [0x95, 0, 0, 0, 0, 0, 0, 0]
        var changed = 0
        var index = 0
        while index + 8 <= bytes.count {
            if Array(bytes[index..<index + 8]) == exit {
                bytes.replaceSubrange(index..<index + 8, with: [0xbf, 0xa0, 0, 0, 0, 0, 0, 0])
                changed += 1
            }
            index += 8
        }
        #expect(changed > 0)
        let object = try Object(bytes: bytes, name: "broken")
        let error = #expect(throws: BPFError.self) { try object.load() }
        #expect(error?.operation == "load BPF object broken")
        #expect(error?.log.contains("weir_") == true, "\(error?.log ?? "")")
        #expect(error.map { $0.log.utf8.count <= 4096 } == true)
    }

    @Test func mapsHoldWhatIsPutIn() throws {
        let map = try Map(type: BPF_MAP_TYPE_HASH, name: "test", keySize: 4, valueSize: 8, capacity: 100)
        #expect(try map.lookup(UInt32(1), as: UInt64.self) == nil)
        try map.update(UInt32(1), UInt64(10))
        try map.update([UInt32(2), 3], [UInt64(20), 30])
        try map.update([UInt32](), [UInt64]())
        #expect(try map.lookup(UInt32(3), as: UInt64.self) == 30)
        #expect(try map.keys(of: UInt32.self).sorted() == [1, 2, 3])
        #expect(try map.remove(UInt32(2)))
        #expect(try !map.remove(UInt32(2)))
        #expect(try map.keys(of: UInt32.self).sorted() == [1, 3])
        let full = #expect(throws: BPFError.self) {
            try map.update((10..<200).map { UInt32($0) }, (10..<200).map { UInt64($0) })
        }
        #expect(full?.code == E2BIG)
    }

    @Test func theDatapathsMapsHaveTheHeadersSizes() throws {
        let object = try DatapathObject.open()
        try object.load()
        for (name, key, value) in [
            ("pods", 8, MemoryLayout<weir_pod>.size),
            ("listeners", MemoryLayout<weir_listener_key>.size, 8),
            ("svcs", MemoryLayout<weir_service_key>.size, MemoryLayout<weir_service>.size),
            ("slots", 4, MemoryLayout<weir_slot>.size), ("rev", 4, MemoryLayout<weir_address>.size),
            ("revu", MemoryLayout<weir_reverse_key>.size, MemoryLayout<weir_reverse>.size),
            ("cfg", 4, MemoryLayout<weir_config>.size), ("stats", 4, 8), ("podl", 4, 8),
        ] {
            let map = try object.map(name)
            #expect(map.keySize == key && map.valueSize == value, "\(name)")
        }
    }

    @Test func mappedMemoryIsTheMaps() throws {
        let object = try DatapathObject.open()
        try object.load()
        let map = try object.map("rev")
        let memory = try MappedArray<weir_address>(map)
        #expect(memory.count == Int(WEIR_MAX_FRONTENDS))
        memory[memory.count - 1] = weir_address(word: (1, 2, 3, 4))
        let read = try map.lookup(UInt32(memory.count - 1), as: weir_address.self)
        #expect(read.map { [$0.word.0, $0.word.1, $0.word.2, $0.word.3] } == [1, 2, 3, 4])
    }
}
