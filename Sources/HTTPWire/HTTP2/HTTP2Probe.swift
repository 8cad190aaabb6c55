/// A PING that goes out while content comes in. What came on the stream, and on all, until it is acknowledged came within
/// a round trip: when that is a good part of a window, the window is what holds the peer back.
struct HTTP2Probe: BitwiseCopyable {
    /// The slot whose content is counted; `HTTP2Connection.noSlot` when no probe is under way.
    var slot = HTTP2Connection.noSlot
    /// The stream that was in the slot.
    var stream: UInt32 = 0
    var isOutstanding = false
    /// Bytes since the PING.
    var streamBytes: UInt64 = 0
    var connectionBytes: UInt64 = 0
    /// The window that a stream of this connection has once grown to; later ones go there in one step.
    var learnt: UInt32 = 0
}
