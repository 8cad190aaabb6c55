/// RFC 9113 section 6. Other types are ignored (section 5.5).
enum HTTP2FrameType {
    static let data: UInt8 = 0x0
    static let headers: UInt8 = 0x1
    static let priority: UInt8 = 0x2
    static let resetStream: UInt8 = 0x3
    static let settings: UInt8 = 0x4
    static let pushPromise: UInt8 = 0x5
    static let ping: UInt8 = 0x6
    static let goAway: UInt8 = 0x7
    static let windowUpdate: UInt8 = 0x8
    static let continuation: UInt8 = 0x9
}

enum HTTP2FrameFlags {
    static let endStream: UInt8 = 0x1
    static let acknowledgement: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
}

/// RFC 9113 section 4.1.
struct HTTP2FrameHeader: BitwiseCopyable {
    static let size = 9

    /// Bytes of the payload, below 2^24.
    var length: UInt32
    var type: UInt8
    var flags: UInt8
    /// Without the reserved bit.
    var stream: UInt32

    /// `base` must have `size` bytes.
    @inline(__always)
    init(_ base: UnsafeRawPointer) {
        let word = UInt64(bigEndian: base.loadUnaligned(as: UInt64.self))
        length = UInt32(truncatingIfNeeded: word >> 40)
        type = UInt8(truncatingIfNeeded: word >> 32)
        flags = UInt8(truncatingIfNeeded: word >> 24)
        let low = UInt32(truncatingIfNeeded: word & 0xff_ffff) << 8
        stream = (low | UInt32(base.load(fromByteOffset: 8, as: UInt8.self))) & 0x7fff_ffff
    }

    @inline(__always)
    init(length: Int, type: UInt8, flags: UInt8 = 0, stream: UInt32) {
        self.length = UInt32(truncatingIfNeeded: length)
        self.type = type
        self.flags = flags
        self.stream = stream
    }

    @inline(__always)
    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }

    /// `place` must have room for `size` bytes.
    @inline(__always)
    func store(to place: UnsafeMutableRawPointer) {
        let word = UInt64(length) << 40 | UInt64(type) << 32 | UInt64(flags) << 24 | UInt64(stream >> 8)
        place.storeBytes(of: word.bigEndian, as: UInt64.self)
        place.storeBytes(of: UInt8(truncatingIfNeeded: stream), toByteOffset: 8, as: UInt8.self)
    }
}

extension HeadWriter {
    @inline(__always)
    mutating func frame(_ header: HTTP2FrameHeader) {
        guard let place = claim(HTTP2FrameHeader.size) else { return }
        header.store(to: place)
    }

    mutating func append(bigEndian value: UInt16) {
        claim(2)?.storeBytes(of: value.bigEndian, as: UInt16.self)
    }

    mutating func append(bigEndian value: UInt32) {
        claim(4)?.storeBytes(of: value.bigEndian, as: UInt32.self)
    }

    mutating func append(bigEndian value: UInt64) {
        claim(8)?.storeBytes(of: value.bigEndian, as: UInt64.self)
    }

    mutating func resetStream(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        frame(HTTP2FrameHeader(length: 4, type: HTTP2FrameType.resetStream, stream: stream))
        append(bigEndian: code.rawValue)
    }

    mutating func windowUpdate(_ stream: UInt32, _ increment: UInt32) {
        frame(HTTP2FrameHeader(length: 4, type: HTTP2FrameType.windowUpdate, stream: stream))
        append(bigEndian: increment)
    }

    mutating func ping(_ payload: UInt64, isAcknowledgement: Bool) {
        let flags = isAcknowledgement ? HTTP2FrameFlags.acknowledgement : 0
        frame(HTTP2FrameHeader(length: 8, type: HTTP2FrameType.ping, flags: flags, stream: 0))
        append(bigEndian: payload)
    }

    mutating func goAway(lastStream: UInt32, _ code: HTTP2ErrorCode, _ text: StaticString) {
        let length = 8 &+ text.utf8CodeUnitCount
        frame(HTTP2FrameHeader(length: length, type: HTTP2FrameType.goAway, stream: 0))
        append(bigEndian: lastStream)
        append(bigEndian: code.rawValue)
        append(text)
    }
}
