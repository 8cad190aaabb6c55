/// How much a chunked body may hold besides content. Exactly at a limit passes.
package struct ChunkLimits: BitwiseCopyable, Hashable, Sendable {
    /// Bytes of extensions in one chunk's line, from the semicolon to the CRLF.
    package var lineExtension: UInt32
    /// Bytes of extensions in one body.
    package var bodyExtensions: UInt32
    /// Bytes of the trailer section with its final empty line.
    package var trailers: UInt32
    /// Lines of the trailer section.
    package var trailerFields: UInt16

    package init(
        lineExtension: UInt32 = 256, bodyExtensions: UInt32 = 16384, trailers: UInt32 = 16384,
        trailerFields: UInt16 = 100
    ) {
        self.lineExtension = lineExtension
        self.bodyExtensions = bodyExtensions
        self.trailers = trailers
        self.trailerFields = trailerFields
    }
}

/// Decodes the chunked transfer coding (RFC 9112 section 7.1) as it streams by; holds no bytes.
///
/// Strict: a size is 1 to 16 hexadecimal digits, directly followed by CRLF or by `;`; a line ends with CRLF; an extension
/// holds no control byte but HTAB, and is otherwise not read. Every verdict but the trailers' is told at the first bad
/// byte, however the bytes were cut.
package struct ChunkedDecoder: BitwiseCopyable, Sendable {
    private enum Part: UInt8, BitwiseCopyable {
        case size
        case lineExtension
        /// Behind the CR that ends a size line.
        case sizeLineFeed
        case content
        case contentCarriageReturn
        case contentLineFeed
        case trailers
        case done
    }

    package let limits: ChunkLimits
    /// Of the chunk: the size so far, then the content to come.
    private var size: UInt64 = 0
    private var lineExtension: UInt32 = 0
    private var bodyExtensions: UInt32 = 0
    private var trailers = FieldScan()
    private var part = Part.size
    private var digits: UInt8 = 0

    package init(limits: ChunkLimits = ChunkLimits()) {
        self.limits = limits
    }

    /// The body is over, its trailers included.
    package var isDone: Bool { part == .done }

    package mutating func next(_ bytes: UnsafeRawBufferPointer) -> ChunkedEvent {
        guard let base = bytes.baseAddress else { return part == .done ? .end(consumed: 0) : .needsMore(consumed: 0) }
        let end = bytes.count
        var position = 0
        while position < end {
            let byte = ByteScan.byte(base, position)
            switch part {
            case .size:
                let digit = byte.hexadecimal
                if digit < 16 {
                    if digits == 16 { return .invalid(.chunkSizeTooLarge) }
                    digits &+= 1
                    size = size << 4 | UInt64(digit)
                } else if digits == 0 {
                    return .invalid(.chunkSize)
                } else if byte == .carriageReturn {
                    part = .sizeLineFeed
                } else if byte == 0x3b {
                    part = .lineExtension
                    continue
                } else {
                    return .invalid(.chunkSize)
                }
                position &+= 1
            case .lineExtension:
                let start = position
                position = ByteScan.value(base, position, end)
                let (line, lineOverflow) = lineExtension.addingReportingOverflow(UInt32(clamping: position &- start))
                let (body, bodyOverflow) = bodyExtensions.addingReportingOverflow(UInt32(clamping: position &- start))
                if lineOverflow || bodyOverflow || line > limits.lineExtension || body > limits.bodyExtensions {
                    return .invalid(.chunkExtensionTooLong)
                }
                lineExtension = line
                bodyExtensions = body
                if position == end { return .needsMore(consumed: end) }
                if ByteScan.byte(base, position) != .carriageReturn { return .invalid(.chunkExtension) }
                part = .sizeLineFeed
                position &+= 1
            case .sizeLineFeed:
                if byte != .lineFeed { return .invalid(.chunkSize) }
                position &+= 1
                part = size == 0 ? .trailers : .content
            case .content:
                let count = min(UInt64(end &- position), size, UInt64(UInt32.max >> 1))
                size &-= count
                if size == 0 { part = .contentCarriageReturn }
                let payload = ByteRange(position, position &+ Int(count))
                return .payload(payload, consumed: position &+ Int(count))
            case .contentCarriageReturn:
                if byte != .carriageReturn { return .invalid(.chunkEnd) }
                position &+= 1
                part = .contentLineFeed
            case .contentLineFeed:
                if byte != .lineFeed { return .invalid(.chunkEnd) }
                position &+= 1
                part = .size
                digits = 0
                lineExtension = 0
            case .trailers:
                return readTrailers(base, position, end)
            case .done:
                return .end(consumed: position)
            }
        }
        return part == .done ? .end(consumed: position) : .needsMore(consumed: position)
    }

    /// The section starts at `start`, at each call again until it is whole.
    private mutating func readTrailers(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> ChunkedEvent {
        let available = min(end &- start, Int(limits.trailers))
        switch trailers.run(base + start, available, fields: nil, capacity: Int(limits.trailerFields)) {
        case .incomplete:
            return available == Int(limits.trailers) ? .invalid(.trailersTooLarge) : .needsMore(consumed: start)
        case .invalid(let error):
            return .invalid(error == .tooManyFields ? .trailersTooLarge : .trailerSyntax)
        case .done:
            part = .done
            let length = Int(trailers.position)
            if length == 2 { return .end(consumed: start &+ 2) }
            return .trailers(ByteRange(start, start &+ length &- 2), consumed: start &+ length)
        }
    }
}

/// Splits a trailer section that a decoder gave out into its fields.
package enum TrailerFields {
    /// Writes the fields of `section` to `fields` and returns how many there are, or nil when they do not fit, or the bytes
    /// are no trailer section. Ranges count from the section's first byte. `known.isForbiddenInTrailers` tells what must
    /// not be forwarded.
    package static func parse(
        _ section: UnsafeRawBufferPointer, fields: UnsafeMutableBufferPointer<FieldRange>
    ) -> Int? {
        guard let base = section.baseAddress, let first = fields.baseAddress else { return section.isEmpty ? 0 : nil }
        var scan = FieldScan()
        let outcome = scan.run(base, section.count, fields: first, capacity: fields.count)
        // The section comes without its empty line: the scan ends wanting it.
        guard case .incomplete = outcome, scan.part == .line, Int(scan.position) == section.count else { return nil }
        return Int(scan.count)
    }
}
