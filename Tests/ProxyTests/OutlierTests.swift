import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// Endpoints that fail in a row are left out for a while.
@Suite struct OutlierTests {
    private static func mesh(
        _ version: HTTPVersion, _ servers: [FlakyServer], time: Duration = .seconds(300)
    ) throws -> Mesh {
        try Mesh(rules: policy(weighted("echo", servers.map(\.port), version))) { $0.ejectionTime = time }
    }

    private static func good(_ version: HTTPVersion) throws -> FlakyServer {
        try FlakyServer(version) { _, _ in .reply(Reply()) }
    }

    enum Failing: CaseIterable, Sendable { case status, reset }

    private static func bad(_ version: HTTPVersion, _ failing: Failing) throws -> FlakyServer {
        try FlakyServer(version) { _, _ in failing == .status ? .reply(Reply(status: 503)) : .reset }
    }

    @Test(arguments: Pair.all, Failing.allCases) func failingEndpointIsLeftOut(_ pair: Pair, _ failing: Failing) throws
    {
        let bad = try Self.bad(pair.server, failing)
        let good = [try Self.good(pair.server), try Self.good(pair.server)]
        let mesh = try Self.mesh(pair.server, [bad] + good)
        let client = try VersionedClient(pair.client, mesh)
        var failures = 0
        for _ in 0..<200 where try client.ask().response.status != 200 { failures += 1 }
        #expect(failures == 5)
        #expect(bad.requests.count == 5)
        #expect(mesh.counters().ejections == 1)
        let failingEndpoints = try #require(mesh.proxy.failingEndpoints(within: .seconds(10)))
        #expect(failingEndpoints.map(\.description) == ["127.0.0.1:\(bad.port)"])
        #expect(failingEndpoints.first?.ejections == 1)
        let left = try #require(failingEndpoints.first?.ejectedFor)
        #expect(left > .seconds(200) && left <= .seconds(300))
    }

    /// When more than half would be left out, none is.
    @Test(arguments: Pair.all) func neverMoreThanHalf(_ pair: Pair) throws {
        let bad = try (0..<3).map { _ in try Self.bad(pair.server, .status) }
        let good = try Self.good(pair.server)
        let mesh = try Self.mesh(pair.server, bad + [good])
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<300 { _ = try client.ask() }
        #expect(mesh.counters().ejections == 3)
        let before = bad.map { $0.requests.count }
        for _ in 0..<100 { _ = try client.ask() }
        for (server, before) in zip(bad, before) { #expect(server.requests.count > before) }
        #expect(mesh.proxy.failingEndpoints(within: .seconds(10))?.count == 3)
    }

    @Test func onlyEndpointIsAskedStill() throws {
        let bad = try Self.bad(.http11, .status)
        let mesh = try Self.mesh(.http11, [bad])
        let client = try mesh.connect()
        for _ in 0..<20 { #expect(try client.get().status == 503) }
        #expect(bad.requests.count == 20)
    }

    @Test(arguments: Pair.all) func endpointComesBack(_ pair: Pair) throws {
        let isBroken = Mutex(true)
        let servers = [
            try FlakyServer(pair.server) { _, _ in .reply(Reply(status: isBroken.withLock { $0 } ? 503 : 200)) },
            try Self.good(pair.server),
        ]
        let mesh = try Self.mesh(pair.server, servers, time: .seconds(1))
        let client = try VersionedClient(pair.client, mesh)
        while mesh.counters().ejections == 0 { _ = try client.ask() }
        isBroken.withLock { $0 = false }
        let before = servers[0].requests.count
        let deadline = ContinuousClock.now + .seconds(20)
        while servers[0].requests.count == before && .now < deadline {
            #expect(try client.ask().response.status == 200)
        }
        #expect(servers[0].requests.count > before)
        while mesh.proxy.failingEndpoints(within: .seconds(10)) != [] && .now < deadline { _ = try client.ask() }
        #expect(mesh.proxy.failingEndpoints(within: .seconds(10)) == [])
    }

    /// A success between failures starts the count anew.
    @Test func failuresInARow() throws {
        let server = try FlakyServer(.http11) { number, _ in .reply(Reply(status: number % 5 == 4 ? 200 : 503)) }
        let good = try Self.good(.http11)
        let mesh = try Self.mesh(.http11, [server, good])
        let client = try mesh.connect()
        for _ in 0..<200 { _ = try client.get() }
        #expect(mesh.counters().ejections == 0)
        #expect(good.requests.count > 20)
        #expect(server.requests.count > 20)
    }

    /// 500 is the application's, not a sign that the endpoint cannot serve.
    @Test func applicationErrorsAreNoFailures() throws {
        let server = try FlakyServer(.http11) { _, _ in .reply(Reply(status: 500)) }
        let good = try Self.good(.http11)
        let mesh = try Self.mesh(.http11, [server, good])
        let client = try mesh.connect()
        for _ in 0..<100 { _ = try client.get() }
        #expect(mesh.counters().ejections == 0)
        #expect(good.requests.count > 10)
        #expect(mesh.proxy.failingEndpoints(within: .seconds(10)) == [])
    }

    /// Endpoints that end kept connections may do so.
    @Test func endOfKeptConnectionsIsNoFailure() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try wire.receiveRequest()
            wire.reset()
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port])))
        let client = try mesh.connect()
        for _ in 0..<20 { #expect(try client.get().status == 200) }
        #expect(mesh.counters().staleRetries > 5)
        #expect(mesh.counters().ejections == 0)
    }

    /// An endpoint that is slow is left out; one whose client is slow is not.
    @Test(arguments: Pair.all) func timeouts(_ pair: Pair) throws {
        for isSlowClient in [false, true] {
            let slow = try FlakyServer(pair.server) { _, _ in .hang }
            let mesh = try Mesh(rules: policy(weighted("echo", [slow.port], pair.server), timeout: 0.1))
            for _ in 0..<6 {
                if pair.client == .http2 {
                    let client = try HTTP2Peer.connect(mesh)
                    let stream = try client.request("POST", "/", [("content-length", "3")], isEnd: false)
                    if !isSlowClient { try stream.send("abc", isEnd: true) }
                    #expect(try stream.receiveHead().status == 504)
                    client.cut()
                } else {
                    let client = try mesh.connect()
                    try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\n")
                    if !isSlowClient { try client.send("abc") }
                    #expect(try client.receiveResponse().status == 504)
                }
            }
            #expect(mesh.counters().ejections == (isSlowClient ? 0 : 1))
        }
    }

    @Test func severalWorkersAreAsked() throws {
        let bad = try Self.bad(.http11, .status)
        let mesh = try Mesh(rules: policy(weighted("echo", [bad.port]))) { $0.workers = 3 }
        for _ in 0..<60 { #expect(try mesh.connect().get().status == 503) }
        let failing = try #require(mesh.proxy.failingEndpoints(within: .seconds(10)))
        #expect(failing.count == 1)
        #expect(UInt64(failing[0].ejections) == mesh.counters().ejections)
        // Endpoints of plans that are gone are nobody's.
        mesh.publish(2, rules: policy(weighted("echo", [try Self.good(.http11).port])))
        #expect(mesh.proxy.failingEndpoints(within: .seconds(10)) == [])
    }
}
