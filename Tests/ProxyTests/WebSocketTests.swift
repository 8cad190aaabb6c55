import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// WebSocket between all versions (RFC 6455, RFC 8441).
@Suite struct WebSocketTests {
    private static func text(_ write: (inout HeadWriter) -> Void) -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
            var writer = HeadWriter(UnsafeMutableRawBufferPointer(buffer))
            write(&writer)
            count = writer.count
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func accept(_ key: String) -> String {
        text { writer in Array(key.utf8).withUnsafeBytes { WebSocketHandshake.appendAccept($0, to: &writer) } }
    }

    /// RFC 3174 section 7.3, and the lengths around the end of a block (by sha1sum).
    @Test(arguments: [
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (String(repeating: "a", count: 119), "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
    ]) func sha1(_ text: String, _ expected: String) {
        let digest = Array(text.utf8).withUnsafeBytes { SHA1.digest($0) }
        var hexadecimal = ""
        for index in 0..<20 { hexadecimal += (digest[index] < 16 ? "0" : "") + String(digest[index], radix: 16) }
        #expect(hexadecimal == expected)
    }

    /// RFC 4648 section 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]) func base64(_ text: String, _ expected: String) {
        #expect(
            Self.text { writer in
                Array(text.utf8).withUnsafeBytes { WebSocketHandshake.appendBase64($0, to: &writer) }
            } == expected)
    }

    /// RFC 6455 section 1.3.
    @Test func acceptOfTheExample() {
        #expect(Self.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    // MARK: An endpoint that speaks HTTP/1

    private static func server(
        accept: @escaping @Sendable (String) -> String = { Self.accept($0) },
        _ tunnel: @escaping @Sendable (Wire) throws -> Void
    ) throws -> ScriptedServer {
        try ScriptedServer { wire, _ in
            let head = Message(head: try wire.receive(through: "\r\n\r\n") ?? "")
            #expect(head.start == "GET /chat HTTP/1.1")
            #expect(head["connection"] == "Upgrade")
            #expect(head["upgrade"] == "websocket")
            #expect(head["sec-websocket-version"] == "13")
            let key = head["sec-websocket-key"] ?? ""
            #expect(key.utf8.count == 24 && key.hasSuffix("=="), "\(key)")
            #expect(head["content-length"] == nil && head["transfer-encoding"] == nil)
            try wire.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: \(accept(key))\r\nSec-WebSocket-Protocol: chat\r\n\r\nfirst")
            try tunnel(wire)
        }
    }

    private static let fields = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "chat")]

    @Test func http2ToHTTP1() throws {
        let server = try Self.server { wire in
            #expect(try wire.receive(exactly: 9) == Array("earlylate".utf8))
            // The client closes its direction; ours goes on.
            #expect(try wire.isEnded())
            try wire.send("after")
        }
        let mesh = try Mesh(.http11, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let stream = try client.request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false)
        try stream.send("early")
        let head = try stream.receiveHead()
        #expect(head.status == 200)
        #expect(head["sec-websocket-protocol"] == "chat")
        for name in ["sec-websocket-accept", "upgrade", "connection"] { #expect(head[name] == nil, "\(name)") }
        #expect(try stream.receive(exactly: 5) == Array("first".utf8))
        mesh.expect { $0.tunnelsOpen == 1 }
        try stream.send("late", isEnd: true)
        #expect(try stream.message().text == "after")
        mesh.expect { $0.tunnelsOpen == 0 && $0.upstreamsOpen == 0 && $0.bufferedBytes == 0 }
        #expect(client.end(within: 0.1) == nil, "the connection goes on")
    }

    @Test func http2ToHTTP1EndsFromTheServer() throws {
        let server = try Self.server { wire in
            wire.finishSending()
            let answer = try wire.receiveToEnd()
            #expect(answer == Array("answer".utf8))
        }
        let mesh = try Mesh(.http11, [server.port])
        let stream = try HTTP2Peer.connect(mesh).request(
            "CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false)
        #expect(try stream.receive(exactly: 5) == Array("first".utf8))
        #expect(try stream.receive() == [])
        mesh.expect { $0.tunnelsOpen == 1 }
        try stream.send("answer", isEnd: true)
        mesh.expect { $0.tunnelsOpen == 0 && $0.upstreamsOpen == 0 && $0.cuts == 0 }
    }

    @Test func wrongAcceptIsRefused() throws {
        let server = try Self.server(accept: { Self.accept($0 + "x") }) { _ in }
        let mesh = try Mesh(.http11, [server.port])
        let response = try HTTP2Peer.connect(mesh)
            .request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false).message()
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-invalid")
        mesh.expect { $0.upstreamsOpen == 0 && $0.tunnelsOpen == 0 }
    }

    /// To a client over HTTP/2 a 200 would say that the tunnel is open.
    @Test(arguments: [200, 400]) func endpointThatDoesNotSwitch(_ status: Int) throws {
        let server = try VersionedServer(.http11) { _ in
            var reply = Reply("no")
            reply.status = status
            return reply
        }
        let mesh = try Mesh(.http11, [server.port])
        let stream = try HTTP2Peer.connect(mesh).request(
            "CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false)
        // Bytes for the tunnel must not become a request.
        try stream.send("GET /smuggled HTTP/1.1\r\nHost: e\r\n\r\n")
        let response = try stream.message()
        #expect(response.status == (status == 200 ? 502 : 400))
        mesh.expect { $0.upstreamsOpen == 0 && $0.bufferedBytes == 0 }
    }

    // MARK: An endpoint that speaks HTTP/2

    private static func newServer(_ tunnel: @escaping @Sendable (PeerStream) throws -> Void) throws -> HTTP2Server {
        try HTTP2Server { stream in
            let head = try stream.receiveHead()
            // The canonical form of extended CONNECT.
            #expect(head.start == "GET /chat HTTP/1.1")
            #expect(head["upgrade"] == "websocket")
            #expect(head["sec-websocket-key"] == nil)
            #expect(head["sec-websocket-version"] == "13")
            stream.respond(200, [("sec-websocket-protocol", "chat")])
            try stream.send("first")
            try tunnel(stream)
        }
    }

    private static let upgrade =
        "GET /chat HTTP/1.1\r\nHost: e\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n\r\n"

    @Test func http1ToHTTP2() throws {
        let server = try Self.newServer { stream in
            #expect(try stream.receive(exactly: 9) == Array("earlylate".utf8))
            #expect(try stream.receive() == [])
            try stream.send("after", isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try mesh.connect()
        try client.send(Self.upgrade + "early")
        let response = try client.receiveResponse()
        #expect(response.start == "HTTP/1.1 101 Switching Protocols")
        #expect(response["connection"] == "Upgrade")
        #expect(response["upgrade"] == "websocket")
        #expect(response["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(response["sec-websocket-protocol"] == "chat")
        #expect(response["content-length"] == nil && response["transfer-encoding"] == nil)
        #expect(try client.receive(exactly: 5) == Array("first".utf8))
        mesh.expect { $0.tunnelsOpen == 1 }
        try client.send("late")
        client.finishSending()
        #expect(try client.receiveToEnd() == Array("after".utf8))
        mesh.expect { $0.tunnelsOpen == 0 && $0.clientsOpen == 0 && $0.bufferedBytes == 0 && $0.cuts == 0 }
    }

    @Test func http1ToHTTP2EndsFromTheServer() throws {
        let server = try Self.newServer { stream in
            try stream.send([], isEnd: true)
            let answer = try stream.message().text
            #expect(answer == "answer")
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try mesh.connect()
        try client.send(Self.upgrade)
        #expect(try client.receiveResponse().status == 101)
        #expect(try client.receiveToEnd() == Array("first".utf8))
        mesh.expect { $0.tunnelsOpen == 1 }
        try client.send("answer")
        client.finishSending()
        mesh.expect { $0.tunnelsOpen == 0 && $0.clientsOpen == 0 && $0.clientAborts == 0 }
    }

    @Test func http2ToHTTP2() throws {
        let server = try Self.newServer { stream in
            #expect(try stream.receive(exactly: 4) == Array("late".utf8))
            #expect(try stream.receive() == [])
            try stream.send("after", isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        for _ in 0..<3 {
            let stream = try client.request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false)
            #expect(try stream.receiveHead().status == 200)
            #expect(try stream.receive(exactly: 5) == Array("first".utf8))
            mesh.expect { $0.tunnelsOpen == 1 }
            try stream.send("late", isEnd: true)
            #expect(try stream.message().text == "after")
            mesh.expect { $0.tunnelsOpen == 0 && $0.bufferedBytes == 0 }
        }
        #expect(server.connections == 1)
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func refusedByTheEndpoint(_ version: HTTPVersion) throws {
        let server = try HTTP2Server { stream in
            _ = try stream.receiveHead()
            stream.respond(403)
            try stream.send("no", isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        if version == .http2 {
            let response = try HTTP2Peer.connect(mesh)
                .request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false).message()
            #expect(response.status == 403)
            #expect(response.text == "no")
        } else {
            let client = try mesh.connect()
            for _ in 0..<2 {
                let response = try client.exchange(Self.upgrade)
                #expect(response.status == 403)
                #expect(response.text == "no")
                #expect(response["sec-websocket-accept"] == nil)
            }
        }
        mesh.expect { $0.tunnelsOpen == 0 && $0.bufferedBytes == 0 }
    }

    /// Settings that do not allow extended CONNECT: a server that sends its frames by hand.
    @Test func endpointThatDoesNotAllowIt() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(exactly: 24)
            try wire.send([0, 0, 0, 4, 0, 0, 0, 0, 0])
            while true {
                let head = try wire.receive(exactly: 9)
                let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
                _ = try wire.receive(exactly: count)
                if head[3] == 4 && head[4] == 0 { try wire.send([0, 0, 0, 4, 1, 0, 0, 0, 0]) }
                if head[3] == 1 {
                    #expect(head[4] & 1 == 1, "a plain GET ends with its head")
                    // :status 204 from the static table.
                    try wire.send([0, 0, 1, 1, 5] + head[5...8] + [0x89])
                }
            }
        }
        let mesh = try Mesh(.http2, [server.port])
        let response = try mesh.connect().exchange(Self.upgrade)
        #expect(response.status == 204)
        let new = try HTTP2Peer.connect(mesh)
            .request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false).message()
        #expect(new.status == 502)
        mesh.expect { $0.tunnelsOpen == 0 && $0.bufferedBytes == 0 }
    }

    @Test(arguments: Pair.new) func bigTunnel(_ pair: Pair) throws {
        let size = 20_000_000
        let old =
            pair.server == .http2
            ? nil
            : try Self.server { wire in
                while true {
                    let bytes = try wire.receive(1 << 18)
                    if bytes.isEmpty { return }
                    try wire.send(bytes)
                }
            }
        let new =
            pair.server == .http2
            ? try Self.newServer { stream in
                while true {
                    let bytes = try stream.receive()
                    try stream.send(bytes, isEnd: bytes.isEmpty)
                    if bytes.isEmpty { return }
                }
            } : nil
        let mesh = try Mesh(pair.server, [old?.port ?? new!.port])
        let received = Stream()
        let sent = Stream()
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request("CONNECT", "/chat", Self.fields, protocol: "websocket", isEnd: false)
            #expect(try stream.receive(exactly: 5) == Array("first".utf8))
            Thread.detachNewThread {
                while sent.count < size { try? stream.send(sent.next(100_000), isEnd: sent.count == size) }
            }
            while true {
                let bytes = try stream.receive()
                guard !bytes.isEmpty, received.check(bytes) else { break }
            }
        } else {
            let client = try mesh.connect()
            try client.send(Self.upgrade)
            _ = try client.receiveResponse()
            #expect(try client.receive(exactly: 5) == Array("first".utf8))
            Thread.detachNewThread {
                while sent.count < size { try? client.send(sent.next(100_000)) }
                client.finishSending()
            }
            while true {
                let bytes = try client.receive(1 << 18)
                guard !bytes.isEmpty, received.check(bytes) else { break }
            }
        }
        #expect(received.count == size)
        mesh.expect { $0.tunnelsOpen == 0 && $0.upstreamsOpen == 0 && $0.bufferedBytes == 0 }
    }
}
