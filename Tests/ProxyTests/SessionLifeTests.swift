import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// HTTP/2 connections and their streams: how they begin and end, and what becomes of the requests on them.
@Suite struct SessionLifeTests {
    private static func count(_ counters: ProxyCounters) -> UInt64 {
        counters.requests.reduce(0) { $0 + $1.byClass.reduce(0) { $0 + $1.count } }
    }

    // MARK: The endpoint goes away

    /// Streams above the last one of GOAWAY are sent again elsewhere, the others finish.
    @Test(arguments: [HTTPVersion.http11, .http2]) func goAway(_ version: HTTPVersion) throws {
        let go = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        let isFirst = Mutex(true)
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            if request.start.contains("/slow"),
                isFirst.withLock({ first in
                    defer { first = false }; return first
                })
            {
                arrived.signal()
                go.wait()
            }
            stream.respond(200)
            try stream.send("\(request.start) \(request.text)", isEnd: true)
        }
        let mesh = try Mesh(.http2, [server.port])
        let slow = try VersionedClient(version, mesh)
        let done = DispatchSemaphore(value: 0)
        let answer = Mutex("")
        nonisolated(unsafe) let client = slow
        Thread.detachNewThread {
            let text = (try? client.ask("GET", "/slow").response.text) ?? "none"
            answer.withLock { $0 = text }
            done.signal()
        }
        #expect(arrived.wait(timeout: .now() + 10) == .success)
        server.peers[0].goAway()
        let other = try VersionedClient(version, mesh)
        for number in 0..<5 {
            let response = try other.ask("POST", "/\(number)", body: [0x61]).response
            #expect(response.text == "POST /\(number) HTTP/1.1 a")
        }
        go.signal()
        #expect(done.wait(timeout: .now() + 10) == .success)
        #expect(answer.withLock { $0 } == "GET /slow HTTP/1.1 ")
        #expect(server.connections == 2)
        mesh.expect { $0.upstreamSessionsOpen == 1 && $0.cuts == 0 }
    }

    /// What the endpoint refuses it has not processed: any method may be sent again (RFC 9113 section 8.7).
    @Test(arguments: [HTTPVersion.http11, .http2]) func refusedStreamIsSentAgain(_ version: HTTPVersion) throws {
        let count = Mutex(0)
        let server = try HTTP2Server { stream in
            let number = count.withLock { count in
                count += 1
                return count
            }
            if number <= 2 { return stream.reset(.refusedStream) }
            try Reply(try stream.message().text).send(stream, toHEAD: false)
        }
        let mesh = try Mesh(.http2, [server.port])
        let response = try VersionedClient(version, mesh).ask(
            "POST", "/", [("te", "trailers")], body: Array("body".utf8))
        #expect(response.response.text == "body")
        #expect(count.withLock { $0 } == 3)
        mesh.expect { $0.staleRetries == 2 && Self.count($0) == 1 }
    }

    @Test func refusalsWithoutEndEndInAnAnswer() throws {
        let server = try HTTP2Server { $0.reset(.refusedStream) }
        let mesh = try Mesh(.http2, [server.port])
        let response = try HTTP2Peer.connect(mesh).ask()
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-reset")
    }

    /// Idempotent requests on a connection that had served are sent once more; others, and those on a new one, are not.
    @Test(arguments: [HTTPVersion.http11, .http2]) func cutConnection(_ version: HTTPVersion) throws {
        let cuts = Mutex(0)
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            if request.start.contains("/cut"), cuts.withLock({ $0 > 0 }) {
                cuts.withLock { $0 -= 1 }
                return stream.peer.cut()
            }
            try Reply().send(stream, toHEAD: false)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try VersionedClient(version, mesh)
        cuts.withLock { $0 = 1 }
        #expect(try client.ask("GET", "/cut/new").response["x-weir-reason"] == "upstream-reset")
        #expect(try client.ask("GET", "/fine").response.status == 200)
        cuts.withLock { $0 = 1 }
        #expect(try client.ask("GET", "/cut/reused").response.status == 200)
        cuts.withLock { $0 = 1 }
        #expect(try client.ask("POST", "/cut/post", body: [1]).response.status == 502)
        #expect(try client.ask("GET", "/fine").response.status == 200)
        cuts.withLock { $0 = 2 }
        #expect(try client.ask("GET", "/cut/twice").response.status == 502)
        mesh.expect { $0.bufferedBytes == 0 && Self.count($0) == 6 }
    }

    /// All streams of a connection that breaks are sent again, each once.
    @Test func cutConnectionWithManyStreams() throws {
        let arrived = Mutex(0)
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            guard request.start.contains("/many") else { return try Reply().send(stream, toHEAD: false) }
            let count = arrived.withLock { count in
                count += 1
                return count
            }
            if count == 20 { return stream.peer.cut() }
            if count > 20 { try Reply("again").send(stream, toHEAD: false) }
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        #expect(try client.ask().status == 200)
        let streams = try (0..<20).map { _ in try client.request("GET", "/many") }
        for stream in streams { #expect(try stream.message().text == "again") }
        mesh.expect { $0.upstreamSessionsOpen == 1 }
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func responseCutOff(_ version: HTTPVersion) throws {
        let server = try HTTP2Server { stream in
            stream.respond(200)
            try stream.send("some")
            stream.reset(.internalError)
        }
        let mesh = try Mesh(.http2, [server.port])
        if version == .http2 {
            let stream = try HTTP2Peer.connect(mesh).request()
            #expect(try stream.receiveReset() == .internalError)
        } else {
            let client = try mesh.connect()
            try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
            #expect(throws: Wire.Failure.self) { _ = try client.receiveResponse() }
        }
        mesh.expect { $0.cuts == 1 && $0.bufferedBytes == 0 }
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func connectFailureGoesToTheOther(_ version: HTTPVersion) throws {
        let server = try HTTP2Server.echo("alive")
        let dead = try refusedPort()
        let mesh = try Mesh(.http2, [server.port, dead])
        for number in 0..<20 {
            let client = try VersionedClient(version, mesh)
            let body = [UInt8](repeating: 0x61, count: number * 3000)
            #expect(try client.ask("POST", "/\(number)", body: body).response["x-server"] == "alive")
        }
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// An endpoint that speaks something else.
    @Test func endpointThatSpeaksHTTP1() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive()
            try wire.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            _ = try wire.receive()
        }
        let mesh = try Mesh(.http2, [server.port])
        #expect(try mesh.connect().get().status == 502)
        mesh.expect { $0.upstreamSessionsOpen == 0 && $0.bufferedBytes == 0 }
    }

    // MARK: How many

    @Test func concurrentStreamsAreObeyed() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreams = 3
        let most = Mutex(0)
        let go = DispatchSemaphore(value: 0)
        let server = try HTTP2Server(limits: limits) { stream in
            let open = stream.peer.openStreams
            most.withLock { $0 = max($0, open) }
            if try stream.message().start.contains("/slow") { go.wait() }
            try Reply().send(stream, toHEAD: false)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        #expect(try client.ask().status == 200)
        let streams = try (0..<20).map { try client.request("GET", "/slow/\($0)") }
        mesh.expect { $0.upstreamSessionsOpen == 7 }
        for _ in streams { go.signal() }
        for stream in streams { #expect(try stream.message().status == 200) }
        #expect(most.withLock { $0 } <= 3)
        #expect(server.connections == 7)
        for _ in 0..<10 { #expect(try client.ask().status == 200) }
        #expect(server.connections == 7)
        mesh.expect { $0.staleRetries == 0 }
    }

    /// The requests of one connection go to all endpoints.
    @Test(arguments: [HTTPVersion.http11, .http2]) func eachRequestIsBalanced(_ version: HTTPVersion) throws {
        let servers = try ["one", "two", "three"].map { name in
            try VersionedServer(version) { _ in Reply(name) }
        }
        let mesh = try Mesh(version, servers.map(\.port))
        let client = try HTTP2Peer.connect(mesh)
        var seen: [String: Int] = [:]
        for _ in 0..<90 { seen[try client.ask().text, default: 0] += 1 }
        #expect(seen.count == 3 && seen.values.allSatisfy { $0 >= 10 }, "\(seen)")
        if version == .http2 { #expect(servers.allSatisfy { $0.connections == 1 }) }
    }

    @Test func removedEndpointFinishesItsStreams() throws {
        let go = DispatchSemaphore(value: 0)
        let server = try HTTP2Server { stream in
            _ = try stream.message()
            go.wait()
            try Reply("old").send(stream, toHEAD: false)
        }
        let other = try HTTP2Server { stream in
            _ = try stream.message()
            try Reply("new").send(stream, toHEAD: false)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let stream = try client.request()
        mesh.expect { $0.upstreamSessionsOpen == 1 }
        mesh.publish(2, rules: forward(weighted("echo", [other.port], .http2)))
        for _ in 0..<5 { #expect(try client.ask().text == "new") }
        #expect(server.peers[0].end(within: 0.1) == nil)
        go.signal()
        #expect(try stream.message().text == "old")
        #expect(server.peers[0].end(within: 5) != nil)
        mesh.expect { $0.upstreamSessionsOpen == 1 }
    }

    // MARK: The client goes away

    @Test(arguments: [HTTPVersion.http11, .http2], [true, false])
    func clientThatLeavesCancels(_ version: HTTPVersion, byReset: Bool) throws {
        let arrived = DispatchSemaphore(value: 0)
        let noticed = DispatchSemaphore(value: 0)
        let old: ScriptedServer? =
            version == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                _ = try wire.receive(through: "\r\n\r\n")
                arrived.signal()
                if ((try? wire.receiveToEnd()) ?? []).isEmpty { noticed.signal() }
            }
        let new: HTTP2Server? =
            version == .http2
            ? try HTTP2Server { stream in
                _ = try stream.receiveHead()
                arrived.signal()
                if try stream.receiveReset() == .cancel { noticed.signal() }
            } : nil
        let mesh = try Mesh(version, [old?.port ?? new!.port])
        let client = try HTTP2Peer.connect(mesh)
        let stream = try client.request("POST", "/", isEnd: false)
        #expect(arrived.wait(timeout: .now() + 10) == .success)
        if byReset { stream.reset() } else { client.cut(reset: false) }
        #expect(noticed.wait(timeout: .now() + 10) == .success)
        mesh.expect { $0.bufferedBytes == 0 && $0.upstreamsOpen == 0 }
        if byReset { mesh.expect { $0.clientAborts == 1 && $0.clientSessionsOpen == 1 } }
        if !byReset { mesh.expect { $0.clientSessionsOpen == 0 } }
        if version == .http2 {
            #expect(new?.peers[0].end(within: 0.1) == nil, "the others' connection goes on")
        }
    }

    @Test func clientOverHTTP1ThatLeavesCancels() throws {
        let arrived = DispatchSemaphore(value: 0)
        let noticed = DispatchSemaphore(value: 0)
        let server = try HTTP2Server { stream in
            arrived.signal()
            if try stream.receiveReset() == .cancel { noticed.signal() }
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(arrived.wait(timeout: .now() + 10) == .success)
        client.reset()
        #expect(noticed.wait(timeout: .now() + 10) == .success)
        mesh.expect { $0.clientsOpen == 0 && $0.clientAborts == 1 && $0.upstreamSessionsOpen == 1 }
    }

    // MARK: Time

    @Test(arguments: [HTTPVersion.http11, .http2]) func timeouts(_ version: HTTPVersion) throws {
        let noticed = DispatchSemaphore(value: 0)
        let old: ScriptedServer? =
            version == .http2
            ? nil
            : try ScriptedServer { wire, _ in
                _ = try wire.receiveRequest()
                _ = try? wire.receive()
                noticed.signal()
            }
        let new: HTTP2Server? =
            version == .http2
            ? try HTTP2Server { stream in
                if try stream.receiveReset() == .cancel { noticed.signal() }
            } : nil
        let port = old?.port ?? new!.port
        let target = weighted("slow", [port], version)
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/request")], .forward(Backends([target])), timeout: 0.2),
            rule(1, [prefix("/backend")], .forward(Backends([target])), backendTimeout: 0.2),
        ])
        let client = try HTTP2Peer.connect(mesh)
        for (path, reason) in [("/request", "request-timeout"), ("/backend", "backend-request-timeout")] {
            let response = try client.ask("GET", path)
            #expect(response.status == 504)
            #expect(response["x-weir-reason"] == reason)
            #expect(noticed.wait(timeout: .now() + 10) == .success)
        }
        mesh.expect { $0.bufferedBytes == 0 }
    }

    @Test func idleClientIsToldAndLetGo() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port]) {
            $0.idleTimeout = .milliseconds(200)
            $0.lingerTimeout = .milliseconds(300)
        }
        let client = try HTTP2Peer.connect(mesh)
        // Where no route holds, the endpoint is asked in the client's version, which this one does not speak.
        #expect(try client.ask().status == 502)
        #expect(try client.goAwayCode() == .noError)
        #expect(client.end(within: 5) != nil)
        mesh.expect { $0.clientSessionsOpen == 0 && $0.bufferedBytes == 0 }
    }

    /// One that does not answer the PING of the farewell, or does not close.
    @Test func idleClientThatDoesNotAnswer() throws {
        let mesh = try Mesh {
            $0.idleTimeout = .milliseconds(200)
            $0.lingerTimeout = .milliseconds(200)
        }
        let client = try mesh.connect()
        try client.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0])
        mesh.expect { $0.clientSessionsOpen == 1 }
        mesh.expect { $0.clientSessionsOpen == 0 }
    }

    @Test func idleUpstreamSessionIsClosed() throws {
        let server = try HTTP2Server.echo()
        let mesh = try Mesh(.http2, [server.port]) { $0.upstreamIdleTimeout = .milliseconds(200) }
        #expect(try mesh.connect().get().status == 200)
        #expect(server.peers[0].end(within: 5) != nil)
        mesh.expect { $0.upstreamSessionsOpen == 0 }
        #expect(try mesh.connect().get().status == 200)
    }

    @Test func idleSessionsHoldNoBuffers() throws {
        let server = try HTTP2Server.echo()
        let mesh = try Mesh(.http2, [server.port])
        let clients = try (0..<100).map { _ in try HTTP2Peer.connect(mesh) }
        for client in clients { #expect(try client.ask("POST", "/", body: [1, 2, 3]).status == 200) }
        mesh.expect { $0.clientSessionsOpen == 100 && $0.bufferedBytes == 0 && $0.clientsOpen == 0 }
    }

    // MARK: Drain

    @Test(arguments: [HTTPVersion.http11, .http2]) func drainFinishesWhatIsInFlight(_ version: HTTPVersion) throws {
        let go = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        let server = try VersionedServer(version) {
            if $0.start.contains("/slow") {
                arrived.signal()
                go.wait()
            }
            return Reply()
        }
        let mesh = try Mesh(version, [server.port]) { $0.workers = 2 }
        let idle = try HTTP2Peer.connect(mesh)
        #expect(try idle.ask().status == 200)
        let busy = try HTTP2Peer.connect(mesh)
        let stream = try busy.request("GET", "/slow")
        #expect(arrived.wait(timeout: .now() + 10) == .success)
        #expect(!mesh.proxy.drain(deadline: .now + .milliseconds(200)))
        #expect(try idle.goAwayCode() == .noError)
        #expect(try busy.goAwayCode() == .noError)
        #expect(idle.end(within: 5) != nil)
        #expect(throws: Wire.Failure.self) { _ = try mesh.connect() }
        go.signal()
        #expect(try stream.message().text == "ok")
        #expect(mesh.proxy.drain(deadline: .now + .seconds(10)))
        #expect(busy.end(within: 5) != nil)
    }

    @Test func clientsGoAwayEndsItsSession() throws {
        let echo = try HTTP2Server.echo()
        let mesh = try Mesh(.http2, [echo.port]) { $0.lingerTimeout = .milliseconds(200) }
        let client = try HTTP2Peer.connect(mesh)
        let stream = try client.request()
        client.goAway()
        #expect(try stream.message().status == 200)
        mesh.expect { $0.clientSessionsOpen == 0 }
    }

    // MARK: What is counted

    @Test func streamsAreCountedAndLogged() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let echo = try HTTP2Server.echo()
        let mesh = try Mesh(rules: [
            rule(3, [prefix("/e")], .forward(Backends([weighted("echo", [echo.port], .http2)])))
        ]) { [ends] in $0.accessLog = ends[1] }
        let client = try HTTP2Peer.connect(mesh)
        #expect(try client.ask("POST", "/e/x?q", body: [1, 2, 3]).status == 200)
        #expect(try client.ask("GET", "/none").status == 404)
        let started = ContinuousClock.now
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65536)
        while text.filter({ $0 == "\n" }).count < 2, ContinuousClock.now - started < .seconds(5) {
            let count = read(ends[0], &buffer, buffer.count)
            text += String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
        }
        mesh.expect { Self.count($0) == 2 }
        mesh.proxy.stop()
        close(ends[0])
        close(ends[1])
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].contains("\"method\":\"POST\",\"host\":\"e\",\"path\":\"/e/x\""))
        #expect(lines[0].contains("\"rule\":3") && lines[0].contains("\"status\":200"))
        #expect(lines[0].contains("\"bytesIn\":3"))
        #expect(lines[1].contains("\"status\":404") && lines[1].contains("\"reason\":\"no-route-matched\""))
    }

    /// Snapshots are let go once the requests that were decided by them are over.
    @Test func snapshotsAreReleased() throws {
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            if request.start.contains("/reset") { return stream.reset(.internalError) }
            try Reply().send(stream, toHEAD: false)
        }
        let mesh = try Mesh(.http2, [server.port])
        let client = try HTTP2Peer.connect(mesh)
        let old = try mesh.connect()
        weak var last: Backend?
        var generation: UInt64 = 1
        for _ in 0..<20 {
            generation += 1
            do {
                let target = backend("echo", [server.port], .http2)
                last = target
                mesh.publish(
                    generation,
                    rules: [
                        rule(
                            0, [],
                            .forward(
                                Backends([
                                    WeightedBackend(
                                        service: ObjectName(namespace: "default", name: "echo"), port: 80, weight: 1,
                                        target: .backend(target), filters: [])
                                ])))
                    ])
            }
            for path in ["/", "/reset"] {
                _ = try client.ask("GET", path)
                _ = try old.get(path)
                let cancelled = try client.request("POST", path, isEnd: false)
                cancelled.reset()
            }
        }
        #expect(try client.ask().status == 200)
        mesh.publish(generation + 1, rules: [])
        let deadline = ContinuousClock.now + .seconds(5)
        while last != nil, .now < deadline { usleep(2000) }
        #expect(last == nil)
    }

    // MARK: gRPC

    @Test func ownAnswersToGRPC() throws {
        let mesh = try Mesh(rules: [])
        let client = try HTTP2Peer.connect(mesh)
        let response = try client.ask(
            "POST", "/a.B/C", [("content-type", "application/grpc"), ("te", "trailers")], body: [0, 0, 0, 0, 0])
        #expect(response.status == 200)
        #expect(response["grpc-status"] == "12")
        #expect(response["grpc-message"]?.hasPrefix("no route matched") == true)
        #expect(response["content-type"] == "application/grpc")
        #expect(response.body == [])
    }

    @Test func timeoutOfGRPC() throws {
        let server = try HTTP2Server { _ in }
        let mesh = try Mesh(.http2, [server.port], timeout: 0.2)
        let response = try HTTP2Peer.connect(mesh).ask(
            "POST", "/a.B/C", [("content-type", "application/grpc+proto"), ("te", "trailers")], body: [0, 0, 0, 0, 0])
        #expect(response["grpc-status"] == "4")
    }
}
