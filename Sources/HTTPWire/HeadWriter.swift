/// Writes heads and chunk framing into a caller's buffer. What does not fit is left out and sets `overflowed`, which stays
/// set: check it once at the end. Names and values are written as given: they come from a parser or are constants.
package struct HeadWriter {
    private let base: UnsafeMutableRawPointer?
    private let capacity: Int
    /// Bytes written.
    package private(set) var count = 0
    package private(set) var overflowed = false

    package init(_ buffer: UnsafeMutableRawBufferPointer) {
        base = buffer.baseAddress
        capacity = buffer.count
    }

    package var remaining: Int { capacity &- count }

    /// The place for the next `length` bytes, or nil when they do not fit.
    @inline(__always)
    mutating func claim(_ length: Int) -> UnsafeMutableRawPointer? {
        guard let base, !overflowed, length <= capacity &- count else {
            overflowed = true
            return nil
        }
        let place = base + count
        count &+= length
        return place
    }

    /// The bytes written from `offset` on, to be changed in place.
    @inline(__always)
    func written(from offset: Int) -> UnsafeMutableRawPointer {
        precondition(offset >= 0 && offset <= count && base != nil)
        return base.unsafelyUnwrapped + offset
    }

    /// Writes what `body` writes at the place that it is given, and says that it wrote: at most `bound` bytes, else nothing.
    @inline(__always)
    mutating func write(atMost bound: Int, _ body: (UnsafeMutableRawPointer) -> Int) {
        guard let base, !overflowed, bound <= capacity &- count else {
            overflowed = true
            return
        }
        let length = body(base + count)
        precondition(length >= 0 && length <= bound)
        count &+= length
    }

    @inline(__always)
    private mutating func append(_ source: UnsafeRawPointer, _ length: Int) {
        claim(length)?.copyMemory(from: source, byteCount: length)
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        append(source, bytes.count)
    }

    package mutating func append(_ text: StaticString) {
        append(UnsafeRawPointer(text.utf8Start), text.utf8CodeUnitCount)
    }

    package mutating func append(_ span: Span<UInt8>) {
        span.withUnsafeBytes { append($0) }
    }

    package mutating func append(byte: UInt8) {
        claim(1)?.storeBytes(of: byte, as: UInt8.self)
    }

    package mutating func append(decimal value: UInt64) {
        append(value, radix: 10)
    }

    /// Lowercase, without leading zeros.
    package mutating func append(hexadecimal value: UInt64) {
        append(value, radix: 16)
    }

    private mutating func append(_ value: UInt64, radix: UInt64) {
        var digits = 1
        var rest = value / radix
        while rest > 0 {
            digits &+= 1
            rest /= radix
        }
        guard let place = claim(digits) else { return }
        rest = value
        while digits > 0 {
            digits &-= 1
            let digit = UInt8(truncatingIfNeeded: rest % radix)
            place.storeBytes(of: digit < 10 ? 0x30 &+ digit : 0x57 &+ digit, toByteOffset: digits, as: UInt8.self)
            rest /= radix
        }
    }

    /// `METHOD TARGET HTTP/1.1 CRLF`
    package mutating func requestLine(method: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer) {
        append(method)
        append(byte: .space)
        append(target)
        append(" HTTP/1.1\r\n")
    }

    /// `HTTP/1.1 STATUS REASON CRLF`
    package mutating func statusLine(_ status: UInt16, reason: UnsafeRawBufferPointer) {
        append("HTTP/1.1 ")
        append(decimal: UInt64(status))
        append(byte: .space)
        append(reason)
        append("\r\n")
    }

    /// The same with the standard phrase for `status`.
    package mutating func statusLine(_ status: UInt16) {
        let phrase = ReasonPhrase.of(status)
        statusLine(status, reason: UnsafeRawBufferPointer(start: phrase.utf8Start, count: phrase.utf8CodeUnitCount))
    }

    /// `NAME: VALUE CRLF`
    package mutating func field(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    package mutating func field(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    package mutating func field(_ name: StaticString, _ value: StaticString) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }

    package mutating func field(_ name: StaticString, decimal value: UInt64) {
        append(name)
        append(": ")
        append(decimal: value)
        append("\r\n")
    }

    /// A field as it was parsed out of `head`, the bytes that its ranges count from.
    package mutating func field(_ field: FieldRange, of head: UnsafeRawBufferPointer) {
        append(head, field.name)
        append(": ")
        append(head, field.value)
        append("\r\n")
    }

    private mutating func append(_ head: UnsafeRawBufferPointer, _ range: ByteRange) {
        precondition(Int(range.start) &+ Int(range.count) <= head.count)
        guard let source = head.baseAddress, !range.isEmpty else { return }
        append(source + Int(range.start), Int(range.count))
    }

    /// The empty line that ends a head or a trailer section.
    package mutating func endOfHead() {
        append("\r\n")
    }

    /// `SIZE CRLF`; the chunk's `size` bytes (more than 0: a size of 0 would end the body) and `endOfChunk` must follow.
    package mutating func chunk(size: UInt64) {
        precondition(size > 0)
        append(hexadecimal: size)
        append("\r\n")
    }

    package mutating func endOfChunk() {
        append("\r\n")
    }

    /// `0 CRLF`; trailer fields and `endOfHead` must follow.
    package mutating func lastChunk() {
        append("0\r\n")
    }
}
