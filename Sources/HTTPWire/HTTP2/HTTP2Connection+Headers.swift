/// HEADERS and CONTINUATION (RFC 9113 sections 4.3, 6.2, 6.10 and 8).
extension HTTP2Connection {
    /// Interim responses that one stream may have.
    private static let interimLimit: UInt16 = 32

    @inline(__always)
    mutating func headers(
        _ payload: UnsafeRawBufferPointer, isHeld: Bool, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        let stream = frame.stream
        if stream == 0 { return fail(.protocolError, "HEADERS on stream 0", into: &w) }
        var start = 0
        var end = payload.count
        var dependsOnItself = false
        if frame.flags & (HTTP2FrameFlags.padded | HTTP2FrameFlags.priority) != 0 {
            if frame.has(HTTP2FrameFlags.padded) {
                if end == 0 { return fail(.frameSizeError, "HEADERS lack their padding's length", into: &w) }
                start = 1
                end &-= Int(payload[0])
            }
            if frame.has(HTTP2FrameFlags.priority) {
                if payload.count < start &+ 5 {
                    return fail(.frameSizeError, "HEADERS lack their priority", into: &w)
                }
                let dependency = UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                dependsOnItself = dependency & Self.highestIdentifier == stream
                start &+= 5
            }
            if start > end { return fail(.protocolError, "the padding of HEADERS is too long", into: &w) }
        }
        let endsStream = frame.has(HTTP2FrameFlags.endStream)
        if frame.has(HTTP2FrameFlags.endHeaders) {
            let block = UnsafeRawBufferPointer(rebasing: payload[start..<end])
            return headerBlock(stream, block, endsStream, dependsOnItself, text, fields, into: &w)
        }
        blockStream = stream
        blockEndsStream = endsStream
        blockDependsOnItself = dependsOnItself
        blockContinuations = 0
        keep(payload, start..<end, isHeld: isHeld)
        return .nothing
    }

    @inline(never)
    mutating func continuation(
        _ payload: UnsafeRawBufferPointer, isHeld: Bool, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        keep(payload, 0..<payload.count, isHeld: isHeld)
        if !frame.has(HTTP2FrameFlags.endHeaders) { return .nothing }
        let stream = blockStream
        blockStream = 0
        let event = headerBlock(
            stream, held.block, blockEndsStream, blockDependsOnItself, text, fields, into: &w)
        held.clear()
        return event
    }

    private mutating func keep(_ payload: UnsafeRawBufferPointer, _ range: Range<Int>, isHeld: Bool) {
        if isHeld { return held.keep(range) }
        held.append(UnsafeRawBufferPointer(rebasing: payload[range]))
        held.keep(0..<range.count)
    }

    /// A header block that is whole.
    @inline(__always)
    private mutating func headerBlock(
        _ stream: UInt32, _ block: UnsafeRawBufferPointer, _ isEnd: Bool, _ dependsOnItself: Bool,
        _ text: UnsafeMutableRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>,
        into w: inout HeadWriter
    ) -> Event {
        if role == .server, stream > lastStream, stream & 1 == 1, !dependsOnItself {
            return request(stream, block, isEnd, text, fields, into: &w)
        }
        if isIdle(stream) {
            if role == .server, stream & 1 == 1 { return refuseBlock(stream, block, .protocolError, into: &w) }
            return fail(.protocolError, "HEADERS on a stream that the peer must not open", into: &w)
        }
        guard let slot = table.find(stream) else { return lateBlock(stream, block, into: &w) }
        let flags = table.record(slot).pointee.flags
        if flags.contains(.resetByUs) { return skip(block, into: &w) ?? .nothing }
        if flags.contains(.remoteEnded) || flags.contains(.resetByPeer) {
            if flags.contains(.localEnded) || flags.contains(.resetByPeer) {
                return fail(.streamClosed, "HEADERS on a closed stream", into: &w)
            }
            return skip(block, into: &w) ?? streamError(slot, .streamClosed, into: &w)
        }
        if dependsOnItself { return skip(block, into: &w) ?? streamError(slot, .protocolError, into: &w) }
        if flags.contains(.hasHead) {
            // Trailers end the message, and a tunnel has none (section 8.5).
            if !isEnd || flags.contains(.isConnect) {
                return skip(block, into: &w) ?? streamError(slot, .protocolError, into: &w)
            }
            return trailers(slot, block, text, fields, into: &w)
        }
        return response(slot, block, isEnd, text, fields, into: &w)
    }

    /// Decodes a block that nobody wants, so that the dynamic table stays in step. Nil when it could be decoded.
    @inline(never)
    private mutating func skip(_ block: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event? {
        if case .compression = decoder.skip(block) { return compressionFailure(into: &w) }
        return nil
    }

    private mutating func compressionFailure(into w: inout HeadWriter) -> Event {
        fail(.compressionError, "a header block cannot be decompressed", into: &w)
    }

    /// HEADERS on a stream that was released, or never opened while a later one was.
    @inline(never)
    private mutating func lateBlock(
        _ stream: UInt32, _ block: UnsafeRawBufferPointer, into w: inout HeadWriter
    ) -> Event {
        switch closed.fate(stream, last: lastStream) {
        case .skipped:
            return fail(.protocolError, "a stream is opened with an identifier below the last", into: &w)
        case .ended:
            return fail(.streamClosed, "HEADERS on a closed stream", into: &w)
        case .resetByUs:
            return skip(block, into: &w) ?? .nothing
        case .forgotten:
            if let event = skip(block, into: &w) { return event }
            return resetByUs.spend(1, limits.resetByUs, now) ? .nothing : fail(.resetByUs, into: &w)
        }
    }

    /// A request that is not wanted, whatever it says.
    @inline(never)
    private mutating func refuseBlock(
        _ stream: UInt32, _ block: UnsafeRawBufferPointer, _ code: HTTP2ErrorCode, into w: inout HeadWriter
    ) -> Event {
        closed.open(stream, after: lastStream)
        lastStream = stream
        if let event = skip(block, into: &w) { return event }
        return refuse(stream, code, into: &w) ?? .nothing
    }

    private mutating func request(
        _ stream: UInt32, _ block: UnsafeRawBufferPointer, _ isEnd: Bool, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        if stream > lastStreamAllowed || open >= limits.concurrentStreams {
            return refuseBlock(stream, block, .refusedStream, into: &w)
        }
        closed.open(stream, after: lastStream)
        lastStream = stream
        windowUpdate.earn(4, limits.windowUpdate)
        priority.earn(4, limits.priority)
        var head = RequestHead()
        let outcome = decoder.request(
            block, isEnd: isEnd, allowsExtendedConnect: true, text: text, fields: fields, limits: headLimits,
            into: &head)
        switch outcome {
        case .ok: break
        case .compression: return compressionFailure(into: &w)
        case .malformed(let error):
            if error == .fieldName, !emptyField.spend(1, limits.emptyField, now) { return fail(.emptyField, into: &w) }
            return refuse(stream, .protocolError, into: &w) ?? .refused(stream: stream, error)
        case .tooLarge(let error):
            return refuseTooLarge(stream, error, isEnd, into: &w)
        }
        var record = HTTP2Stream(
            identifier: stream, user: 0, flags: .hasHead, sendWindow: peerStreamWindow,
            receiveWindow: Int32(bitPattern: limits.streamWindow), window: limits.streamWindow)
        record.openedAt = now
        if isEnd {
            record.flags.insert(.remoteEnded)
        } else if case .length(let length) = head.framing {
            record.contentRest = length
        }
        if head.form == .authority || head.isExtendedConnect { record.flags.insert(.isConnect) }
        open &+= 1
        return .request(table.insert(record), head, isEnd: isEnd)
    }

    /// 431 or 414, and the end of the stream.
    @inline(never)
    private mutating func refuseTooLarge(
        _ stream: UInt32, _ error: HeadError, _ isEnd: Bool, into w: inout HeadWriter
    ) -> Event {
        if !headerBomb.spend(1, limits.headerBomb, now) { return fail(.headerBomb, into: &w) }
        let start = beginBlock(into: &w)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        encoder.response(
            status: error.status, nothing, UnsafeMutableBufferPointer(start: nil, count: 0), lines: nothing, into: &w)
        endBlock(start, stream, isEnd: true, into: &w)
        // The rest of the request is not wanted (RFC 9113 section 8.1).
        if !isEnd { w.resetStream(stream, .noError) }
        closed.resetByUs(stream, last: lastStream)
        return .refused(stream: stream, error)
    }

    private mutating func response(
        _ slot: Slot, _ block: UnsafeRawBufferPointer, _ isEnd: Bool, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        let record = table.record(slot)
        var head = ResponseHead()
        let outcome = decoder.response(
            block, isEnd: isEnd, toHEAD: record.pointee.flags.contains(.isHEAD), text: text, fields: fields,
            limits: headLimits, into: &head)
        if let event = blockError(slot, outcome, into: &w) { return event }
        if head.status < 200 {
            record.pointee.interim &+= 1
            // 101 is not for HTTP/2 (section 8.6), and an interim response ends nothing (section 8.1).
            if isEnd || head.status == 101 { return streamError(slot, .protocolError, into: &w) }
            if record.pointee.interim > Self.interimLimit { return streamError(slot, .enhanceYourCalm, into: &w) }
            return .response(slot, head, isEnd: false)
        }
        record.pointee.flags.insert(.hasHead)
        if record.pointee.flags.contains(.isConnect) {
            // No tunnel comes of another status, and a tunnel's content has no length.
            if !(200..<300).contains(head.status) { record.pointee.flags.remove(.isConnect) }
        } else if case .length(let length) = head.framing {
            record.pointee.contentRest = length
        } else if head.framing == .none {
            record.pointee.contentRest = 0
        }
        if isEnd { endRemote(slot) }
        return .response(slot, head, isEnd: isEnd)
    }

    private mutating func trailers(
        _ slot: Slot, _ block: UnsafeRawBufferPointer, _ text: UnsafeMutableRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, into w: inout HeadWriter
    ) -> Event {
        var count = 0
        var length = 0
        let outcome = decoder.trailers(
            block, text: text, fields: fields, limits: headLimits, count: &count, length: &length)
        if let event = blockError(slot, outcome, into: &w) { return event }
        let rest = table.record(slot).pointee.contentRest
        if rest != 0, rest != HTTP2Stream.unknownLength { return streamError(slot, .protocolError, into: &w) }
        endRemote(slot)
        return .trailers(slot, count: count, length: length)
    }

    /// What an outcome other than `ok` means on a stream that the caller has.
    @inline(__always)
    private mutating func blockError(_ slot: Slot, _ outcome: BlockOutcome, into w: inout HeadWriter) -> Event? {
        if case .ok = outcome { return nil }
        return unusualBlockError(slot, outcome, into: &w)
    }

    @inline(never)
    private mutating func unusualBlockError(
        _ slot: Slot, _ outcome: BlockOutcome, into w: inout HeadWriter
    ) -> Event? {
        switch outcome {
        case .ok: return nil
        case .compression: return compressionFailure(into: &w)
        case .malformed(let error):
            if error == .fieldName, !emptyField.spend(1, limits.emptyField, now) { return fail(.emptyField, into: &w) }
            return streamError(slot, .protocolError, into: &w)
        case .tooLarge:
            if !headerBomb.spend(1, limits.headerBomb, now) { return fail(.headerBomb, into: &w) }
            return streamError(slot, .enhanceYourCalm, into: &w)
        }
    }
}
