/// Writes a message of Protocol Buffers, of length-delimited fields alone.
struct ProtobufMessage {
    private(set) var bytes: [UInt8] = []

    /// proto3 leaves out what is empty.
    mutating func field(_ number: UInt32, _ text: String) {
        if !text.isEmpty { field(number, Array(text.utf8)) }
    }

    mutating func field(_ number: UInt32, _ message: ProtobufMessage) {
        field(number, message.bytes)
    }

    /// The start of a field whose `count` bytes follow behind the message.
    mutating func open(_ number: UInt32, count: UInt64) {
        varint(UInt64(number) << 3 | 2)
        varint(count)
    }

    private mutating func field(_ number: UInt32, _ value: [UInt8]) {
        open(number, count: UInt64(value.count))
        bytes += value
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest > 127 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
