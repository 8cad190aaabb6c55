import HTTPWire
import Reactor

/// A connection to an endpoint, made in the client's network namespace. Idle in its pool or bound to one client.
struct UpstreamConnection: BitwiseCopyable {
    enum State: UInt8 {
        case connecting
        /// Bound to a client.
        case active
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
    /// Index of the client, or `Slab.none`.
    var client = Slab.none
    var readable = false
    var writable = false
    var hungUp = false
    var ended = false
    /// It has answered a request before.
    var isReused = false
    /// The response allows another request.
    var keepAlive = false
    /// Sending failed: the response may still be readable.
    var isWriteBroken = false
    var shutDown = false
    var isHeadAwaited = true
    /// Something of the response to the request at hand has been received.
    var hasAnswered = false
    /// All bytes of the request so far are in `replay`.
    var isReplayable = false
    /// Idle list of its pool, youngest first.
    var older = Slab.none
    var younger = Slab.none
    /// Bytes for the endpoint that wait for room, or for the connection.
    var output = ByteQueue()
    /// A part of a response head, or of a trailer section.
    var input = ByteQueue()
    var replay = ByteQueue()
    var parser = ResponseHeadParser()
    var body = BodyDecoder(.none)
}

typealias Upstream = UnsafeMutablePointer<UpstreamConnection>
