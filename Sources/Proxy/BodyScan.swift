import HTTPWire
import Reactor

/// What a run of received bytes is of a body.
struct BodyScan {
    enum Outcome {
        case more
        case complete
        case invalid
    }
    /// Bytes that are the body's, framing included; with `more`, those behind it are the start of something that must come
    /// whole.
    var consumed = 0
    var outcome = Outcome.more
    var error = BodyError.truncated
    /// The trailer section is among the bytes and has fields that must not be forwarded.
    var hasForbiddenTrailers = false
    /// Where the trailer section is, when there is one.
    var trailers = 0..<0
}

extension Worker {
    /// Runs a decoder over received bytes, to forward them as they are.
    mutating func scanBody(_ decoder: inout BodyDecoder, _ bytes: UnsafeRawBufferPointer) -> BodyScan {
        var scan = BodyScan()
        while true {
            switch decoder.next(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...])) {
            case .payload(_, let consumed):
                scan.consumed += consumed
                if scan.consumed == bytes.count && decoder.isDone {
                    scan.outcome = .complete
                    return scan
                }
            case .trailers(let range, let consumed):
                scan.trailers = scan.consumed + Int(range.start)..<scan.consumed + Int(range.end)
                scan.hasForbiddenTrailers = hasForbiddenFields(UnsafeRawBufferPointer(rebasing: bytes[scan.trailers]))
                scan.consumed += consumed
            case .end(let consumed):
                scan.consumed += consumed
                scan.outcome = .complete
                return scan
            case .needsMore(let consumed):
                scan.consumed += consumed
                return scan
            case .invalid(let error):
                scan.error = error
                scan.outcome = .invalid
                return scan
            }
        }
    }

    private func hasForbiddenFields(_ section: UnsafeRawBufferPointer) -> Bool {
        guard let count = TrailerFields.parse(section, fields: trailerFields) else { return true }
        for index in 0..<count where trailerFields[index].known.isForbiddenInTrailers { return true }
        return false
    }

    /// Copies `bytes`, whose part `section` is a trailer section, without the fields that must not be forwarded. A section
    /// with more fields than a head may have is left out whole.
    mutating func dropForbiddenTrailers(
        _ bytes: UnsafeRawBufferPointer, _ section: Range<Int>, into queue: inout ByteQueue
    ) {
        queue.append(UnsafeRawBufferPointer(rebasing: bytes[..<section.lowerBound]), &buffers)
        let lines = UnsafeRawBufferPointer(rebasing: bytes[section])
        let count = TrailerFields.parse(lines, fields: trailerFields) ?? 0
        for index in 0..<count where !trailerFields[index].known.isForbiddenInTrailers {
            let end = index + 1 < count ? Int(trailerFields[index + 1].name.start) : lines.count
            queue.append(
                UnsafeRawBufferPointer(rebasing: lines[Int(trailerFields[index].name.start)..<end]), &buffers)
        }
        queue.append(UnsafeRawBufferPointer(rebasing: bytes[section.upperBound...]), &buffers)
    }

    /// The content of a chunked body without its framing, for a client that knows no chunks.
    mutating func copyContent(
        _ decoder: inout BodyDecoder, _ bytes: UnsafeRawBufferPointer, into queue: inout ByteQueue
    ) -> BodyScan {
        var scan = BodyScan()
        while true {
            switch decoder.next(UnsafeRawBufferPointer(rebasing: bytes[scan.consumed...])) {
            case .payload(let range, let consumed):
                let start = scan.consumed + Int(range.start)
                queue.append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(range.count)]), &buffers)
                scan.consumed += consumed
            case .trailers(_, let consumed): scan.consumed += consumed
            case .end(let consumed):
                scan.consumed += consumed
                scan.outcome = .complete
                return scan
            case .needsMore(let consumed):
                scan.consumed += consumed
                return scan
            case .invalid(let error):
                scan.error = error
                scan.outcome = .invalid
                return scan
            }
        }
    }
}
