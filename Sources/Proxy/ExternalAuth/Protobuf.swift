import HTTPWire

/// One field of a protocol buffers message (protobuf.dev, "Encoding").
struct ProtobufField: BitwiseCopyable {
    enum Value: BitwiseCopyable {
        case number(UInt64)
        /// A string, bytes, or a message.
        case bytes(ByteRange)
    }
    let number: UInt32
    let value: Value
}

/// Reads the fields of a message one by one. Safe against any bytes: what is no message ends with `isInvalid`. Groups are
/// refused, since nobody writes them.
struct ProtobufReader: BitwiseCopyable {
    private let bytes: UnsafeRawBufferPointer
    private var position: Int
    private let end: Int
    private(set) var isInvalid = false

    /// A message in a part of `bytes`, which are at most 1 GiB.
    init(_ bytes: UnsafeRawBufferPointer, _ range: ByteRange) {
        self.bytes = bytes
        position = min(Int(range.start), bytes.count)
        end = min(Int(range.end), bytes.count)
    }

    mutating func next() -> ProtobufField? {
        guard position < end, let key = varint() else { return nil }
        let number = key >> 3
        guard number > 0, number < 1 << 29 else { return invalid() }
        let value: ProtobufField.Value
        switch key & 7 {
        case 0:
            guard let read = varint() else { return nil }
            value = .number(read)
        case 1:
            guard end &- position >= 8 else { return invalid() }
            value = .number(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
            position &+= 8
        case 2:
            guard let count = varint() else { return nil }
            guard count <= UInt64(end &- position) else { return invalid() }
            value = .bytes(ByteRange(start: UInt32(position), count: UInt32(count)))
            position &+= Int(count)
        case 5:
            guard end &- position >= 4 else { return invalid() }
            value = .number(
                UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))))
            position &+= 4
        default: return invalid()
        }
        return ProtobufField(number: UInt32(number), value: value)
    }

    private mutating func invalid() -> ProtobufField? {
        isInvalid = true
        position = end
        return nil
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 70 {
            let byte = bytes[position]
            position &+= 1
            // The tenth byte holds the 64th bit.
            if shift == 63, byte > 1 { break }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        isInvalid = true
        position = end
        return nil
    }
}

/// Sizes of what `HeadWriter` writes below. All field numbers used are below 16: their keys are one byte.
enum ProtobufSize {
    static func varint(_ value: UInt64) -> Int { max((70 &- value.leadingZeroBitCount) / 7, 1) }

    /// A string, bytes, or a message of `count` bytes, also when it is empty.
    static func field(_ count: Int) -> Int { 1 &+ varint(UInt64(count)) &+ count }

    /// The same, left out when it is empty.
    static func text(_ count: Int) -> Int { count == 0 ? 0 : field(count) }

    /// A number, left out when it is 0.
    static func number(_ value: UInt64) -> Int { value == 0 ? 0 : 1 &+ varint(value) }
}

extension HeadWriter {
    mutating func append(varint value: UInt64) {
        var value = value
        while value >= 0x80 {
            append(byte: UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        append(byte: UInt8(truncatingIfNeeded: value))
    }

    /// The beginning of a string, bytes, or a message; its `count` bytes must follow.
    mutating func beginProtobuf(_ number: UInt8, count: Int) {
        append(byte: number << 3 | 2)
        append(varint: UInt64(count))
    }

    mutating func protobuf(_ number: UInt8, text: UnsafeRawBufferPointer) {
        guard !text.isEmpty else { return }
        beginProtobuf(number, count: text.count)
        append(text)
    }

    mutating func protobuf(_ number: UInt8, value: UInt64) {
        guard value != 0 else { return }
        append(byte: number << 3)
        append(varint: value)
    }
}
