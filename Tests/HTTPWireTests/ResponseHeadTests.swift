import HTTPWire
import Testing

struct GoodResponse: CustomTestStringConvertible, Sendable {
    let name: String
    let section: String
    let head: String
    let seen: String
    var toHEAD = false
    var toCONNECT = false

    init(
        _ name: String, _ section: String, _ head: String, _ seen: String, toHEAD: Bool = false, toCONNECT: Bool = false
    ) {
        self.name = name
        self.section = section
        self.head = head
        self.seen = seen
        self.toHEAD = toHEAD
        self.toCONNECT = toCONNECT
    }

    var testDescription: String { "\(name) (\(section))" }
}

func show(_ head: ResponseHead, _ message: [UInt8]) -> String {
    message.withUnsafeBytes { bytes in
        var parts = ["\(head.status)", text(bytes[head.reason])]
        if head.version == .http10 { parts.append("1.0") }
        parts.append("\(head.framing)")
        parts.append(head.keepAlive ? "keep" : "close")
        if !head.upgrade.isEmpty { parts.append("upgrade=" + text(bytes[head.upgrade])) }
        return parts.joined(separator: " ")
    }
}

let goodResponses: [GoodResponse] = [
    .init("simple", "4", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK length(5) keep"),
    .init("no fields", "6.3", "HTTP/1.1 200 OK\r\n\r\n", "200 OK untilClose close"),
    .init("empty reason", "4", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200  length(0) keep"),
    .init("no reason, no space", "4", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200  length(0) keep"),
    .init(
        "reason with obs-text and tab", "4", "HTTP/1.1 404 Pas trouv\u{e9}\tici\r\nContent-Length: 0\r\n\r\n",
        "404 Pas trouv\u{e9}\tici length(0) keep"),
    .init("status 999", "9110 15", "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", "999 x length(0) keep"),
    .init("chunked", "6.3", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK chunked keep"),
    .init(
        "close", "9.3", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", "200 OK length(1) close"),
    .init("HTTP/1.0", "9.3", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", "200 OK 1.0 length(1) close"),
    .init(
        "HTTP/1.0 keep-alive", "9.3", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n",
        "200 OK 1.0 length(1) keep"),
    .init(
        "HTTP/1.0 keep-alive until close", "9.3", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
        "200 OK 1.0 untilClose close"),
    .init("to HEAD", "6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK none keep", toHEAD: true),
    .init("to HEAD, no length", "6.3", "HTTP/1.1 200 OK\r\n\r\n", "200 OK none keep", toHEAD: true),
    .init(
        "to HEAD, chunked", "6.3", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK none keep",
        toHEAD: true),
    .init("100", "6.3", "HTTP/1.1 100 Continue\r\n\r\n", "100 Continue none keep"),
    .init("103", "6.3", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "103 Early Hints none keep"),
    .init("204", "6.3", "HTTP/1.1 204 No Content\r\n\r\n", "204 No Content none keep"),
    .init(
        "204, Content-Length 0", "6.3", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "204 No Content none keep"),
    .init(
        "304, Content-Length", "6.3", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "304 Not Modified none keep"),
    .init(
        "304, chunked", "6.1", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
        "304 Not Modified none keep"),
    .init(
        "101", "9110 7.8",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "101 Switching Protocols none keep upgrade=websocket"),
    .init(
        "101 that Connection does not name", "9110 7.8",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "101 Switching Protocols none keep"),
    .init(
        "upgrade offered with 426", "9110 15.5.22",
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
        "426 Upgrade Required length(0) keep"),
    .init("200 to CONNECT", "6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 OK none keep", toCONNECT: true),
    .init(
        "200 to CONNECT, framed twice", "6.3",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "200 OK none keep",
        toCONNECT: true),
    .init(
        "403 to CONNECT", "6.3", "HTTP/1.1 403 No\r\nContent-Length: 5\r\n\r\n", "403 No length(5) keep",
        toCONNECT: true),
]

let badResponses: [BadHead] = [
    .init("empty line first", "4", "\r\nHTTP/1.1 200 OK\r\n\r\n", .statusLine),
    .init("no version", "4", "200 OK\r\n\r\n   ", .statusLine),
    .init("shoutcast", "4", "ICY 200 OK\r\n\r\n", .statusLine),
    .init("two digits", "4", "HTTP/1.1 20 OK\r\n\r\n", .statusLine),
    .init("four digits", "4", "HTTP/1.1 2000 OK\r\n\r\n", .statusLine),
    .init("status below 100", "4", "HTTP/1.1 099 OK\r\n\r\n", .statusLine),
    .init("status with a letter", "4", "HTTP/1.1 2o0 OK\r\n\r\n", .statusLine),
    .init("two spaces", "4", "HTTP/1.1  200 OK\r\n\r\n", .statusLine),
    .init("tab before the reason", "4", "HTTP/1.1 200\tOK\r\n\r\n", .statusLine),
    .init("HTTP/1.2", "2.3", "HTTP/1.2 200 OK\r\n\r\n", .versionUnsupported),
    .init("HTTP/2.0", "2.3", "HTTP/2.0 200 OK\r\n\r\n", .versionUnsupported),
    .init("NUL in the reason", "4", "HTTP/1.1 200 O\0K\r\n\r\n", .statusLine),
    .init("bare line feed in the reason", "2.2", "HTTP/1.1 200 OK\nX: y\r\n\r\n", .bareLineFeed),
    .init("bare carriage return in the reason", "2.2", "HTTP/1.1 200 OK\rX: y\r\n\r\n", .bareCarriageReturn),
    .init(
        "Content-Length and chunked", "6.3",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthWithCoding),
    .init(
        "two Content-Lengths", "6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        .lengthRepeated),
    .init("list of Content-Lengths", "6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", .lengthSyntax),
    .init("negative Content-Length", "6.2", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .lengthSyntax),
    .init("bad Content-Length to HEAD too", "6.2", "HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n", .lengthSyntax),
    .init("unknown coding", "6.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .codingUnsupported),
    .init("coding in HTTP/1.0", "6.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .codingInOldVersion),
    .init("204 with chunked", "6.1", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", .codingForbidden),
    .init("100 with chunked", "6.1", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", .codingForbidden),
    .init("204 with Content-Length", "9110 8.6", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", .lengthForbidden),
    .init(
        "101 with Content-Length", "9110 8.6",
        "HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 5\r\n\r\n", .lengthForbidden),
    .init("space before the colon", "5.1", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", .spaceBeforeColon),
    .init("folded", "5.2", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", .foldedLine),
    .init("NUL in a value", "9110 5.5", "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", .valueByte),
    .init("bare line feed ends the head", "2.2", "HTTP/1.1 200 OK\r\nX: y\r\n\n", .bareLineFeed),
]

@Suite struct ResponseHeadTests {
    @Test("passes", arguments: goodResponses)
    func passes(_ good: GoodResponse) throws {
        let message = bytes(good.head)
        let result = try parseResponse(message, toHEAD: good.toHEAD, toCONNECT: good.toCONNECT)
        guard case .response(let head, _) = result else {
            Issue.record("refused: \(result)")
            return
        }
        #expect(show(head, message) == good.seen)
        #expect(head.length == message.count)
    }

    @Test("is refused", arguments: badResponses)
    func isRefused(_ bad: BadHead) throws {
        #expect(try parseResponse(bytes(bad.head)) == .invalid(bad.error))
    }

    @Test("hop-by-hop fields are flagged")
    func hopByHop() throws {
        let head = "HTTP/1.1 200 OK\r\nConnection: Set-Cookie\r\nSet-Cookie: a\r\nset-cookie: b\r\nServer: c\r\n\r\n"
        guard case .response(_, let fields) = try parseResponse(bytes(head)) else {
            Issue.record("refused")
            return
        }
        #expect(
            fields.map(\.description) == ["Connection=Set-Cookie!", "Set-Cookie=a!", "set-cookie=b!", "Server=c"])
    }
}
