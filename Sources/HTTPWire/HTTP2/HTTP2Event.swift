extension HTTP2Connection {
    /// What one step of reading found. Bytes before `consumed` are done with.
    package struct Step: BitwiseCopyable, Sendable {
        package var consumed: Int
        package var event: Event

        init(_ consumed: Int, _ event: Event) {
            self.consumed = consumed
            self.event = event
        }
    }

    package enum Event: BitwiseCopyable, Sendable {
        /// Everything was consumed; what is partial is kept inside. Call `next` until it says so: some events consume
        /// nothing.
        case needsMore
        /// Consumed, go on.
        case nothing
        /// Server: `text` holds the canonical head.
        case request(Slot, RequestHead, isEnd: Bool)
        /// Server: a request that is none, because its head is malformed or too large. It was answered in the writer, by
        /// RST_STREAM or with a status, and has no slot.
        case refused(stream: UInt32, HeadError)
        /// Client: `text` holds the canonical head; also interim ones (status below 200).
        case response(Slot, ResponseHead, isEnd: Bool)
        /// The end of the message; `text` holds `length` bytes of lines.
        case trailers(Slot, count: Int, length: Int)
        /// Content, as a range of the bytes given. A frame may come in several pieces; an empty one only with `isEnd`.
        case data(Slot, ByteRange, isEnd: Bool)
        /// The stream is over: reset by the peer, or by us for what the peer did on it (RST_STREAM is in the writer).
        /// To be released.
        case reset(Slot, HTTP2ErrorCode, byPeer: Bool)
        /// The stream's send window opened from nothing.
        case writable(Slot)
        /// The connection's did, or SETTINGS changed the windows of all.
        case connectionWritable
        /// The peer's SETTINGS came: streams may be opened, extended CONNECT may be allowed.
        case settings
        /// The peer takes no new streams. Client: those above `lastStream`, and those that have no identifier yet, were
        /// not processed: they are closed, to be released, and safe to retry.
        case goAway(lastStream: UInt32, HTTP2ErrorCode)
        /// Connection error: GOAWAY is in the writer. Send it and close. Every later step says the same.
        case failed(HTTP2Failure)
    }
}
