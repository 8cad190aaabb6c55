/// RFC 9113 section 6.5.
enum HTTP2Settings {
    static let headerTableSize: UInt16 = 0x1
    static let enablePush: UInt16 = 0x2
    static let maxConcurrentStreams: UInt16 = 0x3
    static let initialWindowSize: UInt16 = 0x4
    static let maxFrameSize: UInt16 = 0x5
    static let maxHeaderListSize: UInt16 = 0x6
    /// RFC 8441.
    static let enableConnectProtocol: UInt16 = 0x8
    static let entrySize = 6

    /// What we announce; all that differs from the defaults.
    static func write(
        _ role: HTTP2Connection.Role, _ limits: HTTP2Limits, _ head: HeadLimits, into w: inout HeadWriter
    ) {
        let start = w.count
        w.frame(HTTP2FrameHeader(length: 0, type: HTTP2FrameType.settings, stream: 0))
        func entry(_ identifier: UInt16, _ value: UInt32) {
            w.append(bigEndian: identifier)
            w.append(bigEndian: value)
        }
        switch role {
        case .server:
            entry(maxConcurrentStreams, limits.concurrentStreams)
            entry(enableConnectProtocol, 1)
        case .client:
            entry(enablePush, 0)
        }
        if limits.streamWindow != 65_535 { entry(initialWindowSize, limits.streamWindow) }
        if limits.frameSize != 16_384 { entry(maxFrameSize, limits.frameSize) }
        // The setting counts 32 bytes more for each field, the limit 4.
        entry(maxHeaderListSize, UInt32(head.head + 28 * head.fields))
        precondition(!w.overflowed, "no room for SETTINGS")
        let header = HTTP2FrameHeader(
            length: w.count - start - HTTP2FrameHeader.size, type: HTTP2FrameType.settings, stream: 0)
        header.store(to: w.written(from: start))
    }
}

extension HTTP2Connection {
    /// A SETTINGS frame, whole.
    mutating func settings(_ payload: UnsafeRawBufferPointer, into w: inout HeadWriter) -> Event {
        if frame.stream != 0 { return fail(.protocolError, "SETTINGS on a stream", into: &w) }
        if frame.has(HTTP2FrameFlags.acknowledgement) {
            if payload.count > 0 {
                return fail(.frameSizeError, "an acknowledgement of SETTINGS has content", into: &w)
            }
            if settingsOutstanding > 0 {
                settingsOutstanding -= 1
                decoder.settingsAcknowledged()
            } else if !settingsFlood.spend(1, limits.settings, now) {
                return fail(.settings, into: &w)
            }
            return .nothing
        }
        if payload.count % HTTP2Settings.entrySize != 0 {
            return fail(.frameSizeError, "SETTINGS end within a setting", into: &w)
        }
        let entries = payload.count / HTTP2Settings.entrySize
        if !settingsFlood.spend(1 + Int32(truncatingIfNeeded: entries / 32), limits.settings, now) {
            return fail(.settings, into: &w)
        }
        // Streams get what remains at the end: one pass over the table, however often the frame sets it.
        var streamWindow = peerStreamWindow
        for entry in 0..<entries {
            let place = entry * HTTP2Settings.entrySize
            let identifier = UInt16(bigEndian: payload.loadUnaligned(fromByteOffset: place, as: UInt16.self))
            let value = UInt32(bigEndian: payload.loadUnaligned(fromByteOffset: place + 2, as: UInt32.self))
            switch identifier {
            case HTTP2Settings.headerTableSize:
                encoder.setPeerLimit(value)
            case HTTP2Settings.enablePush:
                if value > (role == .client ? 0 : 1) {
                    return fail(.protocolError, "SETTINGS_ENABLE_PUSH has a value that it must not", into: &w)
                }
            case HTTP2Settings.maxConcurrentStreams:
                peerStreams = value
            case HTTP2Settings.initialWindowSize:
                guard let window = Int32(exactly: value) else {
                    return fail(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is above 2^31-1", into: &w)
                }
                streamWindow = window
            case HTTP2Settings.maxFrameSize:
                if value < 16_384 || value >= 1 << 24 {
                    return fail(.protocolError, "SETTINGS_MAX_FRAME_SIZE is out of range", into: &w)
                }
                peerFrameSize = Int(value)
            case HTTP2Settings.enableConnectProtocol:
                if value > 1 || (allowsExtendedConnect && value == 0) {
                    return fail(
                        .protocolError, "SETTINGS_ENABLE_CONNECT_PROTOCOL has a value that it must not", into: &w)
                }
                allowsExtendedConnect = value == 1
            default:
                break
            }
        }
        // The first frame says all that its sender sets: without the setting, there is no limit.
        if !hasSettings, !sets(HTTP2Settings.maxConcurrentStreams, payload) { peerStreams = .max }
        hasSettings = true
        if streamWindow != peerStreamWindow, !setPeerStreamWindow(streamWindow) {
            return fail(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE makes a window larger than 2^31-1", into: &w)
        }
        w.frame(
            HTTP2FrameHeader(
                length: 0, type: HTTP2FrameType.settings, flags: HTTP2FrameFlags.acknowledgement, stream: 0))
        return .settings
    }

    private func sets(_ setting: UInt16, _ payload: UnsafeRawBufferPointer) -> Bool {
        stride(from: 0, to: payload.count, by: HTTP2Settings.entrySize).contains {
            UInt16(bigEndian: payload.loadUnaligned(fromByteOffset: $0, as: UInt16.self)) == setting
        }
    }

    /// RFC 9113 section 6.9.2: the difference goes to all streams. False when a window would be too large.
    private mutating func setPeerStreamWindow(_ value: Int32) -> Bool {
        let difference = Int64(value) - Int64(peerStreamWindow)
        peerStreamWindow = value
        var slot = table.used(from: 0)
        while let current = slot {
            let record = table.record(current)
            let before = record.pointee.sendWindow
            guard let after = Int32(exactly: Int64(before) + difference) else { return false }
            record.pointee.sendWindow = after
            if before <= 0, after > 0 { owesConnectionWritable = true }
            slot = table.used(from: current + 1)
        }
        return true
    }
}
