/// What a field of a header block means for the head that it is in. The order counts: those up to a limit are copied as
/// they are.
enum FieldKind: UInt8, BitwiseCopyable {
    /// May be anywhere.
    case plain
    /// Must not be in a trailer section (`KnownField.isForbiddenInTrailers`).
    case known
    /// `te: trailers`, which requests may have.
    case acceptsTrailers
    /// Says something about the message, or may not be in HTTP/2.
    case special
    case method
    case scheme
    case authority
    case path
    case protocolName
    case status
    case malformed

    var isPseudo: Bool { rawValue >= FieldKind.method.rawValue && rawValue <= FieldKind.status.rawValue }
    var bit: UInt16 { 1 &<< UInt16(rawValue) }
}

/// A field as it was decoded: where its parts are is known from elsewhere.
struct FieldFacts: BitwiseCopyable {
    var nameCount: Int
    var valueCount = 0
    var known = KnownField.other
    /// From the name alone; with the value considered, `kind`.
    var nameKind = FieldKind.malformed
    var kind = FieldKind.malformed
    /// For a path, the offset of its `?` and 1 more, or 0; for what is malformed, the error's raw value.
    var detail: UInt32 = 0
    var isNeverIndexed = false

    var error: HeadError { HeadError(rawValue: UInt8(truncatingIfNeeded: detail)) ?? .fieldName }

    init(nameCount: Int) {
        self.nameCount = nameCount
    }

    private mutating func refuse(_ error: HeadError) {
        kind = .malformed
        detail = UInt32(error.rawValue)
    }
}

extension FieldFacts {
    /// Judges the name (RFC 9113 sections 8.2.1, 8.3).
    @inline(never)
    mutating func readName(_ name: UnsafeRawPointer) {
        nameKind = .malformed
        if nameCount == 0 { return refuse(.fieldName) }
        if ByteScan.byte(name, 0) == .colon {
            if let pseudo = Self.pseudo(name, nameCount) { nameKind = pseudo } else { refuse(.pseudoField) }
            return
        }
        if ByteScan.token(name, 0, nameCount) < nameCount { return refuse(.fieldName) }
        for offset in 0..<nameCount where ByteScan.byte(name, offset) &- 0x41 < 26 {
            return refuse(.uppercaseName)
        }
        known = KnownField.recognise(name, count: nameCount)
        switch known {
        case .other, .server: nameKind = .plain
        case .host, .te, .cookie, .contentLength, .expect, .connection, .keepAlive, .proxyConnection,
            .transferEncoding, .upgrade:
            nameKind = .special
        default: nameKind = .known
        }
    }

    private static func pseudo(_ name: UnsafeRawPointer, _ count: Int) -> FieldKind? {
        switch count {
        case 5 where ByteScan.agreement(name, 0, 5, ":path") == 5: .path
        case 7 where same(name, ":method"): .method
        case 7 where same(name, ":scheme"): .scheme
        case 7 where same(name, ":status"): .status
        case 9 where same(name, ":protocol"): .protocolName
        case 10 where same(name, ":authority"): .authority
        default: nil
        }
    }

    private static func same(_ name: UnsafeRawPointer, _ text: StaticString) -> Bool {
        for offset in 0..<text.utf8CodeUnitCount where ByteScan.byte(name, offset) != text.utf8Start[offset] {
            return false
        }
        return true
    }

    /// Judges the value, from `start` in `base`, for the name that was judged before.
    @inline(__always)
    mutating func readValue(_ base: UnsafeRawPointer, _ start: Int) {
        if nameKind.rawValue <= FieldKind.special.rawValue {
            kind = nameKind
            if !Self.isValue(base, start, start &+ valueCount) { return refuse(.valueByte) }
            if case .te = known { readTE(base, start) }
        } else if nameKind != .malformed {
            readPseudoValue(base + start)
        }
    }

    /// RFC 9113 section 8.2.2: nothing but `trailers`.
    private mutating func readTE(_ base: UnsafeRawPointer, _ start: Int) {
        kind = .acceptsTrailers
        if valueCount != 8 || !ByteScan.equalsIgnoringCase(base, start, "trailers") { refuse(.connectionField) }
    }

    /// RFC 9113 section 8.2.1: no white space around it; else as in HTTP/1.1.
    @inline(__always)
    private static func isValue(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
        if start == end { return true }
        let first = ByteScan.byte(base, start)
        let last = ByteScan.byte(base, end &- 1)
        if first == .space || first == .tab || last == .space || last == .tab { return false }
        return ByteScan.value(base, start, end) == end
    }

    /// RFC 9113 sections 8.3.1 and 8.3.2, RFC 8441 section 4.
    @inline(never)
    private mutating func readPseudoValue(_ value: UnsafeRawPointer) {
        kind = nameKind
        detail = 0
        switch nameKind {
        case .method:
            if valueCount == 0 || ByteScan.token(value, 0, valueCount) < valueCount { refuse(.method) }
        case .scheme:
            let isHTTP =
                valueCount == 4 && ByteScan.equalsIgnoringCase(value, 0, "http")
                || valueCount == 5 && ByteScan.equalsIgnoringCase(value, 0, "https")
            if !isHTTP { refuse(.scheme) }
        case .authority:
            if !Authority.isValid(value, ByteRange(0, valueCount)) { refuse(.authority) }
        case .path:
            readPath(value)
        case .protocolName:
            if !Self.isProtocol(value, valueCount) { refuse(.pseudoField) }
        case .status:
            let isStatus =
                valueCount == 3 && ByteScan.agreement(value, 0, 3, "ddd") == 3 && ByteScan.byte(value, 0) != 0x30
            if !isStatus { refuse(.statusLine) }
        default: break
        }
    }

    /// `/` and what follows, or `*`, whose method is checked later.
    private mutating func readPath(_ path: UnsafeRawPointer) {
        if valueCount == 0 { return refuse(.targetForm) }
        if ByteScan.byte(path, 0) != 0x2f {
            if valueCount != 1 || ByteScan.byte(path, 0) != 0x2a { refuse(.targetForm) }
            return
        }
        var end = ByteScan.target(path, 0, valueCount, inQuery: false)
        if end < valueCount, ByteScan.byte(path, end) == 0x3f {
            detail = UInt32(truncatingIfNeeded: end &+ 1)
            end = ByteScan.target(path, end &+ 1, valueCount, inQuery: true)
        }
        if end < valueCount { refuse(ByteScan.byte(path, end) == 0x23 ? .fragment : .targetByte) }
    }

    /// `protocol-name ["/" protocol-version]` (RFC 9110 section 7.8), but no `h2c`: the requests inside such a tunnel would
    /// be seen by nobody.
    private static func isProtocol(_ value: UnsafeRawPointer, _ count: Int) -> Bool {
        var end = ByteScan.token(value, 0, count)
        if end == 0 || end == 3 && ByteScan.equalsIgnoringCase(value, 0, "h2c") { return false }
        if end < count, ByteScan.byte(value, end) == 0x2f {
            let version = end &+ 1
            end = ByteScan.token(value, version, count)
            if end == version { return false }
        }
        return end == count
    }
}
