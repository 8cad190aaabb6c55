/// Frames of the connection, and those that manage a stream.
extension HTTP2Connection {
    /// Whether a frame on this stream, of another type than HEADERS and PRIORITY, is an error because the stream is idle
    /// (RFC 9113 section 5.1).
    @inline(__always)
    func isIdle(_ stream: UInt32) -> Bool {
        stream > lastStream || (stream & 1 == 0)
    }

    mutating func priorityFrame(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if frame.stream == 0 { return fail(.protocolError, "PRIORITY on stream 0", into: &w) }
        if !priority.spend(1, limits.priority, now) { return fail(.priority, into: &w) }
        if payload.count == 5 {
            let dependency = UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) & Self.highestIdentifier
            if dependency != frame.stream { return .nothing }
        }
        let code: HTTP2ErrorCode = payload.count == 5 ? .protocolError : .frameSizeError
        if let slot = table.find(frame.stream) { return streamError(slot, code, into: &w) }
        // RST_STREAM must not be sent on an idle stream, and a closed one has nothing to reset.
        return isIdle(frame.stream) ? fail(code, "PRIORITY is malformed", into: &w) : .nothing
    }

    mutating func resetStream(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if payload.count != 4 { return fail(.frameSizeError, "RST_STREAM does not have 4 bytes", into: &w) }
        if frame.stream == 0 || isIdle(frame.stream) {
            return fail(.protocolError, "RST_STREAM on an idle stream", into: &w)
        }
        guard let slot = table.find(frame.stream), !isClosed(slot) else {
            // It crossed the end of the stream, which happens at most once for each.
            return rapidReset.spend(1, limits.rapidReset, now) ? .nothing : fail(.rapidReset, into: &w)
        }
        let record = table.record(slot)
        if role == .server, now &- record.pointee.openedAt < limits.rapidResetAge,
            !rapidReset.spend(1, limits.rapidReset, now)
        {
            return fail(.rapidReset, into: &w)
        }
        record.pointee.flags.insert(.resetByPeer)
        forget(slot)
        announceCredit(into: &w)
        let code = HTTP2ErrorCode(wire: UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)))
        return .reset(slot, code, byPeer: true)
    }

    mutating func ping(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if payload.count != 8 { return fail(.frameSizeError, "PING does not have 8 bytes", into: &w) }
        if frame.stream != 0 { return fail(.protocolError, "PING on a stream", into: &w) }
        let value = UInt64(bigEndian: payload.loadUnaligned(as: UInt64.self))
        if frame.has(HTTP2FrameFlags.acknowledgement) {
            if acknowledged(value, into: &w) { return .nothing }
            return pingFlood.spend(1, limits.ping, now) ? .nothing : fail(.ping, into: &w)
        }
        if !pingFlood.spend(1, limits.ping, now) { return fail(.ping, into: &w) }
        w.ping(value, isAcknowledgement: true)
        return .nothing
    }

    mutating func goAway(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if payload.count < 8 { return fail(.frameSizeError, "GOAWAY has fewer than 8 bytes", into: &w) }
        if frame.stream != 0 { return fail(.protocolError, "GOAWAY on a stream", into: &w) }
        let last = UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) & Self.highestIdentifier
        let code = HTTP2ErrorCode(wire: UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        if let before = peerLastStream, last > before {
            return fail(.protocolError, "GOAWAY allows more streams than the one before", into: &w)
        }
        if !settingsFlood.spend(1, limits.settings, now) { return fail(.settings, into: &w) }
        peerLastStream = last
        if role == .client {
            var slot = table.used(from: 0)
            while let current = slot {
                let record = table.record(current)
                if record.pointee.identifier > last || record.pointee.identifier == 0, !record.pointee.isClosed {
                    record.pointee.flags.insert(.resetByPeer)
                    forget(current)
                }
                slot = table.used(from: current + 1)
            }
        }
        return .goAway(lastStream: last, code)
    }

    mutating func windowUpdate(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if payload.count != 4 { return fail(.frameSizeError, "WINDOW_UPDATE does not have 4 bytes", into: &w) }
        let increment = Int32(
            truncatingIfNeeded: UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self)) & Self.highestIdentifier)
        if !windowUpdate.spend(1, limits.windowUpdate, now) { return fail(.windowUpdate, into: &w) }
        if frame.stream == 0 {
            if increment == 0 { return fail(.protocolError, "WINDOW_UPDATE by 0", into: &w) }
            let before = sendWindow
            let (after, overflow) = before.addingReportingOverflow(increment)
            if overflow { return fail(.flowControlError, "the connection's window exceeds 2^31-1", into: &w) }
            sendWindow = after
            if isTiny(increment, after), !tinyWindow.spend(1, limits.tinyWindow, now) {
                return fail(.tinyWindow, into: &w)
            }
            return before <= 0 && after > 0 ? .connectionWritable : .nothing
        }
        if isIdle(frame.stream) { return fail(.protocolError, "WINDOW_UPDATE on an idle stream", into: &w) }
        guard let slot = table.find(frame.stream) else { return .nothing }
        let record = table.record(slot)
        if record.pointee.isClosed { return .nothing }
        if increment == 0 { return streamError(slot, .protocolError, into: &w) }
        let before = record.pointee.sendWindow
        let (after, overflow) = before.addingReportingOverflow(increment)
        if overflow { return streamError(slot, .flowControlError, into: &w) }
        record.pointee.sendWindow = after
        if record.pointee.flags.contains(.localEnded) { return .nothing }
        if isTiny(increment, after), !tinyWindow.spend(1, limits.tinyWindow, now) {
            return fail(.tinyWindow, into: &w)
        }
        return before <= 0 && after > 0 ? .writable(slot) : .nothing
    }

    @inline(__always)
    private func isTiny(_ increment: Int32, _ window: Int32) -> Bool {
        UInt32(bitPattern: increment) < limits.tinyWindowBytes && window < Int32(limits.tinyWindowBytes)
    }
}
