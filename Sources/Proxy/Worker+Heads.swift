import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    /// Writes the head that goes to the endpoint to `out`. Its length, or nil when it does not fit.
    ///
    /// Field lines go as they came, in runs, without the ones that are meant for this hop (RFC 9110 section 7.6.1), the ones
    /// that are said anew, and the ones that the route takes away.
    mutating func writeRequestHead(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead,
        _ reference: UnsafePointer<PlannedReference>
    ) -> Int? {
        var writer = HeadWriter(out)
        let isAbsolute = head.isAbsolute
        if reference.pointee.rewrites == nil && !isAbsolute && !head.isHTTP10 {
            // The line as it came, with its CRLF: it has one form only.
            let end = Int(head.target.end) + 11
            writer.append(UnsafeRawBufferPointer(rebasing: bytes[Int(head.ranges.method.start)..<end]))
        } else {
            writer.append(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]))
            writer.append(byte: 0x20)
        }
        var saysHost = isAbsolute
        if let rewrites = reference.pointee.rewrites {
            writeTarget(rewrites, bytes, head, &writer)
            writer.append(" HTTP/1.1\r\n")
            rewrites._withUnsafeGuaranteedRef { rewrites in
                guard let hostname = rewrites.hostname else { return }
                hostname.withUnsafeBytes { writer.field("Host", $0) }
                saysHost = true
            }
        } else if isAbsolute {
            writer.appendOrigin(bytes, head)
            writer.append(" HTTP/1.1\r\n")
        } else if head.isHTTP10 {
            writer.append(UnsafeRawBufferPointer(rebasing: bytes[head.target]))
            writer.append(" HTTP/1.1\r\n")
        }
        if isAbsolute && !(reference.pointee.rewrites?._withUnsafeGuaranteedRef { $0.hostname != nil } ?? false) {
            writer.field("Host", UnsafeRawBufferPointer(rebasing: bytes[head.ranges.authority]))
        }
        let edits = reference.pointee.requestEdits
        if head.isExtendedConnect { dropKey(UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount]), bytes) }
        writer.appendFields(
            bytes, UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount]), end: head.length - 2, edits,
            dropsHost: saysHost)
        if head.framing.isChunked || x.pointee.chunksRequest { writer.append("Transfer-Encoding: chunked\r\n") }
        if !head.upgrade.isEmpty {
            writer.append("Connection: Upgrade\r\n")
            let upgrade = UnsafeRawBufferPointer(rebasing: bytes[head.upgrade])
            writer.field("Upgrade", upgrade)
            if head.isExtendedConnect { writeKey(x, upgrade, &writer) }
        }
        writer.append("\r\n")
        return writer.overflowed ? nil : writer.count
    }

    static func hasDate(_ fields: UnsafeMutableBufferPointer<FieldRange>) -> Bool {
        for index in 0..<fields.count {
            if case .date = fields[index].known { return true }
        }
        return false
    }

    /// Writes the target that the route's rewrites make of the request's.
    mutating func writeTarget(
        _ rewrites: Unmanaged<PlannedRewrites>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead,
        _ writer: inout HeadWriter
    ) {
        if case .asterisk = head.form { return writer.append("*") }
        text.removeAll(keepingCapacity: true)
        rewrites._withUnsafeGuaranteedRef {
            $0.rewrites.appendTarget(
                to: &text, Span(_unsafeElements: bytes.assumingMemoryBound(to: UInt8.self)), head.ranges)
        }
        text.withUnsafeBytes { writer.append($0) }
    }

    /// Writes the head that goes to the client to `out`. Its length, or nil when it does not fit.
    mutating func writeResponseHead(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: ResponseHead) -> Int? {
        var writer = HeadWriter(out)
        if case .http11 = head.version, !head.reason.isEmpty {
            // The line as it came, with its CRLF.
            writer.append(UnsafeRawBufferPointer(rebasing: bytes[..<(Int(head.reason.end) + 2)]))
        } else if head.reason.isEmpty {
            // HTTP/2 has no reason phrases, and some clients want one.
            writer.statusLine(head.status)
        } else {
            writer.statusLine(head.status, reason: UnsafeRawBufferPointer(rebasing: bytes[head.reason]))
        }
        let isFinal = head.status >= 200
        // Interim responses are not the route's to change.
        let edits = isFinal ? x.pointee.reference?.pointee.responseEdits ?? .none : .none
        let all = UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount])
        if isFinal && x.pointee.auth != Slab.none { editResponse(x, bytes, all) }
        writer.appendFields(bytes, all, end: head.length - 2, edits, dropsHost: false)
        if isFinal {
            if !x.pointee.responseLines.isVacant { writer.append(x.pointee.responseLines.bytes) }
            // RFC 9110 section 6.6.1: added by whoever forwards a response that lacks it.
            if !Self.hasDate(all) { writer.field("Date", date.bytes(now: now)) }
            if head.framing.isChunked && !x.pointee.unchunks || x.pointee.chunksResponse {
                writer.append("Transfer-Encoding: chunked\r\n")
            }
            if !x.pointee.keepAlive {
                writer.append("Connection: close\r\n")
            } else if x.pointee.isHTTP10 {
                writer.append("Connection: keep-alive\r\n")
            }
        } else if head.status == 101 {
            writer.append("Connection: Upgrade\r\n")
            writer.field("Upgrade", UnsafeRawBufferPointer(rebasing: bytes[head.upgrade]))
        }
        writer.append("\r\n")
        return writer.overflowed ? nil : writer.count
    }
}

extension PlannedEdits {
    /// Whether a modifier takes lines of this name away. `dropped` is in lowercase.
    func drops(_ name: UnsafeRawBufferPointer) -> Bool {
        for candidate in dropped where candidate.count == name.count {
            var isEqual = true
            for index in 0..<name.count {
                let byte = name[index]
                let lowercased = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
                if lowercased != candidate[index] {
                    isEqual = false
                    break
                }
            }
            if isEqual { return true }
        }
        return false
    }
}

extension HeadWriter {
    /// The field lines that go on, then the ones that modifiers add. `end` is where the last line ends.
    mutating func appendFields(
        _ bytes: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, end: Int,
        _ edits: PlannedEdits, dropsHost: Bool
    ) {
        var runStart = -1
        for index in 0..<fields.count {
            let field = fields[index]
            var isDropped = field.hopByHop
            if dropsHost, case .host = field.known { isDropped = true }
            if !isDropped && !edits.dropped.isEmpty {
                isDropped = edits.drops(UnsafeRawBufferPointer(rebasing: bytes[field.name]))
            }
            let start = Int(field.name.start)
            if isDropped {
                if runStart >= 0 { append(UnsafeRawBufferPointer(rebasing: bytes[runStart..<start])) }
                runStart = -1
            } else if runStart < 0 {
                runStart = start
            }
        }
        if runStart >= 0 { append(UnsafeRawBufferPointer(rebasing: bytes[runStart..<end])) }
        append(edits.lines)
    }

    /// An absolute-form target in origin-form (RFC 9112 section 3.2.1); for OPTIONS without a path, asterisk-form
    /// (section 3.2.4).
    mutating func appendOrigin(_ bytes: UnsafeRawBufferPointer, _ head: RequestHead) {
        if head.ranges.authority.end == head.target.end
            && Method(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method])) == .options
        {
            append(byte: 0x2a)
            return
        }
        append(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.path]))
        if head.ranges.hasQuery {
            append(byte: 0x3f)
            append(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.query]))
        }
    }
}

/// The current time as a Date field's value, made once a second.
struct DateText: ~Copyable {
    private var second: Int = -1
    private var checked: UInt64 = 0
    private let text = UnsafeMutableRawBufferPointer.allocate(byteCount: 29, alignment: 1)

    deinit { text.deallocate() }

    /// Valid until the next call.
    mutating func bytes(now: UInt64) -> UnsafeRawBufferPointer {
        if second < 0 || now &- checked >= 250_000_000 {
            checked = now
            var time = Glibc.time(nil)
            if time != second {
                second = time
                var parts = tm()
                gmtime_r(&time, &parts)
                write(parts)
            }
        }
        return UnsafeRawBufferPointer(text)
    }

    /// IMF-fixdate (RFC 9110 section 5.6.7), whatever the locale.
    private func write(_ parts: tm) {
        let days: StaticString = "SunMonTueWedThuFriSat"
        let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
        var place = 0
        func put(_ byte: UInt8) {
            text[place] = byte
            place += 1
        }
        func name(_ names: StaticString, _ index: Int32) {
            for offset in 0..<3 { put(names.utf8Start[Int(index) * 3 + offset]) }
        }
        func number(_ value: Int32, digits: Int) {
            var divisor: Int32 = digits == 4 ? 1000 : 10
            while divisor > 0 {
                put(0x30 + UInt8(value / divisor % 10))
                divisor /= 10
            }
        }
        name(days, parts.tm_wday)
        put(0x2c)
        put(0x20)
        number(parts.tm_mday, digits: 2)
        put(0x20)
        name(months, parts.tm_mon)
        put(0x20)
        number(parts.tm_year + 1900, digits: 4)
        put(0x20)
        number(parts.tm_hour, digits: 2)
        put(0x3a)
        number(parts.tm_min, digits: 2)
        put(0x3a)
        number(parts.tm_sec, digits: 2)
        for byte in [0x20, 0x47, 0x4d, 0x54] as [UInt8] { put(byte) }
    }
}
