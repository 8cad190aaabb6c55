/// A host with an optional port, as in the Host field and in targets: `uri-host [ ":" port ]` (RFC 9110 section 7.2,
/// RFC 3986 section 3.2.2). No user information, no IPvFuture, no zone identifier; the host is not empty, the port is at
/// most 65535 and may be empty.
enum Authority {
    static func isValid(_ base: UnsafeRawPointer, _ range: ByteRange, portRequired: Bool = false) -> Bool {
        let start = Int(range.start)
        let end = Int(range.end)
        guard start < end else { return false }
        var position = start
        if ByteScan.byte(base, start) == 0x5b {
            while position < end, ByteScan.byte(base, position) != 0x5d { position &+= 1 }
            guard position < end, isIPv6(base, start &+ 1, position) else { return false }
            position &+= 1
        } else {
            while true {
                position = ByteScan.registeredName(base, position, end)
                if position >= end || ByteScan.byte(base, position) != 0x25 { break }
                guard position &+ 2 < end, ByteScan.byte(base, position &+ 1).hexadecimal != 255,
                    ByteScan.byte(base, position &+ 2).hexadecimal != 255
                else { return false }
                position &+= 3
            }
            if position == start { return false }
        }
        if position == end { return !portRequired }
        guard ByteScan.byte(base, position) == .colon else { return false }
        position &+= 1
        if portRequired, position == end { return false }
        var port: UInt32 = 0
        while position < end {
            let byte = ByteScan.byte(base, position)
            guard byte.isDigit else { return false }
            port = port &* 10 &+ UInt32(byte &- 0x30)
            if port > 65535 { return false }
            position &+= 1
        }
        return true
    }

    /// RFC 3986 section 3.2.2, `IPv6address`: eight groups of one to four hexadecimal digits, at most one `::` that stands
    /// for at least one group, and perhaps a dotted IPv4 address as the last two groups.
    private static func isIPv6(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        var position = start
        var groups = 0
        var shortened = false
        if position &+ 1 < end, ByteScan.byte(base, position) == .colon {
            guard ByteScan.byte(base, position &+ 1) == .colon else { return false }
            shortened = true
            position &+= 2
        }
        while position < end {
            if groups == 8 { return false }
            let group = position
            while position < end, ByteScan.byte(base, position).hexadecimal != 255 { position &+= 1 }
            if position < end, ByteScan.byte(base, position) == 0x2e {
                guard isIPv4(base, group, end) else { return false }
                groups &+= 2
                break
            }
            guard position > group, position &- group <= 4 else { return false }
            groups &+= 1
            if position == end { break }
            guard ByteScan.byte(base, position) == .colon else { return false }
            position &+= 1
            if position < end, ByteScan.byte(base, position) == .colon {
                if shortened { return false }
                shortened = true
                position &+= 1
            } else if position == end {
                return false
            }
        }
        return shortened ? groups <= 7 : groups == 8
    }

    /// Four decimal numbers of at most 255, without leading zeros.
    private static func isIPv4(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        var position = start
        for index in 0..<4 {
            if index > 0 {
                guard position < end, ByteScan.byte(base, position) == 0x2e else { return false }
                position &+= 1
            }
            let octet = position
            var value = 0
            while position < end, ByteScan.byte(base, position).isDigit, position &- octet < 3 {
                value = value &* 10 &+ Int(ByteScan.byte(base, position) &- 0x30)
                position &+= 1
            }
            guard position > octet, value <= 255, position &- octet == 1 || ByteScan.byte(base, octet) != 0x30 else {
                return false
            }
        }
        return position == end
    }
}
