/// DATA frames, and the credit that their sender gets (RFC 9113 sections 5.2, 6.1 and 6.9).
extension HTTP2Connection {
    /// A DATA frame starts: its header is `frame`, and what tells the length of its padding was read. Nil when its content
    /// is to be handed out.
    mutating func openContent(padding: UInt8?, into w: inout HeadWriter) -> Event? {
        let stream = frame.stream
        if stream == 0 { return fail(.protocolError, "DATA on stream 0", into: &w) }
        if isIdle(stream) { return fail(.protocolError, "DATA on an idle stream", into: &w) }
        let length = frame.length
        // The padding and the byte that tells its length count too.
        let overhead = padding.map { UInt32($0) &+ 1 } ?? 0
        if overhead > length { return fail(.protocolError, "the padding of DATA is too long", into: &w) }
        if Int64(length) > Int64(receiveWindow) {
            return fail(.flowControlError, "DATA exceeds the connection's window", into: &w)
        }
        receiveWindow &-= Int32(bitPattern: length)
        let content = length &- overhead
        paddingRest = overhead > 0 ? overhead &- 1 : 0
        contentRest = content
        let isEnd = frame.has(HTTP2FrameFlags.endStream)
        if content > 0 {
            emptyData.earn(1, limits.emptyData)
            pingFlood.earn(1, limits.ping)
        } else if !isEnd, !emptyData.spend(1, limits.emptyData, now) {
            return fail(.emptyData, into: &w)
        }
        guard let slot = table.find(stream) else {
            if case .ended = closed.fate(stream, last: lastStream) {
                return fail(.streamClosed, "DATA on a closed stream", into: &w)
            }
            if case .skipped = closed.fate(stream, last: lastStream) {
                return fail(.streamClosed, "DATA on a closed stream", into: &w)
            }
            return drop(into: &w)
        }
        let record = table.record(slot)
        let flags = record.pointee.flags
        if !record.pointee.receives {
            if flags.contains(.resetByUs) { return drop(into: &w) }
            if flags.contains(.resetByPeer) || flags.contains(.localEnded) {
                return fail(.streamClosed, "DATA on a closed stream", into: &w)
            }
            return dropAndReset(slot, .streamClosed, into: &w)
        }
        if !flags.contains(.hasHead) { return dropAndReset(slot, .protocolError, into: &w) }
        if Int64(length) > Int64(record.pointee.receiveWindow) {
            return dropAndReset(slot, .flowControlError, into: &w)
        }
        let rest = record.pointee.contentRest
        if rest != HTTP2Stream.unknownLength {
            if UInt64(content) > rest || (isEnd && UInt64(content) < rest) {
                return dropAndReset(slot, .protocolError, into: &w)
            }
            record.pointee.contentRest = rest &- UInt64(content)
        }
        record.pointee.receiveWindow &-= Int32(bitPattern: length)
        if probe.isOutstanding {
            probe.connectionBytes &+= UInt64(length)
            if probe.slot == slot { probe.streamBytes &+= UInt64(length) }
        }
        if overhead > 0 { creditPadding(slot, overhead, into: &w) }
        if content > 0 {
            contentSlot = slot
            part = .content
            return nil
        }
        part = paddingRest > 0 ? .padding : .frameHeader
        if !isEnd { return .nothing }
        endRemote(slot)
        return .data(slot, ByteRange(start: 0, count: 0), isEnd: true)
    }

    /// Nobody wants the frame; the connection's window gets it back at once.
    @inline(never)
    private mutating func drop(into w: inout HeadWriter) -> Event {
        credit &+= frame.length
        paddingRest &+= contentRest
        contentRest = 0
        part = paddingRest > 0 ? .padding : .frameHeader
        announceCredit(into: &w)
        return .nothing
    }

    @inline(never)
    private mutating func dropAndReset(_ slot: Slot, _ code: HTTP2ErrorCode, into w: inout HeadWriter) -> Event {
        _ = drop(into: &w)
        return streamError(slot, code, into: &w)
    }

    @inline(never)
    private mutating func creditPadding(_ slot: Slot, _ count: UInt32, into w: inout HeadWriter) {
        credit &+= count
        table.record(slot).pointee.credit &+= count
        announceCredit(into: &w)
        announceCredit(slot, into: &w)
    }

    /// The caller passed on that much content: the peer gets it back once half a window has come together. Content that is
    /// not consumed holds the peer back.
    package mutating func consumed(_ slot: Slot, _ count: Int, into w: inout HeadWriter) {
        let record = table.record(slot)
        // What a reset took back already is not counted twice.
        let count = min(UInt32(clamping: count), record.pointee.unconsumed)
        record.pointee.unconsumed &-= count
        record.pointee.credit &+= count
        credit &+= count
        announceCredit(slot, into: &w)
        announceCredit(into: &w)
    }

    /// Announces what releases gave back to the connection's window. To be called after a release when there is a writer: a
    /// peer that waits for the window sends nothing that would make `next` do it.
    @inline(__always)
    package mutating func announceCredit(into w: inout HeadWriter) {
        if credit < window / 2 { return }
        w.windowUpdate(0, credit)
        receiveWindow &+= Int32(bitPattern: credit)
        credit = 0
    }

    @inline(__always)
    private mutating func announceCredit(_ slot: Slot, into w: inout HeadWriter) {
        let record = table.record(slot)
        if record.pointee.credit < record.pointee.window / 2 || !record.pointee.receives { return }
        announceStreamCredit(slot, into: &w)
    }

    @inline(never)
    private mutating func announceStreamCredit(_ slot: Slot, into w: inout HeadWriter) {
        let record = table.record(slot)
        if probe.learnt > record.pointee.window {
            record.pointee.credit &+= probe.learnt &- record.pointee.window
            record.pointee.window = probe.learnt
        }
        let increment = record.pointee.credit
        w.windowUpdate(record.pointee.identifier, increment)
        record.pointee.receiveWindow &+= Int32(bitPattern: increment)
        record.pointee.credit = 0
        if !probe.isOutstanding, record.pointee.window < limits.maxStreamWindow || window < limits.maxConnectionWindow {
            probe.isOutstanding = true
            probe.slot = slot
            probe.stream = record.pointee.identifier
            probe.streamBytes = 0
            probe.connectionBytes = 0
            w.ping(HTTP2Ping.probe, isAcknowledgement: false)
        }
    }

    /// The probe is back: a window that was nearly used up within the round trip is doubled, unless its content waits to be
    /// consumed.
    mutating func probeReturned(into w: inout HeadWriter) {
        probe.isOutstanding = false
        let slot = probe.slot
        probe.slot = Self.noSlot
        if slot != Self.noSlot, table.record(slot).pointee.identifier == probe.stream {
            let record = table.record(slot)
            let size = record.pointee.window
            if record.pointee.receives, size < limits.maxStreamWindow, fills(probe.streamBytes, size),
                record.pointee.unconsumed < size / 2
            {
                probe.learnt = max(probe.learnt, min(size &* 2, limits.maxStreamWindow))
                widen(min(probe.learnt &* 2, limits.maxConnectionWindow), into: &w)
                let increment = probe.learnt &- size
                record.pointee.window = probe.learnt
                record.pointee.receiveWindow &+= Int32(bitPattern: increment)
                w.windowUpdate(record.pointee.identifier, increment)
            }
        }
        if fills(probe.connectionBytes, window) { widen(min(window &* 2, limits.maxConnectionWindow), into: &w) }
    }

    /// The probe leaves when half the window was consumed, so that a peer which waits for it has the other half under way,
    /// less what a frame overshot.
    private func fills(_ bytes: UInt64, _ window: UInt32) -> Bool { bytes >= UInt64(window) / 3 }

    /// Brings the connection's window to `size`, unless it is that wide.
    private mutating func widen(_ size: UInt32, into w: inout HeadWriter) {
        guard size > window else { return }
        let increment = size &- window
        window = size
        receiveWindow &+= Int32(bitPattern: increment)
        w.windowUpdate(0, increment)
    }
}
