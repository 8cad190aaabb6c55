// Any bytes as a Cookie field with session tokens in it, and as a grpc-timeout.

private let key = SessionKey([UInt8](0..<32))!
private let name: StaticString = "sid"

/// The values of `sid`, read in the most naive way.
private func reference(_ field: [UInt8]) -> [[UInt8]] {
    func trimmed(_ part: some BidirectionalCollection<UInt8>) -> [UInt8] {
        Array(part.drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }.reversed())
    }
    return field.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false).compactMap { part in
        let pair = trimmed(part)
        guard pair.starts(with: "sid=".utf8) else { return nil }
        let value = trimmed(pair.dropFirst(4))
        let isQuoted = value.count >= 2 && value.first == 34 && value.last == 34
        return isQuoted ? Array(value.dropFirst().dropLast()) : value
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    var values = CookieValues(
        bytes, named: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    var found: [[UInt8]] = []
    while let value = values.next() {
        found.append(Array(value))
        if let token = SessionToken(value, key: key) {
            check(written { token.write(key: key, to: &$0) } == Array(value), "a token has two texts")
        }
    }
    check(found == reference(Array(bytes)), "the naive reader differs")

    // The bytes as a token's parts come back, and no byte of the text may change.
    if count >= 40 {
        func word(_ offset: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        let token = SessionToken(
            high: word(0), low: word(8), port: UInt16(truncatingIfNeeded: word(16)), issued: word(24) >> 16,
            used: word(32) >> 16)
        var text = written { token.write(key: key, to: &$0) }
        check(text.withUnsafeBytes { SessionToken($0, key: key) } == token, "a token does not come back")
        let place = Int(bytes[18]) % text.count
        if text[place] != bytes[19] {
            text[place] = bytes[19]
            check(text.withUnsafeBytes { SessionToken($0, key: key) } == nil, "a changed token is taken")
        }
    }

    if let timeout = GRPCTimeout.parse(bytes) {
        check(timeout <= GRPCTimeout.longest, "too long a timeout")
        let again = written { GRPCTimeout.append(timeout, to: &$0) }
        let second = again.withUnsafeBytes { GRPCTimeout.parse($0) }
        check(second != nil && second! <= timeout, "written again, a timeout is longer")
    }
    return 0
}
