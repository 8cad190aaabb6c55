import HTTPWire
import Model
import Proxy
import Testing

@Suite struct SessionTests {
    private let key = SessionKey((0..<32).map { UInt8($0) })!
    private let token = SessionToken(high: 0, low: 0xffff_0a00_0001, port: 8080, issued: 1_000_000, used: 2_000_000)

    /// The reference implementation's vectors: the key is 00 to 0f, the message 00 to its length less one.
    @Test(
        "SipHash-2-4-128",
        arguments: [
            (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
            (7, "a1f1ebbed8dbc153c0b84aa61ff08239"), (8, "3b62a9ba6258f5610f83e264f31497b4"),
            (9, "264499060ad9baabc47f8b02bb6d71ed"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
            (16, "6ee2a4ca67b054bbfd3315bf85230577"), (31, "2939b0183223fafc1723de4f52c43d35"),
            (32, "7c3956ca5eeafc3e363e9d556546eb68"), (63, "5150d1772f50834a503e069a973fbd7c"),
        ])
    func sipHash(_ count: Int, _ expected: String) {
        let hash = (0..<count).map { UInt8($0) }.withUnsafeBytes {
            SipHash.hash($0, key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)
        }
        let bytes = withUnsafeBytes(of: (hash.low.littleEndian, hash.high.littleEndian)) { Array($0) }
        let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(digits == expected)
    }

    private func text(_ token: SessionToken, _ key: SessionKey) -> [UInt8] {
        written { token.write(key: key, to: &$0) }
    }

    private func parse(_ text: [UInt8], _ key: SessionKey) -> SessionToken? {
        text.withUnsafeBytes { SessionToken($0, key: key) }
    }

    @Test func tokensComeBack() {
        var random = RandomSource(seed: 1)
        for _ in 0..<200 {
            let token = SessionToken(
                high: random.next(), low: random.next(), port: UInt16(truncatingIfNeeded: random.next()),
                issued: random.next() >> 16, used: random.next() >> 16)
            let text = text(token, key)
            #expect(text.count == SessionToken.length)
            #expect(
                text.allSatisfy {
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8.contains($0)
                })
            #expect(parse(text, key) == token)
        }
    }

    @Test func everyChangedBitIsNoticed() {
        let good = text(token, key)
        for index in good.indices {
            for replacement in "Aa0-_=. ".utf8 where replacement != good[index] {
                var bad = good
                bad[index] = replacement
                #expect(parse(bad, key) == nil)
            }
        }
        #expect(parse(Array(good.dropLast()), key) == nil)
        #expect(parse(good + [0x41], key) == nil)
        #expect(parse([], key) == nil)
    }

    @Test func anotherKeyIsNoticed() {
        for changed in 0..<32 {
            var bytes = (0..<32).map { UInt8($0) }
            bytes[changed] ^= 1
            #expect(parse(text(token, key), SessionKey(bytes)!) == nil, "byte \(changed) of the key counts")
        }
        #expect(SessionKey([UInt8](repeating: 0, count: 31)) == nil)
        #expect(parse(text(token, .random()), .random()) == nil)
    }

    @Test(
        "cookies of one name (RFC 6265 section 4.2.1)",
        arguments: [
            ("sid=1", ["1"]), ("a=b; sid=1; c=d", ["1"]), ("sid=1; sid=2", ["1", "2"]), ("sid=1;sid=2", ["1", "2"]),
            ("xsid=1; sidx=2; sid=3", ["3"]), ("sid = 1", []), ("sid= 1 ", ["1"]), ("sid=\"1\"", ["1"]),
            ("sid=\"", ["\""]),
            ("sid", []), ("sid;sid=", [""]), ("SID=1", []), (";;; ;sid=1;;", ["1"]), ("sid=a=b", ["a=b"]), ("", []),
            ("=sid; sid=1", ["1"]), ("a=\"x; sid=1\"", ["1\""]),
        ])
    func cookies(_ field: String, _ expected: [String]) {
        var values = CookieValues(lasting(field), named: lasting("sid"))
        var found: [String] = []
        while let value = values.next() { found.append(String(decoding: value, as: UTF8.self)) }
        #expect(found == expected)
    }

    private func rules(_ carrier: SessionPersistence.Carrier, absolute: UInt64? = nil, idle: UInt64? = nil)
        -> SessionRules
    {
        let (name, path): ([UInt8], [UInt8]) =
            switch carrier {
            case .cookie(let name, let path, _): (name, path)
            case .header(let name): (name, [])
            }
        return SessionRules(
            SessionPersistence(
                carrier: carrier, absoluteTimeout: absolute.map { $0 * 1_000_000 },
                idleTimeout: idle.map { $0 * 1_000_000 }), name: lasting(name), path: lasting(path))
    }

    private func cookie(path: String = "", isPermanent: Bool = false) -> SessionPersistence.Carrier {
        .cookie(name: Array("sid".utf8), path: Array(path.utf8), isPermanent: isPermanent)
    }

    @Test func firstGenuineTokenOfSeveralCookies() {
        let rules = rules(cookie(), absolute: 60_000)
        let old = SessionToken(high: 0, low: 1, port: 1, issued: 100_000, used: 100_000)
        let new = SessionToken(high: 0, low: 2, port: 2, issued: 190_000, used: 190_000)
        let forged = SessionToken(high: 0, low: 3, port: 3, issued: 190_000, used: 190_000)
        let texts = [Self.string(text(forged, .random())), Self.string(text(old, key)), Self.string(text(new, key))]
        let oneLine = ParsedHead(["Cookie: a=b; " + texts.map { "sid=\($0)" }.joined(separator: "; ")])
        #expect(rules.token(oneLine.bytes, oneLine.fields, key: key, now: 200_000) == new)
        #expect(rules.token(oneLine.bytes, oneLine.fields, key: key, now: 150_000) == old)
        let lines = ParsedHead(texts.map { "cookie: sid=\($0)" })
        #expect(rules.token(lines.bytes, lines.fields, key: key, now: 200_000) == new)
        let none = ParsedHead(["sid: \(texts[2])", "cookie: sid=\(texts[0])"])
        #expect(rules.token(none.bytes, none.fields, key: key, now: 200_000) == nil)
    }

    @Test func tokenInAHeader() {
        let rules = rules(.header(name: Array("X-Session".utf8)))
        let head = ParsedHead([
            "cookie: x-session=\(Self.string(text(token, key)))", "x-SESSION: \(Self.string(text(token, key)))",
        ])
        #expect(rules.token(head.bytes, head.fields, key: key, now: 3_000_000) == token)
        #expect(
            Self.string(written { rules.write(token, isSecure: true, key: key, now: 3_000_000, to: &$0) })
                == "X-Session: \(Self.string(text(token, key)))\r\n")
    }

    @Test func timeouts() {
        let absolute = rules(cookie(), absolute: 5000)
        let idle = rules(cookie(), idle: 5000)
        let both = rules(cookie(), absolute: 1_005_000, idle: 5000)
        #expect(absolute.holds(token, now: 1_004_999) && !absolute.holds(token, now: 1_005_000))
        #expect(idle.holds(token, now: 2_004_999) && !idle.holds(token, now: 2_005_000))
        #expect(both.holds(token, now: 2_004_999) && !both.holds(token, now: 2_005_000))
        #expect(idle.holds(token, now: 0), "another node's clock may be ahead")
        #expect(rules(cookie()).holds(token, now: 1 << 60))
    }

    @Test func renewal() {
        func renewed(_ rules: SessionRules, now: UInt64, port: UInt16 = 8080) -> SessionToken? {
            rules.renewed(token, high: token.high, low: token.low, port: port, now: now)
        }
        let other = SessionToken(high: token.high, low: token.low, port: 8081, issued: 9, used: 9)
        #expect(renewed(rules(cookie(), absolute: 5000), now: 1 << 40) == nil)
        #expect(renewed(rules(cookie()), now: 9, port: 8081) == other)
        #expect(rules(cookie()).renewed(nil, high: token.high, low: token.low, port: 8081, now: 9) == other)
        #expect(renewed(rules(cookie(), idle: 60_000), now: 2_000_999) == nil)
        var again = token
        again.used = 2_001_000
        #expect(renewed(rules(cookie(), idle: 60_000), now: 2_001_000) == again, "the session's beginning stays")
        #expect(renewed(rules(cookie(), idle: 1600), now: 2_000_099) == nil)
        #expect(renewed(rules(cookie(), idle: 1600), now: 2_000_100) != nil)
        #expect(renewed(rules(cookie(), idle: 60_000), now: 1_999_999) == nil)
    }

    @Test func setCookieLines() {
        func line(_ rules: SessionRules, isSecure: Bool = false, now: UInt64 = 1_000_500) -> String {
            Self.string(written { rules.write(token, isSecure: isSecure, key: key, now: now, to: &$0) })
                .replacing(Self.string(text(token, key)), with: "TOKEN")
        }
        #expect(line(rules(cookie())) == "set-cookie: sid=TOKEN; HttpOnly; SameSite=Strict\r\n")
        #expect(
            line(rules(cookie(path: "/a", isPermanent: true), absolute: 60_000), isSecure: true)
                == "set-cookie: sid=TOKEN; Path=/a; Max-Age=60; Secure; HttpOnly; SameSite=Strict\r\n")
        #expect(
            line(rules(cookie(isPermanent: true), absolute: 60_000), now: 1_059_001)
                == "set-cookie: sid=TOKEN; Max-Age=1; HttpOnly; SameSite=Strict\r\n")
        #expect(
            line(rules(cookie(), absolute: 60_000)) == "set-cookie: sid=TOKEN; HttpOnly; SameSite=Strict\r\n",
            "a session cookie ends with the browser's session")
    }

    private static func string(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
