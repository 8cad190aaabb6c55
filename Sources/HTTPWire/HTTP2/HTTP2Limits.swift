/// What one HTTP/2 connection may take up, and how much of what makes no progress its peer may send.
package struct HTTP2Limits: Sendable, BitwiseCopyable {
    /// Something that costs a token each time. At most `burst` tokens are saved up; `perSecond` come back with time, and
    /// progress (completed streams, content) brings some back too.
    package struct Budget: Sendable, BitwiseCopyable, Hashable {
        /// 1 to 2^30.
        package var burst: Int32
        /// 0 to 2^20.
        package var perSecond: Int32

        package init(burst: Int32, perSecond: Int32) {
            precondition(burst > 0 && burst <= 1 << 30 && perSecond >= 0 && perSecond <= 1 << 20)
            self.burst = burst
            self.perSecond = perSecond
        }
    }

    /// A server announces it and refuses streams beyond it; a client opens at most as many, and at most what its peer
    /// announces. 1 to 2^20.
    package var concurrentStreams: UInt32 = 128
    /// Bytes that the peer may send on a new stream. 65,535 to 2^30.
    package var streamWindow: UInt32 = 65_535
    /// What a stream's receive window grows to at most, while the peer fills it within a round trip and the content is
    /// consumed. `streamWindow` to 2^30.
    package var maxStreamWindow: UInt32 = 1 << 20
    /// Bytes that the peer may have under way on all streams together. It is kept at twice the widest stream's window, so
    /// that one stream whose content is not consumed cannot hold up the others. 65,535 to 2^30.
    package var connectionWindow: UInt32 = 1 << 20
    /// `connectionWindow` to 2^30.
    package var maxConnectionWindow: UInt32 = 4 << 20
    /// Announced as SETTINGS_MAX_FRAME_SIZE. 16,384 to 2^24 - 1.
    package var frameSize: UInt32 = 16_384

    /// CONTINUATION frames of one header block.
    package var continuations: UInt32 = 16
    /// A stream that its client resets at this age or later (nanoseconds) is no rapid reset: together with
    /// `concurrentStreams`, the age bounds how many requests can come and go.
    package var rapidResetAge: UInt64 = 100_000_000
    /// Streams reset by the client before they were `rapidResetAge` old. A stream that completes gives a token back.
    package var rapidReset = Budget(burst: 1000, perSecond: 100)
    /// Streams that we had to reset or to refuse. A stream that completes gives a token back.
    package var resetByUs = Budget(burst: 1000, perSecond: 100)
    /// SETTINGS frames, 32 settings each, and acknowledgements of nothing.
    package var settings = Budget(burst: 200, perSecond: 20)
    /// PINGs; a DATA frame with content, in either direction, gives a token back: peers measure the bandwidth by PINGs.
    package var ping = Budget(burst: 1000, perSecond: 100)
    /// DATA frames without content that end nothing; one with content gives a token back.
    package var emptyData = Budget(burst: 200, perSecond: 20)
    /// WINDOW_UPDATEs of less than `tinyWindowBytes` that leave a window of less than that; what fills a whole DATA frame
    /// gives a token back.
    package var tinyWindow = Budget(burst: 500, perSecond: 50)
    package var tinyWindowBytes: UInt32 = 256
    /// Header blocks with a field of empty name.
    package var emptyField = Budget(burst: 50, perSecond: 5)
    /// Header blocks that decode to more than the head's limits.
    package var headerBomb = Budget(burst: 100, perSecond: 10)
    /// WINDOW_UPDATEs; each DATA frame that we send gives ten tokens back, each new stream four.
    package var windowUpdate = Budget(burst: 2000, perSecond: 100)
    /// PRIORITY frames; each new stream gives four tokens back.
    package var priority = Budget(burst: 400, perSecond: 20)

    package init() {}

    /// Holds the ranges above.
    func check() {
        precondition(concurrentStreams > 0 && concurrentStreams <= 1 << 20)
        precondition(streamWindow >= 65_535 && streamWindow <= maxStreamWindow && maxStreamWindow <= 1 << 30)
        precondition(
            connectionWindow >= 65_535 && connectionWindow <= maxConnectionWindow && maxConnectionWindow <= 1 << 30)
        precondition(frameSize >= 16_384 && frameSize < 1 << 24)
    }
}
