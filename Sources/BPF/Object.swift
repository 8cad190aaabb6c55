import CLibbpf
import Glibc

/// An ELF object with BPF programs and maps, opened from bytes in memory. Closing it closes what it loaded, except what
/// was pinned, attached, or taken out as a `Program` or `Map`.
package struct Object: ~Copyable {
    private let raw: OpaquePointer
    private let name: String

    /// Parses `bytes`; nothing is loaded yet.
    package init(bytes: [UInt8], name: String) throws(BPFError) {
        LibbpfLog.begin()
        var options = bpf_object_open_opts()
        options.sz = MemoryLayout<bpf_object_open_opts>.size
        let opened = name.withCString { name in
            options.object_name = name
            return bytes.withUnsafeBytes { bpf_object__open_mem($0.baseAddress, $0.count, &options) }
        }
        guard let opened else {
            throw BPFError("open BPF object \(name)", code: errno, log: LibbpfLog.take())
        }
        raw = opened
        self.name = name
    }

    deinit { bpf_object__close(raw) }

    /// Makes `load` use the map pinned at `path`, or pin a new one there.
    package func pin(map: String, at path: String) throws(BPFError) {
        let code = bpf_map__set_pin_path(try rawMap(map), path)
        guard code == 0 else { throw BPFError("set pin path of map \(map)", code: -code) }
    }

    /// Loads maps and programs into the kernel. An error's log is the verifier's, when it was the verifier's.
    package func load() throws(BPFError) {
        LibbpfLog.begin()
        let code = bpf_object__load(raw)
        guard code == 0 else { throw BPFError("load BPF object \(name)", code: -code, log: LibbpfLog.take()) }
    }

    /// A loaded program, on a descriptor of its own.
    package func program(_ name: String) throws(BPFError) -> Program {
        Program(descriptor: try Descriptor(copying: bpf_program__fd(try rawProgram(name)), of: "program \(name)"))
    }

    /// A loaded map, on a descriptor of its own.
    package func map(_ name: String) throws(BPFError) -> Map {
        try Map(descriptor: Descriptor(copying: bpf_map__fd(try rawMap(name)), of: "map \(name)"), name: name)
    }

    /// Loads another instance of an already loaded program that uses `replacement` wherever the program uses the map
    /// `map`; no ELF, BTF or relocation is done again, so this takes as long as the verifier does.
    package func instance(of program: String, replacing map: String, with replacement: borrowing Map)
        throws(BPFError) -> Program
    {
        let template = try rawProgram(program)
        let old = bpf_map__fd(try rawMap(map))
        var instructions = Array(
            UnsafeBufferPointer(start: bpf_program__insns(template), count: Int(bpf_program__insn_cnt(template))))
        let loadImmediate = UInt8(BPF_LD | BPF_IMM | BPF_DW)
        for index in instructions.indices
        where instructions[index].code == loadImmediate && instructions[index].src_reg == BPF_PSEUDO_MAP_FD
            && instructions[index].imm == old
        {
            instructions[index].imm = replacement.descriptor.number
        }
        var options = bpf_prog_load_opts()
        options.sz = MemoryLayout<bpf_prog_load_opts>.size
        options.expected_attach_type = bpf_program__expected_attach_type(template)
        let loaded = bpf_prog_load(
            bpf_program__type(template), program, "Dual BSD/GPL", instructions, instructions.count, &options)
        guard loaded >= 0 else { throw BPFError("load an instance of program \(program)", code: errno) }
        return Program(descriptor: Descriptor(owning: loaded))
    }

    private func rawProgram(_ name: String) throws(BPFError) -> OpaquePointer {
        guard let program = bpf_object__find_program_by_name(raw, name) else {
            throw BPFError("find program \(name) in BPF object \(self.name)", code: ENOENT)
        }
        return program
    }

    private func rawMap(_ name: String) throws(BPFError) -> OpaquePointer {
        guard let map = bpf_object__find_map_by_name(raw, name) else {
            throw BPFError("find map \(name) in BPF object \(self.name)", code: ENOENT)
        }
        return map
    }
}
