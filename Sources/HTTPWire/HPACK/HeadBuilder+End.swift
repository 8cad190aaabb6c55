// The end of a head, once all its fields are there.

extension HeadBuilder {
    /// Fills in `head` (RFC 9113 sections 8.1.1 and 8.3.1).
    mutating func finish(isEnd: Bool, into head: inout RequestHead) -> BlockOutcome {
        guard length > 0 || begin() else { return outcome }
        guard has(.authority) || hoistHost() else { return outcome }
        head = RequestHead()
        head.version = .http2
        head.keepAlive = true
        head.ranges.method = ByteRange(start: 0, count: target.start &- 1)
        head.target = target
        head.ranges.authority = fields[0].value
        if isCONNECT {
            head.form = .authority
            head.ranges.authority = target
        } else {
            let path = self[.path]
            if path.count == 1, ByteScan.byte(text, Int(target.start)) == 0x2a { head.form = .asterisk }
            head.ranges.path = target
            if path.detail > 0 {
                head.ranges.hasQuery = true
                head.ranges.path.count = path.detail &- 1
                head.ranges.query = ByteRange(start: target.start &+ path.detail, count: target.count &- path.detail)
            }
        }
        head.upgrade = upgrade
        head.isExtendedConnect = isExtendedConnect
        head.acceptsTrailers = acceptsTrailers
        head.framing = isEnd ? .none : .untilClose
        if present != 0 {
            if cookiesApart { joinCookies() }
            let meaning = meaning
            head.expectsContinue = meaning.expectsContinue
            switch meaning.framing(.http2) {
            case .length(let length):
                if !isEnd { head.framing = .length(length) } else if length > 0 { return .malformed(.endWithLength) }
            case .invalid(let error): return .malformed(error)
            case .none, .chunked: break
            }
        }
        head.fieldCount = count
        head.length = endOfHead()
        return .ok
    }

    /// The same for a response; `toHEAD`: to HEAD (RFC 9110 section 6.4.1).
    mutating func finish(isEnd: Bool, toHEAD: Bool, into head: inout ResponseHead) -> BlockOutcome {
        guard length > 0 || begin() else { return outcome }
        // RFC 9113 sections 8.1 and 8.6.
        if status == 101 || status < 200 && isEnd { return .malformed(.statusLine) }
        head = ResponseHead()
        head.version = .http2
        head.keepAlive = true
        head.status = status
        head.reason = ByteRange(start: 13, count: 0)
        let forbidsContent = status < 200 || status == 204
        let hasContent = !toHEAD && status != 304 && !forbidsContent
        if hasContent, !isEnd { head.framing = .untilClose }
        if present != 0 {
            if cookiesApart { joinCookies() }
            switch meaning.framing(.http2) {
            case .length(let length):
                // As in HTTP/1.1, 0 is harmless.
                if forbidsContent, length > 0 { return .malformed(.lengthForbidden) }
                if hasContent {
                    if !isEnd {
                        head.framing = .length(length)
                    } else if length > 0 {
                        return .malformed(.endWithLength)
                    }
                }
            case .invalid(let error): return .malformed(error)
            case .none, .chunked: break
            }
        }
        head.fieldCount = count
        head.length = endOfHead()
        return .ok
    }

    private var meaning: FieldMeaning {
        FieldMeaning(
            UnsafeRawPointer(text), UnsafeMutableBufferPointer(start: fields, count: count), count, present: present,
            repeated: repeated)
    }

    private func endOfHead() -> Int {
        text.storeBytes(of: UInt16(littleEndian: 0x0a0d), toByteOffset: length, as: UInt16.self)
        return length &+ 2
    }
}
