import HTTPWire
import Reactor

/// An HTTP/1 connection to an endpoint, made in the client's network namespace. Idle in its pool or bound to one exchange.
struct UpstreamConnection: BitwiseCopyable {
    enum State: UInt8 {
        case connecting
        /// Bound to an exchange.
        case active
        /// The rest of its response is thrown away; no exchange waits for it.
        case unwanted
        /// In its pool.
        case idle
        case tunnel
        case closed
    }

    let fd: Int32
    let index: UInt32
    let timer: UInt32
    let origin: UInt32
    /// Of the endpoint; see `PlannedEndpoint`.
    let slot: UInt32
    let identity: UInt64
    var state = State.connecting
    /// Index of the exchange, or `Slab.none`.
    var exchange = Slab.none
    var readable = false
    var writable = false
    var hungUp = false
    var ended = false
    /// The response allows another request.
    var keepAlive = false
    /// Sending failed: the response may still be readable.
    var isWriteBroken = false
    var shutDown = false
    var isHeadAwaited = true
    /// Something of the response to the request at hand has been received.
    var hasAnswered = false
    /// Bytes of content thrown away.
    var unwanted: UInt32 = 0
    /// In the list of those to flush at the end of the turn.
    var isDirty = false
    /// Idle list of its pool, youngest first.
    var older = Slab.none
    var younger = Slab.none
    /// Bytes for the endpoint that wait for room, or for the connection.
    var output = ByteQueue()
    /// A part of a response head, or of a trailer section.
    var input = ByteQueue()
    var parser = ResponseHeadParser()
    var body = BodyDecoder(.none)
}

typealias Upstream = UnsafeMutablePointer<UpstreamConnection>
