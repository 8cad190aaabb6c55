/// One HTTP/2 connection (RFC 9113), either side: framing, streams, flow control, header compression. It does no I/O and
/// has no clock: received bytes go in by `next`, bytes to send come out through a `HeadWriter`.
///
/// Safe against any input. Its memory is bounded by its limits: the stream table, the two header tables, and the frame or
/// header block that has come only in part. What it does for its peer is bounded by the bytes it got and by the budgets of
/// `HTTP2Limits`.
package struct HTTP2Connection: ~Copyable {
    package enum Role: UInt8, BitwiseCopyable, Sendable {
        case server
        case client
    }

    /// Place of a stream in the table; stays the caller's until `release`. A stream that the caller was never told of is
    /// not.
    package typealias Slot = UInt32

    /// What the next byte received is part of.
    enum Part: UInt8, BitwiseCopyable {
        case preface
        case frameHeader
        /// The payload of `frame`, which is kept until it is whole.
        case payload
        /// The byte that tells the length of a DATA frame's padding.
        case paddingLength
        case content
        case padding
        /// The payload of a frame that nobody wants.
        case ignored
        /// The connection is over.
        case failed
    }

    /// Room that `w` must have at every call that writes neither a head nor content.
    package static var controlRoom: Int { 512 }

    package let role: Role
    package let limits: HTTP2Limits
    let headLimits: HeadLimits

    var table = HTTP2StreamTable()
    var decoder: HeaderBlockDecoder
    var encoder: HeaderBlockEncoder
    var closed = HTTP2ClosedStreams()
    /// Streams that are open or half-closed, and a client's that wait to be.
    var open: UInt32 = 0
    /// The highest identifier that the peer opened (server), or that we did (client).
    var lastStream: UInt32 = 0
    /// `now` of the last call of `next`.
    var now: UInt64 = 0

    // Reading.
    var part: Part
    /// Bytes of the preface, or of `headerBytes`, so far.
    var partialCount: UInt8 = 0
    var headerBytes = InlineArray<9, UInt8>(repeating: 0)
    var frame = HTTP2FrameHeader(length: 0, type: 0, stream: 0)
    /// Bytes of content, of padding, or of an ignored payload still to come in this frame.
    var contentRest: UInt32 = 0
    var paddingRest: UInt32 = 0
    /// The stream that the content is for; `noSlot` when it is dropped.
    var contentSlot = Self.noSlot
    var held = HTTP2HeldBytes()
    /// The stream of a header block that is not whole; 0 when there is none.
    var blockStream: UInt32 = 0
    var blockEndsStream = false
    var blockDependsOnItself = false
    var blockContinuations: UInt32 = 0
    var owesConnectionWritable = false
    /// The peer's first SETTINGS came.
    package internal(set) var hasSettings = false
    var failure: HTTP2Failure?

    // What the peer set.
    var peerStreamWindow: Int32 = 65_535
    var peerFrameSize = 16_384
    /// 100 until it says: the least that section 6.5.2 recommends.
    var peerStreams: UInt32 = 100
    package internal(set) var allowsExtendedConnect = false

    // Flow control of the whole connection.
    var sendWindow: Int32 = 65_535
    var receiveWindow: Int32
    var window: UInt32
    /// Bytes consumed, and not announced.
    var credit: UInt32 = 0
    var probe = HTTP2Probe()

    // Settings and PINGs of ours without acknowledgement.
    var settingsOutstanding = 0
    package internal(set) var pingsOutstanding = 0

    // Going away.
    var drainState = DrainState.none
    /// What the last GOAWAY of ours said.
    var lastStreamAllowed: UInt32 = Self.highestIdentifier
    /// What the peer's said.
    var peerLastStream: UInt32?

    // Budgets.
    var rapidReset: HTTP2Allowance
    var resetByUs: HTTP2Allowance
    var settingsFlood: HTTP2Allowance
    var pingFlood: HTTP2Allowance
    var emptyData: HTTP2Allowance
    var tinyWindow: HTTP2Allowance
    var emptyField: HTTP2Allowance
    var headerBomb: HTTP2Allowance
    var windowUpdate: HTTP2Allowance
    var priority: HTTP2Allowance

    static let noSlot = UInt32.max
    static let highestIdentifier: UInt32 = 0x7fff_ffff

    package init(role: Role, limits: HTTP2Limits, head: HeadLimits) {
        limits.check()
        self.role = role
        self.limits = limits
        headLimits = head
        decoder = HeaderBlockDecoder()
        encoder = HeaderBlockEncoder()
        part = role == .server ? .preface : .frameHeader
        receiveWindow = Int32(limits.connectionWindow)
        window = limits.connectionWindow
        rapidReset = HTTP2Allowance(limits.rapidReset)
        resetByUs = HTTP2Allowance(limits.resetByUs)
        settingsFlood = HTTP2Allowance(limits.settings)
        pingFlood = HTTP2Allowance(limits.ping)
        emptyData = HTTP2Allowance(limits.emptyData)
        tinyWindow = HTTP2Allowance(limits.tinyWindow)
        emptyField = HTTP2Allowance(limits.emptyField)
        headerBomb = HTTP2Allowance(limits.headerBomb)
        windowUpdate = HTTP2Allowance(limits.windowUpdate)
        priority = HTTP2Allowance(limits.priority)
    }

    /// The preface (client) and the first SETTINGS. Once, before anything else.
    package mutating func start(into w: inout HeadWriter) {
        if role == .client { w.append("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }
        HTTP2Settings.write(role, limits, headLimits, into: &w)
        settingsOutstanding += 1
        if limits.connectionWindow > 65_535 { w.windowUpdate(0, limits.connectionWindow - 65_535) }
    }

    /// Ends the connection: GOAWAY is in `w`, and every later step says the same.
    @inline(never)
    mutating func fail(_ failure: HTTP2Failure, into w: inout HeadWriter) -> Event {
        w.goAway(lastStream: highestProcessed, failure.code, failure.text)
        self.failure = failure
        part = .failed
        held.clear()
        return .failed(failure)
    }

    mutating func fail(_ code: HTTP2ErrorCode, _ text: StaticString, into w: inout HeadWriter) -> Event {
        fail(HTTP2Failure(code, text), into: &w)
    }

    mutating func fail(_ flood: HTTP2Flood, into w: inout HeadWriter) -> Event {
        fail(HTTP2Failure(.enhanceYourCalm, flood.text, flood: flood), into: &w)
    }
}
