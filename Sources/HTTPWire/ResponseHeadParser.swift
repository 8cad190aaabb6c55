/// Parses response heads (RFC 9112 sections 4 and 5); otherwise like `RequestHeadParser`.
///
/// As strict as that about everything that frames the message. What passes besides: a status line without reason phrase,
/// with or without the space before it; any status from 100 to 999.
package struct ResponseHeadParser: BitwiseCopyable, Sendable {
    private enum Part: UInt8, BitwiseCopyable {
        case status
        case reason
        case fields
    }

    package let limits: HeadLimits
    /// The request was HEAD: the response has no body whatever its fields say.
    package var toHEAD: Bool
    /// The request was CONNECT: a 2xx response opens a tunnel.
    package var toCONNECT: Bool
    private var scan = FieldScan()
    private var part = Part.status

    package init(limits: HeadLimits = HeadLimits(), toHEAD: Bool = false, toCONNECT: Bool = false) {
        self.limits = limits
        self.toHEAD = toHEAD
        self.toCONNECT = toCONNECT
    }

    /// Forgets what was scanned: the next call starts a message. Keeps `toHEAD` and `toCONNECT`.
    package mutating func reset() {
        scan = FieldScan()
        part = .status
    }

    package mutating func parse(
        _ bytes: UnsafeRawBufferPointer, fields: UnsafeMutableBufferPointer<FieldRange>
    ) -> HeadResult<ResponseHead> {
        guard let base = bytes.baseAddress else { return .incomplete }
        if scan.position > 0 {
            switch resume(base, bytes.count, fields) {
            case .incomplete: return .incomplete
            case .invalid(let error): return .invalid(error)
            case .done: reset()
            }
        }
        var head = ResponseHead()
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
        var unused = ResponseHead()
        return run(base, count, fields, recording: false, into: &unused)
    }

    /// Scans on from where the last call ended. Leaves the status line of an uninterrupted scan in `head`.
    @inline(__always)
    private mutating func run(
        _ base: UnsafeRawPointer, _ count: Int, _ fields: UnsafeMutableBufferPointer<FieldRange>, recording: Bool,
        into head: inout ResponseHead
    ) -> FieldScan.Outcome {
        let end = min(count, limits.head)
        var outcome = FieldScan.Outcome.done
        if part != .fields {
            var position = Int(scan.position)
            outcome = statusLine(base, &position, end, &head)
            scan.position = UInt32(truncatingIfNeeded: position)
        }
        if case .done = outcome {
            part = .fields
            outcome = scan.run(
                base, end, fields: recording ? fields.baseAddress : nil, capacity: min(limits.fields, fields.count))
        }
        if case .incomplete = outcome, end >= limits.head { return .invalid(.headTooLarge) }
        return outcome
    }

    @inline(__always)
    private mutating func statusLine(
        _ base: UnsafeRawPointer, _ position: inout Int, _ end: Int, _ head: inout ResponseHead
    ) -> FieldScan.Outcome {
        if part == .status {
            guard end > 12 else {
                let agreement = ByteScan.agreement(base, 0, end, "HTTP/d.d ddd")
                return agreement < end ? .invalid(.statusLine) : .incomplete
            }
            let word = ByteScan.word(base, 0)
            if word & 0xfeff_ffff_ffff_ffff != 0x302e_312f_5054_5448 {
                return .invalid(
                    ByteScan.agreement(base, 0, end, "HTTP/d.d ddd") == 12 ? .versionUnsupported : .statusLine)
            }
            head.version = word >> 56 == 0x31 ? .http11 : .http10
            let hundreds = ByteScan.byte(base, 9) &- 0x30
            let tens = ByteScan.byte(base, 10) &- 0x30
            let ones = ByteScan.byte(base, 11) &- 0x30
            if ByteScan.byte(base, 8) != .space || hundreds &- 1 > 8 || tens > 9 || ones > 9 {
                return .invalid(.statusLine)
            }
            head.status = UInt16(hundreds) &* 100 &+ UInt16(tens) &* 10 &+ UInt16(ones)
            position = 12
            if ByteScan.byte(base, 12) == .space {
                position = 13
            } else if ByteScan.byte(base, 12) != .carriageReturn {
                return .invalid(.statusLine)
            }
            part = .reason
        }
        let reason = position
        position = ByteScan.value(base, position, end)
        if position >= end { return .incomplete }
        if ByteScan.byte(base, position) != .carriageReturn {
            return .invalid(ByteScan.byte(base, position) == .lineFeed ? .bareLineFeed : .statusLine)
        }
        if position &+ 1 >= end { return .incomplete }
        if ByteScan.byte(base, position &+ 1) != .lineFeed { return .invalid(.bareCarriageReturn) }
        head.reason = ByteRange(reason, position)
        position &+= 2
        return .done
    }

    /// RFC 9112 section 6.3; fills in the rest of `head`.
    @inline(__always)
    private func interpret(
        _ base: UnsafeRawPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, _ head: inout ResponseHead
    ) -> HeadError? {
        let meaning = FieldMeaning(base, fields, head.fieldCount)
        guard let options = meaning.connection() else { return .tooManyConnectionOptions }
        head.keepAlive = (head.version == .http11 || options.keepAlive) && !options.close
        // What a tunnel's opening says of framing is void (RFC 9112 section 6.3, item 2).
        if toCONNECT, 200..<300 ~= head.status { return nil }
        let hasContent = !toHEAD && head.status != 304
        switch meaning.framing(head.version) {
        case .invalid(let error): return error
        case .chunked:
            if Self.forbidsContent(head.status) { return .codingForbidden }
            if hasContent { head.framing = .chunked }
        case .length(let length):
            if Self.forbidsContent(head.status) {
                // 0 is forbidden here too, but common and harmless.
                if length > 0 { return .lengthForbidden }
            } else if hasContent {
                head.framing = .length(length)
            }
        case .none:
            if hasContent, !Self.forbidsContent(head.status) {
                head.framing = .untilClose
                head.keepAlive = false
            }
        }
        if head.status == 101, head.version == .http11, options.upgrade { head.upgrade = meaning.upgrade }
        return nil
    }

    /// Neither framing field may be sent with these (RFC 9112 section 6.1, RFC 9110 section 8.6).
    @inline(__always)
    private static func forbidsContent(_ status: UInt16) -> Bool { status < 200 || status == 204 }
}
