// The first lines, and the fields that are more than a line.

extension HeadBuilder {
    /// Writes what comes before the fields. Not for trailers, which start with their first line.
    @inline(never)
    mutating func begin() -> Bool {
        switch section {
        case .request: beginRequest()
        case .response: beginResponse()
        case .trailers: true
        }
    }

    private mutating func beginResponse() -> Bool {
        guard has(.status) else { return refuse(.pseudoFieldMissing) }
        guard 15 <= end else { return refuse(tooLarge: .headTooLarge) }
        let code = self[.status].start
        for offset in 0..<3 { status = status &* 10 &+ UInt16(ByteScan.byte(code, offset) &- 0x30) }
        let digits = status / 10
        let text = text
        text.storeBytes(of: UInt64(littleEndian: 0x312e_312f_5054_5448), as: UInt64.self)
        // The reason is empty: `HTTP/1.1 200 CRLF`.
        var rest: UInt64 = 0x0a0d_2000_0000_20
        rest |= UInt64(0x30 &+ digits / 10) &<< 8 | UInt64(0x30 &+ digits % 10) &<< 16
        rest |= UInt64(0x30 &+ status % 10) &<< 24
        text.storeBytes(of: rest.littleEndian, toByteOffset: 8, as: UInt64.self)
        length = 15
        firstLine = 15
        return true
    }

    /// RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4: which pseudo-fields there must be.
    private mutating func beginRequest() -> Bool {
        guard has(.method) else { return refuse(.pseudoFieldMissing) }
        let method = self[.method]
        isCONNECT = method.count == 7 && ByteScan.agreement(method.start, 0, 7, "CONNECT") == 7
        if has(.protocolName) {
            guard isCONNECT, allowsExtendedConnect else { return refuse(.pseudoField) }
            isExtendedConnect = true
            isCONNECT = false
        }
        if isCONNECT {
            if has(.scheme) || has(.path) { return refuse(.pseudoField) }
            guard has(.authority) else { return refuse(.pseudoFieldMissing) }
            let authority = self[.authority]
            let range = ByteRange(0, Int(authority.count))
            guard Authority.isValid(authority.start, range, portRequired: true) else { return refuse(.authority) }
            self[.path] = authority
        } else {
            guard has(.scheme), has(.path) else { return refuse(.pseudoFieldMissing) }
            // Nothing but this starts otherwise than with `/`.
            if ByteScan.byte(self[.path].start, 0) == 0x2a {
                let isOPTIONS = method.count == 7 && ByteScan.agreement(method.start, 0, 7, "OPTIONS") == 7
                guard isOPTIONS else { return refuse(.targetForm) }
            }
        }
        guard Int(self[.path].count) <= targetLimit else { return refuse(tooLarge: .targetTooLong) }
        return writeRequestLine()
    }

    /// `METHOD SP target SP HTTP/1.1 CRLF`, and the lines of the authority and the protocol.
    private mutating func writeRequestLine() -> Bool {
        let hasAuthority = has(.authority)
        let methodCount = isExtendedConnect ? 3 : Int(self[.method].count)
        let pathCount = Int(self[.path].count)
        let authorityCount = Int(self[.authority].count)
        let protocolCount = isExtendedConnect ? Int(self[.protocolName].count) &+ 11 : 0
        let whole = methodCount &+ pathCount &+ 12 &+ (hasAuthority ? authorityCount &+ 8 : 0) &+ protocolCount
        let lines = (hasAuthority ? 1 : 0) &+ (isExtendedConnect ? 1 : 0)
        guard whole <= end, whole <= tail else { return refuse(tooLarge: .headTooLarge) }
        guard lines <= capacity else { return refuse(tooLarge: .tooManyFields) }
        let text = text
        if isExtendedConnect {
            text.storeBytes(of: UInt32(littleEndian: 0x2054_4547), as: UInt32.self)
        } else {
            copyValue(.method, to: 0)
            text.storeBytes(of: .space, toByteOffset: methodCount, as: UInt8.self)
        }
        let start = methodCount &+ 1
        copyValue(.path, to: start)
        target = ByteRange(start, start &+ pathCount)
        // ` HTTP/1.1 CRLF`.
        var place = start &+ pathCount
        text.storeBytes(
            of: UInt64(littleEndian: 0x2e31_2f50_5454_4820), toByteOffset: place, as: UInt64.self)
        text.storeBytes(of: 0x31, toByteOffset: place &+ 8, as: UInt8.self)
        text.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: place &+ 9, as: UInt16.self)
        place &+= 11
        length = place
        firstLine = place
        if hasAuthority {
            text.storeBytes(of: UInt32(littleEndian: 0x7473_6f68), toByteOffset: place, as: UInt32.self)
            text.storeBytes(of: UInt16(littleEndian: 0x203a), toByteOffset: place &+ 4, as: UInt16.self)
            copyValue(.authority, to: place &+ 6)
            self[.authority].start = UnsafeRawPointer(text + place + 6)
            place &+= 6 &+ authorityCount
            text.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: place, as: UInt16.self)
            note(4, authorityCount, .host, hopByHop: false, neverIndexed: false)
        }
        if isExtendedConnect { writeUpgrade() }
        return true
    }

    /// In steps when all values are in tables, which have room behind them.
    @inline(__always)
    private func copyValue(_ kind: FieldKind, to place: Int) {
        let value = self[kind]
        if isExact {
            (text + place).copyMemory(from: value.start, byteCount: Int(value.count))
        } else {
            copySteps(text + place, value.start, Int(value.count))
        }
    }

    private mutating func writeUpgrade() {
        let place = text + length
        let name = self[.protocolName]
        let count = Int(name.count)
        place.copyMemory(from: UnsafeRawPointer(("upgrade: " as StaticString).utf8Start), byteCount: 9)
        (place + 9).copyMemory(from: name.start, byteCount: count)
        place.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: 9 &+ count, as: UInt16.self)
        upgrade = ByteRange(length &+ 9, length &+ 9 &+ count)
        note(7, count, .upgrade, hopByHop: true, neverIndexed: false)
    }

    /// Copies `line` to `length` unless it is there, and notes it.
    private mutating func append(_ facts: FieldFacts, _ line: UnsafeRawPointer) -> Bool {
        let count = facts.nameCount &+ facts.valueCount &+ 4
        guard hasRoom(length &+ count) else { return false }
        let place = text + length
        if UnsafeRawPointer(place) != line { copySteps(place, line, count) }
        note(
            facts.nameCount, facts.valueCount, facts.known, hopByHop: facts.known.isHopByHop,
            neverIndexed: facts.isNeverIndexed)
        return true
    }

    mutating func takeSpecial(_ facts: FieldFacts, _ line: UnsafeRawPointer) -> Bool {
        let bit: UInt64 = 1 &<< UInt64(facts.known.rawValue)
        switch facts.known {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade:
            // RFC 9113 section 8.2.2.
            return refuse(.connectionField)
        case .host where section == .request:
            if present & bit != 0 { return refuse(.hostRepeated) }
            let start = facts.nameCount &+ 2
            guard Authority.isValid(line, ByteRange(start, start &+ facts.valueCount)) else {
                return refuse(.hostInvalid)
            }
            if has(.authority) {
                present |= bit
                // The line of the authority is there.
                return isAuthority(line + start, facts.valueCount) || refuse(.hostDiffers)
            }
        case .cookie:
            if section != .trailers, present & bit != 0 { return addCookie(facts, line) }
        default: break
        }
        if section == .trailers { return true }
        repeated |= present & bit
        present |= bit
        return append(facts, line)
    }

    /// RFC 9113 section 8.3.1: the same after scheme-based normalization (RFC 3986 section 6.2.3).
    private func isAuthority(_ host: UnsafeRawPointer, _ count: Int) -> Bool {
        let authority = self[.authority]
        let count = withoutDefaultPort(host, count)
        guard count == withoutDefaultPort(authority.start, Int(authority.count)) else { return false }
        for offset in 0..<count {
            let left = ByteScan.byte(host, offset)
            let right = ByteScan.byte(authority.start, offset)
            let isLetter = (left | 0x20) &- 0x61 < 26
            if left != right && !(isLetter && left ^ right == 0x20) { return false }
        }
        return true
    }

    private func withoutDefaultPort(_ host: UnsafeRawPointer, _ count: Int) -> Int {
        if ByteScan.byte(host, count &- 1) == .colon { return count &- 1 }
        if isCONNECT { return count }
        let scheme = self[.scheme]
        if scheme.count == 4, count > 3, ByteScan.agreement(host, count &- 3, count, ":80") == 3 { return count &- 3 }
        if scheme.count == 5, count > 4, ByteScan.agreement(host, count &- 4, count, ":443") == 4 { return count &- 4 }
        return count
    }

    /// RFC 9113 section 8.2.3: several are one.
    private mutating func addCookie(_ facts: FieldFacts, _ line: UnsafeRawPointer) -> Bool {
        if facts.valueCount == 0 { return true }
        let last = count &- 1
        if case .cookie = fields[last].known {
        } else {
            cookiesApart = true
            return append(facts, line)
        }
        let glue = fields[last].value.count == 0 ? 0 : 2
        let next = length &+ glue &+ facts.valueCount
        guard next <= end else { return refuse(tooLarge: .headTooLarge) }
        // The value may lie behind its place, in steps that are already read.
        text.storeBytes(of: UInt16(littleEndian: 0x203b), toByteOffset: length &- 2, as: UInt16.self)
        copySteps(text + (length &- 2 &+ glue), line + facts.nameCount + 2, facts.valueCount)
        text.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: next &- 2, as: UInt16.self)
        length = next
        fields[last].value.count &+= UInt32(truncatingIfNeeded: glue &+ facts.valueCount)
        if facts.isNeverIndexed { fields[last].neverIndexed = true }
        return true
    }

    /// Makes one line, the last, of the cookie lines between which others came.
    @inline(never)
    mutating func joinCookies() {
        var total = 0
        for index in 0..<count where fields[index].known == .cookie {
            total &+= Int(fields[index].value.count) &+ 2
        }
        withUnsafeTemporaryAllocation(byteCount: total, alignment: 1) { joined in
            let cookie = joined.baseAddress!
            var size = 0
            var neverIndexed = false
            var place = Int(fields[0].name.start)
            var kept = 0
            for index in 0..<count {
                var field = fields[index]
                if field.known == .cookie {
                    if field.value.isEmpty { continue }
                    if size > 0 {
                        cookie.storeBytes(of: UInt16(littleEndian: 0x203b), toByteOffset: size, as: UInt16.self)
                        size &+= 2
                    }
                    (cookie + size).copyMemory(
                        from: text + Int(field.value.start), byteCount: Int(field.value.count))
                    size &+= Int(field.value.count)
                    neverIndexed = neverIndexed || field.neverIndexed
                    continue
                }
                let line = Int(field.name.count) &+ Int(field.value.count) &+ 4
                (text + place).copyMemory(from: text + Int(field.name.start), byteCount: line)
                field.move(to: place)
                fields[kept] = field
                kept &+= 1
                place &+= line
            }
            count = kept
            length = place
            let line = text + place
            line.copyMemory(from: UnsafeRawPointer(("cookie: " as StaticString).utf8Start), byteCount: 8)
            (line + 8).copyMemory(from: cookie, byteCount: size)
            line.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: 8 &+ size, as: UInt16.self)
            note(6, size, .cookie, hopByHop: false, neverIndexed: neverIndexed)
        }
    }

    /// Brings the Host line to the front, where that of an authority would be. False without one.
    @inline(never)
    mutating func hoistHost() -> Bool {
        var index = 0
        while index < count, fields[index].known != .host { index &+= 1 }
        if index == count { return refuse(.hostMissing) }
        let host = fields[index]
        let start = Int(host.name.start)
        let size = Int(host.value.count) &+ 8
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { line in
            line.baseAddress!.copyMemory(from: text + start, byteCount: size)
            (text + firstLine + size).copyMemory(from: text + firstLine, byteCount: start &- firstLine)
            (text + firstLine).copyMemory(from: line.baseAddress!, byteCount: size)
        }
        while index > 0 {
            var field = fields[index &- 1]
            // A protocol's line is the only one before the fields whose range is kept elsewhere.
            if field.known == .upgrade { upgrade.start &+= UInt32(truncatingIfNeeded: size) }
            field.move(to: Int(field.name.start) &+ size)
            fields[index] = field
            index &-= 1
        }
        var first = host
        first.move(to: firstLine)
        fields[0] = first
        return true
    }
}

extension FieldRange {
    /// For a line `name: value CRLF`, which starts at `start` now.
    fileprivate mutating func move(to start: Int) {
        value.start = UInt32(truncatingIfNeeded: start) &+ (value.start &- name.start)
        name.start = UInt32(truncatingIfNeeded: start)
    }
}

/// Copies in steps of 32 bytes: `from` must be readable and `to` writable up to the step in which `count` ends; 32 more
/// bytes never hurt. `to` may lie before `from` in the same bytes.
@inline(__always)
func copySteps(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer, _ count: Int) {
    copyStep(to, from)
    if count > 32 {
        copyStep(to + 32, from + 32)
        if count > 64 { (to + 64).copyMemory(from: from + 64, byteCount: count &- 64) }
    }
}

@inline(__always)
private func copyStep(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer) {
    let first = from.loadUnaligned(as: SIMD16<UInt8>.self)
    let second = from.loadUnaligned(fromByteOffset: 16, as: SIMD16<UInt8>.self)
    to.storeBytes(of: first, as: SIMD16<UInt8>.self)
    to.storeBytes(of: second, toByteOffset: 16, as: SIMD16<UInt8>.self)
}
