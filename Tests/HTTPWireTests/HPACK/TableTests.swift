import Testing

import HTTPWire

private let request: [UInt8] = [0x82, 0x86, 0x84, 0x41, 1, 0x61]

/// RFC 7541: what ends the connection, and limits.
@Suite("HPACK tables and limits") struct TableTests {
    @Test(
        "compression errors",
        arguments: [
            ("6.1: index 0", [0x80]), ("2.3.3: index beyond the table", [0xbe]),
            ("2.3.3: name beyond the table", [0x7f, 0, 1, 0x61]), ("5.1: integer is not whole", [0xff, 0x80]),
            ("5.1: integer is too large", [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
            ("5.1: integer is too long", [0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0]),
            ("5.2: string is not whole", [0, 1, 0x61, 5, 0x61]), ("5.2: no value", [0, 1, 0x61]),
            ("5.2: padding of 8 bits", [0, 1, 0x61, 0x82, 0x1f, 0xff]),
            ("5.2: padding of zeros", [0, 1, 0x61, 0x81, 0x18]),
            ("5.2: end of string", [0, 1, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff]),
            ("5.2: end of string and more", [0, 1, 0x61, 0x88, 0x1f, 0xff, 0xff, 0xff, 0xff, 0x1f, 0x1f, 0x1f]),
            ("4.2: update behind a field", [0x82, 0x20]), ("6.3: update above the limit", [0x3f, 0xe2, 0x1f]),
            ("6.3: update is not whole", [0x3f]),
        ] as [(String, [UInt8])])
    func compression(name: String, block: [UInt8]) {
        #expect(Decoding().request(block).outcome == .compression, "\(name)")
        #expect(Decoding().skip(block) == .compression)
        #expect(ReferenceDecoder().decode(block) == nil)
        // Also behind a head that was given up.
        #expect(Decoding().request([0x88] + block).outcome == .compression)
    }

    @Test("5.1: the largest integer that counts")
    func largestInteger() {
        var position = 0
        let bytes: [UInt8] = [0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f]
        let value = bytes.withUnsafeBytes { PrefixInteger.read($0.baseAddress!, $0.count, &position, mask: 0x7f) }
        #expect(value == 0x7f + (0x7f << 7 | 0x7f << 14 | 0x7f << 21 | 0xf << 28) && position == 6)
    }

    @Test("4.2: a smaller limit must be told once our SETTINGS are acknowledged")
    func dueUpdate() {
        let early = Decoding(tableCapacity: 100)
        #expect(early.request(request).outcome == .ok)
        early.decoder.settingsAcknowledged()
        #expect(early.request(request).outcome == .compression)

        let told = Decoding(tableCapacity: 100)
        told.decoder.settingsAcknowledged()
        #expect(told.request([0x3f, 100 - 0x1f] + request).outcome == .ok)
        #expect(told.request(request).outcome == .ok)
        #expect(told.request([0x3f, 101 - 0x1f] + request).outcome == .compression)

        let skipped = Decoding(tableCapacity: 100)
        skipped.decoder.settingsAcknowledged()
        #expect(skipped.skip(request) == .compression)
    }

    @Test("4.2: sizes up to what was announced, several in a row")
    func updates() {
        let large = Decoding(tableCapacity: 65536)
        // 65,536; then 0, then 4,096.
        #expect(large.request([0x3f, 0xe1, 0xff, 0x03] + request).outcome == .ok)
        #expect(large.table.count == 1)
        #expect(large.request([0x20, 0x3f, 0xe1, 0x1f, 0x82, 0x86, 0x84, 0x01, 1, 0x61]).outcome == .ok)
        #expect(large.table.isEmpty && large.decoder.tableMaximum == 4096)
    }

    @Test("4.4: an entry as large as the table stays, one larger empties it")
    func eviction() {
        let decoding = Decoding()
        let value = [UInt8](repeating: 0x61, count: 4096 - 32 - 1)
        func field(_ count: Int) -> [UInt8] {
            [0x40, 1, 0x62, 0x7f, UInt8((count - 127) & 0x7f | 0x80), UInt8((count - 127) >> 7)] + value.prefix(count)
        }
        #expect(decoding.skip([0x40, 1, 0x61, 1, 0x61] + field(4063)) == .ok)
        #expect(decoding.table.map(\.name) == ["b"] && decoding.decoder.tableSize == 4096)
        var longer = field(4063)
        longer[4] += 1
        #expect(decoding.skip(longer + [0x61]) == .ok)
        #expect(decoding.table.isEmpty && decoding.decoder.tableSize == 0)
    }

    @Test("4.4: an entry whose name is that of the entry it pushes out")
    func nameOfTheEvicted() throws {
        let decoding = Decoding()
        let long = [UInt8](repeating: 0x76, count: 2000)
        let count: [UInt8] = [0x7f, UInt8((2000 - 127) & 0x7f | 0x80), UInt8((2000 - 127) >> 7)]
        // Twice a name of 100 bytes with 2,000 of value, where one has room; the second takes its name from the first.
        let name = [UInt8](repeating: 0x6e, count: 100)
        let first: [UInt8] = [0x40, 100] + name + count + long
        let other: [UInt8] = [0x40, 1, 0x6f, 100] + long.prefix(100)
        let again: [UInt8] = [0x7f, 0] + count + long
        for how in 0..<2 {
            let run: ([UInt8]) -> BlockOutcome = how == 0 ? { decoding.skip($0) } : { decoding.trailers($0).outcome }
            #expect(run(first + other + again) == .ok)
            #expect(decoding.table.map(\.name) == [String(repeating: "n", count: 100), "o"])
        }
    }

    @Test("limits: at the limit it passes, above it is too large, and the table is in step")
    func limits() {
        let text = "GET / HTTP/1.1\r\nhost: a\r\nx: 1\r\n\r\n"
        let head = request + [0x40, 1, 0x78, 1, 0x31]
        for (limits, outcome) in [
            (HeadLimits(head: text.utf8.count), BlockOutcome.ok), (HeadLimits(fields: 2), .ok),
            (HeadLimits(target: 1), .ok), (HeadLimits(head: text.utf8.count - 1), .tooLarge(.headTooLarge)),
            (HeadLimits(fields: 1), .tooLarge(.tooManyFields)),
        ] {
            let decoding = Decoding()
            #expect(decoding.request(head, limits: limits).outcome == outcome)
            #expect(decoding.table.map(\.name) == ["x", ":authority"])
            #expect(decoding.request([0x82, 0x86, 0x84, 0xbf, 0xbe]).text == text)
        }
        let path: [UInt8] = [0x82, 0x86, 0x04, 3, 0x2f, 0x61, 0x62, 0x41, 1, 0x61]
        #expect(Decoding().request(path, limits: HeadLimits(target: 3)).outcome == .ok)
        #expect(Decoding().request(path, limits: HeadLimits(target: 2)).outcome == .tooLarge(.targetTooLong))
        // The caller's buffers count too.
        for room in 0..<(text.utf8.count - 2 + HeaderBlockDecoder.slack) {
            let outcome = Decoding().request(head, room: room).outcome
            #expect(outcome == .tooLarge(.headTooLarge))
        }
        #expect(Decoding().request(head, lines: 1).outcome == .tooLarge(.tooManyFields))
        #expect(Decoding().request(head, lines: 0).outcome == .tooLarge(.tooManyFields))
    }

    @Test("a few bytes that stand for megabytes")
    func bomb() {
        let decoding = Decoding()
        let value: [UInt8] =
            [0x7f, UInt8((4000 - 127) & 0x7f | 0x80), UInt8((4000 - 127) >> 7)] + [UInt8](repeating: 0x61, count: 4000)
        let bomb = request + [0x40, 1, 0x78] + value + [UInt8](repeating: 0xbe, count: 60000)
        #expect(decoding.request(bomb).outcome == .tooLarge(.headTooLarge))
        #expect(decoding.trailers([UInt8](repeating: 0xbe, count: 60000)).outcome == .tooLarge(.headTooLarge))
        #expect(decoding.table.map(\.name) == ["x", ":authority"])
    }

    @Test("7.1.3: secrets are never indexed")
    func secrets() throws {
        let encoding = Encoding()
        let fields = [
            HeaderField("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), HeaderField("cookie", "a=short"),
            HeaderField("set-cookie", "b=short"), HeaderField("x", "public", never: true),
        ]
        let theirs = ReferenceDecoder()
        for _ in 0..<4 {
            let read = try #require(theirs.decode(encoding.response(200, fields)))
            #expect(read.dropFirst().allSatisfy { $0.never })
        }
        #expect(encoding.encoder.tableCount == 0)
    }

    @Test("4.2: the encoder tells the smallest size, then the last")
    func encoderUpdates() {
        let encoding = Encoding()
        encoding.encoder.setPeerLimit(100)
        encoding.encoder.setPeerLimit(1000)
        #expect(encoding.trailers([]) == [0x3f, 69, 0x3f, 0xc9, 0x07])
        #expect(encoding.trailers([]).isEmpty)
        encoding.encoder.setPeerLimit(1000)
        #expect(encoding.trailers([]).isEmpty)
        #expect(Encoding(tableCapacity: 0).trailers([]) == [0x20])
    }

    @Test("what comes again is one byte")
    func indexing() {
        let encoding = Encoding()
        let pseudo = [":method": "GET", ":scheme": "http", ":path": "/svc/a", ":authority": "echo.default"]
        let fields = [HeaderField("User-Agent", "test/1"), HeaderField("accept", "*/*"), HeaderField("x", "1")]
        _ = encoding.request(pseudo, fields, acceptsTrailers: true)
        _ = encoding.request(pseudo, fields, acceptsTrailers: true)
        let block = encoding.request(pseudo, fields, acceptsTrailers: true)
        // The last field is too short to be worth an entry.
        #expect(block.count == 4 + 2 + 1 + 5)
    }

    @Test("a writer without room changes nothing")
    func noRoom() {
        var encoder = HeaderBlockEncoder()
        encoder.setPeerLimit(0)
        var room = [UInt8](repeating: 0, count: 10)
        room.withUnsafeMutableBytes { room in
            var writer = HeadWriter(room)
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            encoder.response(
                status: 200, nothing, UnsafeMutableBufferPointer(start: nil, count: 0), lines: nothing, into: &writer)
            #expect(writer.overflowed && writer.count == 0)
        }
    }
}
