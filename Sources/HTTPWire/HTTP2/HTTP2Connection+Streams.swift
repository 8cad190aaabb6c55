/// The streams' lives.
extension HTTP2Connection {
    /// Open or half-closed now, as SETTINGS_MAX_CONCURRENT_STREAMS counts, and a client's that wait for their head.
    package var streams: Int { Int(open) }

    /// Client: within both limits, no GOAWAY either way, identifiers left.
    package var canOpen: Bool {
        role == .client && open < min(limits.concurrentStreams, peerStreams) && peerLastStream == nil
            && drainState == .none && failure == nil && lastStream < Self.highestIdentifier &- 2 &* (1 << 20)
    }

    /// Streams that the peer allows at once, as far as it has said.
    package var allowedStreams: UInt32 { peerStreams }

    /// Client, before the peer's SETTINGS: what they will say, by what its other connections said.
    package mutating func assume(streams: UInt32) {
        if !hasSettings { peerStreams = streams }
    }

    /// Client: a new stream, nil unless `canOpen`. Its identifier is assigned when its head is written.
    package mutating func open(user: UInt32) -> Slot? {
        guard canOpen else { return nil }
        open &+= 1
        return table.insert(
            HTTP2Stream(
                identifier: 0, user: user, flags: [], sendWindow: peerStreamWindow,
                receiveWindow: Int32(bitPattern: limits.streamWindow), window: limits.streamWindow))
    }

    package func user(_ slot: Slot) -> UInt32 { table.record(slot).pointee.user }

    package mutating func setUser(_ slot: Slot, _ user: UInt32) {
        table.record(slot).pointee.user = user
    }

    /// 0 until a client's stream has sent its head.
    package func identifier(_ slot: Slot) -> UInt32 { table.record(slot).pointee.identifier }

    /// Both ends are over, or it was reset.
    package func isClosed(_ slot: Slot) -> Bool { table.record(slot).pointee.isClosed }

    /// The peer sent END_STREAM, or the stream was reset: no more events will come but a reset.
    package func hasRemoteEnded(_ slot: Slot) -> Bool { !table.record(slot).pointee.receives }

    /// The caller is done with a stream that is closed, or has sent no head yet. Content that it did not consume counts as
    /// consumed; see `announceCredit`.
    package mutating func release(_ slot: Slot) {
        let record = table.record(slot)
        if !record.pointee.isClosed {
            precondition(record.pointee.identifier == 0, "a stream is released while it is open")
            open &-= 1
        }
        credit &+= record.pointee.unconsumed
        if probe.slot == slot { probe.slot = Self.noSlot }
        table.remove(slot)
    }

    /// The first of the caller's slots; see `slot(after:)`.
    package var firstSlot: Slot? { table.used(from: 0) }

    /// Streams may be released and reset between the calls.
    package func slot(after slot: Slot) -> Slot? { table.used(from: slot &+ 1) }

    /// Resets a stream: RST_STREAM, unless it is closed or has sent no head. It is to be released.
    package mutating func reset(_ slot: Slot, _ code: HTTP2ErrorCode, into w: inout HeadWriter) {
        let record = table.record(slot)
        if record.pointee.isClosed { return }
        record.pointee.flags.insert(.resetByUs)
        let stream = record.pointee.identifier
        if stream != 0 {
            w.resetStream(stream, code)
            closed.resetByUs(stream, last: lastStream)
        }
        forget(slot)
        announceCredit(into: &w)
    }

    /// RST_STREAM for what the peer did on a stream of the caller's.
    @inline(never)
    mutating func streamError(_ slot: Slot, _ code: HTTP2ErrorCode, into w: inout HeadWriter) -> Event {
        let wasClosed = isClosed(slot)
        reset(slot, code, into: &w)
        if !resetByUs.spend(1, limits.resetByUs, now) { return fail(.resetByUs, into: &w) }
        return wasClosed ? .nothing : .reset(slot, code, byPeer: false)
    }

    /// RST_STREAM for a stream that the caller was never told of; nil unless that was one too many.
    @inline(never)
    mutating func refuse(_ stream: UInt32, _ code: HTTP2ErrorCode, into w: inout HeadWriter) -> Event? {
        w.resetStream(stream, code)
        closed.resetByUs(stream, last: lastStream)
        return resetByUs.spend(1, limits.resetByUs, now) ? nil : fail(.resetByUs, into: &w)
    }

    /// The stream was just reset, by either side: nothing more comes of it, and what came of it is not waited for.
    mutating func forget(_ slot: Slot) {
        open &-= 1
        let record = table.record(slot)
        credit &+= record.pointee.unconsumed
        record.pointee.unconsumed = 0
        if contentSlot == slot {
            credit &+= contentRest
            contentSlot = Self.noSlot
        }
    }

    @inline(__always)
    mutating func endRemote(_ slot: Slot) {
        let record = table.record(slot)
        record.pointee.flags.insert(.remoteEnded)
        if record.pointee.flags.contains(.localEnded) { complete() }
    }

    @inline(__always)
    mutating func endLocal(_ slot: Slot) {
        let record = table.record(slot)
        record.pointee.flags.insert(.localEnded)
        if record.pointee.flags.contains(.remoteEnded) { complete() }
    }

    @inline(__always)
    private mutating func complete() {
        open &-= 1
        rapidReset.earn(1, limits.rapidReset)
        resetByUs.earn(1, limits.resetByUs)
    }
}
