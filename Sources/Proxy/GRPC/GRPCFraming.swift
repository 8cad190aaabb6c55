package import HTTPWire

/// The five bytes before each message of gRPC over HTTP/2: whether it is compressed, and its length.
package enum GRPCFraming {
    package static let prefix = 5

    /// A message of `count` bytes that is not compressed; they must follow.
    static func begin(_ count: Int, to writer: inout HeadWriter) {
        writer.append(byte: 0)
        var shift: UInt32 = 32
        while shift > 0 {
            shift &-= 8
            writer.append(byte: UInt8(truncatingIfNeeded: UInt32(truncatingIfNeeded: count) >> shift))
        }
    }

    package enum Unary: BitwiseCopyable, Equatable {
        case needsMore
        case message(ByteRange)
        /// Compressed, which was not offered; longer than `limit`; or more than one message.
        case invalid
    }

    /// The one message of a unary call's answer.
    package static func unary(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Unary {
        guard let flag = bytes.first else { return .needsMore }
        guard flag == 0 else { return .invalid }
        guard bytes.count >= prefix else { return .needsMore }
        let count = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        guard Int(count) <= limit, bytes.count <= prefix &+ Int(count) else { return .invalid }
        return bytes.count < prefix &+ Int(count) ? .needsMore : .message(ByteRange(start: 5, count: count))
    }
}
