import Glibc
import HTTPWire

/// One HTTP/2 connection of the echo server: all its streams on one thread, none of which waits for another.
struct EchoHTTP2Connection: ~Copyable {
    private var socket: EchoSocket
    let configuration: EchoServer.Configuration
    let memory: EchoMemory
    let blank: EchoAnswer
    var connection = HTTP2Connection(role: .server, limits: Self.limits, head: EchoConnection.limits)
    var output = EchoOutput()
    var streams: [HTTP2Connection.Slot: EchoStream] = [:]
    /// The slots of `streams`; sending begins with another one at each turn.
    var order: [HTTP2Connection.Slot] = []
    var turn = 0
    /// When the first of the replies that wait may go on; nil when none does.
    var nextDeadline: UInt64?
    /// The connection is to be reset.
    var aborts = false
    private var hasFailed = false
    let text = UnsafeMutableRawBufferPointer.allocate(
        byteCount: EchoConnection.limits.head + HeaderBlockDecoder.slack, alignment: 16)
    let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: EchoConnection.limits.fields)

    /// Above what the proxy lets through, so that the proxy's own limits are the ones met; a proxy may cancel as many
    /// requests as it likes.
    private static let limits: HTTP2Limits = {
        var limits = HTTP2Limits()
        let plenty = HTTP2Limits.Budget(burst: 1 << 30, perSecond: 1 << 20)
        limits.concurrentStreams = 1000
        limits.rapidReset = plenty
        limits.resetByUs = plenty
        limits.ping = plenty
        limits.windowUpdate = plenty
        return limits
    }()

    /// Bytes that wait to be sent at which no content is added, and at which nothing is read.
    static let outputLimit = 512 << 10
    private static let inputLimit = 2 << 20

    /// Takes the socket over.
    init(_ socket: consuming EchoSocket, _ configuration: EchoServer.Configuration, _ memory: EchoMemory) {
        blank = EchoAnswer(configuration, socket)
        self.socket = socket
        self.configuration = configuration
        self.memory = memory
    }

    deinit {
        text.deallocate()
        fields.deallocate()
    }

    mutating func serve() {
        var writer = output.writer(HTTP2Connection.controlRoom)
        connection.start(into: &writer)
        output.commit(writer)
        while exchange() && wait() {}
        for stream in streams.values { remember(stream) }
    }

    /// Takes in what was read, and sends what there is to send.
    /// - Returns: false when the connection is over.
    private mutating func exchange() -> Bool {
        repeat {
            takeIn()
            send()
            if aborts {
                socket.resetOnClose()
                return false
            }
            guard output.flush(socket) else { return false }
            // What is sent makes room for more.
        } while output.count == 0 && hasMore
        if output.count == 0 && (hasFailed || connection.isDrained) {
            socket.linger()
            return false
        }
        return true
    }

    /// Waits until there is something to do.
    /// - Returns: false when the peer has gone.
    private mutating func wait() -> Bool {
        var entry = pollfd(fd: socket.number, events: 0, revents: 0)
        if output.count < Self.inputLimit && !hasFailed { entry.events |= Int16(POLLIN) }
        if output.count > 0 { entry.events |= Int16(POLLOUT) }
        var timeout: Int32 = -1
        if let nextDeadline {
            let now = Self.now()
            timeout = nextDeadline > now ? Int32(clamping: (nextDeadline - now) / 1_000_000 + 1) : 0
        }
        if poll(&entry, 1, timeout) < 0 { return errno == EINTR }
        let isReadable = entry.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0
        return !isReadable || socket.fill()
    }

    private mutating func takeIn() {
        while true {
            var writer = output.writer(HTTP2Connection.controlRoom)
            let bytes = socket.pending
            let step = connection.next(bytes, text: text, fields: fields, now: Self.now(), into: &writer)
            output.commit(writer)
            var isOver = false
            switch step.event {
            case .needsMore: isOver = true
            case .request(let slot, let head, let isEnd): begin(slot, head, isEnd: isEnd)
            case .data(let slot, let range, let isEnd): receive(bytes.part(range), on: slot, isEnd: isEnd)
            case .trailers(let slot, let count, let length):
                let lines = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[..<length])
                streams[slot]?.request.answer.trailers = fields[..<count].map { $0.told(of: lines) }
                receive(UnsafeRawBufferPointer(start: nil, count: 0), on: slot, isEnd: true)
            case .reset(let slot, _, _): release(slot)
            case .failed:
                hasFailed = true
                isOver = true
            case .nothing, .refused, .response, .writable, .connectionWritable, .settings, .goAway: break
            }
            socket.use(step.consumed)
            if isOver { return }
        }
    }

    /// Something can be sent now.
    private var hasMore: Bool {
        let now = Self.now()
        return streams.values.contains { stream in
            guard let reply = stream.reply, !reply.isOver, stream.readyAt <= now else { return false }
            if reply.content.isEmpty { return !reply.isHeadSent || !reply.content.isOpen }
            return !reply.isHeadSent || connection.sendable(stream.slot) > 0
        }
    }

    func remember(_ stream: EchoStream) {
        if stream.isRemembered || stream.request.asksForSeen { return }
        stream.isRemembered = true
        memory.remember(stream.request.answer)
    }

    /// Forgets a stream that is closed.
    mutating func release(_ slot: HTTP2Connection.Slot) {
        if let stream = streams.removeValue(forKey: slot) {
            remember(stream)
            order.removeAll { $0 == slot }
        }
        connection.release(slot)
        var writer = output.writer(HTTP2Connection.controlRoom)
        connection.announceCredit(into: &writer)
        output.commit(writer)
    }

    /// Nanoseconds, monotonic.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
