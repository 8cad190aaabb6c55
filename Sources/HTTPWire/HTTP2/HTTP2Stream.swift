/// A stream as its connection knows it (RFC 9113 section 5.1).
struct HTTP2Stream: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        var rawValue: UInt16

        static let isUsed = Flags(rawValue: 1)
        /// We sent END_STREAM.
        static let localEnded = Flags(rawValue: 2)
        /// The peer sent END_STREAM.
        static let remoteEnded = Flags(rawValue: 4)
        static let resetByUs = Flags(rawValue: 8)
        static let resetByPeer = Flags(rawValue: 16)
        /// The message's head came: the request, or the final response.
        static let hasHead = Flags(rawValue: 32)
        /// The request is HEAD: the response has no content.
        static let isHEAD = Flags(rawValue: 64)
        /// The request is CONNECT: no trailers once it is a tunnel (section 8.5).
        static let isConnect = Flags(rawValue: 128)
        static let isReset: Flags = [.resetByUs, .resetByPeer]
        static let hasEnded: Flags = [.localEnded, .remoteEnded]
    }

    /// 0 until a client's stream has sent its head.
    var identifier: UInt32
    /// What the caller keeps with it.
    var user: UInt32
    var flags: Flags
    /// Interim responses so far.
    var interim: UInt16 = 0
    /// Bytes of content that the peer takes; negative after it made its windows smaller (section 6.9.2).
    var sendWindow: Int32
    /// Bytes that the peer may still send.
    var receiveWindow: Int32
    /// What `receiveWindow` is brought back to as content is consumed.
    var window: UInt32
    /// Bytes of content handed out and not consumed.
    var unconsumed: UInt32 = 0
    /// Bytes consumed and not announced to the peer.
    var credit: UInt32 = 0
    /// The next free slot, of one that is free.
    var nextFree: UInt32 = 0
    /// Bytes of content to come by Content-Length; `unknownLength` when there is none.
    var contentRest: UInt64 = Self.unknownLength
    var openedAt: UInt64 = 0

    static let unknownLength = UInt64.max

    @inline(__always)
    var isReset: Bool { !flags.isDisjoint(with: .isReset) }

    @inline(__always)
    var isClosed: Bool { isReset || flags.isSuperset(of: .hasEnded) }

    /// Still expects content: a window is worth announcing.
    @inline(__always)
    var receives: Bool { flags.isDisjoint(with: [.remoteEnded, .resetByUs, .resetByPeer]) }
}
