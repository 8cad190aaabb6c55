extension HTTP2Connection {
    /// Room that `w` needs for a head or trailers: `bytes` are those of method, authority, target, protocol, source and
    /// lines together, `fields` the number of fields.
    package static func headBound(bytes: Int, fields: Int) -> Int {
        let block = HeaderBlockEncoder.bound(bytes) &+ 8 &* fields
        return block &+ HTTP2FrameHeader.size &* (block / 16_384 &+ 2)
    }

    /// Client: sends the head of a stream that `open` gave, which gets its identifier now. `target` is path with query;
    /// for the other parameters see `HeaderBlockEncoder.request`.
    package mutating func writeRequest(
        _ slot: Slot, method: UnsafeRawBufferPointer, scheme: StaticString, authority: UnsafeRawBufferPointer,
        target: UnsafeRawBufferPointer, extendedProtocol: UnsafeRawBufferPointer, _ source: UnsafeRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, lines: UnsafeRawBufferPointer, acceptsTrailers: Bool,
        isEnd: Bool, into w: inout HeadWriter
    ) {
        let record = table.record(slot)
        // GOAWAY came between.
        if record.pointee.isReset { return }
        let stream = lastStream == 0 ? 1 : lastStream &+ 2
        closed.open(stream, after: lastStream)
        lastStream = stream
        table.identify(slot, stream)
        windowUpdate.earn(4, limits.windowUpdate)
        record.pointee.sendWindow = peerStreamWindow
        record.pointee.openedAt = now
        if Self.equals(method, "HEAD") { record.pointee.flags.insert(.isHEAD) }
        if Self.equals(method, "CONNECT") || extendedProtocol.count > 0 { record.pointee.flags.insert(.isConnect) }
        let start = beginBlock(into: &w)
        encoder.request(
            method: method, scheme: scheme, authority: authority, target: target, extendedProtocol: extendedProtocol,
            source, fields, lines: lines, acceptsTrailers: acceptsTrailers, into: &w)
        endBlock(start, stream, isEnd: isEnd, into: &w)
        if isEnd { endLocal(slot) }
    }

    /// Server; interim responses too, with `isEnd` false.
    package mutating func writeResponse(
        _ slot: Slot, status: UInt16, _ source: UnsafeRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, lines: UnsafeRawBufferPointer, isEnd: Bool,
        into w: inout HeadWriter
    ) {
        let record = table.record(slot)
        if record.pointee.isReset { return }
        precondition(!record.pointee.flags.contains(.localEnded), "a head behind the end of the stream")
        let start = beginBlock(into: &w)
        encoder.response(status: status, source, fields, lines: lines, into: &w)
        endBlock(start, record.pointee.identifier, isEnd: isEnd, into: &w)
        if isEnd { endLocal(slot) }
    }

    /// Ends our side.
    package mutating func writeTrailers(
        _ slot: Slot, _ source: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>,
        into w: inout HeadWriter
    ) {
        let record = table.record(slot)
        if record.pointee.isReset { return }
        precondition(!record.pointee.flags.contains(.localEnded), "trailers behind the end of the stream")
        let start = beginBlock(into: &w)
        encoder.trailers(source, fields, into: &w)
        endBlock(start, record.pointee.identifier, isEnd: true, into: &w)
        endLocal(slot)
    }

    /// Bytes of content that both windows allow now.
    package func sendable(_ slot: Slot) -> Int {
        let record = table.record(slot)
        if record.pointee.isReset { return 0 }
        return Int(max(0, min(sendWindow, record.pointee.sendWindow)))
    }

    /// Bytes of content that the connection's window allows all streams together.
    package var sendableInAll: Int { Int(max(0, sendWindow)) }

    /// `bytes` are at most `sendable`. In frames of at most the peer's SETTINGS_MAX_FRAME_SIZE; `w` needs 9 bytes for each,
    /// see `frames(_:)`. Nothing is written for nothing, unless it ends the stream.
    package mutating func writeData(
        _ slot: Slot, _ bytes: UnsafeRawBufferPointer, isEnd: Bool, into w: inout HeadWriter
    ) {
        let record = table.record(slot)
        if record.pointee.isReset { return }
        let flags = record.pointee.flags
        precondition(!flags.contains(.localEnded), "content behind the end of the stream")
        let window = min(sendWindow, record.pointee.sendWindow)
        precondition(bytes.count <= max(0, Int(window)), "content exceeds the windows")
        precondition(record.pointee.identifier != 0, "content before the head")
        if bytes.count == 0, !isEnd { return }
        let stream = record.pointee.identifier
        var position = 0
        repeat {
            let count = min(bytes.count &- position, peerFrameSize)
            let isLast = position &+ count == bytes.count
            let flags = isLast && isEnd ? HTTP2FrameFlags.endStream : 0
            w.frame(HTTP2FrameHeader(length: count, type: HTTP2FrameType.data, flags: flags, stream: stream))
            w.append(UnsafeRawBufferPointer(rebasing: bytes[position..<(position &+ count)]))
            position &+= count
            windowUpdate.earn(10, limits.windowUpdate)
            pingFlood.earn(1, limits.ping)
        } while position < bytes.count
        precondition(!w.overflowed, "no room for content")
        if bytes.count >= 16_384 { tinyWindow.earn(1, limits.tinyWindow) }
        sendWindow &-= Int32(truncatingIfNeeded: bytes.count)
        record.pointee.sendWindow &-= Int32(truncatingIfNeeded: bytes.count)
        if isEnd { endLocal(slot) }
    }

    /// Frames that `count` bytes of content take.
    package func frames(_ count: Int) -> Int { max(1, (count &+ peerFrameSize &- 1) / peerFrameSize) }

    // Blocks.

    /// Leaves room for the header of the frame that holds the block to be written.
    @inline(__always)
    func beginBlock(into w: inout HeadWriter) -> Int {
        let start = w.count
        _ = w.claim(HTTP2FrameHeader.size)
        return start
    }

    /// Writes that header, now that the block is there; more frames when it is too large for one.
    @inline(__always)
    func endBlock(_ start: Int, _ stream: UInt32, isEnd: Bool, into w: inout HeadWriter) {
        precondition(!w.overflowed, "no room for a head")
        let length = w.count &- start &- HTTP2FrameHeader.size
        if length > peerFrameSize { return cutBlock(start, length, stream, isEnd: isEnd, into: &w) }
        var flags = HTTP2FrameFlags.endHeaders
        if isEnd { flags |= HTTP2FrameFlags.endStream }
        HTTP2FrameHeader(length: length, type: HTTP2FrameType.headers, flags: flags, stream: stream)
            .store(to: w.written(from: start))
    }

    /// RFC 9113 section 6.10. The fragments move apart, the last first.
    @inline(never)
    private func cutBlock(
        _ start: Int, _ length: Int, _ stream: UInt32, isEnd: Bool, into w: inout HeadWriter
    ) {
        let count = (length &+ peerFrameSize &- 1) / peerFrameSize
        _ = w.claim((count &- 1) &* HTTP2FrameHeader.size)
        precondition(!w.overflowed, "no room for a head")
        let base = w.written(from: start)
        for number in (0..<count).reversed() {
            let offset = number &* peerFrameSize
            let size = min(peerFrameSize, length &- offset)
            let place = base + (offset &+ number &* HTTP2FrameHeader.size)
            if number > 0 {
                (place + HTTP2FrameHeader.size).copyMemory(
                    from: base + (HTTP2FrameHeader.size &+ offset), byteCount: size)
            }
            var flags = number == count &- 1 ? HTTP2FrameFlags.endHeaders : 0
            if number == 0, isEnd { flags |= HTTP2FrameFlags.endStream }
            let type = number == 0 ? HTTP2FrameType.headers : HTTP2FrameType.continuation
            HTTP2FrameHeader(length: size, type: type, flags: flags, stream: stream).store(to: place)
        }
    }

    @inline(__always)
    private static func equals(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount, let base = bytes.baseAddress else { return false }
        for index in 0..<bytes.count where ByteScan.byte(base, index) != text.utf8Start[index] { return false }
        return true
    }
}
