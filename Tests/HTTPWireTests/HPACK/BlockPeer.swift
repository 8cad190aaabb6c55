import CNghttp2

import HTTPWire

/// A field as plain values. Names and values are bytes: Latin-1 keeps all of them apart.
struct HeaderField: Hashable, CustomStringConvertible {
    var name: String
    var value: String
    var never = false

    init(_ name: String, _ value: String, never: Bool = false) {
        self.name = name
        self.value = value
        self.never = never
    }

    var description: String { "\(name): \(value)\(never ? " (never)" : "")" }
}

/// What a block was decoded to.
struct DecodedHead: Equatable {
    var outcome: BlockOutcome
    var text = ""
    var fields: [PlainField] = []
    var never: Set<String> = []
    var request: RequestHead?
    var response: ResponseHead?
}

/// Our decoder, behind guarded buffers full of garbage.
final class Decoding {
    var decoder: HeaderBlockDecoder

    init(tableCapacity: Int = 4096) {
        decoder = HeaderBlockDecoder(tableCapacity: tableCapacity)
    }

    private func run(
        _ block: [UInt8], room: Int, lines: Int,
        _ body: (
            UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer, UnsafeMutableBufferPointer<FieldRange>,
            inout DecodedHead
        ) -> (count: Int, length: Int)
    ) -> DecodedHead {
        let guarded = GuardedBytes(block)
        let text = GuardedBytes([UInt8](repeating: 0xee, count: room))
        var head = DecodedHead(outcome: .compression)
        return withFields(lines + 1) { fields in
            let sentinel = fields[lines]
            let (count, length) = body(
                guarded.bytes, UnsafeMutableRawBufferPointer(mutating: text.bytes),
                UnsafeMutableBufferPointer(rebasing: fields[..<lines]), &head)
            precondition(fields[lines] == sentinel, "a field beyond the buffer")
            guard case .ok = head.outcome else { return head }
            let bytes = UnsafeRawBufferPointer(rebasing: text.bytes[..<length])
            head.text = latin1(bytes)
            for field in fields.prefix(count) {
                let name = latin1(bytes[field.name])
                head.fields.append(
                    PlainField(
                        name: name, value: latin1(bytes[field.value]), known: field.known, hopByHop: field.hopByHop))
                if field.neverIndexed { head.never.insert(name) }
            }
            return head
        }
    }

    func request(
        _ block: [UInt8], isEnd: Bool = true, extendedConnect: Bool = false, limits: HeadLimits = HeadLimits(),
        room: Int? = nil, lines: Int = 200
    ) -> DecodedHead {
        run(block, room: room ?? limits.head + HeaderBlockDecoder.slack, lines: lines) { block, text, fields, result in
            var head = RequestHead()
            result.outcome = decoder.request(
                block, isEnd: isEnd, allowsExtendedConnect: extendedConnect, text: text, fields: fields,
                limits: limits, into: &head)
            result.request = head
            return (head.fieldCount, head.length)
        }
    }

    func response(_ block: [UInt8], isEnd: Bool = true, toHEAD: Bool = false) -> DecodedHead {
        run(block, room: 65536 + HeaderBlockDecoder.slack, lines: 200) { block, text, fields, result in
            var head = ResponseHead()
            result.outcome = decoder.response(
                block, isEnd: isEnd, toHEAD: toHEAD, text: text, fields: fields, limits: HeadLimits(), into: &head)
            result.response = head
            return (head.fieldCount, head.length)
        }
    }

    func trailers(_ block: [UInt8], limits: HeadLimits = HeadLimits()) -> DecodedHead {
        run(block, room: limits.head + HeaderBlockDecoder.slack, lines: 200) { block, text, fields, result in
            var count = 0
            var length = 0
            result.outcome = decoder.trailers(
                block, text: text, fields: fields, limits: limits, count: &count, length: &length)
            return (count, length)
        }
    }

    func skip(_ block: [UInt8]) -> BlockOutcome {
        let guarded = GuardedBytes(block)
        return decoder.skip(guarded.bytes)
    }

    /// The dynamic table, newest first.
    var table: [HeaderField] {
        (0..<decoder.tableCount).map { index in
            let entry = decoder.tableEntry(index)
            return HeaderField(latin1(entry.name), latin1(entry.value))
        }
    }
}

func latin1(_ raw: UnsafeRawBufferPointer) -> String { text(raw) }
func latin1(_ text: String) -> [UInt8] { bytes(text) }

/// A head for our encoder as HTTP/1.1 text with the ranges of its fields.
struct Source {
    var bytes: [UInt8] = []
    var fields: [FieldRange] = []

    init(_ list: [HeaderField], space: String = " ") {
        for field in list {
            let name = latin1(field.name)
            let value = latin1(field.value)
            let start = bytes.count
            bytes += name + latin1(":" + space) + value + [13, 10]
            let known = name.withUnsafeBytes { KnownField.recognise($0.baseAddress!, count: name.count) }
            fields.append(
                FieldRange(
                    name: ByteRange(start, start + name.count),
                    value: ByteRange(start + name.count + 1 + space.count, bytes.count - 2), known: known,
                    hopByHop: known.isHopByHop, neverIndexed: field.never))
        }
    }
}

/// Our encoder, into a room of just the bound.
final class Encoding {
    var encoder: HeaderBlockEncoder

    init(tableCapacity: Int = 4096) {
        encoder = HeaderBlockEncoder(tableCapacity: tableCapacity)
    }

    private func written(_ bound: Int, _ body: (inout HeadWriter) -> Void) -> [UInt8] {
        let room = GuardedBytes([UInt8](repeating: 0xee, count: bound))
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(mutating: room.bytes))
        body(&writer)
        precondition(!writer.overflowed)
        return Array(room.bytes[..<writer.count])
    }

    func request(
        _ pseudo: [String: String], _ fields: [HeaderField], lines: String = "", acceptsTrailers: Bool = false,
        space: String = " "
    ) -> [UInt8] {
        var source = Source(fields, space: space)
        let method = latin1(pseudo[":method"] ?? "")
        let authority = latin1(pseudo[":authority"] ?? "")
        let target = latin1(pseudo[":path"] ?? "")
        let protocolName = latin1(pseudo[":protocol"] ?? "")
        let lines = latin1(lines)
        let count = method.count + authority.count + target.count + protocolName.count + source.bytes.count
        return written(HeaderBlockEncoder.bound(count + lines.count)) { writer in
            // Each behind a guard: nothing may be read beyond.
            let source0 = GuardedBytes(source.bytes)
            let method = GuardedBytes(method)
            let authority = GuardedBytes(authority)
            let target = GuardedBytes(target)
            let protocolName = GuardedBytes(protocolName)
            let lines = GuardedBytes(lines)
            source.fields.withUnsafeMutableBufferPointer { ranges in
                encoder.request(
                    method: method.bytes, scheme: pseudo[":scheme"] == "https" ? "https" : "http",
                    authority: authority.bytes, target: target.bytes, extendedProtocol: protocolName.bytes,
                    source0.bytes, ranges, lines: lines.bytes, acceptsTrailers: acceptsTrailers, into: &writer)
            }
        }
    }

    func response(_ status: UInt16, _ fields: [HeaderField], lines: String = "") -> [UInt8] {
        var source = Source(fields)
        let lines = GuardedBytes(latin1(lines))
        return written(HeaderBlockEncoder.bound(source.bytes.count + lines.bytes.count)) { writer in
            let bytes = GuardedBytes(source.bytes)
            source.fields.withUnsafeMutableBufferPointer { ranges in
                encoder.response(status: status, bytes.bytes, ranges, lines: lines.bytes, into: &writer)
            }
        }
    }

    func trailers(_ fields: [HeaderField]) -> [UInt8] {
        var source = Source(fields)
        return written(HeaderBlockEncoder.bound(source.bytes.count)) { writer in
            let bytes = GuardedBytes(source.bytes)
            source.fields.withUnsafeMutableBufferPointer { encoder.trailers(bytes.bytes, $0, into: &writer) }
        }
    }
}

/// The reference's inflater.
final class ReferenceDecoder {
    private var inflater: OpaquePointer?

    init() { precondition(nghttp2_hd_inflate_new(&inflater) == 0) }
    deinit { nghttp2_hd_inflate_del(inflater) }

    func setTableSize(_ size: Int) { precondition(nghttp2_hd_inflate_change_table_size(inflater, size) == 0) }

    /// Nil for a compression error.
    func decode(_ block: [UInt8]) -> [HeaderField]? {
        var fields: [HeaderField] = []
        return block.withUnsafeBufferPointer { bytes -> [HeaderField]? in
            var position = 0
            while true {
                var field = nghttp2_nv()
                var flags: Int32 = 0
                let result = nghttp2_hd_inflate_hd2(
                    inflater, &field, &flags, bytes.baseAddress.map { $0 + position }, bytes.count - position, 1)
                if result < 0 { return nil }
                position += result
                if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                    fields.append(
                        HeaderField(
                            latin1(UnsafeRawBufferPointer(start: field.name, count: field.namelen)),
                            latin1(UnsafeRawBufferPointer(start: field.value, count: field.valuelen)),
                            never: Int32(field.flags) & Int32(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) != 0))
                }
                if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
                    nghttp2_hd_inflate_end_headers(inflater)
                    return fields
                }
                if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) == 0, position == bytes.count { return fields }
            }
        }
    }
}

/// The reference's deflater.
final class ReferenceEncoder {
    private var deflater: OpaquePointer?

    init(tableCapacity: Int = 4096) { precondition(nghttp2_hd_deflate_new(&deflater, tableCapacity) == 0) }
    deinit { nghttp2_hd_deflate_del(deflater) }

    func setTableSize(_ size: Int) { precondition(nghttp2_hd_deflate_change_table_size(deflater, size) == 0) }

    func encode(_ fields: [HeaderField]) -> [UInt8] {
        var storage: [UnsafeMutablePointer<UInt8>] = []
        defer { for bytes in storage { bytes.deallocate() } }
        func copy(_ text: String) -> UnsafeMutablePointer<UInt8> {
            let bytes = latin1(text)
            let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count + 1)
            for (index, byte) in bytes.enumerated() { memory[index] = byte }
            storage.append(memory)
            return memory
        }
        var list = fields.map { field in
            nghttp2_nv(
                name: copy(field.name), value: copy(field.value), namelen: field.name.unicodeScalars.count,
                valuelen: field.value.unicodeScalars.count,
                flags: field.never ? UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) : 0)
        }
        let bound = nghttp2_hd_deflate_bound(deflater, &list, list.count)
        var block = [UInt8](repeating: 0, count: bound)
        let count = nghttp2_hd_deflate_hd(deflater, &block, bound, &list, list.count)
        precondition(count >= 0)
        return Array(block[..<count])
    }
}

/// Random numbers that are the same at each run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
