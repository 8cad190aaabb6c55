/// What our PINGs carry: it comes back with the acknowledgement.
enum HTTP2Ping {
    /// Measures what comes in within a round trip.
    static let probe: UInt64 = 0x5765_6972_0000_0001
    /// Comes back when the peer has seen the first GOAWAY of a drain.
    static let drain: UInt64 = 0x5765_6972_0000_0002
    /// Asks whether the peer is there.
    static let alive: UInt64 = 0x5765_6972_0000_0003
}

/// PING and going away (RFC 9113 sections 6.7 and 6.8).
extension HTTP2Connection {
    enum DrainState: UInt8, BitwiseCopyable {
        case none
        /// The peer was asked to open no more; what it opened before it heard is served.
        case announced
        /// The GOAWAY that counts was sent.
        case final
    }

    /// Asks whether the peer is there; `pingsOutstanding` falls with each answer.
    package mutating func ping(into w: inout HeadWriter) {
        pingsOutstanding += 1
        w.ping(HTTP2Ping.alive, isAcknowledgement: false)
    }

    /// The peer has not yet acknowledged our SETTINGS: when that takes too long, SETTINGS_TIMEOUT (section 6.5.3).
    package var awaitsSettings: Bool { settingsOutstanding > 0 }

    /// False when no such PING was sent.
    mutating func acknowledged(_ value: UInt64, into w: inout HeadWriter) -> Bool {
        switch value {
        case HTTP2Ping.probe where probe.isOutstanding:
            probeReturned(into: &w)
        case HTTP2Ping.drain where drainState == .announced:
            finishDrain(into: &w)
        case HTTP2Ping.drain where drainState == .final:
            break
        case HTTP2Ping.alive where pingsOutstanding > 0:
            pingsOutstanding -= 1
        default:
            return false
        }
        return true
    }

    /// Graceful (RFC 9113 section 6.8): GOAWAY that allows all streams, and a PING; at its acknowledgement the GOAWAY that
    /// counts, from when on streams are refused. Called again, it does not wait for the acknowledgement. A client's GOAWAY
    /// counts at once: its peer opens no streams.
    package mutating func drain(into w: inout HeadWriter) {
        switch drainState {
        case .none where role == .server && failure == nil:
            drainState = .announced
            w.goAway(lastStream: Self.highestIdentifier, .noError, "")
            w.ping(HTTP2Ping.drain, isAcknowledgement: false)
        case .none, .announced:
            finishDrain(into: &w)
        case .final:
            break
        }
    }

    private mutating func finishDrain(into w: inout HeadWriter) {
        goAway(.noError, into: &w)
    }

    /// The highest identifier of a stream that was, or may yet be, processed: what GOAWAY says.
    package var highestProcessed: UInt32 { role == .server ? min(lastStream, lastStreamAllowed) : 0 }

    /// The last GOAWAY was sent, and nothing is open.
    package var isDrained: Bool { drainState == .final && open == 0 }

    /// GOAWAY at once: streams that are open go on, later ones are refused.
    package mutating func goAway(_ code: HTTP2ErrorCode, into w: inout HeadWriter) {
        if failure != nil { return }
        drainState = .final
        lastStreamAllowed = role == .server ? min(lastStream, lastStreamAllowed) : 0
        w.goAway(lastStream: lastStreamAllowed, code, "")
    }
}
