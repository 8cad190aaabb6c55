/// Encodes heads as header blocks (RFC 7541). One for each connection; blocks must be sent in the order in which they were
/// made.
///
/// A field goes into the table when it comes for the second time, so that values which change with each message do not push
/// out those that stay; `EncoderIndex` remembers what came once. Strings are Huffman-coded when they go into the table,
/// which they do once; in literals that come with each message, coding would cost both ends more than the bytes are worth.
package struct HeaderBlockEncoder: ~Copyable {
    /// A value shorter than that could be found out by trying (RFC 7541 section 7.1.3).
    private static var guessable: Int { 20 }

    var index: EncoderIndex
    /// Entries of the dynamic table.
    package var tableCount: Int { index.table.count }
    /// Our own bound.
    private let capacity: Int
    /// The smallest size that the peer was not told of, while there is one to tell.
    private var smallest: Int
    private var isUpdateDue: Bool

    /// `tableCapacity`: what the table takes at most, up to 65,536, whatever the peer allows.
    package init(tableCapacity: Int = 4096) {
        precondition(tableCapacity >= 0 && tableCapacity <= 65536)
        capacity = tableCapacity
        let initial = HeaderBlockDecoder.initialCapacity
        index = EncoderIndex(maximum: min(initial, tableCapacity))
        smallest = min(initial, tableCapacity)
        isUpdateDue = tableCapacity < initial
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE. The next block starts with the update that it calls for.
    package mutating func setPeerLimit(_ size: UInt32) {
        let maximum = min(Int(size), capacity)
        if maximum == index.table.maximum { return }
        smallest = isUpdateDue ? min(smallest, maximum) : maximum
        isUpdateDue = true
        index.table.setMaximum(maximum)
    }

    /// Bytes that a block takes at most: `bytes` are those of the method, authority, target, protocol, source and lines
    /// together. A string's length takes a byte more per 127 bytes at most, and a line loses three bytes for the others.
    package static func bound(_ bytes: Int) -> Int { bytes &+ bytes / 64 &+ 128 }

    /// Encodes a request's head. `target` is the path with its query; `fields` are `source`'s, with names in any case, of
    /// which those with `hopByHop`, and Host, are left out; `lines` are whole `Name: value CRLF` lines that come behind,
    /// without any that are for HTTP/1.1 connections. `extendedProtocol` makes an extended CONNECT (RFC 8441) of whatever
    /// `method` is; a CONNECT without it has an authority only. `acceptsTrailers` becomes `te: trailers`.
    ///
    /// Nothing is written, and nothing changes, when `writer` has not `bound` bytes left. The fields must not overlap.
    package mutating func request(
        method: UnsafeRawBufferPointer, scheme: StaticString, authority: UnsafeRawBufferPointer,
        target: UnsafeRawBufferPointer, extendedProtocol: UnsafeRawBufferPointer, _ source: UnsafeRawBufferPointer,
        _ fields: UnsafeMutableBufferPointer<FieldRange>, lines: UnsafeRawBufferPointer, acceptsTrailers: Bool,
        into writer: inout HeadWriter
    ) {
        let bytes =
            method.count &+ authority.count &+ target.count &+ extendedProtocol.count &+ source.count &+ lines.count
        let room = Self.bound(bytes)
        writer.write(atMost: room) { start in
            var output = BlockOutput(start, room)
            if isUpdateDue { writeUpdates(&output) }
            let isExtended = extendedProtocol.count > 0
            let isCONNECT = !isExtended && Self.isCONNECT(method)
            if isExtended {
                writePseudo(2, .method, Self.bytes("CONNECT"), &output)
            } else {
                writeMethod(method, &output)
            }
            if !isCONNECT {
                if scheme.utf8CodeUnitCount == 4 {
                    output.append(0x86)
                } else if scheme.utf8CodeUnitCount == 5 {
                    output.append(0x87)
                } else {
                    writePseudo(6, .scheme, Self.bytes(scheme), &output)
                }
                if target.count == 1, target[0] == 0x2f {
                    output.append(0x84)
                } else {
                    writePseudo(4, .path, target, &output)
                }
            }
            writePseudo(1, .authority, authority, &output)
            if isExtended { writePseudo(0, .protocolName, extendedProtocol, &output) }
            write(source, fields, isTrailers: false, &output)
            if acceptsTrailers { writeTE(&output) }
            if lines.count > 0 { write(lines: lines, &output) }
            return output.count
        }
    }

    /// Encodes a response's head; as `request`.
    package mutating func response(
        status: UInt16, _ source: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>,
        lines: UnsafeRawBufferPointer, into writer: inout HeadWriter
    ) {
        let room = Self.bound(source.count &+ lines.count)
        writer.write(atMost: room) { start in
            var output = BlockOutput(start, room)
            if isUpdateDue { writeUpdates(&output) }
            switch status {
            case 200: output.append(0x88)
            case 204: output.append(0x89)
            case 206: output.append(0x8a)
            case 304: output.append(0x8b)
            case 400: output.append(0x8c)
            case 404: output.append(0x8d)
            case 500: output.append(0x8e)
            default: writeStatus(status, &output)
            }
            write(source, fields, isTrailers: false, &output)
            if lines.count > 0 { write(lines: lines, &output) }
            return output.count
        }
    }

    /// Encodes a trailer section; as `request`.
    package mutating func trailers(
        _ source: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>,
        into writer: inout HeadWriter
    ) {
        let room = Self.bound(source.count)
        writer.write(atMost: room) { start in
            var output = BlockOutput(start, room)
            if isUpdateDue { writeUpdates(&output) }
            write(source, fields, isTrailers: true, &output)
            return output.count
        }
    }

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private static func isCONNECT(_ method: UnsafeRawBufferPointer) -> Bool {
        guard method.count == 7, let start = method.baseAddress else { return false }
        return ByteScan.agreement(start, 0, 7, "CONNECT") == 7
    }

    /// RFC 7541 section 4.2: the smallest size in between, then the one that holds.
    @inline(never)
    private mutating func writeUpdates(_ output: inout BlockOutput) {
        let maximum = index.table.maximum
        if smallest < maximum { output.integer(smallest, flags: 0x20, mask: 0x1f) }
        output.integer(maximum, flags: 0x20, mask: 0x1f)
        isUpdateDue = false
    }

    @inline(__always)
    private mutating func writeMethod(_ method: UnsafeRawBufferPointer, _ output: inout BlockOutput) {
        if let start = method.baseAddress {
            if method.count == 3, ByteScan.byte(start, 0) == 0x47, ByteScan.byte(start, 1) == 0x45,
                ByteScan.byte(start, 2) == 0x54
            {
                return output.append(0x82)
            }
            if method.count == 4, start.loadUnaligned(as: UInt32.self) == UInt32(littleEndian: 0x5453_4f50) {
                return output.append(0x83)
            }
        }
        writePseudo(2, .method, method, &output)
    }

    @inline(never)
    private mutating func writeStatus(_ status: UInt16, _ output: inout BlockOutput) {
        var digits: UInt32 = 0x30 &+ UInt32(status / 100 % 10)
        digits |= (0x30 &+ UInt32(status / 10 % 10)) << 8 | (0x30 &+ UInt32(status % 10)) << 16
        withUnsafeBytes(of: digits.littleEndian) {
            writePseudo(8, .status, UnsafeRawBufferPointer(rebasing: $0[..<3]), &output)
        }
    }

    /// A pseudo-field whose name is the static entry `name`; 0 for `:protocol`, which has none.
    @inline(__always)
    private mutating func writePseudo(
        _ name: Int, _ kind: FieldKind, _ value: UnsafeRawBufferPointer, _ output: inout BlockOutput
    ) {
        guard let start = value.baseAddress else { return }
        let found = index.guess(kind, start, value.count)
        if found > 0 { output.index(found) } else { writeNewPseudo(name, kind, start, value.count, &output) }
    }

    @inline(never)
    private mutating func writeNewPseudo(
        _ name: Int, _ kind: FieldKind, _ value: UnsafeRawPointer, _ count: Int,
        _ output: inout BlockOutput
    ) {
        let hash = EncoderIndex.hash(value, count, seed: UInt64(kind.rawValue))
        let found = index.find(hash, kind, value, count)
        if found > 0 { return output.index(found) }
        let protocolName = Self.bytes(":protocol").baseAddress!
        let statics = StaticTable.shared
        let line = name > 0 ? statics.line(statics.entries[name]) : protocolName
        var facts = FieldFacts(nameCount: name > 0 ? Int(statics.entries[name].nameCount) : 9)
        facts.valueCount = count
        facts.kind = kind
        facts.nameKind = kind
        // An authority comes again almost surely.
        let isIndexed = index.admits(hash, facts, atOnce: kind == .authority)
        output.literal(name, line, facts.nameCount, value, count, isIndexed ? .indexed : .plain)
        if isIndexed { index.insert(hash, facts, name: line, value: value) }
    }

    /// The fields of a message.
    @inline(never)
    private mutating func write(
        _ source: UnsafeRawBufferPointer, _ fields: UnsafeMutableBufferPointer<FieldRange>, isTrailers: Bool,
        _ output: inout BlockOutput
    ) {
        guard let base = source.baseAddress, var next = fields.baseAddress else { return }
        var walk = index.walk(isTrailers: isTrailers)
        let last = next + fields.count
        while next < last {
            let field = UnsafePointer(next)
            next += 1
            if field.pointee.hopByHop || field.pointee.known == .host { continue }
            let start = Int(field.pointee.name.start)
            let value = Int(field.pointee.value.start)
            let end = value &+ Int(field.pointee.value.count)
            precondition(end <= source.count)
            // `name: value` in one run?
            if value == start &+ Int(field.pointee.name.count) &+ 2, end &- start >= 8, !field.pointee.neverIndexed {
                let age = index.next(&walk, base + start, end &- start)
                if age >= 0 {
                    output.index(EncoderIndex.index(age))
                    continue
                }
            }
            let inserted = index.table.inserted
            writeNew(source, field.pointee, &output)
            // The places of entries may be others now.
            if index.table.inserted != inserted { walk = index.walk(isTrailers: isTrailers) }
        }
    }

    @inline(__always)
    private mutating func writeTE(_ output: inout BlockOutput) {
        let found = index.acceptsTrailers
        if found > 0 { output.index(found) } else { write(lines: Self.bytes("te: trailers\r\n"), &output) }
    }

    /// Whole lines.
    @inline(never)
    private mutating func write(lines: UnsafeRawBufferPointer, _ output: inout BlockOutput) {
        guard let base = lines.baseAddress else { return }
        var start = 0
        while start < lines.count {
            let nameEnd = ByteScan.token(base, start, lines.count)
            var value = nameEnd &+ 1
            while value < lines.count, ByteScan.byte(base, value) == .space { value &+= 1 }
            let end = ByteScan.value(base, value, lines.count)
            precondition(nameEnd > start && end &+ 2 <= lines.count && ByteScan.byte(base, nameEnd) == .colon)
            let known = KnownField.recognise(base + start, count: nameEnd &- start)
            let field = FieldRange(name: ByteRange(start, nameEnd), value: ByteRange(value, end), known: known)
            let isRun = value == nameEnd &+ 2 && end &- start >= 8
            let age = isRun ? index.find(line: base + start, end &- start) : -1
            if age >= 0 { output.index(EncoderIndex.index(age)) } else { writeNew(lines, field, &output) }
            start = end &+ 2
        }
    }

    /// A field that is not in the table as it was sent. One that is not a run of `name: value` will not be.
    @inline(never)
    private mutating func writeNew(
        _ source: UnsafeRawBufferPointer, _ field: FieldRange, _ output: inout BlockOutput
    ) {
        let nameStart = Int(field.name.start)
        let nameCount = Int(field.name.count)
        let valueCount = Int(field.value.count)
        precondition(nameStart &+ nameCount <= source.count && Int(field.value.start) &+ valueCount <= source.count)
        guard let base = source.baseAddress else { return }
        let sent = base + nameStart
        let value = base + Int(field.value.start)
        let run = nameCount &+ 2 &+ valueCount
        let isRun = value == sent + nameCount + 2 && run >= 8
        let hash = isRun ? EncoderIndex.hash(sent, run, seed: 0) : 0
        // Lowercase, if need be in the output itself, from where it is moved: a literal's name comes at its start.
        let name = output.lowercased(sent, nameCount)
        var facts = FieldFacts(nameCount: nameCount)
        facts.valueCount = valueCount
        facts.known = field.known
        facts.kind = .plain
        facts.nameKind = .plain
        let found = isRun ? index.find(hash, facts, name, value) : 0
        if found > 0 { return output.index(found) }
        let number = StaticTable.shared.index(name, nameCount, field.known)
        if field.neverIndexed || Self.isSecret(field.known, valueCount) {
            return output.literal(number, name, nameCount, value, valueCount, .never)
        }
        guard isRun, index.admits(hash, facts, atOnce: field.known == .te || field.known == .contentType) else {
            return output.literal(number, name, nameCount, value, valueCount, .plain)
        }
        index.insert(hash, facts, name: name, value: value)
        // The entry's name: a name in the output could be overwritten by its own code.
        let line = index.table.line(index.table.entry(0))
        output.literal(number, line, nameCount, value, valueCount, .indexed)
    }

    private static func isSecret(_ known: KnownField, _ valueCount: Int) -> Bool {
        switch known {
        case .authorization, .proxyAuthorization: true
        case .cookie, .setCookie: valueCount < guessable
        default: false
        }
    }
}
