/// Parses request heads (RFC 9112 sections 3 and 5) from a buffer that grows.
///
/// Give `parse` all bytes since the message began; after `incomplete`, the same bytes with more behind them. The bytes may
/// have moved and the field buffer need not be the same: the parser keeps only how far it looked, so that a head which
/// arrives byte by byte costs time linear in its length. After `head` the parser is ready for the next message.
///
/// The result depends on the bytes alone, not on how they were cut. Syntax is judged at the first bad byte, meaning (Host,
/// framing, the target's form) once the head is whole.
///
/// What passes: at most four empty lines before the request line (RFC 9112 section 2.2 asks for one); any token as method;
/// in a target every visible ASCII character but `#`, as clients do send `[`, `|` and the like unencoded, and no
/// percent-encoding is read; obs-text in field values; any token as field name. White space is one space where the grammar
/// has one; a line ends with CRLF.
package struct RequestHeadParser: BitwiseCopyable, Sendable {
    private enum Part: UInt8, BitwiseCopyable {
        case emptyLines
        case method
        case path
        case query
        case version
        case fields
    }

    /// In bytes: four empty lines.
    private static var emptyLineLimit: Int { 8 }

    package let limits: HeadLimits
    private var scan = FieldScan()
    private var part = Part.emptyLines
    /// Bytes of empty lines.
    private var start: UInt8 = 0
    /// Where the target starts.
    private var target: UInt32 = 0

    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
    }

    /// Forgets what was scanned: the next call starts a message.
    package mutating func reset() {
        scan = FieldScan()
        part = .emptyLines
        start = 0
        target = 0
    }

    package mutating func parse(
        _ bytes: UnsafeRawBufferPointer, fields: UnsafeMutableBufferPointer<FieldRange>
    ) -> HeadResult<RequestHead> {
        guard let base = bytes.baseAddress else { return .incomplete }
        if scan.position > 0 {
            switch resume(base, bytes.count, fields) {
            case .incomplete: return .incomplete
            case .invalid(let error): return .invalid(error)
            case .done: reset()
            }
        }
        var head = RequestHead()
        switch run(base, bytes.count, fields, recording: true, into: &head) {
        case .incomplete: return .incomplete
        case .invalid(let error): return .invalid(error)
        case .done: break
        }
        head.fieldCount = Int(scan.count)
        head.length = Int(scan.position)
        reset()
        if let error = interpret(base, fields, &head) { return .invalid(error) }
        return .head(head)
    }

    /// Scans on without recording: the ranges of an interrupted scan are lost, so that once the head is whole it is scanned
    /// again in one go.
    @inline(never)
    private mutating func resume(
        _ base: UnsafeRawPointer, _ count: Int, _ fields: UnsafeMutableBufferPointer<FieldRange>
    ) -> FieldScan.Outcome {
        var unused = RequestHead()
        return run(base, count, fields, recording: false, into: &unused)
    }

    /// Scans on from where the last call ended. Leaves the method, the target and the query of an uninterrupted scan in
    /// `head`.
    @inline(__always)
    private mutating func run(
        _ base: UnsafeRawPointer, _ count: Int, _ fields: UnsafeMutableBufferPointer<FieldRange>, recording: Bool,
        into head: inout RequestHead
    ) -> FieldScan.Outcome {
        var position = Int(scan.position)
        var end = count
        if part != .fields {
            let outcome = requestLine(base, &position, &end, &head)
            scan.position = UInt32(truncatingIfNeeded: position)
            switch outcome {
            case .done: part = .fields
            case .incomplete: return part != .emptyLines && isFull(end) ? .invalid(.headTooLarge) : .incomplete
            case .invalid: return outcome
            }
        }
        end = min(count, Int(start) &+ limits.head)
        let outcome = scan.run(
            base, end, fields: recording ? fields.baseAddress : nil, capacity: min(limits.fields, fields.count))
        if case .incomplete = outcome, isFull(end) { return .invalid(.headTooLarge) }
        return outcome
    }

    /// The head is not whole though it has all the bytes it may have.
    @inline(__always)
    private func isFull(_ end: Int) -> Bool { end &- Int(start) >= limits.head }

    @inline(__always)
    private mutating func requestLine(
        _ base: UnsafeRawPointer, _ position: inout Int, _ end: inout Int, _ head: inout RequestHead
    ) -> FieldScan.Outcome {
        let count = end
        if part == .emptyLines {
            while position < count, ByteScan.byte(base, position) <= .carriageReturn {
                let byte = ByteScan.byte(base, position)
                if byte != .carriageReturn { return .invalid(byte == .lineFeed ? .bareLineFeed : .method) }
                if position == Self.emptyLineLimit { return .invalid(.emptyLines) }
                if position &+ 1 == count { return .incomplete }
                if ByteScan.byte(base, position &+ 1) != .lineFeed { return .invalid(.bareCarriageReturn) }
                position &+= 2
            }
            if position >= count { return .incomplete }
            start = UInt8(truncatingIfNeeded: position)
            part = .method
        }
        end = min(count, Int(start) &+ limits.head)
        if part == .method {
            position = ByteScan.token(base, position, end)
            if position >= end { return .incomplete }
            if ByteScan.byte(base, position) != .space || position == Int(start) { return .invalid(.method) }
            head.ranges.method = ByteRange(Int(start), position)
            position &+= 1
            target = UInt32(truncatingIfNeeded: position)
            part = .path
        }
        let target = Int(self.target)
        if part == .path {
            position = ByteScan.target(base, position, end, inQuery: false)
            if position &- target > limits.target { return .invalid(.targetTooLong) }
            if position >= end { return .incomplete }
            head.ranges.path = ByteRange(target, position)
            if ByteScan.byte(base, position) == 0x3f {
                position &+= 1
                part = .query
                head.ranges.hasQuery = true
            }
        }
        if part == .query {
            let query = position
            position = ByteScan.target(base, position, end, inQuery: true)
            if position &- target > limits.target { return .invalid(.targetTooLong) }
            if position >= end { return .incomplete }
            head.ranges.query = ByteRange(query, position)
        }
        if part != .version {
            let byte = ByteScan.byte(base, position)
            if byte != .space { return .invalid(Self.badTarget(byte)) }
            head.target = ByteRange(target, position)
            position &+= 1
            part = .version
        }
        return version(base, &position, end, &head)
    }

    @inline(__always)
    private func version(
        _ base: UnsafeRawPointer, _ position: inout Int, _ end: Int, _ head: inout RequestHead
    ) -> FieldScan.Outcome {
        if position &+ 10 <= end,
            base.loadUnaligned(fromByteOffset: position &+ 8, as: UInt16.self) == UInt16(littleEndian: 0x0a0d)
        {
            let word = ByteScan.word(base, position)
            if word & 0xfeff_ffff_ffff_ffff == 0x302e_312f_5054_5448 {
                head.version = word >> 56 == 0x31 ? .http11 : .http10
                position &+= 10
                return .done
            }
        }
        let agreement = ByteScan.agreement(base, position, end, "HTTP/d.d\r\n")
        if agreement == 10 { return .invalid(.versionUnsupported) }
        if position &+ agreement >= end { return .incomplete }
        switch ByteScan.byte(base, position &+ agreement) {
        case .lineFeed where agreement == 8: return .invalid(.bareLineFeed)
        case _ where agreement == 9: return .invalid(.bareCarriageReturn)
        default: return .invalid(.versionSyntax)
        }
    }

    private static func badTarget(_ byte: UInt8) -> HeadError {
        switch byte {
        case 0x23: .fragment
        case .carriageReturn, .lineFeed: .versionMissing
        default: .targetByte
        }
    }

    /// What the parts mean together; fills in the rest of `head`.
    @inline(__always)
    private func interpret(
        _ base: UnsafeRawPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ head: inout RequestHead
    ) -> HeadError? {
        if let error = Self.readTarget(base, &head) { return error }
        let meaning = FieldMeaning(base, fields, head.fieldCount)
        if meaning.has(.host) {
            if meaning.repeats(.host) { return .hostRepeated }
            let host = meaning.value(.host)
            if !Authority.isValid(base, host) { return .hostInvalid }
            if head.form == .origin || head.form == .asterisk { head.ranges.authority = host }
        } else if head.version == .http11 {
            return .hostMissing
        }
        switch meaning.framing(head.version) {
        case .none: break
        case .length(let length): head.framing = .length(length)
        case .chunked: head.framing = .chunked
        case .invalid(let error): return error
        }
        guard let options = meaning.connection() else { return .tooManyConnectionOptions }
        if head.version == .http11 {
            head.keepAlive = !options.close
            head.expectsContinue = meaning.expectsContinue
            if options.upgrade { head.upgrade = meaning.upgrade }
        } else {
            head.keepAlive = options.keepAlive && !options.close
        }
        return nil
    }

    /// RFC 9112 section 3.2: which form, and where path and authority are. `path` holds the target up to the query.
    @inline(__always)
    private static func readTarget(_ base: UnsafeRawPointer, _ head: inout RequestHead) -> HeadError? {
        let start = Int(head.target.start)
        let method = head.ranges.method
        let isCONNECT = method.count == 7 && holds(base, method, 0x0054_4345_4e4e_4f43)
        if head.target.isEmpty { return .targetForm }
        if isCONNECT {
            head.form = .authority
            head.ranges.authority = head.target
            head.ranges.path = .empty
            return !head.ranges.hasQuery && Authority.isValid(base, head.target, portRequired: true) ? nil : .authority
        }
        if ByteScan.byte(base, start) == 0x2f { return nil }
        if head.target.count == 1, ByteScan.byte(base, start) == 0x2a {
            head.form = .asterisk
            return method.count == 7 && holds(base, method, 0x0053_4e4f_4954_504f) ? nil : .targetForm
        }
        return readAbsolute(base, &head)
    }

    /// `http://` or `https://`, an authority, and a path that may be left out.
    private static func readAbsolute(_ base: UnsafeRawPointer, _ head: inout RequestHead) -> HeadError? {
        let start = Int(head.target.start)
        let end = Int(head.ranges.path.end)
        let scheme: Int
        if end &- start >= 7, ByteScan.equalsIgnoringCase(base, start, "http"), slashes(base, start &+ 4) {
            scheme = 7
        } else if end &- start >= 8, ByteScan.equalsIgnoringCase(base, start, "https"), slashes(base, start &+ 5) {
            scheme = 8
        } else {
            return .targetForm
        }
        head.form = .absolute
        var position = start &+ scheme
        while position < end, ByteScan.byte(base, position) != 0x2f { position &+= 1 }
        head.ranges.authority = ByteRange(start &+ scheme, position)
        // Without a path, the scheme's second slash is one (RFC 9110 section 4.2.3: an empty path is `/`).
        head.ranges.path =
            position < end ? ByteRange(position, end) : ByteRange(start &+ scheme &- 1, start &+ scheme)
        return Authority.isValid(base, head.ranges.authority) ? nil : .authority
    }

    private static func slashes(_ base: UnsafeRawPointer, _ start: Int) -> Bool {
        ByteScan.byte(base, start) == .colon && ByteScan.byte(base, start &+ 1) == 0x2f
            && ByteScan.byte(base, start &+ 2) == 0x2f
    }

    /// Whether a range of seven bytes, with at least one more behind it in the buffer, holds `word`.
    @inline(__always)
    private static func holds(_ base: UnsafeRawPointer, _ range: ByteRange, _ word: UInt64) -> Bool {
        ByteScan.word(base, Int(range.start)) & 0x00ff_ffff_ffff_ffff == word
    }
}
