import HTTPWire

/// What goes out on a stream of HTTP/2, and how far it went.
struct EchoReply {
    enum Ending {
        case end
        case trailers([EchoOptions.Field])
        case reset(HTTP2ErrorCode)
        /// A TCP reset of the whole connection.
        case abort
    }

    /// Nil when the ending is all there is.
    var status: UInt16?
    /// Lines of the head.
    var lines: [UInt8] = []
    /// Milliseconds between head and content.
    var pause = 0
    var content = EchoContent()
    var ending = Ending.end
    var isHeadSent = false
    var isOver = false

    init(status: UInt16, lines: [UInt8], content: EchoContent = EchoContent(), ending: Ending = .end) {
        self.status = status
        self.lines = lines
        self.content = content
        self.ending = ending
    }

    init(_ ending: Ending) {
        self.ending = ending
    }

    /// A refusal with a line of text.
    init(_ status: UInt16, _ reason: String) {
        let text = Array("\(reason)\n".utf8)
        self.init(
            status: status, lines: Array("content-type: text/plain\r\ncontent-length: \(text.count)\r\n".utf8),
            content: EchoContent(text))
    }

    /// Nothing but the head and the ending is left to send.
    var hasNoContent: Bool { content.isEmpty && !content.isOpen }
}

/// Content on its way out: bytes, and behind them lines of `EchoBody.pattern`.
struct EchoContent {
    private var bytes: [UInt8] = []
    private var position = 0
    private var pattern: UInt64 = 0
    /// Bytes of the pattern sent.
    private var patternSent = 0
    /// More bytes may come.
    var isOpen = false

    init(_ bytes: [UInt8] = [], pattern: UInt64 = 0) {
        self.bytes = bytes
        self.pattern = pattern
    }

    var count: UInt64 { UInt64(bytes.count - position) + pattern }
    var isEmpty: Bool { position == bytes.count && pattern == 0 }

    /// Leaves the first half.
    mutating func halve() {
        let wanted = count / 2
        bytes = Array(bytes[position...].prefix(Int(clamping: wanted)))
        position = 0
        pattern = wanted - UInt64(bytes.count)
    }

    /// The next bytes, at most `most`; not empty unless the content or `most` is.
    func piece(_ most: Int) -> ArraySlice<UInt8> {
        if position < bytes.count { return bytes[position...].prefix(most) }
        let count = min(most, Int(clamping: pattern))
        return EchoBody.pattern[(patternSent % 64)...].prefix(count)
    }

    /// So much of the piece was sent.
    mutating func sent(_ count: Int) {
        if position < bytes.count {
            position += count
            if position == bytes.count {
                bytes.removeAll(keepingCapacity: true)
                position = 0
            } else if position > 1 << 20 {
                bytes.removeFirst(position)
                position = 0
            }
        } else {
            pattern -= UInt64(count)
            patternSent += count
        }
    }

    /// More bytes behind those there are.
    mutating func append(_ more: UnsafeRawBufferPointer) { bytes += more }
    mutating func append(_ more: [UInt8]) { bytes += more }
}
