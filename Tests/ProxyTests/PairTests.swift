import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// What means the same whatever the versions of HTTP on the two sides.
@Suite struct PairTests {
    /// The requests that a server got.
    private final class Seen: Sendable {
        private let requests = Mutex<[Message]>([])
        func note(_ request: Message) { requests.withLock { $0.append(request) } }
        var last: Message? { requests.withLock { $0.last } }
    }

    private static func bytes(_ count: Int) -> [UInt8] { Stream().next(count) }

    @Test(arguments: Pair.all) func get(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply("hello")
            reply.fields = [("X-Two", "2"), ("x-three", "a, b")]
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for number in 0..<3 {
            let (response, _) = try client.ask("GET", "/p/\(number)?q=1&r", [("X-One", "1"), ("accept", "*/*")])
            #expect(response.status == 200)
            #expect(response.text == "hello")
            #expect(response["x-two"] == "2")
            #expect(response["x-three"] == "a, b")
            #expect(response["content-length"] == "5")
            #expect(response["date"] != nil)
            let request = try #require(seen.last)
            #expect(request.start == "GET /p/\(number)?q=1&r HTTP/1.1")
            #expect(request["host"] == "e")
            #expect(request["x-one"] == "1")
            #expect(request["accept"] == "*/*")
            #expect(request["transfer-encoding"] == nil)
        }
        #expect(server.connections == 1)
        mesh.expect { $0.requests.reduce(0) { $0 + $1.byClass[1].count } == 3 && $0.bufferedBytes == 0 }
    }

    @Test(arguments: Pair.all) func postWithLength(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply()
            reply.body = $0.body
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for count in [0, 1, 1000, 300_000] {
            let body = Self.bytes(count)
            let (response, _) = try client.ask("POST", "/", body: body)
            #expect(response.body == body)
            #expect(response["content-length"] == "\(count)")
            #expect(seen.last?["content-length"] == "\(count)")
            #expect(seen.last?["transfer-encoding"] == nil)
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: Pair.all) func postStreamed(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply()
            reply.body = $0.body
            reply.saysLength = false
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for count in [0, 1, 1000, 300_000] {
            let body = Self.bytes(count)
            let (response, _) = try client.ask("POST", "/", body: body, saysLength: false)
            #expect(response.body == body, "\(count)")
            #expect(seen.last?["content-length"] == nil)
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: Pair.all) func head(_ pair: Pair) throws {
        let server = try VersionedServer(pair.server) { _ in Reply("hello") }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<2 {
            let (response, _) = try client.ask("HEAD", "/")
            #expect(response.status == 200)
            #expect(response["content-length"] == "5")
            #expect(response.body == [])
            #expect(try client.ask().response.text == "hello")
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: Pair.all) func responsesWithoutContent(_ pair: Pair) throws {
        let server = try VersionedServer(pair.server) {
            var reply = Reply("")
            reply.status = Int($0.start.split(separator: " ")[1].dropFirst()) ?? 200
            reply.fields = [("etag", "x")]
            reply.saysLength = $0["x-length"] != nil
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for status in [204, 304, 200, 404] {
            for fields in [[("x-length", "1")], []] {
                let (response, _) = try client.ask("GET", "/\(status)", fields)
                #expect(response.status == status)
                #expect(response["etag"] == "x")
                #expect(response.body == [])
            }
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: Pair.all) func trailersBothWays(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply("abcde")
            reply.saysLength = false
            reply.trailers = [("x-end", "yes"), ("content-length", "7"), ("x-last", "1")]
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for body in ["", "hello"] {
            let (response, _) = try client.ask(
                "POST", "/", [("te", "trailers")], body: Array(body.utf8), saysLength: false,
                trailers: [("x-sum", "1"), ("host", "evil"), ("x-more", "2")])
            #expect(response.text == "abcde")
            #expect(response.trailers == "x-end: yes\r\nx-last: 1\r\n")
            #expect(seen.last?.text == body)
            #expect(seen.last?.trailers == "x-sum: 1\r\nx-more: 2\r\n")
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: Pair.all) func onlyForbiddenTrailers(_ pair: Pair) throws {
        let server = try VersionedServer(pair.server) { _ in
            var reply = Reply("abcde")
            reply.saysLength = false
            reply.trailers = [("content-length", "7")]
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let (response, _) = try VersionedClient(pair.client, mesh).ask(
            "POST", "/", body: [1], saysLength: false, trailers: [("host", "evil")])
        #expect(response.text == "abcde")
        #expect(response.trailers == "")
    }

    @Test(arguments: Pair.all) func interimResponses(_ pair: Pair) throws {
        let server = try VersionedServer(pair.server) { _ in
            var reply = Reply("done")
            reply.interim = [103, 102]
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<2 {
            let (response, interim) = try client.ask()
            #expect(response.text == "done")
            #expect(interim.map(\.status) == [103, 102])
            #expect(interim.map { $0["x-interim"] } == ["103", "102"])
        }
        #expect(server.connections == 1)
    }

    @Test func oldClientsGetNeitherChunksNorInterimResponses() throws {
        let server = try VersionedServer(.http2) { _ in
            var reply = Reply("hello world")
            reply.interim = [103]
            reply.saysLength = false
            reply.trailers = [("x-end", "1")]
            return reply
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.0\r\nHost: e\r\nConnection: keep-alive\r\n\r\n")
        let all = String(decoding: try client.receiveToEnd(), as: UTF8.self)
        #expect(all.hasPrefix("HTTP/1.1 200"))
        #expect(all.contains("Connection: close\r\n"))
        #expect(!all.lowercased().contains("transfer-encoding"))
        #expect(all.hasSuffix("\r\n\r\nhello world"))
    }

    @Test func oldClientMayKeepItsConnection() throws {
        let echo = try HTTP2Server.echo()
        let mesh = try Mesh(.http2, [echo.port])
        let client = try mesh.connect()
        for _ in 0..<2 {
            let response = try client.exchange("GET / HTTP/1.0\r\nHost: e\r\nConnection: keep-alive\r\n\r\n")
            #expect(response["connection"] == "keep-alive")
            #expect(response.text.contains("\nhost: e\n"))
        }
        let last = try client.exchange("GET / HTTP/1.0\r\n\r\n")
        #expect(last.status == 400, "HTTP/2 requests have an authority")
        #expect(try client.isEnded())
    }

    /// Each way at the same time, every byte checked.
    @Test(arguments: Pair.all) func bigBodiesBothWays(_ pair: Pair) throws {
        let size = 20_000_000
        let mesh: Mesh
        let server: AnyObject
        if pair.server == .http2 {
            let echo = try HTTP2Server { stream in
                _ = try stream.receiveHead()
                stream.respond(200, [("content-length", "\(size)")])
                var left = size
                while left > 0 {
                    let bytes = try stream.receive()
                    guard !bytes.isEmpty else { return }
                    left -= bytes.count
                    try stream.send(bytes, isEnd: left == 0)
                }
            }
            mesh = try Mesh(.http2, [echo.port])
            server = echo
        } else {
            let echo = try ScriptedServer { wire, _ in
                _ = try wire.receive(through: "\r\n\r\n")
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                var left = size
                while left > 0 {
                    let bytes = try wire.receive(min(left, 1 << 18))
                    guard !bytes.isEmpty else { return }
                    try wire.send(bytes)
                    left -= bytes.count
                }
            }
            mesh = try Mesh(.http11, [echo.port])
            server = echo
        }
        let received = Stream()
        let sent = Stream()
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request("POST", "/", [("content-length", "\(size)")], isEnd: false)
            Thread.detachNewThread {
                while sent.count < size {
                    let bytes = sent.next(min(size - sent.count, 200_000))
                    guard (try? stream.send(bytes, isEnd: sent.count == size)) != nil else { return }
                }
            }
            while true {
                let bytes = try stream.receive()
                guard !bytes.isEmpty, received.check(bytes) else { break }
            }
        } else {
            let client = try mesh.connect()
            try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(size)\r\n\r\n")
            Thread.detachNewThread {
                while sent.count < size {
                    guard (try? client.send(sent.next(min(size - sent.count, 200_000)))) != nil else { return }
                }
            }
            _ = try client.receive(through: "\r\n\r\n")
            while received.count < size {
                let bytes = try client.receive(1 << 18)
                guard !bytes.isEmpty, received.check(bytes) else { break }
            }
        }
        #expect(received.count == size)
        mesh.expect { $0.bufferedBytes == 0 }
        withExtendedLifetime(server) {}
    }

    /// The final response comes whole while the request still streams.
    @Test(arguments: Pair.all) func earlyResponse(_ pair: Pair) throws {
        let old: ScriptedServer? =
            pair.server == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                _ = try wire.receive(through: "\r\n\r\n")
                try wire.send("HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")
                _ = try wire.receiveToEnd()
            }
        let new: HTTP2Server? =
            pair.server == .http2
            ? try HTTP2Server { stream in
                _ = try stream.receiveHead()
                stream.respond(413, [("content-length", "2")])
                try stream.send("no", isEnd: true)
            } : nil
        let mesh = try Mesh(pair.server, [old?.port ?? new!.port])
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            for _ in 0..<3 {
                let stream = try client.request("POST", "/", isEnd: false)
                try stream.send("some")
                let response = try stream.message()
                #expect(response.status == 413)
                #expect(response.text == "no")
                // RFC 9113 section 8.1: the rest is not wanted.
                #expect(try stream.receiveReset() == .noError)
            }
        } else {
            let client = try mesh.connect()
            try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 1000\r\n\r\nsome")
            let response = try client.receiveResponse()
            #expect(response.status == 413)
            #expect(response.text == "no")
            #expect(response["connection"] == "close")
            #expect(try client.isEnded())
        }
        mesh.expect { $0.bufferedBytes == 0 && $0.cuts == 0 }
    }

    @Test(arguments: Pair.all) func expectContinue(_ pair: Pair) throws {
        let old: ScriptedServer? =
            pair.server == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                let head = try wire.receive(through: "\r\n\r\n") ?? ""
                #expect(head.lowercased().contains("expect: 100-continue\r\n"))
                try wire.send("HTTP/1.1 100 Continue\r\n\r\n")
                #expect(try wire.receive(exactly: 5) == Array("hello".utf8))
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        let new: HTTP2Server? =
            pair.server == .http2
            ? try HTTP2Server { stream in
                #expect(try stream.receiveHead()["expect"] == "100-continue")
                stream.respond(100)
                #expect(try stream.message().text == "hello")
                stream.respond(200)
                try stream.send("ok", isEnd: true)
            } : nil
        let mesh = try Mesh(pair.server, [old?.port ?? new!.port])
        let fields = [("expect", "100-continue"), ("content-length", "5")]
        if pair.client == .http2 {
            let stream = try HTTP2Peer.connect(mesh).request("POST", "/", fields, isEnd: false)
            #expect(try stream.receiveInterim().status == 100)
            try stream.send("hello", isEnd: true)
            #expect(try stream.message().text == "ok")
        } else {
            let client = try mesh.connect()
            try client.send("POST / HTTP/1.1\r\nHost: e\r\n" + Wire.lines(fields) + "\r\n")
            #expect(try client.receiveResponse().status == 100)
            try client.send("hello")
            #expect(try client.receiveResponse().text == "ok")
        }
    }

    @Test(arguments: Pair.all) func cookiesAndRepeatedFields(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply()
            reply.fields = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-a", "1"), ("x-a", "2")]
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let fields = [("x-b", "1"), ("x-b", "2")]
        let cookies = pair.client == .http2 ? [("cookie", "a=1"), ("cookie", "b=2")] : [("cookie", "a=1; b=2")]
        let (response, _) = try VersionedClient(pair.client, mesh).ask("GET", "/", fields + cookies)
        #expect(response.fields.filter { $0.name.lowercased() == "set-cookie" }.map(\.value) == ["a=1", "b=2"])
        #expect(response["x-a"] == "1, 2")
        // RFC 9113 section 8.2.3.
        #expect(seen.last?["cookie"] == "a=1; b=2")
        #expect(seen.last?["x-b"] == "1, 2")
    }

    /// What is meant for one connection does not reach the other.
    @Test(arguments: Pair.all) func connectionFieldsStay(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply()
            if pair.server != .http2 {
                reply.fields = [
                    ("Connection", "X-Private, keep-alive"), ("Keep-Alive", "timeout=5"), ("X-Private", "1"),
                    ("Upgrade", "h2,h2c"), ("Proxy-Connection", "keep-alive"),
                ]
            }
            reply.fields.append(("X-Public", "1"))
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        var fields = [("X-Public", "1"), ("TE", "trailers")]
        if pair.client != .http2 {
            fields += [
                ("Connection", "X-Private, Upgrade, HTTP2-Settings, TE"), ("X-Private", "1"), ("Keep-Alive", "1"),
                ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
            ]
        }
        let (response, _) = try VersionedClient(pair.client, mesh).ask("GET", "/", fields)
        #expect(response.status == 200)
        #expect(response["x-public"] == "1")
        for name in ["x-private", "keep-alive", "upgrade", "proxy-connection"] {
            #expect(response[name] == nil, "\(name)")
            #expect(seen.last?[name] == nil, "\(name)")
        }
        #expect(seen.last?["http2-settings"] == nil)
        if pair.server == .http2 { #expect(seen.last?["te"] == "trailers") }
    }

    /// A length that is said twice is refused by whoever sees it.
    @Test(arguments: Pair.all) func repeatedLengths(_ pair: Pair) throws {
        let server = try VersionedServer(pair.server) {
            var reply = Reply("ok")
            if $0.start.contains("/bad") { reply.fields = [("content-length", "2")] }
            return reply
        }
        let mesh = try Mesh(pair.server, [server.port])
        let client = try VersionedClient(pair.client, mesh)
        #expect(try client.ask("GET", "/bad").response.status == 502)
        #expect(try client.ask("GET", "/good").response.status == 200)
        let lengths = [("content-length", "3"), ("content-length", "3")]
        if pair.client == .http2 {
            let peer = try HTTP2Peer.connect(mesh)
            #expect(try peer.request("POST", "/", lengths, body: [1, 2, 3]).receiveReset() == .protocolError)
            #expect(try peer.ask().status == 200)
        } else {
            #expect(try client.ask("POST", "/", lengths, body: nil).response.status == 400)
        }
        mesh.expect { $0.upstreamsOpen == $0.upstreamsIdle }
    }

    @Test(arguments: Pair.all) func edits(_ pair: Pair) throws {
        let seen = Seen()
        let server = try VersionedServer(pair.server) {
            seen.note($0)
            var reply = Reply()
            reply.fields = [("X-Gone", "1"), ("X-Set", "old"), ("X-Add", "1")]
            return reply
        }
        let modifier = HeaderModifier(
            set: [header("X-Set", "new")], add: [header("X-Add", "2")], remove: [Array("x-gone".utf8)])
        let mesh = try Mesh(
            pair.server, [server.port],
            filters: [
                .requestHeaderModifier(modifier), .responseHeaderModifier(modifier),
                .urlRewrite(URLRewrite(hostname: Array("other".utf8), path: .replaceFullPath(Array("/new".utf8)))),
            ])
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<2 {
            let (response, _) = try client.ask(
                "GET", "/old?q=1", [("X-Gone", "1"), ("X-Set", "old"), ("X-Add", "1")])
            for message in [response, seen.last] {
                #expect(message?["x-gone"] == nil)
                #expect(message?["x-set"] == "new")
                #expect(message?["x-add"] == "1, 2")
            }
            #expect(seen.last?.start == "GET /new?q=1 HTTP/1.1")
            #expect(seen.last?["host"] == "other")
        }
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func ownAnswers(_ version: HTTPVersion) throws {
        let mesh = try Mesh(rules: [
            rule(
                0, [prefix("/r")],
                .redirect(
                    Redirect(scheme: nil, hostname: Array("other".utf8), port: 8080, path: nil, status: 301))),
            rule(1, [prefix("/none")], .forward(Backends([weighted("none", [])]))),
            rule(2, [prefix("/dead")], .forward(Backends([weighted("dead", [try refusedPort()], .http2)]))),
        ])
        let client = try VersionedClient(version, mesh)
        let redirect = try client.ask("GET", "/r/x?q").response
        #expect(redirect.status == 301)
        #expect(redirect["location"] == "http://other:8080/r/x?q")
        #expect(redirect["x-weir-reason"] == "redirect")
        let none = try client.ask("GET", "/none").response
        #expect(none.status == 503)
        #expect(none["x-weir-reason"] == "no-ready-endpoint")
        #expect(none.text.hasPrefix("no ready endpoint"))
        #expect(none["content-length"] == "\(none.body.count)")
        #expect(try client.ask("HEAD", "/none").response.body == [])
        #expect(try client.ask("GET", "/dead").response["x-weir-reason"] == "connect-failed")
        #expect(try client.ask("GET", "/other").response.status == 404)
        #expect(try client.ask("POST", "/other", body: Self.bytes(500_000)).response.status == 404)
        #expect(try client.ask("GET", "/other").response.status == 404)
        mesh.expect { $0.bufferedBytes == 0 }
    }
}
