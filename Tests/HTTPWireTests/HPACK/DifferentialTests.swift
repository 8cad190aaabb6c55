import Testing

import HTTPWire

/// Random heads, with fields that come again and fields that do not.
private struct Heads {
    var random: Seeded
    private let names = [
        "accept", "user-agent", "x-a", "grpc-timeout", "content-type", "x-request-id", "etag", "via", "date", "age",
        "authorization", "set-cookie", "x-long-name-that-nobody-would-ever-give-to-a-field-in-earnest",
        "!#$%&'*+-.^_`|~",
    ]
    private var values: [String] = []

    init(_ seed: UInt64) {
        random = Seeded(seed)
        for _ in 0..<30 { values.append(value()) }
    }

    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

    /// Visible characters, obs-text, and blanks inside.
    mutating func value() -> String {
        let count = below(8) == 0 ? below(600) : below(40)
        let isPlain = below(4) > 0
        var text = ""
        for place in 0..<count {
            let isEdge = place == 0 || place == count - 1
            var byte: UInt8
            repeat {
                byte = isPlain ? UInt8(0x20 + below(0x5f)) : UInt8(below(256))
            } while byte == 0x7f || byte < 0x20 && byte != 9 || isEdge && (byte == 0x20 || byte == 9)
            text.unicodeScalars.append(Unicode.Scalar(byte))
        }
        return text
    }

    mutating func fields() -> [HeaderField] {
        (0..<below(12)).map { _ in
            let value = below(3) == 0 ? value() : values[below(values.count)]
            return HeaderField(names[below(names.count)], value, never: below(10) == 0)
        }
    }

    mutating func pseudo() -> [String: String] {
        [
            ":method": ["GET", "POST", "PATCH"][below(3)], ":scheme": ["http", "https"][below(2)],
            ":path": ["/", "/index.html", "/a?b=\(below(4))", "/pkg.Service/M\(below(1000))"][below(4)],
            ":authority": ["a", "b.example:80", "[::1]:8080"][below(3)],
        ]
    }

    static func list(_ pseudo: [String: String], _ fields: [HeaderField]) -> [HeaderField] {
        [":method", ":scheme", ":path", ":authority"].map { HeaderField($0, pseudo[$0]!) } + fields
    }

    static func requestLine(_ pseudo: [String: String]) -> String {
        "\(pseudo[":method"]!) \(pseudo[":path"]!) HTTP/1.1\r\n"
    }
}

private func plain(_ fields: [HeaderField]) -> [String] { fields.map { "\($0.name): \($0.value)" } }

@Suite("HPACK against nghttp2") struct DifferentialTests {
    static let sizes = [0, 40, 100, 500, 2000, 4096]

    @Test("what nghttp2 writes reads as it was", arguments: 0..<20 as Range<UInt64>)
    func decoding(seed: UInt64) throws {
        var heads = Heads(seed)
        let theirs = ReferenceEncoder()
        let ours = Decoding()
        for _ in 0..<200 {
            if heads.below(10) == 0 {
                for _ in 0...heads.below(2) { theirs.setTableSize(Self.sizes[heads.below(Self.sizes.count)]) }
            }
            let pseudo = heads.pseudo()
            let fields = heads.fields()
            let block = theirs.encode(Heads.list(pseudo, fields))
            // Now and then one that is given up half way, or not wanted at all.
            if heads.below(6) == 0 {
                #expect(ours.skip(block) == .ok)
                continue
            }
            if heads.below(6) == 0 {
                let small = HeadLimits(head: 20 + heads.below(300))
                let head = ours.request(block, limits: small)
                if case .ok = head.outcome { #expect(head.text.unicodeScalars.count <= small.head) }
                #expect(head.outcome == .ok || head.outcome == .tooLarge(.headTooLarge))
                continue
            }
            let head = ours.request(block)
            try #require(head.outcome == .ok)
            let expected = ["host: \(pseudo[":authority"]!)"] + plain(fields)
            #expect(head.fields.map { "\($0.name): \($0.value)" } == expected)
            #expect(head.text == Heads.requestLine(pseudo) + expected.joined(separator: "\r\n") + "\r\n\r\n")
            #expect(head.never.isSuperset(of: fields.filter(\.never).map(\.name)))
        }
    }

    @Test("nghttp2 and we read what we write", arguments: 0..<20 as Range<UInt64>)
    func encoding(seed: UInt64) throws {
        var heads = Heads(seed + 1000)
        let own = Self.sizes[heads.below(Self.sizes.count)]
        let ours = Encoding(tableCapacity: own)
        let theirs = ReferenceDecoder()
        let back = Decoding()
        var indexed = 0
        for _ in 0..<200 {
            if heads.below(10) == 0 {
                for _ in 0...heads.below(2) {
                    let size = Self.sizes[heads.below(Self.sizes.count)]
                    theirs.setTableSize(size)
                    ours.encoder.setPeerLimit(UInt32(size))
                }
            }
            let pseudo = heads.pseudo()
            let fields = heads.fields()
            let space = heads.below(10) == 0 ? "  " : " "
            let line = heads.below(3) == 0 ? [HeaderField("x-line", "\(heads.below(3))")] : []
            let te = heads.below(2) == 0 ? [HeaderField("te", "trailers")] : []
            let mixed =
                heads.below(4) == 0
                ? fields.map { HeaderField($0.name.uppercased(), $0.value, never: $0.never) } : fields
            let block = ours.request(
                pseudo, mixed, lines: line.map { "X-Line: \($0.value)\r\n" }.joined(), acceptsTrailers: !te.isEmpty,
                space: space)
            let all = Heads.list(pseudo, fields + te + line)
            let read = try #require(theirs.decode(block))
            #expect(plain(read) == plain(all))
            for (field, sent) in zip(read, all) where sent.never || sent.name == "authorization" {
                #expect(field.never)
            }
            indexed += block.filter { $0 >= 0x80 + 62 }.count
            let head = back.request(block)
            try #require(head.outcome == .ok)
            #expect(
                head.fields.map { "\($0.name): \($0.value)" }
                    == ["host: \(pseudo[":authority"]!)"] + plain(fields + te + line))
        }
        if own > 1000 { #expect(indexed > 100, "the table is of use") }
    }

    @Test("responses and trailers", arguments: 0..<5 as Range<UInt64>)
    func responses(seed: UInt64) throws {
        var heads = Heads(seed + 2000)
        let ours = Encoding()
        let theirs = ReferenceDecoder()
        let back = Decoding()
        for _ in 0..<200 {
            let status = UInt16([200, 204, 302, 404, 503, 599][heads.below(6)])
            let fields = heads.fields()
            let block = ours.response(status, fields, lines: "Server: weir\r\n")
            let all = [HeaderField(":status", "\(status)")] + fields + [HeaderField("server", "weir")]
            #expect(plain(try #require(theirs.decode(block))) == plain(all))
            let head = back.response(block)
            #expect(head.outcome == .ok && head.response?.status == status)
            #expect(head.fields.map { "\($0.name): \($0.value)" } == plain(Array(all.dropFirst())))
            let trailers = [HeaderField("grpc-status", "\(heads.below(3))"), HeaderField("grpc-message", "")]
            let end = ours.trailers(trailers)
            #expect(plain(try #require(theirs.decode(end))) == plain(trailers))
            let decoded = back.trailers(end)
            #expect(decoded.outcome == .ok && decoded.text == plain(trailers).map { $0 + "\r\n" }.joined())
        }
    }

    @Test("random bytes: the same verdict and the same fields", arguments: 0..<10 as Range<UInt64>)
    func garbage(seed: UInt64) {
        var heads = Heads(seed + 3000)
        for _ in 0..<2000 {
            let theirs = ReferenceDecoder()
            let ours = Decoding()
            // Several blocks, so that there is something to refer to.
            for _ in 0..<4 {
                var block = (0..<heads.below(24)).map { _ in UInt8(heads.below(256)) }
                if heads.below(2) == 0 { block = [0x40, 1, 0x61, 0x83] + block }
                let expected = theirs.decode(block)
                let outcome = ours.skip(block)
                #expect((outcome == .ok) == (expected != nil), "\(block)")
                if expected == nil { break }
            }
        }
    }
}
