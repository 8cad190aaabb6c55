import HTTPWire
import Proxy
import Testing

@Suite struct ExternalAuthTests {
    private func list(_ names: [String]) -> UnsafeBufferPointer<UnsafeRawBufferPointer> {
        let room = UnsafeMutableBufferPointer<UnsafeRawBufferPointer>.allocate(capacity: names.count)
        _ = room.initialize(from: names.map { lasting($0) })
        return UnsafeBufferPointer(room)
    }

    private func request(
        _ lines: [String], allowed: [String] = [], body: [UInt8] = [], size: Int64 = 0, version: HTTPVersion = .http11,
        id: String = ""
    ) -> CheckRequest {
        let head = ParsedHead(lines)
        return CheckRequest(
            source: .init(high: 0, low: 0xffff_0a00_0105, port: 40000),
            destination: .init(high: 0xfd00_0000_0000_0000, low: 0x1, port: 80), seconds: 1_700_000_000, nanoseconds: 5,
            id: lasting(id), method: lasting("GET"), target: lasting("/a?b"), host: lasting("echo"), version: version,
            size: size, body: lasting(body), head: head.bytes, fields: head.fields, allowed: list(allowed))
    }

    /// The text that protoc makes of it, one field a line, without the quotes of its values' field names.
    private func decoded(_ request: CheckRequest) throws -> [String] {
        let bytes = written { request.write(to: &$0) }
        let frame = bytes.withUnsafeBytes { GRPCFraming.unary($0, limit: 1 << 20) }
        #expect(frame == .message(ByteRange(start: 5, count: UInt32(bytes.count - 5))))
        return try Protoc.decode("CheckRequest", Array(bytes.dropFirst(5))).split(separator: "\n").map {
            $0.trimmingPrefix { $0 == " " }.description
        }
    }

    /// `name=value` of the headers map.
    private func headers(_ lines: [String]) -> [String] {
        var headers: [String] = []
        for index in lines.indices where lines[index] == "headers {" {
            headers.append(
                lines[index + 1].dropFirst("key: \"".count).dropLast() + "="
                    + lines[index + 2].dropFirst("value: \"".count).dropLast())
        }
        return headers.sorted()
    }

    @Test func checkRequestAsProtocReadsIt() throws {
        let lines = try decoded(
            request(
                ["X-A: 1", "Cookie: a=b", "Connection: X-Gone", "X-Gone: 1", "x-a: 2", "COOKIE: c=d", "X-Empty:"],
                body: Array("héllo".utf8), size: -1, version: .http2, id: "id-1"))
        for expected in [
            "address: \"10.0.1.5\"", "address: \"fd00::1\"", "port_value: 40000",
            "port_value: 80",
            "seconds: 1700000000", "nanos: 5", "id: \"id-1\"", "method: \"GET\"", "path: \"/a?b\"", "host: \"echo\"",
            "scheme: \"http\"", "size: -1", "protocol: \"HTTP/2\"", "body: \"h\\303\\251llo\"",
        ] {
            #expect(lines.contains(expected), "\(expected) in \(lines)")
        }
        #expect(
            headers(lines) == [
                ":authority=echo", ":method=GET", ":path=/a?b", ":scheme=http", "cookie=a=b; c=d", "x-a=1, 2",
                "x-empty=",
            ])
    }

    @Test func checkRequestWithAllowedHeadersOnly() throws {
        let lines = try decoded(
            request(["Authorization: secret", "X-A: 1", "X-B: 2"], allowed: ["x-b", "x-c", "host"], size: 7))
        #expect(headers(lines) == [":authority=echo", ":method=GET", ":path=/a?b", ":scheme=http", "x-b=2"])
        #expect(lines.contains("size: 7") && lines.contains("protocol: \"HTTP/1.1\""))
        #expect(!lines.contains { $0.hasPrefix("body") || $0.hasPrefix("raw_body") || $0.hasPrefix("id") })
    }

    @Test func checkRequestWithBytesThatAreNoText() throws {
        var request = request(["X-A: 1"], body: [0xff, 0, 0xc3], size: 3)
        let head = lasting(Array("n: \u{e9}".unicodeScalars.map { UInt8($0.value) }))
        let fields = UnsafeMutableBufferPointer<FieldRange>.allocate(capacity: 1)
        fields.initialize(
            repeating: FieldRange(name: ByteRange(start: 0, count: 1), value: ByteRange(start: 3, count: 1)))
        request.head = head
        request.fields = fields
        let lines = try decoded(request)
        #expect(lines.contains("raw_body: \"\\377\\000\\303\""))
        #expect(headers(lines).contains("n=!"))
    }

    @Test(
        "addresses (RFC 5952 section 4)",
        arguments: [
            (0, 0xffff_7f00_0001, "127.0.0.1"), (0, 0xffff_ffff_ffff, "255.255.255.255"),
            (0, 0xffff_0000_0000, "0.0.0.0"),
            (0, 0, "::"), (0, 1, "::1"), (0x2001_0db8_0000_0000, 0x0000_0001_0000_0001, "2001:db8::1:0:1"),
            (0x2001_0db8_0000_0001, 0x0001_0001_0001_0001, "2001:db8:0:1:1:1:1:1"),
            (0x2001_0000_0000_0001, 0x0000_0000_0000_0001, "2001:0:0:1::1"), (0x00ab_0000_0000_0000, 0, "ab::"),
            (0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] as [(UInt64, UInt64, String)])
    func addresses(_ high: UInt64, _ low: UInt64, _ expected: String) throws {
        var request = request([])
        request.source = .init(high: high, low: low, port: 1)
        #expect(try decoded(request).contains("address: \"\(expected)\""))
    }

    /// An answer as protoc writes it, and what it changes.
    private func answer(_ text: String) throws -> (response: CheckResponse, bytes: UnsafeRawBufferPointer)? {
        let bytes = lasting(try Protoc.encode("CheckResponse", text))
        return CheckResponse(bytes).map { ($0, bytes) }
    }

    @Test func allowed() throws {
        let (response, bytes) = try #require(
            try answer(
                """
                status { code: 0 message: "fine" }
                ok_response {
                  headers { header { key: "X-User" value: "bob" } }
                  headers { header { key: "x-more" value: " b " } append { value: true } }
                  headers { header { key: "x-over" raw_value: "raw" } append { value: false } append_action: ADD_IF_ABSENT }
                  headers { header { key: "x-absent" value: "1" } append_action: ADD_IF_ABSENT }
                  headers { header { key: "x-there" value: "1" } append_action: ADD_IF_ABSENT }
                  headers { header { key: "x-if" value: "1" } append_action: OVERWRITE_IF_EXISTS }
                  headers { header { key: "Host" value: "evil" } }
                  headers { header { key: ":path" value: "/evil" } }
                  headers { header { key: "Content-Length" value: "7" } }
                  headers_to_remove: "Authorization"
                  headers_to_remove: "host"
                  response_headers_to_add { header { key: "Set-Cookie" value: "a=b" } append { value: true } }
                }
                dynamic_metadata: "anything"
                """))
        #expect(response.isAllowed && !response.changesQuery)
        let edits = written { response.appendRequestEdits(bytes, to: &$0) }
        #expect(
            text(edits) == """
                =x-user: bob\r\n+x-more: b\r\n=x-over: raw\r\n?x-absent: 1\r\n?x-there: 1\r\n!x-if: 1\r\n-authorization: \r\n
                """)
        #expect(text(written { response.appendResponseEdits(bytes, to: &$0) }) == "+set-cookie: a=b\r\n")
        #expect(written { _ = response.appendDeniedFields(bytes, to: &$0) }.isEmpty)

        let change = FieldEdits(lasting(edits))
        let head = ParsedHead(["X-USER: admin", "x-more: a", "x-there: 0", "Authorization: x", "x-other: y"])
        let kept = head.fields.map { field in
            UnsafeRawBufferPointer(rebasing: head.bytes[Int(field.name.start)..<Int(field.name.end)])
        }.filter { !change.drops($0) }
        #expect(kept.map { String(decoding: $0, as: UTF8.self) } == ["Host", "x-more", "x-there", "x-other"])
        #expect(
            text(written { change.appendLines(head.bytes, head.fields, to: &$0) })
                == "x-user: bob\r\nx-more: b\r\nx-over: raw\r\nx-absent: 1\r\n")
    }

    @Test func denied() throws {
        let (response, bytes) = try #require(
            try answer(
                """
                status { code: 7 }
                denied_response {
                  status { code: 401 }
                  headers { header { key: "WWW-Authenticate" value: "Basic" } }
                  headers { header { key: "content-length" value: "9" } }
                  body: "go away"
                }
                """))
        #expect(!response.isAllowed && response.deniedStatus == 401)
        #expect(text(Array(bytes[Int(response.body.start)..<Int(response.body.end)])) == "go away")
        var hasType = true
        #expect(
            text(written { hasType = response.appendDeniedFields(bytes, to: &$0) }) == "www-authenticate: Basic\r\n")
        #expect(!hasType)
        #expect(written { response.appendRequestEdits(bytes, to: &$0) }.isEmpty)
    }

    @Test(
        "whether an answer allows",
        arguments: [
            ("status { code: 0 }", true, 403), ("status { }", true, 403), ("ok_response { }", true, 403),
            ("status { code: 7 }", false, 403), ("status { code: 16 } denied_response { }", false, 403),
            ("status { code: 7 } denied_response { status { code: 99 } }", false, 403),
            ("status { code: 7 } denied_response { status { code: 302 } }", false, 302),
            ("status { code: 7 } ok_response { headers { header { key: \"a\" } } }", false, 403),
            ("status { code: 0 } denied_response { status { code: 404 } }", false, 404),
            ("", nil, 0), ("denied_response { }", nil, 0),
            ("ok_response { headers { header { key: \"a\\nb\" value: \"1\" } } }", nil, 0),
            ("ok_response { headers { header { key: \"a\" value: \"1\\r\\nb: 2\" } } }", nil, 0),
            ("ok_response { headers { header { key: \"\" value: \"1\" } } }", nil, 0),
            ("ok_response { headers { } }", nil, 0),
            ("ok_response { headers_to_remove: \"a b\" }", nil, 0),
            ("ok_response { response_headers_to_add { header { key: \"a\" value: \"\\001\" } } }", nil, 0),
            ("status { code: 7 } denied_response { headers { header { key: \"a:\" } } }", nil, 0),
        ] as [(String, Bool?, UInt16)])
    func verdicts(_ message: String, _ isAllowed: Bool?, _ status: UInt16) throws {
        let response = try answer(message)?.response
        #expect(response?.isAllowed == isAllowed)
        if let response { #expect(response.deniedStatus == status) }
    }

    @Test func changesOfTheQueryAreSeen() throws {
        for change in ["query_parameters_to_set { key: \"a\" }", "query_parameters_to_remove: \"a\""] {
            let response = try #require(try answer("ok_response { \(change) }")).response
            #expect(response.isAllowed && response.changesQuery)
        }
    }

    /// Cut off anywhere, or with a byte changed, it is read or refused, never wrongly read on.
    @Test func brokenMessages() throws {
        let whole = try Protoc.encode(
            "CheckResponse",
            "status { code: 300 } denied_response { status { code: 401 } headers { header { key: \"a\" value: \"b\" } } body: \"x\" }"
        )
        for count in 0...whole.count {
            _ = CheckResponse(lasting(Array(whole[..<count])))
            for value in [0, 0x7f, 0x80, 0xff] as [UInt8] where count < whole.count {
                var changed = whole
                changed[count] = value
                let bytes = lasting(changed)
                guard let response = CheckResponse(bytes) else { continue }
                #expect(Int(response.body.end) <= bytes.count)
                _ = written { _ = response.appendDeniedFields(bytes, to: &$0) }
            }
        }
        for message in [
            [0x0a], [0x0a, 0x05], [0x0a, 0x80], [0x08, 1], [0x0b], [0x0c], [0x02, 0], [0x0a, 0, 0x0a, 0],
            [0x1a, 0, 0x12, 0], [0x1a] + [UInt8](repeating: 0xff, count: 9) + [1],
            [0x1a] + [UInt8](repeating: 0xff, count: 10),
            [0x1a, 2, 0x10, 1], [0x1a, 0, 0x21, 0],
        ] as [[UInt8]] {
            #expect(CheckResponse(lasting(message)) == nil, "\(message)")
        }
    }

    @Test func requestOverHTTP() {
        let head = ParsedHead([
            "Authorization: Basic x", "X-A: 1", "X-B: 2", "Content-Length: 99", "Expect: 100-continue",
            "Connection: x-a",
            "Content-Type: text/plain",
        ])
        func request(_ path: String, _ allowed: [String], target: String = "/a?b") -> String {
            text(
                written {
                    HTTPAuthRequest(
                        method: lasting("POST"), target: lasting(target), host: lasting("echo:80"), path: lasting(path),
                        bodyCount: 5, head: head.bytes, fields: head.fields, allowed: list(allowed)
                    ).write(to: &$0)
                })
        }
        #expect(
            request("", [])
                == "POST /a?b HTTP/1.1\r\nhost: echo:80\r\nAuthorization: Basic x\r\ncontent-length: 5\r\n\r\n")
        #expect(
            request("/auth/", ["x-a", "x-b", "content-length", "host", "transfer-encoding", "content-type"])
                == "POST /auth/a?b HTTP/1.1\r\nhost: echo:80\r\nAuthorization: Basic x\r\nX-B: 2\r\nContent-Type: text/plain\r\ncontent-length: 5\r\n\r\n"
        )
        #expect(request("/auth", []).hasPrefix("POST /auth/a?b HTTP/1.1\r\n"))
        #expect(request("auth", []).hasPrefix("POST /auth/a?b HTTP/1.1\r\n"))
        #expect(request("/auth", [], target: "*").hasPrefix("POST /auth HTTP/1.1\r\n"))
        #expect(request("", [], target: "*").hasPrefix("POST * HTTP/1.1\r\n"))
    }

    @Test func answerOverHTTP() {
        let head = ParsedHead([
            "X-User: bob", "Content-Type: text/plain", "Content-Length: 0", "Connection: x-hop", "X-Hop: 1",
            "Set-Cookie: a",
        ])
        func edits(_ allowed: [String]) -> String {
            text(written { HTTPAuthRequest.appendEdits(head.bytes, head.fields, allowed: list(allowed), to: &$0) })
        }
        #expect(edits([]) == "=x-user: bob\r\n=set-cookie: a\r\n")
        #expect(
            edits(["x-user", "content-type", "host", "x-hop", "content-length"])
                == "=x-user: bob\r\n=content-type: text/plain\r\n")
    }
}
