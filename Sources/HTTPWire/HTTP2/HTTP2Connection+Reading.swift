extension HTTP2Connection {
    package static var preface: StaticString { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }

    /// Reads on. What has to be answered (acknowledgements, RST_STREAM, WINDOW_UPDATE, GOAWAY) is written to `w`, which must
    /// have `controlRoom` bytes left. `text` and `fields` are scratch for heads; behind a head, `text` needs
    /// `HeaderBlockDecoder.slack` bytes. `now` is in nanoseconds since whenever, and does not go back.
    ///
    /// Every verdict is a function of the bytes received and of what was written before, not of how they were cut.
    package mutating func next(
        _ bytes: UnsafeRawBufferPointer, text: UnsafeMutableRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, now: UInt64, into w: inout HeadWriter
    ) -> Step {
        precondition(w.remaining >= Self.controlRoom, "the writer has no room for answers")
        if self.now == 0 { beginBudgets(now) }
        self.now = now
        if owesConnectionWritable {
            owesConnectionWritable = false
            return Step(0, .connectionWritable)
        }
        let end = bytes.count
        guard end > 0, let base = bytes.baseAddress else {
            if let failure { return Step(0, .failed(failure)) }
            return Step(0, .needsMore)
        }
        var position = 0
        if part == .preface {
            while position < end, partialCount < 24 {
                if ByteScan.byte(base, position) != Self.preface.utf8Start[Int(partialCount)] {
                    return Step(end, fail(.protocolError, "the connection preface is wrong", into: &w))
                }
                position &+= 1
                partialCount &+= 1
            }
            if partialCount < 24 { return Step(end, .needsMore) }
            partialCount = 0
            part = .frameHeader
        }
        if part == .frameHeader {
            if partialCount == 0, end &- position >= HTTP2FrameHeader.size {
                frame = HTTP2FrameHeader(base + position)
                position &+= HTTP2FrameHeader.size
            } else if !gatherHeader(base, &position, end) {
                return Step(end, .needsMore)
            }
            if let event = checkHeader(into: &w) { return Step(end, event) }
            let length = Int(frame.length)
            if frame.type == HTTP2FrameType.data {
                if frame.has(HTTP2FrameFlags.padded) {
                    if length == 0 {
                        return Step(end, fail(.frameSizeError, "DATA lack their padding's length", into: &w))
                    }
                    part = .paddingLength
                } else if let event = openContent(padding: nil, into: &w) {
                    return Step(part == .failed ? end : position, event)
                }
            } else if length <= end &- position {
                let payload = UnsafeRawBufferPointer(start: base + position, count: length)
                let event = process(payload, isHeld: false, text, fields, into: &w)
                return Step(part == .failed ? end : position &+ length, event)
            } else {
                part = frame.type > HTTP2FrameType.continuation ? .ignored : .payload
                paddingRest = frame.length
            }
        }
        return readPayload(base, position, end, text, fields, into: &w)
    }

    /// Reads on inside a frame.
    @inline(__always)
    private mutating func readPayload(
        _ base: UnsafeRawPointer, _ start: Int, _ end: Int, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Step {
        var position = start
        switch part {
        case .paddingLength:
            if position == end { return Step(end, .needsMore) }
            let padding = ByteScan.byte(base, position)
            position &+= 1
            if let event = openContent(padding: padding, into: &w) {
                return Step(part == .failed ? end : position, event)
            }
            return content(position, end)
        case .content:
            return content(position, end)
        case .padding, .ignored:
            let count = min(Int(paddingRest), end &- position)
            paddingRest &-= UInt32(truncatingIfNeeded: count)
            if paddingRest > 0 { return Step(end, .needsMore) }
            part = .frameHeader
            return Step(position &+ count, .nothing)
        case .payload:
            let count = min(Int(paddingRest), end &- position)
            held.append(UnsafeRawBufferPointer(start: base + position, count: count))
            paddingRest &-= UInt32(truncatingIfNeeded: count)
            if paddingRest > 0 { return Step(end, .needsMore) }
            part = .frameHeader
            let event = process(held.payload, isHeld: true, text, fields, into: &w)
            // A block that goes on stays; the frame does not.
            held.keep(0..<0)
            return Step(part == .failed ? end : position &+ count, event)
        case .preface, .frameHeader:
            return Step(position, .nothing)
        case .failed:
            return Step(end, failure.map { .failed($0) } ?? .needsMore)
        }
    }

    /// A piece of content for the caller.
    @inline(__always)
    private mutating func content(_ position: Int, _ end: Int) -> Step {
        let count = min(Int(contentRest), end &- position)
        if count == 0 { return Step(end, .needsMore) }
        contentRest &-= UInt32(truncatingIfNeeded: count)
        let isLast = contentRest == 0
        if isLast { part = paddingRest > 0 ? .padding : .frameHeader }
        let slot = contentSlot
        if slot == Self.noSlot { return Step(position &+ count, .nothing) }
        table.record(slot).pointee.unconsumed &+= UInt32(truncatingIfNeeded: count)
        let isEnd = isLast && frame.has(HTTP2FrameFlags.endStream)
        if isLast { contentSlot = Self.noSlot }
        if isEnd { endRemote(slot) }
        return Step(position &+ count, .data(slot, ByteRange(position, position &+ count), isEnd: isEnd))
    }

    @inline(never)
    private mutating func gatherHeader(_ base: UnsafeRawPointer, _ position: inout Int, _ end: Int) -> Bool {
        while partialCount < 9, position < end {
            headerBytes[Int(partialCount)] = ByteScan.byte(base, position)
            position &+= 1
            partialCount &+= 1
        }
        if partialCount < 9 { return false }
        partialCount = 0
        let bytes = headerBytes
        frame = withUnsafeBytes(of: bytes) { HTTP2FrameHeader($0.baseAddress.unsafelyUnwrapped) }
        return true
    }

    @inline(never)
    private mutating func beginBudgets(_ now: UInt64) {
        rapidReset.begin(now)
        resetByUs.begin(now)
        settingsFlood.begin(now)
        pingFlood.begin(now)
        emptyData.begin(now)
        tinyWindow.begin(now)
        emptyField.begin(now)
        headerBomb.begin(now)
        windowUpdate.begin(now)
        priority.begin(now)
    }

    /// What can be told before the payload is there; nil when the frame may come.
    @inline(__always)
    private mutating func checkHeader(into w: inout HeadWriter) -> Event? {
        let isContinuation = frame.type == HTTP2FrameType.continuation
        if hasSettings, frame.length <= limits.frameSize, blockStream == 0, !isContinuation { return nil }
        return checkUnusualHeader(isContinuation, into: &w)
    }

    @inline(never)
    private mutating func checkUnusualHeader(_ isContinuation: Bool, into w: inout HeadWriter) -> Event? {
        if !hasSettings, frame.type != HTTP2FrameType.settings || frame.has(HTTP2FrameFlags.acknowledgement) {
            return fail(.protocolError, "the first frame is not SETTINGS", into: &w)
        }
        if frame.length > limits.frameSize { return fail(.frameSizeError, "a frame is too large", into: &w) }
        if blockStream == 0 {
            return isContinuation ? fail(.protocolError, "CONTINUATION without a header block", into: &w) : nil
        }
        if !isContinuation || frame.stream != blockStream {
            return fail(.protocolError, "a header block is interrupted", into: &w)
        }
        blockContinuations += 1
        if blockContinuations > limits.continuations
            || held.blockCount + Int(frame.length) > headLimits.head + Int(limits.frameSize)
        {
            return fail(.continuation, into: &w)
        }
        return nil
    }

    /// A frame that is whole, other than DATA. `isHeld`: the payload is `held`'s.
    @inline(__always)
    private mutating func process(
        _ payload: UnsafeRawBufferPointer, isHeld: Bool, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        switch frame.type {
        case HTTP2FrameType.headers: headers(payload, isHeld: isHeld, text, fields, into: &w)
        case HTTP2FrameType.continuation: continuation(payload, isHeld: isHeld, text, fields, into: &w)
        case HTTP2FrameType.priority: priorityFrame(payload, into: &w)
        case HTTP2FrameType.resetStream: resetStream(payload, into: &w)
        case HTTP2FrameType.settings: settings(payload, into: &w)
        case HTTP2FrameType.pushPromise: fail(.protocolError, "PUSH_PROMISE was never allowed", into: &w)
        case HTTP2FrameType.ping: ping(payload, into: &w)
        case HTTP2FrameType.goAway: goAway(payload, into: &w)
        case HTTP2FrameType.windowUpdate: windowUpdate(payload, into: &w)
        default: .nothing
        }
    }
}
