import Foundation
import Model
import Proxy
import Synchronization
import Testing

@Suite struct UpstreamTests {
    @Test func connectFailureIsTriedElsewhere() throws {
        let echo = try ScriptedServer.echo()
        let refused = try refusedPort()
        let mesh = try Mesh(rules: forward(weighted("echo", [echo.port, refused])))
        let client = try mesh.connect()
        for _ in 0..<50 { #expect(try client.get().status == 200) }
        for _ in 0..<20 {
            #expect(
                try mesh.connect().exchange("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\nhi").text.hasSuffix(
                    "hi"))
        }
    }

    @Test func noEndpointCanBeConnected() throws {
        let mesh = try Mesh(rules: forward(weighted("echo", [try refusedPort(), try refusedPort()])))
        let response = try mesh.connect().get()
        #expect(response.status == 503)
        #expect(response["x-weir-reason"] == "connect-failed")
        #expect(response.text == "no endpoint could be connected of default/echo:80\n")
        #expect(mesh.counters().connectFailures == 2)
    }

    /// The pooled connection is closed by the server at the moment the next request comes.
    @Test func staleConnectionIsReplacedForIdempotentRequests() throws {
        let server = try ScriptedServer { wire, number in
            var isFirst = true
            while try wire.receiveRequest() != nil {
                if number == 0 && !isFirst { return wire.reset() }
                isFirst = false
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        #expect(try client.get().status == 200)
        let put = try client.exchange("PUT / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc")
        #expect(put.status == 200)
        #expect(server.connections == 2)
        #expect(mesh.counters().staleRetries == 1)
    }

    @Test func postIsNeverSentTwice() throws {
        let posts = Mutex(0)
        let server = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                if request.start.hasPrefix("POST") {
                    posts.withLock { $0 += 1 }
                    return wire.reset()
                }
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        #expect(try client.get().status == 200)
        let response = try client.exchange("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc")
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-reset")
        #expect(posts.withLock { $0 } == 1)
    }

    /// An idle connection that the server closed is not used for a request that could not be repeated.
    @Test func postAvoidsClosedConnections() throws {
        let closed = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { wire, _ in
            guard try wire.receiveRequest() != nil else { return }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            wire.close()
            closed.signal()
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        for _ in 0..<100 {
            #expect(try client.exchange("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc").status == 200)
            #expect(closed.wait(timeout: .now() + 5) == .success)
        }
    }

    @Test func freshConnectionThatBreaksIsAnswered() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            wire.reset()
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        for _ in 0..<3 {
            let response = try client.get()
            #expect(response.status == 502)
            #expect(response["x-weir-reason"] == "upstream-reset")
        }
    }

    @Test func responseCutOffCutsTheClient() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(throws: Wire.Failure.self) { _ = try client.receiveResponse() }
        mesh.expect { $0.cuts == 1 }
    }

    /// What came before the reset still goes through when it is the whole response.
    @Test func wholeResponseBeforeAResetCounts() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            usleep(20_000)
            wire.reset()
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 10\r\n\r\n")
        let response = try client.receiveResponse()
        #expect(response.status == 403)
        #expect(response.text == "no")
    }

    private static let malformed = [
        "HTTP/1.1 200\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \(String(repeating: "a", count: 70000))\r\n\r\n",
    ]

    @Test(arguments: malformed.indices) func malformedResponse(index: Int) throws {
        let text = Self.malformed[index]
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send(text)
            _ = try wire.receive()
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        let response = try client.get()
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-invalid")
        mesh.expect { $0.upstreamsOpen == 0 }
    }

    @Test func bytesBehindAResponseEndTheConnection() throws {
        let server = try ScriptedServer { wire, _ in
            while try wire.receiveRequest() != nil {
                try wire.send(
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        for _ in 0..<5 { #expect(try client.get().text == "ok") }
        #expect(server.connections == 5)
    }

    @Test func clientThatLeavesCancelsTheRequest() throws {
        let noticed = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            arrived.signal()
            // A reset, or an end.
            if ((try? wire.receive()) ?? []).isEmpty { noticed.signal() }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(arrived.wait(timeout: .now() + 5) == .success)
        client.reset()
        #expect(noticed.wait(timeout: .now() + 5) == .success)
        mesh.expect { $0.clientsOpen == 0 && $0.upstreamsOpen == 0 && $0.clientAborts == 1 }
    }

    @Test func poolIsUsedYoungestFirstAndBounded() throws {
        let server = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [server.port]) { $0.idleUpstreams = 4 }
        let clients = try (0..<8).map { _ in try mesh.connect() }
        for client in clients { try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n") }
        for client in clients { #expect(try client.receiveResponse().status == 200) }
        mesh.expect { $0.upstreamsIdle <= 4 && $0.upstreamsOpen <= 4 }
        let before = server.connections
        for _ in 0..<20 { _ = try clients[0].get() }
        #expect(server.connections == before)
    }

    @Test func idleUpstreamIsClosedAfterAWhile() throws {
        let server = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [server.port]) { $0.upstreamIdleTimeout = .milliseconds(100) }
        _ = try mesh.connect().get()
        mesh.expect { $0.upstreamsOpen == 0 && $0.upstreamsIdle == 0 }
    }

    @Test func removedEndpointIsLetGo() throws {
        let one = try ScriptedServer.echo("one")
        let two = try ScriptedServer.echo("two")
        let mesh = try Mesh(backends: [one.port, two.port])
        let client = try mesh.connect()
        for _ in 0..<20 { _ = try client.get() }
        mesh.publish(2, backends: [two.port])
        mesh.expect { $0.upstreamsIdle <= 1 }
        for _ in 0..<20 { #expect(try client.get()["x-server"] == "two") }
        // The same address later is another endpoint.
        mesh.publish(3, backends: [one.port])
        for _ in 0..<20 { #expect(try client.get()["x-server"] == "one") }
    }

    @Test func removedEndpointFinishesItsRequests() throws {
        let go = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { wire, _ in
            while try wire.receiveRequest() != nil {
                go.wait()
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        mesh.expect { $0.upstreamsOpen == 1 }
        mesh.publish(2, backends: [])
        go.signal()
        #expect(try client.receiveResponse().text == "ok")
        mesh.expect { $0.upstreamsOpen == 0 }
    }

    @Test func ipv6Endpoint() throws {
        let server = try ScriptedServer.echo("six", ipv6: true)
        let target = WeightedBackend(
            service: ObjectName(namespace: "default", name: "six"), port: 80, weight: 1,
            target: .backend(backend("six", [server.port], ipv6: true)), filters: [])
        let mesh = try Mesh(rules: forward(target))
        #expect(try mesh.connect().get()["x-server"] == "six")
    }

    /// With one endpoint busy, the others get the requests.
    @Test func busyEndpointGetsFewerRequests() throws {
        let go = DispatchSemaphore(value: 0)
        let slow = try ScriptedServer { wire, _ in
            while try wire.receiveRequest() != nil {
                go.wait()
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Server: slow\r\n\r\n")
            }
        }
        let fast = try ScriptedServer.echo("fast")
        let mesh = try Mesh(backends: [slow.port, fast.port])
        // The first request at the slow one stays there; from then on the other has fewer.
        var waiting: [Wire] = []
        for number in 1...30 {
            let client = try mesh.connect()
            try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
            waiting.append(client)
            mesh.expect { counters in
                let answered = counters.requests.reduce(0) { $0 + $1.byClass[1].count }
                return answered >= number - 1
            }
        }
        for _ in 0..<30 { go.signal() }
        for client in waiting { #expect(try client.receiveResponse().status == 200) }
    }
}
