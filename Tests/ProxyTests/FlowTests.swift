import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// Who does not read holds whoever sends, and nobody else.
@Suite struct FlowTests {
    /// Waits until `count` stays the same for a while, above 0.
    private static func settled(_ count: () -> Int) -> Int {
        var last = -1
        while true {
            let now = count()
            if now == last && now > 0 { return now }
            last = now
            usleep(300_000)
        }
    }

    private static func pour(_ size: Int, _ sent: Stream, _ send: @escaping @Sendable ([UInt8], Bool) throws -> Void) {
        Thread.detachNewThread {
            while sent.count < size {
                let bytes = sent.next(min(size - sent.count, 1 << 16))
                guard (try? send(bytes, sent.count == size)) != nil else { return }
            }
        }
    }

    @Test(arguments: Pair.new) func stoppedReaderHoldsTheServer(_ pair: Pair) throws {
        let size = 48 << 20
        let sent = Stream()
        let old: ScriptedServer? =
            pair.server == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                _ = try wire.receiveRequest()
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
                while sent.count < size { try wire.send(sent.next(min(size - sent.count, 1 << 16))) }
                _ = try wire.receive()
            }
        let new: HTTP2Server? =
            pair.server == .http2
            ? try HTTP2Server { stream in
                _ = try stream.message()
                stream.respond(200)
                while sent.count < size {
                    try stream.send(sent.next(min(size - sent.count, 1 << 16)), isEnd: sent.count == size)
                }
            } : nil
        let mesh = try Mesh(pair.server, [old?.port ?? new!.port])
        let received = Stream()
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request()
            stream.consume(false)
            _ = try stream.receiveHead()
            #expect(Self.settled { sent.count } < 24 << 20)
            #expect(mesh.counters().bufferedBytes <= 2 << 20, "\(mesh.counters().bufferedBytes)")
            stream.consume(true)
            while true {
                let bytes = try stream.receive()
                guard !bytes.isEmpty, received.check(bytes) else { break }
            }
        } else {
            let client = try mesh.connect(receiveBuffer: 65536)
            try client.send("GET / HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n")
            let head = try client.receive(through: "\r\n\r\n")
            #expect(head?.contains("chunked") == true)
            #expect(Self.settled { sent.count } < 24 << 20)
            #expect(mesh.counters().bufferedBytes <= 2 << 20, "\(mesh.counters().bufferedBytes)")
            while let line = try client.receive(through: "\r\n"), let count = Int(line.dropLast(), radix: 16), count > 0
            {
                guard received.check(try client.receive(exactly: count)) else { break }
                _ = try client.receive(exactly: 2)
            }
        }
        #expect(received.count == size)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    @Test(arguments: Pair.new) func stoppedServerHoldsTheClient(_ pair: Pair) throws {
        let size = 48 << 20
        let gate = DispatchSemaphore(value: 0)
        let received = Stream()
        let old: ScriptedServer? =
            pair.server == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                _ = try wire.receive(through: "\r\n\r\n")
                gate.wait()
                while received.count < size {
                    let bytes = try wire.receive(1 << 18)
                    guard !bytes.isEmpty, received.check(bytes) else { return }
                }
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            }
        let new: HTTP2Server? =
            pair.server == .http2
            ? try HTTP2Server { stream in
                stream.consume(false)
                _ = try stream.receiveHead()
                gate.wait()
                stream.consume(true)
                while true {
                    let bytes = try stream.receive()
                    if bytes.isEmpty { break }
                    guard received.check(bytes) else { return }
                }
                stream.respond(200, isEnd: true)
            } : nil
        let mesh = try Mesh(pair.server, [old?.port ?? new!.port])
        let sent = Stream()
        let fields = [("content-length", "\(size)")]
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request("POST", "/", fields, isEnd: false)
            Self.pour(size, sent) { try stream.send($0, isEnd: $1) }
            #expect(Self.settled { sent.count } < 24 << 20)
            #expect(mesh.counters().bufferedBytes <= 2 << 20, "\(mesh.counters().bufferedBytes)")
            gate.signal()
            #expect(try stream.message().status == 200)
        } else {
            let client = try mesh.connect()
            try client.send("POST / HTTP/1.1\r\nHost: e\r\n\(Wire.lines(fields))\r\n")
            Self.pour(size, sent) { bytes, _ in try client.send(bytes) }
            #expect(Self.settled { sent.count } < 24 << 20)
            #expect(mesh.counters().bufferedBytes <= 2 << 20, "\(mesh.counters().bufferedBytes)")
            gate.signal()
            #expect(try client.receiveResponse().status == 200)
        }
        #expect(received.count == size)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// A download that its client does not take, and ones that are taken, over the same connections: a connection's window
    /// is twice the widest stream's.
    @Test(arguments: [HTTPVersion.http11, .http2]) func stalledStreamHoldsNoSibling(_ version: HTTPVersion) throws {
        let server = try VersionedServer(version) { _ in
            var reply = Reply()
            reply.body = [UInt8](repeating: 7, count: 3_000_000)
            return reply
        }
        let mesh = try Mesh(version, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let stalled = try client.request("GET", "/stalled")
        stalled.consume(false)
        _ = try stalled.receiveHead()
        for _ in 0..<10 { #expect(try client.ask().body.count == 3_000_000) }
        stalled.consume(true)
        #expect(try stalled.message().body.count == 3_000_000)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// The same where it is the endpoint that does not take an upload.
    @Test func stalledUploadHoldsNoSibling() throws {
        let gate = DispatchSemaphore(value: 0)
        let server = try HTTP2Server { stream in
            let head = try stream.receiveHead()
            if head.start.contains("/stalled") {
                stream.consume(false)
                gate.wait()
                stream.consume(true)
            }
            let count = try stream.message().body.count
            stream.respond(200)
            try stream.send("\(count)", isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let body = [UInt8](repeating: 7, count: 1_000_000)
        let stalled = try client.request("POST", "/stalled", body: body)
        for _ in 0..<10 { #expect(try client.ask("POST", "/", body: body).text == "1000000") }
        gate.signal()
        #expect(try stalled.message().text == "1000000")
        #expect(server.connections == 1)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// Fifty small requests beside a download without end: each gets through while the download goes on.
    @Test(arguments: [HTTPVersion.http11, .http2]) func greedyDownloadStarvesNobody(_ version: HTTPVersion) throws {
        let isOver = Mutex(false)
        let old: ScriptedServer? =
            version == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                while let request = try wire.receiveRequest() {
                    guard request.start.contains("/greedy") else {
                        try Reply("small").send(wire, toHEAD: false)
                        continue
                    }
                    try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    let chunk = Array("10000\r\n".utf8) + [UInt8](repeating: 1, count: 65536) + [13, 10]
                    while !isOver.withLock({ $0 }) { try wire.send(chunk) }
                    try wire.send("0\r\n\r\n")
                }
            }
        let new: HTTP2Server? =
            version == .http2
            ? try HTTP2Server { stream in
                guard try stream.message().start.contains("/greedy") else {
                    return try Reply("small").send(stream, toHEAD: false)
                }
                stream.respond(200)
                while !isOver.withLock({ $0 }) { try stream.send([UInt8](repeating: 1, count: 65536)) }
                try stream.send([], isEnd: true)
            } : nil
        let mesh = try Mesh(version, [old?.port ?? new!.port])
        let client = try HTTP2Peer.connect(mesh)
        let greedy = try client.request("GET", "/greedy")
        var drained = 0
        for _ in 0..<50 {
            let small = try client.request("GET", "/small")
            drained += try greedy.receive().count
            #expect(try small.message().text == "small")
        }
        #expect(drained > 0)
        isOver.withLock { $0 = true }
        while try !greedy.receive().isEmpty {}
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// The same for an upload without end, at whose endpoint the small requests share a connection.
    @Test func greedyUploadStarvesNobody() throws {
        let server = try HTTP2Server { stream in
            guard try stream.receiveHead().start.contains("/greedy") else {
                return try Reply("small \(try stream.message().body.count)").send(stream, toHEAD: false)
            }
            while try !stream.receive().isEmpty {}
            stream.respond(204, isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let greedy = try client.request("POST", "/greedy", isEnd: false)
        let isOver = Mutex(false)
        let sent = Stream()
        Thread.detachNewThread {
            while !isOver.withLock({ $0 }) { guard (try? greedy.send(sent.next(65536))) != nil else { return } }
            try? greedy.send([], isEnd: true)
        }
        let old = try mesh.connect()
        for number in 0..<50 {
            let body = [UInt8](repeating: 1, count: 1000 * number)
            #expect(try client.ask("POST", "/small", body: body).text == "small \(body.count)")
            #expect(try old.get("/small").text == "small 0")
        }
        #expect(sent.count > 0)
        isOver.withLock { $0 = true }
        #expect(try greedy.message().status == 204)
        #expect(server.connections == 1)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// More streams than the connection's window has bytes for at once: none is forgotten when the window opens.
    @Test(arguments: [HTTPVersion.http11, .http2]) func connectionWindowIsShared(_ version: HTTPVersion) throws {
        let server = try VersionedServer(version) { _ in
            var reply = Reply()
            reply.body = [UInt8](repeating: 7, count: 300_000)
            return reply
        }
        let mesh = try Mesh(version, [server.port])
        var limits = HTTP2Limits()
        // As clients have that set streams' windows only.
        limits.connectionWindow = 65_535
        limits.maxConnectionWindow = 65_535
        limits.streamWindow = 1 << 20
        let client = try HTTP2Peer.connect(mesh, limits: limits)
        let streams = try (0..<40).map { try client.request("GET", "/\($0)") }
        for stream in streams { #expect(try stream.message().body.count == 300_000) }
        mesh.expect { $0.bufferedBytes == 0 }
    }
}
