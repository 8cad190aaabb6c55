import HTTPWire
import Reactor

/// One request and its response, whoever asked and whoever answers: the part of a request's state that is the same for
/// HTTP/1 and HTTP/2 on either side.
///
/// Asked over HTTP/1, it belongs to its connection for as long as that lives, and serves one request after the other;
/// asked over HTTP/2 it belongs to a stream. Like all elements of slabs it is told to be over at once and freed when the
/// turn of the loop is.
struct ExchangeState: BitwiseCopyable {
    enum Asker: UInt8 {
        /// `client` is a `ClientConnection`.
        case http1
        /// `client` is an `HTTP2Session`, `clientStream` its stream.
        case http2
        /// A copy whose response nobody waits for; `client` is the exchange that it copies, or `Slab.none`.
        case mirror
        /// Asks an authorization service for the exchange `client`.
        case check
    }

    enum Answerer: UInt8 {
        case none
        /// `upstream` is an `UpstreamConnection`.
        case http1
        /// `upstream` is an `HTTP2Session`, `upstreamStream` its stream.
        case http2
    }

    enum Phase: UInt8 {
        /// There is no request, or its answer is on its way whole.
        case over
        /// What the client sends is kept until the authorization service has answered.
        case held
        /// Waits for its next attempt.
        case waiting
        /// An endpoint has it, or is being connected for it.
        case sent
    }

    let index: UInt32
    /// Of the connection when asked over HTTP/1; else its own.
    let timer: UInt32
    let asker: Asker
    var client: UInt32
    var clientStream: UInt32
    let origin: UInt32
    let isIPv4: Bool
    /// In the list of those that go on in the next turn.
    var isReady = false
    var isFreed = false

    var phase = Phase.over
    var answerer = Answerer.none
    var upstream = Slab.none
    var upstreamStream = Slab.none
    /// Index of the plan it was decided by, until its response's head has been sent; else -1.
    var plan: Int32 = -1
    var started: UInt64 = 0
    var requestDeadline = TimerWheel.never
    var attemptDeadline = TimerWheel.never
    /// When the next attempt begins.
    var wakeTime = TimerWheel.never
    var backendTimeout = TimerWheel.never
    /// When the client last sent or took something.
    var lastProgress: UInt64 = 0

    // The request. Asked over HTTP/1, `requestBody` finds its end.
    var requestBody = BodyDecoder(.none)
    /// Its last byte has been read.
    var isRequestComplete = true
    /// The endpoint gets the body's bytes as they came, framing and all.
    var isRequestRaw = false
    /// An endpoint that speaks HTTP/1 gets the content in chunks.
    var chunksRequest = false
    var isHEAD = false
    /// RFC 9110 section 9.2.2.
    var isIdempotent = false
    var isHTTP10 = false
    var expectsContinue = false
    /// TE says that the client takes trailers; known once the request has gone on over HTTP/2.
    var acceptsTrailers = false
    var wantsUpgrade = false
    /// An endpoint that speaks HTTP/2 is asked for a tunnel.
    var isExtendedConnect = false
    var isGRPC = false
    /// The request's deadline is the client's own (grpc-timeout).
    var isDeadlineOfClient = false
    var keepAlive = false

    // The response.
    /// The final response's head is on its way to the client.
    var isHeadSent = false
    /// A chunked response goes to an HTTP/1.0 client as bare content.
    var unchunks = false
    /// An HTTP/1.1 client gets the content in chunks.
    var chunksResponse = false
    /// The endpoint has sent its last byte of it.
    var isResponseComplete = false
    /// Both sides have agreed on another protocol: content goes both ways until both end.
    var isTunnel = false

    /// Endpoints that could not be connected in this attempt.
    var connectFailures: UInt8 = 0
    /// Retries so far that the route asked for, and times that it went elsewhere for nothing.
    var retries: UInt8 = 0
    var moves: UInt8 = 0
    /// Slots of the endpoints that failed it, `triedCount` of them, the last one last: those that could not be connected in
    /// this attempt are the last `connectFailures`.
    var triedCount: UInt8 = 0
    var tried: InlineArray<8, UInt32> = InlineArray(repeating: .max)
    var status: UInt16 = 0
    var reason: UInt8 = ExchangeState.noReason
    var reference: UnsafePointer<PlannedReference>?
    var rule: UnsafePointer<PlannedRule>?
    /// Of the endpoint that has it; while the plan is held.
    var endpoint: UnsafePointer<PlannedEndpoint>?
    /// The endpoint of the session that it belongs to, for the first attempt.
    var preferred: UnsafePointer<PlannedEndpoint>?
    var session: UnsafePointer<SessionRules>?
    var sessionToken: SessionToken?
    /// The client's first hop was https.
    var isSecure = false
    var series: UnsafeMutablePointer<Cell>?
    var seriesIdentity: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0

    /// What an attempt sends, so that another can: for HTTP/1 endpoints the bytes on the wire, for HTTP/2 ones the head as
    /// it came (`replayHead` bytes) and the content.
    var replay = ByteQueue()
    var replayHead: UInt32 = 0
    /// `replay` holds the request so far.
    var isReplayable = false
    /// Over an idle connection: its end without an answer says nothing of the request.
    var isOnReused = false
    /// Field lines that the response gets besides those of its route.
    var responseLines = ByteQueue()
    /// The access log's line so far.
    var log = ByteQueue()
    /// WebSocket between versions: the key that the endpoint gets, if it speaks HTTP/1, and the Sec-WebSocket-Accept for it;
    /// else the Sec-WebSocket-Accept that the client gets.
    var handshake = ByteQueue()

    // HTTP/2 on a side.
    var toClient = StreamOutput()
    var toUpstream = StreamOutput()
    /// Content received whose credit has not been given back.
    var requestCredit: UInt32 = 0
    var responseCredit: UInt32 = 0

    /// What it waits with for authorization services, and what they said: an `Authorization`.
    var auth = Slab.none
    /// Copies of it; a list through `nextMirror`.
    var firstMirror = Slab.none
    var nextMirror = Slab.none

    static let noReason = UInt8.max

    init(
        index: UInt32, timer: UInt32, asker: Asker, client: UInt32, clientStream: UInt32 = Slab.none, origin: UInt32,
        isIPv4: Bool
    ) {
        self.index = index
        self.timer = timer
        self.asker = asker
        self.client = client
        self.clientStream = clientStream
        self.origin = origin
        self.isIPv4 = isIPv4
    }

    /// Everything behind the identity: what is as new for every request.
    @inline(__always)
    static var renewedFrom: Int { MemoryLayout<ExchangeState>.offset(of: \.phase)! }
}

typealias Exchange = UnsafeMutablePointer<ExchangeState>

/// What a stream has to send and may not yet.
struct StreamOutput: BitwiseCopyable {
    var queue = ByteQueue()
    /// Lines of the trailer section behind `queue`.
    var trailers = ByteQueue()
    /// Nothing comes behind `queue` and `trailers`.
    var ends = false
    /// The end has been written.
    var hasEnded = false
    /// The head waits for the endpoint's SETTINGS, and what comes behind it too.
    var isHeld = false
    /// In its session's list of streams that want to send; `next` is the one behind it.
    var isQueued = false
    var next = Slab.none
}

/// Where a client's connection leads: what it dialled, and which routes hold for it.
struct Dialled: BitwiseCopyable {
    /// Index of the worker's origin.
    let origin: UInt32
    /// Index of the frontend, or of the listen entry.
    let destination: UInt32
    let isListen: Bool
    /// The family of the address that the client dialled; of a plain listener, that of IPv4.
    let isIPv4: Bool
    let port: UInt16
    /// The plan that `plannedPort` and `table` belong to.
    var planSerial: UInt64 = 0
    var plannedPort: UnsafePointer<PlannedPort>?
    var table: UnsafePointer<PlannedTable>?
}
