// Compiled together with Sources/HTTPWire by Deploy/fuzz; one entry point each is in the files named Fuzz*.swift.

/// A head as plain values: what must not depend on how the bytes were cut, or on where they lie.
struct Plain<Head: Hashable>: Equatable {
    enum Result: Equatable {
        case incomplete
        case invalid(HeadError)
        case head(Head)
    }

    var result: Result
    var fields: [FieldRange] = []
}

/// Room for as many lines as the default limits allow, made once and full of garbage.
nonisolated(unsafe) let fieldBuffer: UnsafeMutableBufferPointer<FieldRange> = {
    let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 200)
    let garbage = ByteRange(start: .max, count: .max)
    fields.initialize(repeating: FieldRange(name: garbage, value: garbage, known: .host, hopByHop: true))
    return fields
}()

func plain<Head: Hashable>(_ result: HeadResult<Head>, _ fieldCount: (Head) -> Int) -> Plain<Head> {
    switch result {
    case .incomplete: Plain(result: .incomplete)
    case .invalid(let error): Plain(result: .invalid(error))
    case .head(let head): Plain(result: .head(head), fields: Array(fieldBuffer.prefix(fieldCount(head))))
    }
}

func check(_ condition: Bool, _ message: StaticString) {
    if !condition { fatalError("\(message)") }
}

/// A copy whose end the address sanitizer watches.
func withExactCopy<Result>(
    _ bytes: UnsafeRawBufferPointer, _ count: Int, _ body: (UnsafeRawBufferPointer) -> Result
) -> Result {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    return body(UnsafeRawBufferPointer(copy))
}

/// Offsets to cut `count` bytes at: all for short inputs, else some spread by the content.
func cuts(_ bytes: UnsafeRawBufferPointer) -> [Int] {
    if bytes.count <= 48 { return Array(0...bytes.count) }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return (0..<6).map { index in
        hash = hash &* 0x5851_f42d_4c95_7f2d &+ UInt64(index) &+ 1
        return Int((hash >> 33) % UInt64(bytes.count + 1))
    }
}

/// The result for all of `bytes`, after checking that two pieces, and for short inputs single bytes, give the same.
func parseEveryWay<Head: Hashable, Parser>(
    _ bytes: UnsafeRawBufferPointer, _ fresh: Parser,
    _ parse: (inout Parser, UnsafeRawBufferPointer) -> Plain<Head>
) -> Plain<Head> {
    var parser = fresh
    let whole = parse(&parser, bytes)
    for cut in cuts(bytes) {
        var parser = fresh
        let first = withExactCopy(bytes, cut) { parse(&parser, $0) }
        let both = first.result == .incomplete ? parse(&parser, bytes) : first
        check(both == whole, "two pieces differ from the whole")
    }
    if bytes.count <= 256 {
        var parser = fresh
        for count in 0...bytes.count {
            let step = withExactCopy(bytes, count) { parse(&parser, $0) }
            if count == bytes.count || step.result != .incomplete {
                check(step == whole, "single bytes differ from the whole")
                break
            }
        }
    }
    return whole
}

func checkFields(_ fields: [FieldRange], _ bytes: UnsafeRawBufferPointer, from start: Int, to length: Int) {
    var last = start
    for field in fields {
        check(Int(field.name.start) >= last && !field.name.isEmpty, "a name is out of place")
        check(field.value.isEmpty || field.value.start > field.name.end, "a value is before its name")
        last = field.value.isEmpty ? Int(field.name.end) : Int(field.value.end)
        check(last <= length, "a field is beyond the head")
        for offset in Int(field.name.start)..<Int(field.name.end) {
            check(isToken(bytes[offset]), "a name is not a token")
        }
        for offset in Int(field.value.start)..<Int(field.value.end) {
            let byte = bytes[offset]
            check((byte >= 32 && byte != 127) || byte == 9, "a value holds a control byte")
        }
        if !field.value.isEmpty {
            for edge in [bytes[Int(field.value.start)], bytes[Int(field.value.end) - 1]] {
                check(edge != 32 && edge != 9, "a value has white space around it")
            }
        }
    }
}

/// RFC 9110 section 5.6.2, spelled out.
func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

extension UnsafeRawBufferPointer {
    subscript(_ range: ByteRange) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[Int(range.start)..<Int(range.end)])
    }

    func holdsSame(_ other: UnsafeRawBufferPointer) -> Bool { elementsEqual(other) }
}

/// The bytes that `body` writes.
func written(_ body: (inout HeadWriter) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 1 << 17) { buffer, count in
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(buffer))
        body(&writer)
        check(!writer.overflowed, "the writer ran out of room")
        count = writer.count
    }
}

func checkSameFields(
    _ fields: [FieldRange], _ bytes: UnsafeRawBufferPointer, _ others: [FieldRange],
    _ otherBytes: UnsafeRawBufferPointer
) {
    check(fields.count == others.count, "written again, there are more or fewer fields")
    for (field, other) in zip(fields, others) {
        check(
            bytes[field.name].holdsSame(otherBytes[other.name]) && bytes[field.value].holdsSame(otherBytes[other.value])
                && field.known == other.known && field.hopByHop == other.hopByHop,
            "written again, a field differs")
    }
}
