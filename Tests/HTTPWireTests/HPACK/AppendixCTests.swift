import Testing

import HTTPWire

private func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }
    return stride(from: 0, to: digits.count, by: 2).map { offset in
        let start = digits.index(digits.startIndex, offsetBy: offset)
        return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)!
    }
}

private struct Step: Sendable {
    var block: String
    var fields: [String]
    var table: [String]
    var size: Int
}

/// RFC 7541 Appendix C.
@Suite("RFC 7541 Appendix C") struct AppendixCTests {
    @Test(
        "C.1: integers",
        arguments: [(10, UInt8(0x1f), "0a"), (1337, 0x1f, "1f9a0a"), (42, 0xff, "2a")] as [(Int, UInt8, String)])
    func integers(value: Int, mask: UInt8, coded: String) {
        let bytes = hex(coded)
        var position = 0
        #expect(bytes.withUnsafeBytes { PrefixInteger.read($0.baseAddress!, $0.count, &position, mask: mask) } == value)
        #expect(position == bytes.count)
        var room = [UInt8](repeating: 0, count: 8)
        let count = room.withUnsafeMutableBytes {
            PrefixInteger.write(value, flags: 0, mask: mask, to: $0.baseAddress!)
        }
        #expect(Array(room[..<count]) == bytes)
    }

    @Test("C.2.1: literal with indexing")
    func literalWithIndexing() {
        let decoding = Decoding()
        let head = decoding.trailers(hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572"))
        #expect(head.text == "custom-key: custom-header\r\n")
        #expect(decoding.table == [HeaderField("custom-key", "custom-header")] && decoding.decoder.tableSize == 55)
    }

    @Test("C.2.2: literal without indexing")
    func literalWithoutIndexing() {
        let decoding = Decoding()
        #expect(decoding.skip(hex("040c2f73616d706c652f70617468")) == .ok)
        let head = decoding.request(hex("8286 040c2f73616d706c652f70617468 41 01 61"))
        #expect(head.text == "GET /sample/path HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(decoding.table == [HeaderField(":authority", "a")])
    }

    @Test("C.2.3: literal never indexed")
    func neverIndexed() {
        let decoding = Decoding()
        let head = decoding.trailers(hex("100870617373776f726406736563726574"))
        #expect(head.text == "password: secret\r\n" && head.never == ["password"])
        #expect(decoding.table.isEmpty)
    }

    @Test("C.2.4: indexed")
    func indexed() {
        let decoding = Decoding()
        let head = decoding.request(hex("82 86 84 41 01 61"))
        #expect(head.text.hasPrefix("GET / HTTP/1.1\r\n"))
    }

    private static let requests: [(fields: [String], table: [String], size: Int)] = [
        ([], [":authority: www.example.com"], 57),
        (
            ["cache-control: no-cache"], ["cache-control: no-cache", ":authority: www.example.com"], 110
        ),
        (
            ["custom-key: custom-value"],
            ["custom-key: custom-value", "cache-control: no-cache", ":authority: www.example.com"], 164
        ),
    ]
    private static let firstLines = [
        "GET / HTTP/1.1", "GET / HTTP/1.1", "GET /index.html HTTP/1.1",
    ]

    @Test(
        "C.3, C.4: requests, plain and with Huffman",
        arguments: [
            [
                "828684410f7777772e6578616d706c652e636f6d", "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ],
            [
                "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ],
        ])
    func requests(blocks: [String]) {
        let decoding = Decoding()
        for (index, block) in blocks.enumerated() {
            let head = decoding.request(hex(block))
            #expect(head.outcome == .ok)
            let lines = [Self.firstLines[index], "host: www.example.com"] + Self.requests[index].fields
            #expect(head.text == lines.joined(separator: "\r\n") + "\r\n\r\n")
            #expect(decoding.table.map(\.description) == Self.requests[index].table)
            #expect(decoding.decoder.tableSize == Self.requests[index].size)
        }
    }

    private static let date1 = "date: Mon, 21 Oct 2013 20:13:21 GMT"
    private static let date2 = "date: Mon, 21 Oct 2013 20:13:22 GMT"
    private static let place = "location: https://www.example.com"
    private static let cookie = "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
    private static let responses: [(status: UInt16, fields: [String], table: [String], size: Int)] = [
        (
            302, ["cache-control: private", date1, place], [place, date1, "cache-control: private", ":status: 302"], 222
        ),
        (
            307, ["cache-control: private", date1, place], [":status: 307", place, date1, "cache-control: private"], 222
        ),
        (
            200, ["cache-control: private", date2, place, "content-encoding: gzip", cookie],
            [cookie, "content-encoding: gzip", date2], 215
        ),
    ]

    @Test(
        "C.5, C.6: responses in a table of 256, plain and with Huffman",
        arguments: [
            [
                """
                4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54\
                6e1768747470733a2f2f7777772e6578616d706c652e636f6d
                """,
                "4803333037c1c0bf",
                """
                88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f\
                3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076\
                657273696f6e3d31
                """,
            ],
            [
                """
                488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f\
                0b97c8e9ae82ae43d3
                """,
                "4883640effc1c0bf",
                """
                88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335df\
                dfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007
                """,
            ],
        ])
    func responses(blocks: [String]) {
        let decoding = Decoding()
        // The examples start with that size.
        #expect(decoding.skip(hex("3fe101")) == .ok)
        for (index, block) in blocks.enumerated() {
            let head = decoding.response(hex(block))
            let expected = Self.responses[index]
            #expect(head.outcome == .ok && head.response?.status == expected.status)
            #expect(
                head.text
                    == (["HTTP/1.1 \(expected.status) "] + expected.fields).joined(separator: "\r\n") + "\r\n\r\n")
            #expect(decoding.table.map(\.description) == expected.table)
            #expect(decoding.decoder.tableSize == expected.size)
        }
    }

    @Test(
        "C.4, C.6: the strings' codes",
        arguments: [
            ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"), ("no-cache", "a8eb10649cbf"),
            ("custom-key", "25a849e95ba97d7f"), ("custom-value", "25a849e95bb8e8b4bf"), ("302", "6402"),
            ("private", "aec3771a4b"),
            ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
            ("https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"), ("307", "640eff"), ("gzip", "9bd9ab"),
            (
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007"
            ),
        ])
    func codes(text: String, coded: String) {
        let bytes = latin1(text)
        let code = HuffmanCode.shared
        let expected = hex(coded)
        bytes.withUnsafeBytes { source in
            #expect(code.encodedCount(source.baseAddress!, source.count) == expected.count)
            var room = [UInt8](repeating: 0, count: expected.count)
            room.withUnsafeMutableBytes { code.encode(source.baseAddress!, source.count, into: $0.baseAddress!) }
            #expect(room == expected)
        }
    }
}
