import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

@Suite struct LoadTests {
    /// 64 clients at once over three workers while the routes change under them.
    @Test func manyClientsWhileRoutesChange() throws {
        let servers = try (0..<4).map { try ScriptedServer.echo("s\($0)") }
        let mesh = try Mesh(rules: forward(weighted("a", servers.map(\.port)))) { $0.workers = 3 }
        let failures = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        for number in 0..<64 {
            Thread.detachNewThread {
                do {
                    var random = SplitMix(seed: UInt64(number))
                    let client = try mesh.connect()
                    for request in 0..<40 {
                        let body = String(repeating: "b", count: Int(random.next() % 3000))
                        let path = "/\(number)/\(request)"
                        let response =
                            random.next() % 2 == 0
                            ? try client.get(path)
                            : try client.exchange(
                                "POST \(path) HTTP/1.1\r\nHost: e\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                        if response.status != 200 || !response.text.contains(" \(path) HTTP/1.1\n") {
                            failures.withLock { $0.append("\(response)") }
                        }
                    }
                } catch {
                    failures.withLock { $0.append("\(error)") }
                }
                done.signal()
            }
        }
        let finished = Mutex(0)
        var generation: UInt64 = 1
        var random = SplitMix(seed: 99)
        while finished.withLock({ $0 }) < 64 {
            generation += 1
            var some = servers.map(\.port).shuffled(using: &random)
            some.removeLast(Int(random.next() % 3))
            mesh.publish(
                generation,
                rules: forward(
                    weighted("a", some, weight: UInt32(random.next() % 5 + 1)), weighted("b", [servers[0].port])))
            while done.wait(timeout: .now()) == .success { finished.withLock { $0 += 1 } }
            usleep(2000)
        }
        #expect(failures.withLock { $0 } == [])
        mesh.expect { $0.clientsOpen == 0 }
        mesh.expect { $0.upstreamsOpen == $0.upstreamsIdle }
        let counters = mesh.counters()
        #expect(counters.requests.reduce(0) { $0 + $1.byClass.reduce(0) { $0 + $1.count } } == 64 * 40)
        #expect(counters.bufferedBytes == 0)
    }

    /// Endpoints that reset, close early, stall or answer rubbish at random. Whatever happens, a client gets its own answer,
    /// or one of Weir's, or a connection that ends; never another's bytes, never a hang. In the end nothing is left open.
    @Test func chaos() throws {
        let posts = Mutex<[String: Int]>([:])
        let server = try ScriptedServer { wire, number in
            var random = SplitMix(seed: UInt64(number) &* 77)
            while let request = try wire.receiveRequest() {
                let path = String(request.start.split(separator: " ")[1])
                if request.start.hasPrefix("POST") { posts.withLock { $0[path, default: 0] += 1 } }
                let text = "answer to \(path) " + String(repeating: "x", count: Int(random.next() % 20000))
                let plain = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
                switch random.next() % 12 {
                case 0: return wire.reset()
                case 1: return
                case 2:
                    try wire.send(Array(plain.utf8.prefix(Int(random.next() % UInt64(plain.utf8.count)))))
                    return random.next() % 2 == 0 ? wire.reset() : ()
                case 3:
                    try wire.send(plain)
                    return wire.reset()
                case 4:
                    try wire.send(plain)
                    return
                case 5: try wire.send("HTTP/1.1 2x0 rubbish\r\n\r\n")
                case 6:
                    try wire.send(
                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(text.utf8.count, radix: 16))\r\n\(text)\r\nnonsense\r\n"
                    )
                case 7:
                    try wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\(text)")
                    return
                default: try wire.send(plain)
                }
            }
        }
        let mesh = try Mesh(rules: forward(weighted("chaos", [server.port]), timeout: 3)) { $0.workers = 2 }
        let failures = Mutex<[String]>([])
        let answers = Mutex(0)
        let done = DispatchSemaphore(value: 0)
        for number in 0..<24 {
            Thread.detachNewThread {
                var random = SplitMix(seed: UInt64(number) &+ 1000)
                var client = try? mesh.connect()
                for request in 0..<60 {
                    let path = "/c/\(number)/\(request)/"
                    let isPost = random.next() % 3 == 0
                    do {
                        let wire = try client ?? mesh.connect()
                        client = wire
                        try wire.send(
                            isPost
                                ? "POST \(path) HTTP/1.1\r\nHost: e\r\nContent-Length: 4\r\n\r\nbody"
                                : "GET \(path) HTTP/1.1\r\nHost: e\r\n\r\n")
                        if random.next() % 10 == 0 {
                            random.next() % 2 == 0 ? wire.reset() : wire.close()
                            client = nil
                            continue
                        }
                        let response = try wire.receiveResponse()
                        let isOwn = response["x-weir-reason"] != nil
                        if isOwn
                            ? ![502, 503].contains(response.status) : !response.text.hasPrefix("answer to \(path) ")
                        {
                            failures.withLock { $0.append("\(path): \(response)") }
                        }
                        if !isOwn { answers.withLock { $0 += 1 } }
                        if response["connection"] == "close" { client = nil }
                    } catch {
                        if "\(error)".contains("temporarily") { failures.withLock { $0.append("\(path) hangs") } }
                        client = nil
                    }
                }
                client = nil
                done.signal()
            }
        }
        for _ in 0..<24 { #expect(done.wait(timeout: .now() + 60) == .success) }
        #expect(failures.withLock { $0 } == [])
        #expect(answers.withLock { $0 } > 300)
        #expect(posts.withLock { $0.filter { $0.value > 1 } } == [:], "a POST was sent twice")
        mesh.expect("clients are left open", within: 10) { $0.clientsOpen == 0 }
        mesh.expect { $0.upstreamsOpen == $0.upstreamsIdle }
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// The same with HTTP/2 on any side: clients and endpoints of both versions that reset, cut, stall and answer in part,
    /// while routes and versions change under them.
    @Test func chaosOfStreams() throws {
        let new = try HTTP2Server { stream in
            var random = SplitMix(
                seed: UInt64(stream.identifier) &* 77 &+ UInt64(truncatingIfNeeded: stream.peer.wire.fd))
            if random.next() % 20 == 0 { return stream.reset(.refusedStream) }
            let request = try stream.message()
            let path = String(request.start.split(separator: " ")[1])
            let text = "answer to \(path) " + String(repeating: "x", count: Int(random.next() % 200_000))
            switch random.next() % 16 {
            case 0: return stream.reset(.internalError)
            case 1: return stream.peer.cut(reset: random.next() % 2 == 0)
            case 2:
                stream.respond(200)
                try stream.send(Array(text.utf8.prefix(Int(random.next() % UInt64(text.utf8.count)))))
                random.next() % 2 == 0 ? stream.reset(.cancel) : stream.peer.cut()
            case 3: return  // Never answers.
            case 4: stream.peer.inject([0, 0, 1, 0, 0, 0, 0, 0, 2, 0])
            case 5:
                stream.peer.goAway()
                fallthrough
            case 6:
                stream.respond(103, [("x-interim", "1")])
                stream.respond(200)
                try stream.send(Array(text.utf8), isEnd: true, trailers: [("x-end", "1")])
            default:
                stream.respond(200, [("content-length", "\(text.utf8.count)")])
                try stream.send(text, isEnd: true)
            }
        }
        let old = try ScriptedServer { wire, number in
            var random = SplitMix(seed: UInt64(number) &* 131)
            while let request = try wire.receiveRequest() {
                let path = String(request.start.split(separator: " ")[1])
                let text = "answer to \(path) " + String(repeating: "x", count: Int(random.next() % 200_000))
                let plain = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)"
                switch random.next() % 12 {
                case 0: return wire.reset()
                case 1: return
                case 2: return try wire.send(Array(plain.utf8.prefix(Int(random.next() % UInt64(plain.utf8.count)))))
                case 3:
                    var reply = Reply(text)
                    reply.saysLength = false
                    reply.trailers = [("x-end", "1")]
                    try reply.send(wire, toHEAD: false)
                default: try wire.send(plain)
                }
            }
        }
        func rules(_ number: UInt64) -> [RouteTableEntry] {
            let first = weighted("new", [new.port], .http2, weight: UInt32(number % 3 + 1))
            return forward(first, weighted("old", [old.port]), timeout: 2)
        }
        let mesh = try Mesh(rules: rules(1)) { $0.workers = 2 }
        let failures = Mutex<[String]>([])
        let answers = Mutex(0)
        let running = Mutex(16)
        for number in 0..<16 {
            Thread.detachNewThread {
                var random = SplitMix(seed: UInt64(number) &+ 5000)
                func note(_ path: String, _ response: Message) {
                    let isOwn = response["x-weir-reason"] != nil
                    if isOwn
                        ? ![502, 503, 504].contains(response.status) : !response.text.hasPrefix("answer to \(path) ")
                    {
                        failures.withLock { $0.append("\(path): \(response.start)") }
                    }
                    if !isOwn { answers.withLock { $0 += 1 } }
                }
                for round in 0..<6 {
                    if number % 4 == 0 {
                        for request in 0..<8 {
                            let path = "/o/\(number)/\(round)/\(request)/"
                            guard let wire = try? mesh.connect() else { continue }
                            guard (try? wire.send("GET \(path) HTTP/1.1\r\nHost: e\r\n\r\n")) != nil else { continue }
                            if random.next() % 8 == 0 {
                                wire.reset()
                                continue
                            }
                            var response = try? wire.receiveResponse()
                            while let one = response, one.status < 200 { response = try? wire.receiveResponse() }
                            if let response { note(path, response) }
                        }
                        continue
                    }
                    guard let client = try? HTTP2Peer.connect(mesh) else { continue }
                    var streams: [(String, PeerStream)] = []
                    for request in 0..<20 {
                        let path = "/n/\(number)/\(round)/\(request)/"
                        let body = [UInt8](repeating: 1, count: Int(random.next() % 100_000))
                        let stream =
                            random.next() % 2 == 0
                            ? try? client.request("GET", path)
                            : try? client.request("POST", path, body: body, isEnd: random.next() % 8 != 0)
                        guard let stream else { continue }
                        switch random.next() % 10 {
                        case 0: stream.reset()
                        case 1: stream.consume(false)
                        default: streams.append((path, stream))
                        }
                    }
                    if random.next() % 6 == 0 {
                        client.cut(reset: random.next() % 2 == 0)
                        continue
                    }
                    for (path, stream) in streams {
                        do { note(path, try stream.message()) } catch {
                            if "\(error)".contains("in vain") { failures.withLock { $0.append("\(path) hangs") } }
                        }
                    }
                    client.cut()
                }
                running.withLock { $0 -= 1 }
            }
        }
        var generation: UInt64 = 1
        let deadline = Date(timeIntervalSinceNow: 120)
        while running.withLock({ $0 }) > 0, Date() < deadline {
            generation += 1
            mesh.publish(generation, rules: rules(generation))
            usleep(20_000)
        }
        #expect(running.withLock { $0 } == 0)
        #expect(failures.withLock { $0 } == [])
        #expect(answers.withLock { $0 } > 200)
        mesh.expect("clients are left open", within: 15) { $0.clientsOpen == 0 && $0.clientSessionsOpen == 0 }
        mesh.expect { $0.upstreamsOpen == $0.upstreamsIdle }
        mesh.expect { $0.bufferedBytes == 0 && $0.tunnelsOpen == 0 }
        // Nothing is left of any exchange: a drain has nothing to wait for.
        #expect(mesh.proxy.drain(deadline: .now + .seconds(5)))
        #expect(mesh.counters().upstreamSessionsOpen == 0)
    }

    /// A thousand idle connections that have been used.
    @Test func idleConnectionsHoldNoBuffers() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        var clients: [Wire] = []
        for _ in 0..<500 {
            let client = try mesh.connect()
            #expect(try client.get().status == 200)
            clients.append(client)
        }
        mesh.expect { $0.clientsOpen == 500 && $0.bufferedBytes == 0 }
    }
}
