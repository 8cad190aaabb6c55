import HTTPWire
import Reactor

/// A connection that a client opened, while it speaks HTTP/1. It carries one request at a time; bytes of later ones wait in
/// `input`.
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
    /// The index of its exchange, one for all requests.
    let exchange: UInt32
    var dialled: Dialled
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
    /// In the list of those to flush at the end of the turn.
    var isDirty = false
    /// Bytes thrown away in `discard` and `linger`.
    var discarded = 0
    var input = ByteQueue()
    var output = ByteQueue()
    var parser: RequestHeadParser
}

typealias Client = UnsafeMutablePointer<ClientConnection>
