/// What a body was decoded to.
private struct Decoded: Equatable {
    var content: [UInt8] = []
    var trailers: [UInt8] = []
    var length: Int?
    var error: BodyError?
}

private func decode(_ message: UnsafeRawBufferPointer, _ limits: ChunkLimits, _ arrivals: [Int]) -> Decoded {
    var decoder = ChunkedDecoder(limits: limits)
    var decoded = Decoded()
    var start = 0
    for end in arrivals {
        while true {
            let window = UnsafeRawBufferPointer(rebasing: message[start..<end])
            let event = withExactCopy(window, window.count) { decoder.next($0) }
            switch event {
            case .payload(let range, let consumed):
                check(consumed <= window.count && Int(range.end) <= consumed && !range.isEmpty, "content out of bounds")
                decoded.content += window[range]
                start += consumed
            case .trailers(let range, let consumed):
                check(
                    consumed <= window.count && Int(range.end) <= consumed && !range.isEmpty, "trailers out of bounds")
                let section = window[range]
                decoded.trailers = Array(section)
                let fields = TrailerFields.parse(section, fields: fieldBuffer)
                check(fields != nil, "trailers that passed do not parse")
                checkFields(Array(fieldBuffer.prefix(fields!)), section, from: 0, to: section.count)
                start += consumed
            case .needsMore(let consumed):
                check(consumed <= window.count, "more consumed than there is")
                check(window.count - consumed < Int(limits.trailers), "too much is kept")
                start += consumed
            case .end(let consumed):
                check(decoder.isDone && consumed <= window.count, "an end that is none")
                decoded.length = start + consumed
                return decoded
            case .invalid(let error):
                decoded.error = error
                return decoded
            }
            if case .needsMore = event { break }
        }
    }
    return decoded
}

/// The grammar of RFC 9112 section 7.1, read in the most naive way; nil unless `message` starts with a whole body.
private func reference(_ message: [UInt8]) -> (content: [UInt8], length: Int)? {
    var content: [UInt8] = []
    var position = 0

    func line() -> [UInt8]? {
        var end = position
        while end + 1 < message.count, !(message[end] == 13 && message[end + 1] == 10) { end += 1 }
        guard end + 1 < message.count else { return nil }
        defer { position = end + 2 }
        return Array(message[position..<end])
    }

    while true {
        guard let line = line() else { return nil }
        let digits = line.prefix { $0 != UInt8(ascii: ";") }
        let isHexadecimal = digits.allSatisfy { "0123456789abcdefABCDEF".utf8.contains($0) }
        guard (1...16).contains(digits.count), isHexadecimal,
            line.dropFirst(digits.count).allSatisfy({ ($0 >= 32 && $0 != 127) || $0 == 9 }),
            let size = UInt64(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return nil }
        if size == 0 { break }
        guard size <= UInt64(message.count - position) else { return nil }
        let end = position + Int(size)
        guard end + 1 < message.count, message[end] == 13, message[end + 1] == 10 else { return nil }
        content += message[position..<end]
        position = end + 2
    }
    while let line = line() {
        if line.isEmpty { return (content, position) }
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        guard !name.isEmpty, name.count < line.count, name.allSatisfy(isToken),
            line.dropFirst(name.count).allSatisfy({ ($0 >= 32 && $0 != 127) || $0 == 9 })
        else { return nil }
    }
    return nil
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    for limits in [ChunkLimits(), ChunkLimits(lineExtension: 4, bodyExtensions: 6, trailers: 20, trailerFields: 2)] {
        let whole = decode(bytes, limits, [count])
        for cut in cuts(bytes) {
            check(decode(bytes, limits, [cut, count]) == whole, "two pieces differ from the whole")
        }
        if count <= 256 {
            check(decode(bytes, limits, Array(0...count)) == whole, "single bytes differ from the whole")
        }
    }

    let whole = decode(bytes, ChunkLimits(), [count])
    let naive = reference(Array(bytes))
    if let length = whole.length {
        check(naive?.length == length && naive?.content == whole.content, "the naive reader differs")
    } else if whole.error != .chunkExtensionTooLong && whole.error != .trailersTooLarge {
        check(naive == nil, "the naive reader takes what the decoder does not")
    }

    // Content and trailers, written again, decode to the same.
    guard whole.length != nil, whole.content.count < 1 << 16 else { return 0 }
    let again = written { writer in
        if !whole.content.isEmpty {
            writer.chunk(size: UInt64(whole.content.count))
            writer.append(whole.content.span)
            writer.endOfChunk()
        }
        writer.lastChunk()
        writer.append(whole.trailers.span)
        writer.endOfHead()
    }
    again.withUnsafeBytes { copy in
        let second = decode(copy, ChunkLimits(), [copy.count])
        check(second.length == copy.count && second.content == whole.content, "written again, the content differs")
        check(second.trailers == whole.trailers, "written again, the trailers differ")
    }
    return 0
}
