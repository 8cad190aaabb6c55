import HTTPWire

/// A byte stream from one client, made to be read differently by two peers, and what it is.
struct Smuggling: Sendable {
    enum Verdict: Sendable {
        /// The head at which the stream is refused.
        case head(HeadError)
        /// The body at which the stream is refused.
        case body(BodyError)
        /// Legal: exactly these requests, each as `METHOD path body`.
        case requests([String])
    }

    let name: String
    let stream: String
    let verdict: Verdict

    init(_ name: String, _ stream: String, _ verdict: Verdict) {
        self.name = name
        self.stream = stream
        self.verdict = verdict
    }

    var error: HeadError? {
        if case .head(let error) = verdict { return error }
        return nil
    }
}

/// A POST with `fields`, then what a second reader may take for a request of its own.
private func post(_ fields: String, _ rest: String = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n") -> String {
    "POST /p HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n\(rest)"
}

private func chunks(_ body: String) -> String {
    "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)"
}

let smuggling: [Smuggling] = [
    // Content-Length against Transfer-Encoding (RFC 9112 section 6.3, item 3).
    .init("CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked"), .head(.lengthWithCoding)),
    .init("TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 6"), .head(.lengthWithCoding)),
    .init("CL.TE with CL 0", post("Content-Length: 0\r\nTransfer-Encoding: chunked"), .head(.lengthWithCoding)),
    .init(
        "CL.TE in HTTP/1.0", "POST /p HTTP/1.0\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        .head(.lengthWithCoding)),
    .init("CL.TE identity", post("Content-Length: 6\r\nTransfer-Encoding: identity"), .head(.lengthWithCoding)),
    .init("CL.TE xchunked", post("Content-Length: 6\r\nTransfer-Encoding: xchunked"), .head(.lengthWithCoding)),
    .init("CL.TE empty", post("Content-Length: 6\r\nTransfer-Encoding:"), .head(.lengthWithCoding)),
    .init(
        "CL.TE named by Connection",
        post("Connection: Transfer-Encoding\r\nContent-Length: 6\r\nTransfer-Encoding: chunked"),
        .head(.lengthWithCoding)),
    .init(
        "CL named by Connection",
        post("Connection: Content-Length\r\nContent-Length: 5", "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p 0\r\n\r\n", "GET /x "])),

    // Content-Length on its own (section 6.2).
    .init("CL twice, different", post("Content-Length: 6\r\nContent-Length: 5"), .head(.lengthRepeated)),
    .init("CL twice, equal", post("Content-Length: 5\r\nContent-Length: 5"), .head(.lengthRepeated)),
    .init("CL twice, other case", post("content-length: 0\r\nCONTENT-LENGTH: 5"), .head(.lengthRepeated)),
    .init("CL as a list", post("Content-Length: 5, 5"), .head(.lengthSyntax)),
    .init("CL as a list of two", post("Content-Length: 0,5"), .head(.lengthSyntax)),
    .init("CL with plus", post("Content-Length: +5"), .head(.lengthSyntax)),
    .init("CL with minus", post("Content-Length: -5"), .head(.lengthSyntax)),
    .init("CL minus zero", post("Content-Length: -0"), .head(.lengthSyntax)),
    .init("CL in hexadecimal", post("Content-Length: 0x5"), .head(.lengthSyntax)),
    .init("CL with underscore", post("Content-Length: 1_0"), .head(.lengthSyntax)),
    .init("CL with a fraction", post("Content-Length: 5.0"), .head(.lengthSyntax)),
    .init("CL with exponent", post("Content-Length: 5e0"), .head(.lengthSyntax)),
    .init("CL with a space inside", post("Content-Length: 5 0"), .head(.lengthSyntax)),
    .init("CL with letters behind", post("Content-Length: 5abc"), .head(.lengthSyntax)),
    .init("CL empty", post("Content-Length:"), .head(.lengthSyntax)),
    .init("CL quoted", post("Content-Length: \"5\""), .head(.lengthSyntax)),
    .init("CL of 2^63", post("Content-Length: 9223372036854775808"), .head(.lengthSyntax)),
    .init("CL of 2^64", post("Content-Length: 18446744073709551616"), .head(.lengthSyntax)),
    .init("CL of 2^64 + 5", post("Content-Length: 18446744073709551621"), .head(.lengthSyntax)),
    .init("CL of 2^32 + 5", post("Content-Length: 4294967301"), .requests([])),
    .init("CL with many zeros", post("Content-Length: 000000000000000000005"), .head(.lengthSyntax)),
    .init("CL with vertical tab", post("Content-Length: \u{0b}5"), .head(.valueByte)),
    .init("CL with NUL", post("Content-Length: 5\0"), .head(.valueByte)),
    .init("CL with obs-text", post("Content-Length: \u{a0}5"), .head(.lengthSyntax)),
    .init("CL with other digits", post("Content-Length: \u{b2}"), .head(.lengthSyntax)),

    // Transfer-Encoding on its own (section 6.1).
    .init("TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), .head(.codingOrder)),
    .init("TE twice, identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), .head(.codingOrder)),
    .init("TE chunked, chunked", post("Transfer-Encoding: chunked, chunked"), .head(.codingOrder)),
    .init("TE chunked, gzip", post("Transfer-Encoding: chunked, gzip"), .head(.codingOrder)),
    .init("TE gzip, chunked", post("Transfer-Encoding: gzip, chunked"), .head(.codingUnsupported)),
    .init("TE gzip", post("Transfer-Encoding: gzip"), .head(.codingUnsupported)),
    .init("TE identity", post("Transfer-Encoding: identity"), .head(.codingUnsupported)),
    .init("TE identity, chunked", post("Transfer-Encoding: identity, chunked"), .head(.codingUnsupported)),
    .init("TE xchunked", post("Transfer-Encoding: xchunked"), .head(.codingUnsupported)),
    .init("TE chunkedx", post("Transfer-Encoding: chunkedx"), .head(.codingUnsupported)),
    .init("TE chunked with parameter", post("Transfer-Encoding: chunked;q=1"), .head(.codingSyntax)),
    .init("TE quoted", post("Transfer-Encoding: \"chunked\""), .head(.codingSyntax)),
    .init("TE two words", post("Transfer-Encoding: chunked identity"), .head(.codingSyntax)),
    .init("TE empty", post("Transfer-Encoding:"), .head(.codingSyntax)),
    .init("TE with comma first", post("Transfer-Encoding: ,chunked"), .head(.codingSyntax)),
    .init("TE with comma last", post("Transfer-Encoding: chunked,"), .head(.codingOrder)),
    .init("TE with vertical tab", post("Transfer-Encoding: \u{0b}chunked"), .head(.valueByte)),
    .init("TE with form feed", post("Transfer-Encoding: chunked\u{0c}"), .head(.valueByte)),
    .init("TE with NUL", post("Transfer-Encoding: chunked\0"), .head(.valueByte)),
    .init("TE with obs-text", post("Transfer-Encoding: \u{a0}chunked"), .head(.codingSyntax)),
    .init("TE with long s", post("Transfer-Encoding: chun\u{e9}ed"), .head(.codingSyntax)),
    .init(
        "TE in HTTP/1.0", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .head(.codingInOldVersion)),
    .init(
        "TE with tab and spaces", post("Transfer-Encoding:\t chunked \t", "1\r\nx\r\n0\r\n\r\n"),
        .requests(["POST /p x"])),
    .init(
        "TE named with underscore", post("Transfer_Encoding: chunked", "GET /n HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p ", "GET /n "])),

    // Lines (sections 2.2, 5.1, 5.2).
    .init(
        "space before the colon of TE", post("Content-Length: 5\r\nTransfer-Encoding : chunked"),
        .head(.spaceBeforeColon)),
    .init("tab before the colon of CL", post("Content-Length\t: 5"), .head(.spaceBeforeColon)),
    .init("NUL before the colon of TE", post("Transfer-Encoding\0: chunked"), .head(.fieldName)),
    .init("space before the name", post(" Transfer-Encoding: chunked"), .head(.foldedLine)),
    .init("folded TE", post("Transfer-Encoding:\r\n chunked"), .head(.foldedLine)),
    .init("folded CL", post("Content-Length: 5\r\n 0"), .head(.foldedLine)),
    .init("field hidden behind a bare LF", post("X: y\nTransfer-Encoding: chunked"), .head(.bareLineFeed)),
    .init("field hidden behind a bare CR", post("X: y\rTransfer-Encoding: chunked"), .head(.bareCarriageReturn)),
    .init("field hidden behind CR CR LF", post("X: y\r\r\nTransfer-Encoding: chunked"), .head(.bareCarriageReturn)),
    .init("head ended by LF LF", "POST /p HTTP/1.1\r\nHost: a\nContent-Length: 5\n\n12345", .head(.bareLineFeed)),
    .init("line without colon", post("Transfer-Encoding chunked"), .head(.spaceBeforeColon)),
    .init(
        "name with a colon inside a word", post("Transfer:Encoding: chunked", "GET /n HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p ", "GET /n "])),
    .init("name with obs-text", post("Transfer-Encod\u{ef}ng: chunked"), .head(.fieldName)),
    .init("name ends with a bracket", post("Content-Length]: 5"), .head(.fieldName)),
    .init("Host twice", post("Host: b\r\nContent-Length: 0"), .head(.hostRepeated)),
    .init("Host with a path", "GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", .head(.hostInvalid)),
    .init("Host against absolute form", "GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", .head(.hostInvalid)),
    .init("Host with a comma list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .head(.hostInvalid)),
    .init(
        "request line with a request inside", "GET / HTTP/1.1 GET /x HTTP/1.1\r\nHost: a\r\n\r\n", .head(.versionSyntax)
    ),
    .init("line feed in the target", "GET /a\nHost: b HTTP/1.1\r\nHost: a\r\n\r\n", .head(.versionMissing)),
    .init("HTTP/0.9 after a body", post("Content-Length: 0", "GET /x\r\n\r\n"), .head(.versionMissing)),
    .init(
        "HTTP/1.9", "POST / HTTP/1.9\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        .head(.versionUnsupported)),
    .init(
        "upgrade to h2c",
        "GET /u HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
            + "Connection: Upgrade, HTTP2-Settings\r\n\r\n", .requests(["GET /u "])),

    // Chunks (section 7.1).
    .init("chunk size with 0x", chunks("0x5\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with plus", chunks("+5\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with minus", chunks("-5\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with space before", chunks(" 5\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with space behind", chunks("5 \r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with tab behind", chunks("5\t\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with space before an extension", chunks("5 ;a=b\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size with underscore", chunks("0_5\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size empty", chunks("\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size only an extension", chunks(";a\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk size of 17 digits", chunks("00000000000000005\r\n12345\r\n0\r\n\r\n"), .body(.chunkSizeTooLarge)),
    .init("chunk size of 2^64 + 5", chunks("10000000000000005\r\n12345\r\n0\r\n\r\n"), .body(.chunkSizeTooLarge)),
    .init("chunk size of 2^64 - 1", chunks("ffffffffffffffff\r\n12345\r\n0\r\n\r\n"), .requests([])),
    .init("chunk size with g", chunks("5g\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk line ends with LF", chunks("5\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk line ends with CR", chunks("5\r12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("chunk data ends with LF", chunks("5\r\n12345\n0\r\n\r\n"), .body(.chunkEnd)),
    .init("chunk data ends with CR", chunks("5\r\n12345\rX0\r\n\r\n"), .body(.chunkEnd)),
    .init("chunk data too long", chunks("5\r\n123456\r\n0\r\n\r\n"), .body(.chunkEnd)),
    .init("chunk data too short", chunks("5\r\n1234\r\n0\r\n\r\n"), .body(.chunkEnd)),
    .init("last chunk ends with LF", chunks("0\n\r\n"), .body(.chunkSize)),
    .init("last chunk, LF LF", chunks("0\r\n\n"), .body(.trailerSyntax)),
    .init("extension hides an LF", chunks("5;a\nx\r\n12345\r\n0\r\n\r\n"), .body(.chunkExtension)),
    .init("extension hides a CR", chunks("5;a\rx\r\n12345\r\n0\r\n\r\n"), .body(.chunkSize)),
    .init("extension with NUL", chunks("5;a\0\r\n12345\r\n0\r\n\r\n"), .body(.chunkExtension)),
    .init(
        "extension of 300 bytes", chunks("5;\(String(repeating: "a", count: 300))\r\n12345\r\n0\r\n\r\n"),
        .body(.chunkExtensionTooLong)),
    .init("extension dropped", chunks("5;a=\"b;c\"\r\n12345\r\n0;d\r\n\r\n"), .requests(["POST /p 12345"])),
    .init(
        "last chunk of several zeros", chunks("5\r\n12345\r\n000\r\n\r\nGET /n HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p 12345", "GET /n "])),
    .init(
        "trailer frames", chunks("0\r\nContent-Length: 30\r\n\r\nGET /n HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p ", "GET /n "])),
    .init("trailer folded", chunks("0\r\nX: y\r\n z\r\n\r\n"), .body(.trailerSyntax)),
    .init("trailer with bare LF", chunks("0\r\nX: y\n\r\n"), .body(.trailerSyntax)),
    .init("trailer with space before the colon", chunks("0\r\nX : y\r\n\r\n"), .body(.trailerSyntax)),
    .init("trailer without colon", chunks("0\r\nGET /x HTTP/1.1\r\n\r\n"), .body(.trailerSyntax)),
    .init("trailer with NUL", chunks("0\r\nX: \0\r\n\r\n"), .body(.trailerSyntax)),

    // Streams that are legal and must be cut in the same places by everybody.
    .init(
        "pipelined", "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        .requests(["GET /a ", "GET /b "])),
    .init(
        "GET with a body that looks like a request",
        "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /x HTTP/1.1\r\nHost: abc\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        .requests(["GET /a GET /x HTTP/1.1\r\nHost: abc\r\n\r\n", "GET /b "])),
    .init(
        "chunks that look like a request", chunks("6\r\n0\r\n\r\nX\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p 0\r\n\r\nX", "GET /b "])),
    .init(
        "empty line between requests", post("Content-Length: 1", "x\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
        .requests(["POST /p x", "GET /b "])),
    .init(
        "bytes after close",
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        .requests(["GET /a "])),
    .init(
        "sizes in both cases", chunks("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"),
        .requests(["POST /p 01234567890123456789a"])),
]
