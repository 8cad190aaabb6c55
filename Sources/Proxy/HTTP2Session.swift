import HTTPWire
import Reactor

/// An HTTP/2 connection: a client's, whose streams are its requests, or one to an endpoint, whose streams are requests of
/// any client of the same origin.
///
/// Frames are written to `output`, and sent once at the end of the turn of the loop. A stream whose content does not fit its
/// window or `output` queues in its exchange, and the session lets the queued streams send in turn.
struct HTTP2Session: BitwiseCopyable {
    enum Role: UInt8 {
        case client
        case upstream
    }

    enum State: UInt8 {
        case connecting
        case open
        /// What is in `output` is sent, then the connection closed.
        case closing
        case closed
    }

    let fd: Int32
    let index: UInt32
    let timer: UInt32
    let role: Role
    var state: State
    /// Of a client's connection; of one to an endpoint only `origin` says something.
    var dialled: Dialled
    /// Of the endpoint; see `PlannedEndpoint`.
    var slot = UInt32.max
    var identity: UInt64 = 0
    /// Lives as long as the session is not freed.
    let connection: UnsafeMutablePointer<HTTP2Connection>
    var readable = false
    var writable = false
    var hungUp = false
    var ended = false
    var shutDown = false
    /// In the list of sessions to flush at the end of the turn.
    var isDirty = false
    /// In the list of sessions to its endpoint that take another stream.
    var isPooled = false
    /// A response has come over it.
    var hasServed = false
    /// In the list of those that go on in the next turn.
    var isReady = false
    /// No new streams: the endpoint said GOAWAY, is in no plan any more, or the agent drains.
    var isRetiring = false
    /// When the peer last sent or took something.
    var lastProgress: UInt64 = 0
    var discarded = 0
    /// Exchanges that want to send, in turn.
    var firstQueued = Slab.none
    var lastQueued = Slab.none
    /// Sessions of the same pool.
    var older = Slab.none
    var younger = Slab.none
    var output = ByteQueue()
}

typealias Session = UnsafeMutablePointer<HTTP2Session>
