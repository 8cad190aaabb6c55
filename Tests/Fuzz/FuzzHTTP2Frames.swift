/// A connection and an application on it, which does what the input's first byte says.
private struct Fuzzed: ~Copyable {
    var connection: HTTP2Connection
    let answers: Bool
    let resets: Bool
    let consumes: Bool
    /// Everything that was sent.
    var output: [UInt8] = []
    /// What the application was told, as one number; content however it was cut.
    var trace: UInt64 = 0xcbf2_9ce4_8422_2325
    var hasFailed = false

    init(_ flags: UInt8, _ limits: HTTP2Limits, _ head: HeadLimits) {
        let isServer = flags & 1 == 0
        connection = HTTP2Connection(role: isServer ? .server : .client, limits: limits, head: head)
        answers = flags & 2 != 0
        resets = flags & 4 != 0
        consumes = flags & 8 != 0
        write { $0.start(into: &$1) }
        if isServer {
            var opening = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
            // The peer's windows: ample, or nothing.
            if flags & 16 != 0 { opening += [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0] }
            opening.withUnsafeBytes { receive($0) }
        } else {
            for number in 0..<4 {
                guard let slot = connection.open(user: UInt32(number)) else { break }
                sendRequest(slot, number == 1 ? "HEAD" : number == 2 ? "POST" : "GET", isEnd: number != 2)
                if resets, number == 3 { write { $0.reset(slot, .cancel, into: &$1) } }
            }
        }
    }

    mutating func note(_ values: Int...) {
        for value in values { trace = (trace ^ UInt64(bitPattern: Int64(value))) &* 0x100_0000_01b3 }
    }

    mutating func write(room: Int = 0, _ body: (inout HTTP2Connection, inout HeadWriter) -> Void) {
        let space = room + HTTP2Connection.controlRoom
        output += [UInt8](unsafeUninitializedCapacity: space) { buffer, count in
            var writer = HeadWriter(
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<space]))
            body(&connection, &writer)
            check(!writer.overflowed, "the writer had too little room")
            count = writer.count
        }
    }

    mutating func sendRequest(_ slot: UInt32, _ method: StaticString, isEnd: Bool) {
        func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        }
        write(room: HTTP2Connection.headBound(bytes: 40, fields: 0)) {
            $0.writeRequest(
                slot, method: bytes(method), scheme: "http", authority: bytes("example.com"), target: bytes("/"),
                extendedProtocol: bytes(""), bytes(""), UnsafeMutableBufferPointer(start: nil, count: 0),
                lines: bytes(""), acceptsTrailers: true, isEnd: isEnd, into: &$1)
        }
    }

    /// The peer ended its side.
    mutating func ended(_ slot: UInt32) {
        if connection.isClosed(slot) {
            connection.release(slot)
            write { $0.announceCredit(into: &$1) }
        }
    }

    mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        var idle = 0
        while true {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
            var result: HTTP2Connection.Step?
            write { result = $0.next(rest, text: fuzzText, fields: fieldBuffer, now: 1, into: &$1) }
            let step = result!
            check(step.consumed >= 0 && step.consumed <= rest.count, "more consumed than there is")
            position += step.consumed
            idle = step.consumed == 0 ? idle + 1 : 0
            check(idle < 3, "it goes in circles")
            check(connection.receiveWindow >= 0, "the connection's window is below 0")
            switch step.event {
            case .needsMore:
                check(position == bytes.count, "needs more before all was taken")
                return
            case .nothing: break
            case .failed(let failure):
                note(1, Int(failure.code.rawValue))
                hasFailed = true
                return
            case .request(let slot, let head, let isEnd):
                note(2, Int(connection.identifier(slot)), head.length, head.fieldCount, isEnd ? 1 : 0)
                checkHead(UnsafeRawBufferPointer(rebasing: fuzzText[..<head.length]), head)
                if answers {
                    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
                    write(room: HTTP2Connection.headBound(bytes: 0, fields: 0)) {
                        $0.writeResponse(
                            slot, status: 200, nothing, UnsafeMutableBufferPointer(start: nil, count: 0),
                            lines: nothing,
                            isEnd: false, into: &$1)
                    }
                    let count = min(connection.sendable(slot), 100)
                    write(room: 200) {
                        $0.writeData(
                            slot, UnsafeRawBufferPointer(start: fuzzText.baseAddress, count: count), isEnd: true,
                            into: &$1)
                    }
                    if isEnd { ended(slot) }
                } else if resets {
                    write { $0.reset(slot, .cancel, into: &$1) }
                    connection.release(slot)
                }
            case .refused(let stream, let error):
                note(3, Int(stream), Int(error.rawValue))
            case .response(let slot, let head, let isEnd):
                note(4, Int(connection.identifier(slot)), Int(head.status), head.length, isEnd ? 1 : 0)
                checkFields(
                    Array(fieldBuffer.prefix(head.fieldCount)),
                    UnsafeRawBufferPointer(rebasing: fuzzText[..<head.length]), from: 0, to: head.length)
                if isEnd { ended(slot) }
            case .trailers(let slot, let count, let length):
                note(5, Int(connection.identifier(slot)), count, length)
                checkFields(
                    Array(fieldBuffer.prefix(count)), UnsafeRawBufferPointer(rebasing: fuzzText[..<length]), from: 0,
                    to: length)
                ended(slot)
            case .data(let slot, let range, let isEnd):
                check(Int(range.end) <= step.consumed && (isEnd || !range.isEmpty), "content out of bounds")
                for byte in rest[Int(range.start)..<Int(range.end)] {
                    note(6, Int(connection.identifier(slot)), Int(byte))
                }
                if isEnd { note(7, Int(connection.identifier(slot))) }
                if consumes { write { $0.consumed(slot, Int(range.count), into: &$1) } }
                if isEnd { ended(slot) }
            case .reset(let slot, let code, let byPeer):
                note(8, Int(connection.identifier(slot)), Int(code.rawValue), byPeer ? 1 : 0)
                connection.release(slot)
            case .writable(let slot): note(9, Int(connection.identifier(slot)))
            case .connectionWritable: note(10)
            case .settings: note(11)
            case .goAway(let last, let code):
                note(12, Int(last), Int(code.rawValue))
                var slot = connection.firstSlot
                while let current = slot {
                    slot = connection.slot(after: current)
                    if connection.role == .client, connection.identifier(current) > last { connection.release(current) }
                }
            }
        }
    }

    /// A canonical head says the same when it is parsed.
    private func checkHead(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead) {
        var parser = RequestHeadParser(limits: HeadLimits(head: 1 << 20, target: 1 << 20, fields: 200))
        guard case .head(let other) = parser.parse(bytes, fields: fuzzFields) else { fatalError("a head that is none") }
        check(other.length == head.length && other.fieldCount == head.fieldCount, "the head parses otherwise")
        check(other.ranges == head.ranges && other.form == head.form, "the head's ranges differ")
    }

    /// What must hold at the end.
    func checkEnd(_ received: Int) {
        var position = 0
        let start = connection.role == .client ? 24 : 0
        position = start
        while position < output.count {
            check(output.count - position >= 9, "half a frame was sent")
            position += 9 + Int(output[position]) << 16 + Int(output[position + 1]) << 8 + Int(output[position + 2])
        }
        check(position == output.count, "half a frame was sent")
        check(output.count <= 20 * received + 2000, "more was sent than was asked for")
        var streams = 0
        var slot = connection.firstSlot
        while let current = slot {
            if !connection.isClosed(current) { streams += 1 }
            slot = connection.slot(after: current)
        }
        check(streams == connection.streams, "streams were miscounted")
        check(
            connection.held.count <= connection.headLimits.head + 2 * Int(connection.limits.frameSize),
            "too much is kept")
    }
}

nonisolated(unsafe) private let fuzzText = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 65536 + HeaderBlockDecoder.slack, alignment: 16)
nonisolated(unsafe) private let fuzzFields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)

private func run(
    _ flags: UInt8, _ limits: HTTP2Limits, _ head: HeadLimits, _ bytes: UnsafeRawBufferPointer, _ ends: [Int]
) -> (trace: UInt64, output: [UInt8]) {
    var fuzzed = Fuzzed(flags, limits, head)
    var start = 0
    for end in ends {
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        withExactCopy(piece, piece.count) { fuzzed.receive($0) }
        start = end
        if fuzzed.hasFailed { break }
    }
    fuzzed.checkEnd(bytes.count)
    return (fuzzed.trace, fuzzed.output)
}

/// The first byte says the role and what the application does; the rest is what the peer sends after the preface and empty
/// SETTINGS (of a client), or at all (of a server).
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let flags = start[0]
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    // Small limits too: they are reached only by chance otherwise.
    var small = HTTP2Limits()
    small.concurrentStreams = 2
    small.continuations = 3
    for budget in [
        \HTTP2Limits.rapidReset, \.resetByUs, \.settings, \.ping, \.emptyData, \.tinyWindow, \.emptyField, \.headerBomb,
        \.windowUpdate, \.priority,
    ] {
        small[keyPath: budget] = HTTP2Limits.Budget(burst: 5, perSecond: 0)
    }
    for (limits, head) in [(HTTP2Limits(), HeadLimits()), (small, HeadLimits(head: 120, target: 20, fields: 6))] {
        let whole = run(flags, limits, head, bytes, [bytes.count])
        for cut in cuts(bytes) {
            let other = run(flags, limits, head, bytes, [cut, bytes.count])
            check(other.trace == whole.trace, "two pieces differ from the whole")
            // When credit is announced depends on the pieces in which content came.
            check(flags & 8 != 0 || other.output == whole.output, "two pieces are answered otherwise")
        }
        if bytes.count <= 256 {
            let other = run(flags, limits, head, bytes, Array(0...bytes.count))
            check(other.trace == whole.trace, "single bytes differ from the whole")
        }
    }
    return 0
}
