import HTTPWire
import Testing

/// A request head that passes, and what is read from it.
struct GoodRequest: CustomTestStringConvertible, Sendable {
    let name: String
    /// Of RFC 9112 where nothing else is said.
    let section: String
    let head: String
    let seen: String

    init(_ name: String, _ section: String, _ head: String, _ seen: String) {
        self.name = name
        self.section = section
        self.head = head
        self.seen = seen
    }

    var testDescription: String { "\(name) (\(section))" }
}

struct BadHead: CustomTestStringConvertible, Sendable {
    let name: String
    let section: String
    let head: String
    let error: HeadError

    init(_ name: String, _ section: String, _ head: String, _ error: HeadError) {
        self.name = name
        self.section = section
        self.head = head
        self.error = error
    }

    var testDescription: String { "\(name) (\(section))" }
}

/// One line that shows everything in a request head but its fields.
func show(_ head: RequestHead, _ message: [UInt8]) -> String {
    message.withUnsafeBytes { bytes in
        var parts = [text(bytes[head.ranges.method]), "\(head.form)", text(bytes[head.ranges.path])]
        if head.ranges.hasQuery { parts.append("?" + text(bytes[head.ranges.query])) }
        parts.append("@" + text(bytes[head.ranges.authority]))
        if head.version == .http10 { parts.append("1.0") }
        if head.framing != .none { parts.append("\(head.framing)") }
        parts.append(head.keepAlive ? "keep" : "close")
        if head.expectsContinue { parts.append("expect") }
        if !head.upgrade.isEmpty { parts.append("upgrade=" + text(bytes[head.upgrade])) }
        return parts.joined(separator: " ")
    }
}

let goodRequests: [GoodRequest] = [
    .init("simple", "3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin / @a keep"),
    .init(
        "long path", "3.2.1", "GET /a/b;c=1/%2F/~x HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin /a/b;c=1/%2F/~x @a keep"),
    .init("query", "3.2.1", "GET /a?b=c&d HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin /a ?b=c&d @a keep"),
    .init("empty query", "3.2.1", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin /a ? @a keep"),
    .init("question marks in query", "3.2.1", "GET /?a?b/c HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin / ?a?b/c @a keep"),
    .init("two slashes", "3.2.1", "GET //a HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin //a @a keep"),
    .init(
        "visible bytes outside of URIs", "3.2", "GET /[a]|{b}\"<>\\^` HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET origin /[a]|{b}\"<>\\^` @a keep"),
    .init("percent without digits", "3.2", "GET /%zz% HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin /%zz% @a keep"),
    .init("dot segments stay", "3.2", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin /a/../b @a keep"),
    .init("unknown method", "3.1", "FROB / HTTP/1.1\r\nHost: a\r\n\r\n", "FROB origin / @a keep"),
    .init("lowercase method", "3.1", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "get origin / @a keep"),
    .init(
        "method of token bytes", "3.1", "!#$%&'*+-.^_`|~09aZ / HTTP/1.1\r\nHost: a\r\n\r\n",
        "!#$%&'*+-.^_`|~09aZ origin / @a keep"),
    .init("absolute form", "3.2.2", "GET http://b:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET absolute /p ?q @b:80 keep"),
    .init("absolute form without path", "3.2.2", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET absolute / @b keep"),
    .init(
        "absolute form, query without path", "3.2.2", "GET http://b?q=/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET absolute / ?q=/x @b keep"),
    .init(
        "absolute form, https, any case", "3.2.2", "GET HttpS://B/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET absolute / @B keep"),
    .init(
        "absolute form in HTTP/1.0 without Host", "3.2.2", "GET http://b/ HTTP/1.0\r\n\r\n",
        "GET absolute / @b 1.0 close"),
    .init("asterisk form", "3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS asterisk * @a keep"),
    .init("OPTIONS with a path", "3.2.1", "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS origin /a @a keep"),
    .init("authority form", "3.2.3", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT authority  @b:443 keep"),
    .init(
        "authority form, IPv6", "3.2.3", "CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT authority  @[::1]:443 keep"),
    .init("TRACE", "9110 9.3.8", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "TRACE origin / @a keep"),
    .init("empty line first", "2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin / @a keep"),
    .init("four empty lines first", "2.2", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET origin / @a keep"),
    .init("HTTP/1.0 without Host", "3.2", "GET / HTTP/1.0\r\n\r\n", "GET origin / @ 1.0 close"),
    .init("HTTP/1.0 keep-alive", "9.3", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET origin / @ 1.0 keep"),
    .init(
        "HTTP/1.0 keep-alive and close", "9.3", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        "GET origin / @ 1.0 close"),
    .init(
        "HTTP/1.0 with a body", "6.3", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
        "POST origin / @ 1.0 length(3) close"),
    .init(
        "HTTP/1.0 expects nothing", "9110 10.1.1",
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
        "POST origin / @ 1.0 length(3) close"),
    .init("close", "9.3", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET origin / @a close"),
    .init(
        "close in any case, in a list", "9.3", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x,\t CLOSE ,,y\r\n\r\n",
        "GET origin / @a close"),
    .init(
        "close in a second line", "9.3", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n",
        "GET origin / @a close"),
    .init(
        "no close in a longer word", "9.3", "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed, xclose\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "Content-Length", "6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
        "POST origin / @a length(10) keep"),
    .init(
        "Content-Length 0", "6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST origin / @a length(0) keep"),
    .init(
        "Content-Length with zeros before", "6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0010\r\n\r\n",
        "POST origin / @a length(10) keep"),
    .init(
        "Content-Length, largest", "6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n",
        "POST origin / @a length(9223372036854775807) keep"),
    .init(
        "GET with a body", "6.3", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
        "GET origin / @a length(1) keep"),
    .init(
        "chunked", "6.1", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST origin / @a chunked keep"),
    .init(
        "chunked in any case", "6.1", "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: ChUnKeD\r\n\r\n",
        "POST origin / @a chunked keep"),
    .init(
        "Expect", "9110 10.1.1", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
        "PUT origin / @a length(1) keep expect"),
    .init(
        "another expectation", "9110 10.1.1", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue2\r\n\r\n",
        "PUT origin / @a keep"),
    .init(
        "Upgrade", "9110 7.8",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
        "GET origin / @a keep upgrade=websocket"),
    .init(
        "Upgrade that Connection does not name", "9110 7.8", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "Upgrade in HTTP/1.0", "9110 7.8", "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        "GET origin / @ 1.0 close"),
    .init(
        "Upgrade twice", "9110 7.8",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "Upgrade to h2c", "9110 7.8",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket, H2C\r\nConnection: upgrade\r\n\r\n", "GET origin / @a keep"),
    .init("Host with port", "9110 7.2", "GET / HTTP/1.1\r\nHost: a.b:65535\r\n\r\n", "GET origin / @a.b:65535 keep"),
    .init("Host with empty port", "3986 3.2.3", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET origin / @a: keep"),
    .init(
        "Host, IPv4", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n", "GET origin / @127.0.0.1:80 keep"),
    .init(
        "Host, IPv6", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [2001:DB8::1:2]:80\r\n\r\n",
        "GET origin / @[2001:DB8::1:2]:80 keep"),
    .init(
        "Host, IPv6 with IPv4", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n",
        "GET origin / @[::ffff:1.2.3.4] keep"),
    .init(
        "Host, registered name", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: a_b-c~%41!$&'()*+;=\r\n\r\n",
        "GET origin / @a_b-c~%41!$&'()*+;= keep"),
    .init("Host without space", "5.1", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", "GET origin / @a keep"),
    .init("Host in any case", "9110 5.1", "GET / HTTP/1.1\r\nhOsT: a\r\n\r\n", "GET origin / @a keep"),
    .init("white space around a value", "5.1", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n", "GET origin / @a keep"),
    .init("empty value", "5.1", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t\r\n\r\n", "GET origin / @a keep"),
    .init(
        "obs-text in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: \u{80}\u{ff}\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "tab in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\t\tc and more of it\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "field name of token bytes", "9110 5.1", "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09aZ: b\r\n\r\n",
        "GET origin / @a keep"),
    .init("colons in a value", "5.1", "GET / HTTP/1.1\r\nHost: a\r\nX::: b\r\n\r\n", "GET origin / @a keep"),
    .init(
        "underscores do not frame", "5.1", "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\n\r\n",
        "GET origin / @a keep"),
    .init(
        "names that start like known ones", "5.1",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Lengthy: 5\r\nTransfer-Encodin: chunked\r\nHos: x\r\n\r\n",
        "GET origin / @a keep"),
]

let badRequests: [BadHead] = [
    .init("five empty lines first", "2.2", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .emptyLines),
    .init("bare line feed first", "2.2", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
    .init("bare carriage return first", "2.2", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn),
    .init("NUL first", "2.2", "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n", .method),
    .init("space first", "3", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .method),
    .init("method not a token", "3.1", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", .method),
    .init("method with obs-text", "3.1", "G\u{c9}T / HTTP/1.1\r\nHost: a\r\n\r\n", .method),
    .init("tab after the method", "3", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .method),
    .init("TLS handshake", "3", "\u{16}\u{03}\u{01}\u{02}\0\u{01}\0\u{01}", .method),
    .init("two spaces before the target", "3", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("two spaces before the version", "3", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("space in the target", "3.2", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("tab in the target", "3.2", "GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n", .targetByte),
    .init("NUL in the target", "3.2", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", .targetByte),
    .init("DEL in the target", "3.2", "GET /a\u{7f}b HTTP/1.1\r\nHost: a\r\n\r\n", .targetByte),
    .init("obs-text in the target", "3.2", "GET /caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", .targetByte),
    .init("obs-text in the query", "3.2", "GET /?caf\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n", .targetByte),
    .init("fragment", "3.2", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .fragment),
    .init("fragment in the query", "3.2", "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", .fragment),
    .init("no version (HTTP/0.9)", "3", "GET /\r\n\r\n", .versionMissing),
    .init("line feed in the target", "3", "GET /\n\r\n", .versionMissing),
    .init("no target", "3", "GET HTTP/1.1\r\nHost: a\r\n\r\n", .versionMissing),
    .init("relative target", "3.2", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("query only", "3.2", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("authority form with GET", "3.2.3", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("another scheme", "3.2.2", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("scheme with one slash", "3.2.2", "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("asterisk with GET", "3.2.4", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("asterisk with query", "3.2.4", "OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n", .targetForm),
    .init("absolute form, empty host", "9110 4.2.1", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("absolute form, port only", "9110 4.2.1", "GET http://:80/a HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("absolute form, user information", "9110 4.2.4", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("absolute form, port too large", "3986 3.2.3", "GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("CONNECT without port", "3.2.3", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("CONNECT with empty port", "3.2.3", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("CONNECT with a path", "3.2.3", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("CONNECT with a query", "3.2.3", "CONNECT a:1? HTTP/1.1\r\nHost: a\r\n\r\n", .authority),
    .init("lowercase version", "2.3", "GET / http/1.1\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("version with two digits", "2.3", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("version without minor", "2.3", "GET / HTTP/1\r\nHost: a\r\n\r\n", .versionSyntax),
    .init("space after the version", "3", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .versionSyntax),
    .init("bare line feed after the version", "2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
    .init("bare carriage return after the version", "2.2", "GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCarriageReturn),
    .init("HTTP/1.2", "2.3", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", .versionUnsupported),
    .init("HTTP/2.0", "2.3", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionUnsupported),
    .init("HTTP/0.9 in words", "2.3", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", .versionUnsupported),
    .init("HTTP/2 preface", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionUnsupported),
    .init("no Host", "3.2", "GET / HTTP/1.1\r\n\r\n", .hostMissing),
    .init("no Host in absolute form", "3.2", "GET http://a/ HTTP/1.1\r\nX: a\r\n\r\n", .hostMissing),
    .init("two Hosts", "3.2", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .hostRepeated),
    .init("two equal Hosts", "3.2", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: a\r\n\r\n", .hostRepeated),
    .init("two Hosts in HTTP/1.0", "3.2", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", .hostRepeated),
    .init("empty Host", "3.2", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .hostInvalid),
    .init("Host with a space", "3.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .hostInvalid),
    .init("Host with a slash", "3.2", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .hostInvalid),
    .init("Host with user information", "3.2", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .hostInvalid),
    .init("Host with obs-text", "3.2", "GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", .hostInvalid),
    .init("Host with a bad escape", "3986 2.1", "GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", .hostInvalid),
    .init("Host with port only", "3.2", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .hostInvalid),
    .init("Host with a word as port", "3.2", "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", .hostInvalid),
    .init("Host with two ports", "3.2", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", .hostInvalid),
    .init("Host with port 65536", "3.2", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", .hostInvalid),
    .init("Host, open IPv6", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .hostInvalid),
    .init("Host, empty IPv6", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", .hostInvalid),
    .init("Host, IPv6 with two gaps", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n", .hostInvalid),
    .init(
        "Host, IPv6 of nine groups", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", .hostInvalid),
    .init("Host, IPv6 of seven groups", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7]\r\n\r\n", .hostInvalid),
    .init("Host, IPv6 with a long group", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::12345]\r\n\r\n", .hostInvalid),
    .init("Host, IPv6 with a bad IPv4", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::1.2.3.256]\r\n\r\n", .hostInvalid),
    .init("Host, IPv6 with a zone", "6874", "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", .hostInvalid),
    .init("Host, bytes behind IPv6", "3986 3.2.2", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .hostInvalid),
    .init("space before the colon", "5.1", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", .spaceBeforeColon),
    .init("tab before the colon", "5.1", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", .spaceBeforeColon),
    .init("line without a colon", "5.1", "GET / HTTP/1.1\r\nHost\r\n\r\n", .fieldName),
    .init("empty name", "5.1", "GET / HTTP/1.1\r\n: a\r\n\r\n", .fieldName),
    .init("name not a token", "9110 5.1", "GET / HTTP/1.1\r\nHo(st: a\r\n\r\n", .fieldName),
    .init("name with NUL", "9110 5.1", "GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n", .fieldName),
    .init("name with obs-text", "9110 5.1", "GET / HTTP/1.1\r\nH\u{f6}st: a\r\n\r\n", .fieldName),
    .init("name with a slash", "9110 5.1", "GET / HTTP/1.1\r\nHost/: a\r\n\r\n", .fieldName),
    .init("folded value", "5.2", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", .foldedLine),
    .init("folded value, tab", "5.2", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", .foldedLine),
    .init("white space before the first field", "2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedLine),
    .init("NUL in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", .valueByte),
    .init("escape in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1b}b\r\n\r\n", .valueByte),
    .init("vertical tab in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0b}b\r\n\r\n", .valueByte),
    .init("DEL in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\u{7f}b\r\n\r\n", .valueByte),
    .init(
        "bare carriage return in a value", "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        .bareCarriageReturn),
    .init("bare line feed in a value", "2.2", "GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", .bareLineFeed),
    .init("bare line feed in a name", "2.2", "GET / HTTP/1.1\r\nHost: a\r\nX\n: b\r\n\r\n", .bareLineFeed),
    .init("two carriage returns", "2.2", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", .bareCarriageReturn),
    .init("bare line feed ends the head", "2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
    .init("bare carriage return ends the head", "2.2", "GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCarriageReturn),
    .init(
        "too many connection options", "9110 7.6.1",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: \((0..<65).map { "x\($0)" }.joined(separator: ","))\r\n\r\n",
        .tooManyConnectionOptions),
]

@Suite struct RequestHeadTests {
    @Test("passes", arguments: goodRequests)
    func passes(_ good: GoodRequest) throws {
        let message = bytes(good.head)
        guard case .request(let head, _) = try parseRequest(message) else {
            Issue.record("refused: \(try parseRequest(message))")
            return
        }
        #expect(show(head, message) == good.seen)
        #expect(head.length == message.count)
        // What follows the head does not matter.
        guard case .request(let longer, _) = try parseRequest(message + bytes("\0\n\r body")) else {
            Issue.record("refused with bytes behind it")
            return
        }
        #expect(longer == head)
    }

    @Test("is refused", arguments: badRequests)
    func isRefused(_ bad: BadHead) throws {
        #expect(try parseRequest(bytes(bad.head)) == .invalid(bad.error))
    }

    @Test("every cause has a case and a status")
    func causes() {
        let ours = Set(badRequests.map(\.error) + badResponses.map(\.error) + smuggling.compactMap(\.error))
        let limits: Set<HeadError> = [.headTooLarge, .tooManyFields, .targetTooLong]
        #expect(ours.union(limits).union(HeadTests.errors) == Set(HeadError.allCases))
        for error in HeadError.allCases {
            #expect([400, 414, 431, 501, 505].contains(error.status))
            #expect(!error.text.description.contains("\n") && error.text.utf8CodeUnitCount > 10)
        }
    }

    @Test("the fields come out as sent, with hop-by-hop ones flagged")
    func fields() throws {
        let head = """
            GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, close, Cookie, host, content-length, te, x-hop\r\n\
            x-hOP: 1\r\nX-Hope: 2\r\nTE: trailers\r\nKeep-Alive: 3\r\nProxy-Connection: y\r\nUpgrade: z\r\n\
            HTTP2-Settings: s\r\nCookie:   c=d; e \t\r\nContent-Length: 0\r\nEmpty:\r\nTrailer: t\r\n\r\n
            """
        guard case .request(_, let fields) = try parseRequest(bytes(head)) else {
            Issue.record("refused")
            return
        }
        #expect(
            fields.map(\.description) == [
                "Host=a", "Connection=X-Hop, close, Cookie, host, content-length, te, x-hop!", "x-hOP=1!", "X-Hope=2",
                "TE=trailers!", "Keep-Alive=3!", "Proxy-Connection=y!", "Upgrade=z!", "HTTP2-Settings=s!",
                "Cookie=c=d; e!",
                "Content-Length=0", "Empty=", "Trailer=t",
            ])
    }

    @Test("known names are known in any case, and no other name is")
    func knownNames() throws {
        for known in KnownField.allCases where known != .other && known != .host {
            let name = fieldName(known)
            for spelling in [name, name.uppercased(), name.lowercased()] {
                #expect(try recognised(spelling) == known, "\(spelling)")
            }
            // Every name that differs in one byte is another one.
            for index in name.utf8.indices {
                var other = Array(name.utf8)
                other[name.utf8.distance(from: name.utf8.startIndex, to: index)] = UInt8(ascii: "_")
                #expect(try recognised(text(other)) == .other)
            }
            #expect(try recognised(name + "x") == .other)
            #expect(try recognised("x" + name) == .other)
        }
    }

    private func recognised(_ name: String) throws -> KnownField? {
        // Content-Length and others have a meaning: any answer but a whole head is no answer here.
        guard case .request(_, let fields) = try parseRequest(bytes("GET / HTTP/1.0\r\n\(name): 0\r\n\r\n")) else {
            return name.lowercased() == "transfer-encoding" ? .transferEncoding : nil
        }
        return fields.first?.known
    }

    /// `ifNoneMatch` is `if-none-match`.
    private func fieldName(_ known: KnownField) -> String {
        if known == .wwwAuthenticate { return "www-authenticate" }
        var name = ""
        for character in "\(known)" {
            if character.isUppercase { name += "-" }
            name += character.lowercased()
        }
        return name
    }

    @Test("a caller's small field buffer limits the fields, and is never overrun")
    func smallFieldBuffer() {
        let message = bytes("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\n\r\n")
        for capacity in 0..<5 {
            let guarded = GuardedBytes([UInt8](repeating: 0, count: capacity * MemoryLayout<FieldRange>.stride))
            let fields = UnsafeMutableBufferPointer(
                start: UnsafeMutableRawPointer(mutating: guarded.bytes.baseAddress!).bindMemory(
                    to: FieldRange.self, capacity: capacity), count: capacity)
            var parser = RequestHeadParser()
            let result = message.withUnsafeBytes { parser.parse($0, fields: fields) }
            switch result {
            case .head: #expect(capacity >= 3)
            case .invalid(let error): #expect(capacity < 3 && error == .tooManyFields)
            case .incomplete: Issue.record("incomplete")
            }
        }
    }

    @Test("a parser that gave a head is ready for the next one")
    func pipelined() {
        let first = bytes("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        let second = bytes("GET /b HTTP/1.1\r\nHost: b\r\n\r\n")
        var parser = RequestHeadParser()
        let all = GuardedBytes(first + second)
        guard case .request(let head, _) = parser.feed(all.bytes, all.bytes.count) else {
            Issue.record("refused")
            return
        }
        let rest = UnsafeRawBufferPointer(rebasing: all.bytes[head.length...])
        #expect(parser.feed(rest, 5) == .incomplete)
        guard case .request(let next, _) = parser.feed(rest, rest.count) else {
            Issue.record("refused")
            return
        }
        #expect(show(next, second) == "GET origin /b @b keep")
    }
}
