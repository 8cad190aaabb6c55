import HTTPWire
import Reactor

/// A connection that a client opened. It carries one request at a time; bytes of later ones wait in `input`.
///
/// A value of trivial parts in a worker's slab, handled through pointers: closing marks it `closed` at once, and its memory
/// is reused only after the turn of the loop in which that happened.
struct ClientConnection: BitwiseCopyable {
    enum Phase: UInt8 {
        /// Between requests: nothing of the next one has been read.
        case idle
        /// A part of a head is in `input`.
        case head
        /// A request is being answered.
        case exchange
        /// It has been answered, and the rest of its body is read and thrown away.
        case discard
        /// What is in `output` is sent, then the sending side closed, then input thrown away until the client closes too.
        case linger
        /// After 101: bytes both ways.
        case tunnel
        case closed
    }

    let fd: Int32
    let index: UInt32
    let timer: UInt32
    /// Index of the worker's origin.
    let origin: UInt32
    /// Index of the frontend, or of the listen entry.
    let destination: UInt32
    let isListen: Bool
    /// The family of the address that the client dialled; of a plain listener, that of IPv4.
    let isIPv4: Bool
    /// The dialled port.
    let port: UInt16
    var phase = Phase.idle
    /// There may be something to read: an edge was seen, and no read since came back short.
    var readable = false
    var writable = true
    /// The client has sent its last byte; reads must go on to its end of file.
    var hungUp = false
    /// Its end of file has been read.
    var ended = false
    /// `input` has been looked at and more bytes are needed.
    var starved = false
    var shutDown = false
    /// A request has been answered on it.
    var hasServed = false
    /// In the list of connections that go on in the next turn.
    var isReady = false
    /// The plan that `plannedPort` and `table` belong to.
    var planSerial: UInt64 = 0
    var plannedPort: UnsafePointer<PlannedPort>?
    var table: UnsafePointer<PlannedTable>?
    /// When the client last sent or took something.
    var lastProgress: UInt64
    /// Bytes thrown away in `discard` and `linger`.
    var discarded = 0
    var input = ByteQueue()
    var output = ByteQueue()
    var parser: RequestHeadParser
    var exchange = Exchange()
}

typealias Client = UnsafeMutablePointer<ClientConnection>

/// One request and its response.
struct Exchange: BitwiseCopyable {
    /// Index of the upstream connection, or `Slab.none`.
    var upstream = Slab.none
    /// Index of the plan it was decided by, until its response's head has been sent; else -1.
    var plan: Int32 = -1
    var started: UInt64 = 0
    var requestDeadline = TimerWheel.never
    var backendTimeout = TimerWheel.never
    var requestBody = BodyDecoder(.none)
    var isRequestComplete = true
    var requestIsChunked = false
    var isHEAD = false
    /// RFC 9110 section 9.2.2.
    var isIdempotent = false
    var isHTTP10 = false
    var expectsContinue = false
    var wantsUpgrade = false
    var keepAlive = false
    /// The final response's head is on its way to the client.
    var isHeadSent = false
    /// The response goes to an HTTP/1.0 client as bare content.
    var unchunks = false
    var attempts: UInt8 = 0
    /// Slots of the endpoints that could not be connected.
    var tried: InlineArray<8, UInt32> = InlineArray(repeating: .max)
    var status: UInt16 = 0
    var reason: UInt8 = Exchange.noReason
    var reference: UnsafePointer<PlannedReference>?
    var series: UnsafeMutablePointer<Cell>?
    var seriesIdentity: UInt64 = 0
    var bytesIn: UInt64 = 0
    var bytesOut: UInt64 = 0
    /// The access log's line so far.
    var log = ByteQueue()

    static let noReason = UInt8.max
}
