/// Where a block is written. The room was promised by `HeaderBlockEncoder.bound`, which fails only for fields that overlap.
struct BlockOutput: ~Copyable {
    enum Indexing: BitwiseCopyable {
        case indexed
        case plain
        case never
    }

    private let start: UnsafeMutableRawPointer
    private let room: Int
    private(set) var count = 0

    init(_ start: UnsafeMutableRawPointer, _ room: Int) {
        self.start = start
        self.room = room
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        precondition(count < room)
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// An indexed field (RFC 7541 section 6.1).
    @inline(__always)
    mutating func index(_ index: Int) {
        if index < 0x7f {
            append(0x80 | UInt8(truncatingIfNeeded: index))
        } else {
            integer(index, flags: 0x80, mask: 0x7f)
        }
    }

    @inline(never)
    mutating func integer(_ value: Int, flags: UInt8, mask: UInt8) {
        precondition(count &+ 6 <= room)
        count &+= PrefixInteger.write(value, flags: flags, mask: mask, to: start + count)
    }

    /// The name itself when it is lowercase, else a lowercase copy behind what is written and the longest possible prefix:
    /// it stays until the literal with this name is written.
    mutating func lowercased(_ name: UnsafeRawPointer, _ nameCount: Int) -> UnsafeRawPointer {
        var offset = 0
        while offset < nameCount, ByteScan.byte(name, offset) &- 0x41 >= 26 { offset &+= 1 }
        if offset == nameCount { return name }
        precondition(count &+ Self.prefix &+ nameCount <= room)
        let copy = start + count + Self.prefix
        for offset in 0..<nameCount {
            let byte = ByteScan.byte(name, offset)
            copy.storeBytes(of: byte &- 0x41 < 26 ? byte | 0x20 : byte, toByteOffset: offset, as: UInt8.self)
        }
        return UnsafeRawPointer(copy)
    }

    /// Bytes before a literal's name at most.
    private static var prefix: Int { 8 }

    /// A literal field (RFC 7541 section 6.2), with the name of entry `name` or, for 0, the bytes given.
    @inline(never)
    mutating func literal(
        _ name: Int, _ nameBytes: UnsafeRawPointer, _ nameCount: Int, _ value: UnsafeRawPointer, _ valueCount: Int,
        _ indexing: Indexing
    ) {
        switch indexing {
        case .indexed: integer(name, flags: 0x40, mask: 0x3f)
        case .plain: integer(name, flags: 0, mask: 0x0f)
        case .never: integer(name, flags: 0x10, mask: 0x0f)
        }
        let isIndexed = indexing == .indexed
        if name == 0 { string(nameBytes, nameCount, isIndexed) }
        string(value, valueCount, isIndexed)
    }

    /// A string literal (RFC 7541 section 5.2). `bytes` may be in the room, not before the place where it is copied to.
    private mutating func string(_ bytes: UnsafeRawPointer, _ length: Int, _ mayCode: Bool) {
        if mayCode {
            let code = HuffmanCode.shared
            let coded = code.encodedCount(bytes, length)
            if coded < length {
                integer(coded, flags: 0x80, mask: 0x7f)
                precondition(coded <= room &- count)
                code.encode(bytes, length, into: start + count)
                count &+= coded
                return
            }
        }
        integer(length, flags: 0, mask: 0x7f)
        precondition(length <= room &- count)
        (start + count).copyMemory(from: bytes, byteCount: length)
        count &+= length
    }
}
