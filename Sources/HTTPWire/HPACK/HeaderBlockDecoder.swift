/// Decodes header blocks (RFC 7541) into heads as HTTP/1.1 text, which `RequestHeadParser` and `ResponseHeadParser` would
/// read the same: their checks hold here too, and those of RFC 9113 section 8 besides. One for each connection; blocks must
/// come whole and in order.
///
/// A request is `METHOD target HTTP/1.1`, a `host` line with the authority, then the fields in their order, the empty line;
/// a response is `HTTP/1.1 STATUS` with an empty reason, the fields, the empty line. Each line is `name: value CRLF`. Several
/// cookie fields become one line. An extended CONNECT (RFC 8441) is a GET with an `upgrade` line behind the host.
///
/// A name and a value are checked when they come as literals; an entry of the table keeps the verdict with its line, so
/// that a field which is only an index is copied and not looked at. Whatever becomes of a head, its block is decoded to the
/// end to keep the table in step; that takes time linear in the block, also when a few bytes stand for many.
package struct HeaderBlockDecoder: ~Copyable {
    /// Bytes at the end of `text` that no head reaches: they let the decoder copy in steps. So `text` should have that much
    /// more than the limit for heads.
    package static var slack: Int { 64 }

    /// What SETTINGS_HEADER_TABLE_SIZE is before any SETTINGS (RFC 9113 section 6.5.2).
    static var initialCapacity: Int { 4096 }

    var table: DynamicTable
    /// What our SETTINGS say, and what the peer must keep to by now.
    private let announced: Int
    private(set) var limit: Int
    /// The limit fell below the table's maximum: the next block must say so first (RFC 7541 section 4.2).
    private(set) var isUpdateDue = false

    /// `tableCapacity`: our SETTINGS_HEADER_TABLE_SIZE, at most 65,536.
    package init(tableCapacity: Int = 4096) {
        precondition(tableCapacity >= 0 && tableCapacity <= 65536)
        announced = tableCapacity
        limit = max(tableCapacity, Self.initialCapacity)
        table = DynamicTable(maximum: Self.initialCapacity)
    }

    /// The peer acknowledged our SETTINGS: with less than 4,096 for the table, it must tell a smaller size at its next block
    /// (RFC 9113 section 4.3.1).
    package mutating func settingsAcknowledged() {
        limit = announced
        isUpdateDue = table.maximum > limit
    }

    /// Decodes a request's block. `text` and `fields` are the caller's scratch; ranges count from text's first byte. Nothing
    /// is written beyond them; more than fits, or than `limits`, is `tooLarge`. `isEnd`: no content follows;
    /// `allowsExtendedConnect`: our SETTINGS_ENABLE_CONNECT_PROTOCOL said so. `head` counts only with `ok`.
    package mutating func request(
        _ block: UnsafeRawBufferPointer, isEnd: Bool, allowsExtendedConnect: Bool, text: UnsafeMutableRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, limits: HeadLimits, into head: inout RequestHead
    ) -> BlockOutcome {
        var builder = HeadBuilder(.request, text: text, fields: fields, limits: limits)
        builder.allowsExtendedConnect = allowsExtendedConnect
        let outcome = read(block, text, &builder)
        guard case .ok = outcome else { return outcome }
        return builder.finish(isEnd: isEnd, into: &head)
    }

    /// Decodes a response's block; `toHEAD`: to a request with the method HEAD.
    package mutating func response(
        _ block: UnsafeRawBufferPointer, isEnd: Bool, toHEAD: Bool, text: UnsafeMutableRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, limits: HeadLimits, into head: inout ResponseHead
    ) -> BlockOutcome {
        var builder = HeadBuilder(.response, text: text, fields: fields, limits: limits)
        let outcome = read(block, text, &builder)
        guard case .ok = outcome else { return outcome }
        return builder.finish(isEnd: isEnd, toHEAD: toHEAD, into: &head)
    }

    /// Decodes a trailer section's block to `count` lines of `length` bytes, without an empty line. Pseudo-fields and fields
    /// for HTTP/1.1 connections are malformed; others that must not be in trailers are left out
    /// (`KnownField.isForbiddenInTrailers`).
    package mutating func trailers(
        _ block: UnsafeRawBufferPointer, text: UnsafeMutableRawBufferPointer,
        fields: UnsafeMutableBufferPointer<FieldRange>, limits: HeadLimits, count: inout Int, length: inout Int
    ) -> BlockOutcome {
        var builder = HeadBuilder(.trailers, text: text, fields: fields, limits: limits)
        let outcome = read(block, text, &builder)
        count = builder.count
        length = builder.length
        return outcome
    }

    /// Decodes a block that nobody wants, for the table only: `ok` or `compression`.
    package mutating func skip(_ block: UnsafeRawBufferPointer) -> BlockOutcome {
        guard let base = block.baseAddress, block.count > 0 else { return isUpdateDue ? .compression : .ok }
        var position = 0
        guard updateSize(base, block.count, &position) else { return .compression }
        return drain(base, block.count, position, UnsafeMutableRawBufferPointer(start: nil, count: 0))
            ? .ok : .compression
    }

    /// Reads the whole block into `builder`, or to the end once `builder` gave up.
    private mutating func read(
        _ block: UnsafeRawBufferPointer, _ text: UnsafeMutableRawBufferPointer, _ builder: inout HeadBuilder
    ) -> BlockOutcome {
        guard let base = block.baseAddress, block.count > 0 else { return isUpdateDue ? .compression : .ok }
        var position = 0
        if isUpdateDue || ByteScan.byte(base, 0) & 0xe0 == 0x20 {
            guard updateSize(base, block.count, &position) else { return .compression }
        }
        switch readFields(base, block.count, &position, &builder) {
        case .done: return .ok
        case .compression: return .compression
        case .givenUp: return drain(base, block.count, position, text) ? builder.outcome : .compression
        }
    }

    /// Reads the size updates that a block starts with (RFC 7541 sections 4.2 and 6.3). False for one above the limit, and
    /// when a due one is missing.
    @inline(never)
    private mutating func updateSize(_ base: UnsafeRawPointer, _ end: Int, _ position: inout Int) -> Bool {
        while position < end, ByteScan.byte(base, position) & 0xe0 == 0x20 {
            guard let size = PrefixInteger.read(base, end, &position, mask: 0x1f), size <= limit else { return false }
            table.setMaximum(size)
            isUpdateDue = false
        }
        return !isUpdateDue
    }
}

extension HeaderBlockDecoder {
    /// Entries of the dynamic table, their size as RFC 7541 section 4.1 counts it, and the most that it may be.
    package var tableCount: Int { table.count }
    package var tableSize: Int { table.size }
    package var tableMaximum: Int { table.maximum }

    /// The entry at `index`, 0 being the newest. Valid until the next block.
    package func tableEntry(_ index: Int) -> (name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        let entry = table.entry(index)
        let line = table.line(entry)
        return (
            UnsafeRawBufferPointer(start: line, count: Int(entry.nameCount)),
            UnsafeRawBufferPointer(start: line + entry.valueOffset, count: Int(entry.valueCount))
        )
    }
}
