import CLinux
import Foundation
import Glibc
import HTTPWire
import Synchronization

/// One end of an HTTP/2 connection over a socket. One thread runs it; all others ask, under its lock, and wait with a
/// deadline so that a broken test fails instead of hanging.
final class HTTP2Peer: @unchecked Sendable {
    typealias Field = (name: String, value: String)

    let wire: Wire
    private let condition = NSCondition()
    private let wake = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    private var connection: HTTP2Connection
    private var output: [UInt8] = []
    private var streams: [UInt32: PeerStream] = [:]
    private var isReading = true
    private var isStopped = false
    private var hasSettings = false
    private var ended: String?
    private var goneAway: HTTP2ErrorCode?
    private var opened = 0
    private let text = UnsafeMutableRawBufferPointer.allocate(byteCount: 200_000, alignment: 16)
    private let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
    private let onRequest: (@Sendable (PeerStream) throws -> Void)?

    /// A client of the proxy's; its thread starts at once.
    static func connect(_ mesh: Mesh, limits: HTTP2Limits = HTTP2Limits(), receiveBuffer: Int32? = nil) throws
        -> HTTP2Peer
    {
        let peer = HTTP2Peer(
            .client, try mesh.connect(receiveBuffer: receiveBuffer), limits: limits, onRequest: nil)
        Foundation.Thread.detachNewThread { peer.run() }
        return peer
    }

    init(
        _ role: HTTP2Connection.Role, _ wire: Wire, limits: HTTP2Limits,
        onRequest: (@Sendable (PeerStream) throws -> Void)?
    ) {
        self.wire = wire
        self.onRequest = onRequest
        connection = HTTP2Connection(role: role, limits: limits, head: HeadLimits())
        fields.initialize(repeating: FieldRange(name: .init(start: 0, count: 0), value: .init(start: 0, count: 0)))
        write { $0.start(into: &$1) }
    }

    deinit {
        close(wake)
        text.deallocate()
        fields.deallocate()
    }

    // MARK: What tests ask

    /// Waits until `isMet`; throws after 20 s.
    private func wait(_ what: String, _ isMet: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        while !(try isMet()) {
            guard condition.wait(until: deadline) else { throw Wire.Failure(description: "waited for \(what) in vain") }
        }
    }

    private func locked<T>(_ body: () throws -> T) rethrows -> T {
        condition.lock()
        defer {
            condition.broadcast()
            condition.unlock()
            var one: UInt64 = 1
            _ = Glibc.write(wake, &one, 8)
        }
        return try body()
    }

    /// Client: a request without a body, or with what `body` says; more may follow when `isEnd` is false.
    func request(
        _ method: String = "GET", _ path: String = "/", authority: String = "e", _ more: [Field] = [],
        body: [UInt8] = [], trailers: [Field] = [], protocol name: String = "", isEnd: Bool = true
    ) throws -> PeerStream {
        try locked {
            try wait("a stream") {
                if let ended { throw Wire.Failure(description: "connection \(ended)") }
                return connection.canOpen && (name.isEmpty || hasSettings)
            }
            guard name.isEmpty || connection.allowsExtendedConnect else {
                throw Wire.Failure(description: "no extended CONNECT")
            }
            guard let slot = connection.open(user: 0) else { throw Wire.Failure(description: "cannot open") }
            let stream = PeerStream(self, slot)
            stream.outgoing = body
            stream.ends = isEnd
            stream.outgoingTrailers = trailers
            let isWhole = isEnd && body.isEmpty && trailers.isEmpty
            stream.hasEnded = isWhole
            streams[slot] = stream
            var (source, ranges) = Self.lines(more)
            Array(method.utf8).withUnsafeBytes { method in
                Array(path.utf8).withUnsafeBytes { path in
                    Array(authority.utf8).withUnsafeBytes { authority in
                        Array(name.utf8).withUnsafeBytes { name in
                            source.withUnsafeBytes { source in
                                ranges.withUnsafeMutableBufferPointer { ranges in
                                    let count = source.count + path.count + authority.count + 100
                                    write(HTTP2Connection.headBound(bytes: count, fields: ranges.count)) {
                                        $0.writeRequest(
                                            slot, method: method, scheme: "http", authority: authority, target: path,
                                            extendedProtocol: name, source, ranges,
                                            lines: UnsafeRawBufferPointer(start: nil, count: 0), acceptsTrailers: true,
                                            isEnd: isWhole, into: &$1)
                                    }
                                }
                            }
                        }
                    }
                }
            }
            stream.identifier = connection.identifier(slot)
            pump()
            return stream
        }
    }

    /// Sends a whole request and waits for its response.
    func ask(
        _ method: String = "GET", _ path: String = "/", _ more: [Field] = [], body: [UInt8] = [], trailers: [Field] = []
    ) throws -> Message {
        try request(method, path, more, body: body, trailers: trailers).message()
    }

    /// Stops reading, or goes on.
    func read(_ isReading: Bool) { locked { self.isReading = isReading } }

    /// GOAWAY at once: later streams are not served.
    func goAway(_ code: HTTP2ErrorCode = .noError) { locked { write { $0.goAway(code, into: &$1) } } }

    /// Bytes that no connection would send.
    func inject(_ bytes: [UInt8]) { locked { output += bytes } }

    /// Ends the connection; with a reset or in order.
    func cut(reset: Bool = true) {
        locked {
            isStopped = true
            if reset { _ = clinux_set_reset_on_close(wire.fd) }
        }
    }

    /// The end of the connection, in words; nil when it goes on.
    func end(within seconds: Double) -> String? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: seconds)
        while ended == nil { guard condition.wait(until: deadline) else { break } }
        return ended
    }

    /// The code of the peer's GOAWAY, once it has come.
    func goAwayCode() throws -> HTTP2ErrorCode {
        try locked {
            try wait("GOAWAY") { goneAway != nil }
            return goneAway!
        }
    }

    var isOver: Bool { locked { ended != nil } }
    /// Streams that the other side opened, or that this one did.
    var streamCount: Int { locked { opened + streams.count } }
    /// Open ones.
    var openStreams: Int { locked { connection.streams } }

    // MARK: For streams

    fileprivate func wait<T>(_ what: String, _ stream: PeerStream, _ value: () throws -> T?) throws -> T {
        try locked {
            var result: T?
            try wait(what) {
                result = try value()
                return result != nil
            }
            return result!
        }
    }

    fileprivate func check(_ stream: PeerStream) throws {
        if let code = stream.resetCode { throw Wire.Failure(description: "reset \(code)") }
        if let ended { throw Wire.Failure(description: "connection \(ended)") }
    }

    fileprivate func respond(_ stream: PeerStream, _ status: Int, _ more: [Field], isEnd: Bool) {
        locked {
            guard !stream.isOver else { return }
            var (source, ranges) = Self.lines(more)
            source.withUnsafeBytes { source in
                ranges.withUnsafeMutableBufferPointer { ranges in
                    write(HTTP2Connection.headBound(bytes: source.count, fields: ranges.count)) {
                        $0.writeResponse(
                            stream.slot, status: UInt16(status), source, ranges,
                            lines: UnsafeRawBufferPointer(start: nil, count: 0), isEnd: isEnd, into: &$1)
                    }
                }
            }
            if isEnd { stream.hasEnded = true }
            release(stream)
        }
    }

    fileprivate func send(_ stream: PeerStream, _ bytes: [UInt8], isEnd: Bool, trailers: [Field]) throws {
        try locked {
            // Whoever sends much waits, as on a socket.
            try wait("room") { stream.outgoing.count < 1 << 20 || stream.isOver || ended != nil }
            try check(stream)
            stream.outgoing += bytes
            stream.outgoingTrailers = trailers
            if isEnd { stream.ends = true }
            pump()
        }
    }

    fileprivate func reset(_ stream: PeerStream, _ code: HTTP2ErrorCode) {
        locked {
            guard !stream.isOver else { return }
            write { $0.reset(stream.slot, code, into: &$1) }
            stream.resetCode = code
            drop(stream)
        }
    }

    fileprivate func consume(_ stream: PeerStream, _ isConsuming: Bool) {
        locked {
            stream.consumes = isConsuming
            if isConsuming { credit(stream) }
        }
    }

    // MARK: The thread

    func run() {
        _ = fcntl(wire.fd, F_SETFL, O_NONBLOCK)
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        condition.lock()
        while ended == nil {
            var polls = [
                pollfd(
                    fd: wire.fd, events: Int16((isReading ? POLLIN : 0) | (output.isEmpty ? 0 : POLLOUT)), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            condition.unlock()
            poll(&polls, 2, -1)
            condition.lock()
            var count: UInt64 = 0
            _ = Glibc.read(wake, &count, 8)
            if isStopped {
                ended = "cut"
                break
            }
            if !output.isEmpty {
                let sent = output.withUnsafeBytes { clinux_send(wire.fd, $0.baseAddress, $0.count) }
                if sent > 0 { output.removeFirst(sent) }
                if sent < 0 && sent != -Int(EAGAIN) && !isReading {
                    ended = "send: \(String(cString: strerror(Int32(-sent))))"
                }
            }
            if isReading {
                let received = buffer.withUnsafeMutableBytes { clinux_recv(wire.fd, $0.baseAddress, $0.count, 0) }
                if received > 0 {
                    buffer.withUnsafeBytes { receive(UnsafeRawBufferPointer(rebasing: $0[..<received])) }
                } else if received == 0 {
                    ended = "ended"
                } else if received != -Int(EAGAIN) {
                    ended = String(cString: strerror(Int32(-received)))
                }
                pump()
            }
            condition.broadcast()
        }
        wire.close()
        condition.broadcast()
        condition.unlock()
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            var step: HTTP2Connection.Step?
            write { step = $0.next(rest, text: text, fields: fields, now: clock(), into: &$1) }
            position += step!.consumed
            switch step!.event {
            case .needsMore: return
            case .request(let slot, let head, let isEnd):
                let stream = PeerStream(self, slot)
                stream.identifier = connection.identifier(slot)
                stream.head = message(head.length)
                stream.isComplete = isEnd
                streams[slot] = stream
                opened += 1
                if let onRequest {
                    Foundation.Thread.detachNewThread {
                        do { try onRequest(stream) } catch {}
                    }
                }
            case .response(let slot, let head, let isEnd):
                guard let stream = streams[slot] else { break }
                if head.status < 200 {
                    stream.interim.append(message(head.length))
                } else {
                    stream.head = message(head.length)
                    stream.isComplete = isEnd
                    release(stream)
                }
            case .trailers(let slot, _, let length):
                guard let stream = streams[slot] else { break }
                stream.trailers = String(decoding: UnsafeRawBufferPointer(text)[..<length], as: UTF8.self)
                stream.isComplete = true
                release(stream)
            case .data(let slot, let range, let isEnd):
                guard let stream = streams[slot] else { break }
                stream.body += rest[Int(range.start)..<Int(range.end)]
                stream.received += Int(range.count)
                stream.isComplete = isEnd
                if stream.consumes { credit(stream) }
                release(stream)
            case .reset(let slot, let code, _):
                guard let stream = streams[slot] else { break }
                stream.resetCode = code
                drop(stream)
            case .settings: hasSettings = true
            case .goAway(_, let code):
                goneAway = code
                for stream in streams.values where connection.isClosed(stream.slot) && !stream.isComplete {
                    stream.resetCode = .refusedStream
                    drop(stream)
                }
            case .failed(let failure):
                ended = "failed: \(failure.text)"
                return
            case .nothing, .refused, .writable, .connectionWritable: break
            }
        }
    }

    private func message(_ length: Int) -> Message {
        Message(head: String(decoding: UnsafeRawBufferPointer(text)[..<length], as: UTF8.self))
    }

    private func clock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func credit(_ stream: PeerStream) {
        guard stream.received > stream.credited, !stream.isReleased else { return }
        let count = stream.received - stream.credited
        stream.credited = stream.received
        write { $0.consumed(stream.slot, count, into: &$1) }
    }

    /// Sends what the windows allow.
    private func pump() {
        for stream in streams.values.sorted(by: { $0.identifier < $1.identifier }) where !stream.hasEnded {
            guard !stream.outgoing.isEmpty || stream.ends else { continue }
            let count = min(connection.sendable(stream.slot), stream.outgoing.count)
            let isLast = stream.ends && count == stream.outgoing.count
            if count > 0 || isLast && stream.outgoingTrailers.isEmpty {
                let isEnd = isLast && stream.outgoingTrailers.isEmpty
                stream.outgoing.withUnsafeBytes { all in
                    let piece = UnsafeRawBufferPointer(rebasing: all[..<count])
                    write(count + 9 * connection.frames(count)) {
                        $0.writeData(stream.slot, piece, isEnd: isEnd, into: &$1)
                    }
                }
                stream.outgoing.removeFirst(count)
            }
            if isLast && !stream.outgoingTrailers.isEmpty {
                var (source, ranges) = Self.lines(stream.outgoingTrailers)
                source.withUnsafeBytes { source in
                    ranges.withUnsafeMutableBufferPointer { ranges in
                        write(HTTP2Connection.headBound(bytes: source.count, fields: ranges.count)) {
                            $0.writeTrailers(stream.slot, source, ranges, into: &$1)
                        }
                    }
                }
            }
            if isLast {
                stream.hasEnded = true
                release(stream)
            }
        }
    }

    /// Lets a stream go that is over.
    private func release(_ stream: PeerStream) {
        if !stream.isReleased && connection.isClosed(stream.slot) { drop(stream) }
    }

    private func drop(_ stream: PeerStream) {
        stream.isReleased = true
        stream.outgoing = []
        streams[stream.slot] = nil
        connection.release(stream.slot)
        write { $0.announceCredit(into: &$1) }
    }

    private func write(_ room: Int = 0, _ body: (inout HTTP2Connection, inout HeadWriter) -> Void) {
        let space = room + HTTP2Connection.controlRoom
        output += [UInt8](unsafeUninitializedCapacity: space) { buffer, count in
            var writer = HeadWriter(UnsafeMutableRawBufferPointer(buffer))
            body(&connection, &writer)
            precondition(!writer.overflowed)
            count = writer.count
        }
    }

    private static func lines(_ fields: [Field]) -> ([UInt8], [FieldRange]) {
        var source: [UInt8] = []
        var ranges: [FieldRange] = []
        for field in fields {
            let start = source.count
            source += Array("\(field.name): ".utf8)
            let value = source.count
            source += Array(field.value.utf8)
            ranges.append(
                FieldRange(
                    name: ByteRange(start: UInt32(start), count: UInt32(field.name.utf8.count)),
                    value: ByteRange(start: UInt32(value), count: UInt32(source.count - value))))
            source += [13, 10]
        }
        return (source, ranges)
    }
}

/// A stream of an `HTTP2Peer`.
final class PeerStream: @unchecked Sendable {
    typealias Field = HTTP2Peer.Field

    let peer: HTTP2Peer
    let slot: UInt32
    fileprivate(set) var identifier: UInt32 = 0
    fileprivate var interim: [Message] = []
    fileprivate var head: Message?
    fileprivate var body: [UInt8] = []
    fileprivate var received = 0
    fileprivate var credited = 0
    fileprivate var trailers = ""
    fileprivate var isComplete = false
    fileprivate var resetCode: HTTP2ErrorCode?
    fileprivate var consumes = true
    fileprivate var outgoing: [UInt8] = []
    fileprivate var outgoingTrailers: [Field] = []
    fileprivate var ends = false
    fileprivate var hasEnded = false
    fileprivate var isReleased = false

    fileprivate init(_ peer: HTTP2Peer, _ slot: UInt32) {
        self.peer = peer
        self.slot = slot
    }

    fileprivate var isOver: Bool { isReleased }

    /// The head of the request, or of the final response.
    func receiveHead() throws -> Message {
        try peer.wait("a head", self) {
            if head == nil { try peer.check(self) }
            return head
        }
    }

    /// The first interim response that was not taken yet.
    func receiveInterim() throws -> Message {
        try peer.wait("an interim response", self) {
            if interim.isEmpty { try peer.check(self) }
            return interim.isEmpty ? nil : interim.removeFirst()
        }
    }

    /// As `receiveInterim`, without waiting.
    func takeInterim() throws -> Message? {
        try peer.wait("the lock", self) { .some(interim.isEmpty ? nil : interim.removeFirst()) }
    }

    /// All of it; content that was taken before is missing.
    func message() throws -> Message {
        try peer.wait("the end of a message", self) {
            guard isComplete else {
                try peer.check(self)
                return nil
            }
            var message = head!
            message.body = body
            message.trailers = trailers
            return message
        }
    }

    /// Some content; empty at the end.
    func receive() throws -> [UInt8] {
        try peer.wait("content", self) {
            if !body.isEmpty {
                defer { body = [] }
                return body
            }
            if isComplete { return [] }
            try peer.check(self)
            return nil
        }
    }

    func receive(exactly count: Int) throws -> [UInt8] {
        try peer.wait("\(count) bytes", self) {
            if body.count >= count {
                defer { body.removeFirst(count) }
                return Array(body.prefix(count))
            }
            if isComplete { throw Wire.Failure(description: "ended after \(body.count) of \(count) bytes") }
            try peer.check(self)
            return nil
        }
    }

    /// The code of the reset, which must come.
    func receiveReset() throws -> HTTP2ErrorCode {
        try peer.wait("a reset", self) { resetCode }
    }

    /// Bytes of content so far.
    var count: Int { (try? peer.wait("the lock", self) { received }) ?? 0 }
    /// Bytes of content that wait for a window.
    var unsent: Int { (try? peer.wait("the lock", self) { outgoing.count }) ?? 0 }

    /// Gives the sender credit as content comes; without, its window fills.
    func consume(_ isConsuming: Bool) { peer.consume(self, isConsuming) }

    func respond(_ status: Int = 200, _ more: [Field] = [], isEnd: Bool = false) {
        peer.respond(self, status, more, isEnd: isEnd)
    }

    /// Queues content; blocks while much of it is unsent.
    func send(_ bytes: [UInt8], isEnd: Bool = false, trailers: [Field] = []) throws {
        try peer.send(self, bytes, isEnd: isEnd, trailers: trailers)
    }

    func send(_ text: String, isEnd: Bool = false) throws { try send(Array(text.utf8), isEnd: isEnd) }

    func reset(_ code: HTTP2ErrorCode = .cancel) { peer.reset(self, code) }
}

/// A server of 127.0.0.1 that speaks HTTP/2 only and runs a script for each request, on a thread of its own.
final class HTTP2Server: Sendable {
    private let server: ScriptedServer
    private let all: Peers

    /// Of its connections, in the order in which they came.
    final class Peers: Sendable {
        let peers = Mutex<[HTTP2Peer]>([])
    }

    init(
        limits: HTTP2Limits = HTTP2Limits(), port: UInt16 = 0, _ script: @escaping @Sendable (PeerStream) throws -> Void
    ) throws {
        let all = Peers()
        self.all = all
        server = try ScriptedServer(port: port) { wire, _ in
            let peer = HTTP2Peer(.server, wire, limits: limits, onRequest: script)
            all.peers.withLock { $0.append(peer) }
            peer.run()
        }
        LivingServers.shared.add(self)
    }

    deinit { for peer in peers { peer.cut() } }

    var port: UInt16 { server.port }
    var connections: Int { server.connections }
    var peers: [HTTP2Peer] { all.peers.withLock { $0 } }
    func stop() { server.stop() }

    /// Answers with what it got: the name, then the request line, fields and body.
    static func echo(_ name: String = "echo", limits: HTTP2Limits = HTTP2Limits()) throws -> HTTP2Server {
        try HTTP2Server(limits: limits) { stream in
            let request = try stream.message()
            var text = "\(name)\n\(request.start)\n"
            for field in request.fields { text += "\(field.name): \(field.value)\n" }
            text += "\n" + request.text
            let isHEAD = request.start.hasPrefix("HEAD ")
            stream.respond(
                200, [("content-length", "\(text.utf8.count)"), ("x-server", name)], isEnd: isHEAD)
            if !isHEAD { try stream.send(text, isEnd: true) }
        }
    }
}
