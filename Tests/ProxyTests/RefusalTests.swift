import Foundation
import Model
import Proxy
import Testing

/// What the proxy answers itself because the request is not one.
@Suite struct RefusalTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let request: String
        let status: Int
        let reason: Reason
        var testDescription: String { "\(reason.rawValue): \(request.prefix(40).debugDescription)" }

        init(_ request: String, _ status: Int, _ reason: Reason) {
            self.request = request
            self.status = status
            self.reason = reason
        }
    }

    static let cases = [
        Case("GET / HTTP/1.1\r\n\r\n", 400, .badRequest),
        Case("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, .badRequest),
        Case("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, .badRequest),
        Case("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, .badRequest),
        Case("GET / HTTP/1.1\r\nHost: a\r\n x: folded\r\n\r\n", 400, .badRequest),
        Case("GET / HTTP/1.1\nHost: a\n\n", 400, .badRequest),
        Case("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, .badRequest),
        Case("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, .badRequest),
        Case("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, .badRequest),
        Case("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, .transferCodingUnsupported),
        Case("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, .versionUnsupported),
        Case("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, .versionUnsupported),
        Case("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405, .methodNotAllowed),
        Case("\u{16}\u{3}\u{1} not http\r\n\r\n", 400, .badRequest),
    ]

    @Test(arguments: cases) func refused(_ one: Case) throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        let response = try client.exchange(one.request)
        #expect(response.status == one.status)
        #expect(response["x-weir-reason"] == one.reason.rawValue)
        #expect(response["server"] == "weir")
        #expect(response["connection"] == "close")
        #expect(response["content-type"] == "text/plain; charset=utf-8")
        #expect(response.text.hasSuffix("\n") && response.text.count > 10)
        #expect(try client.isEnded())
        mesh.expect { counters in counters.ownAnswers.contains { $0.reason == one.reason && $0.count == 1 } }
        mesh.expect { $0.clientsOpen == 0 }
    }

    /// What stands behind a broken request is not served.
    @Test func nothingBehindABrokenRequestIsServed() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        try client.send(
            "GET /ok HTTP/1.1\r\nHost: e\r\n\r\nGET /bad HTTP/1.1\r\nHost : e\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: e\r\n\r\n"
        )
        #expect(try client.receiveResponse().status == 200)
        #expect(try client.receiveResponse().status == 400)
        #expect(try client.isEnded())
        #expect(echo.connections == 1)
    }

    /// A broken chunk size after the head was sent on: the endpoint must not take the request for whole.
    @Test func brokenChunkLater() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            #expect(throws: Wire.Failure.self) { _ = try wire.receive(through: "0\r\n\r\n") }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        mesh.expect { $0.upstreamsOpen == 1 }
        try client.send("-1\r\n")
        let response = try client.receiveResponse()
        #expect(response.status == 400)
        #expect(try client.isEnded())
        mesh.expect { $0.upstreamsOpen == 0 }
    }

    @Test func headLimitIsExact() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        func request(_ size: Int) -> String {
            let start = "GET / HTTP/1.1\r\nHost: e\r\nX: "
            return start + String(repeating: "a", count: size - start.utf8.count - 4) + "\r\n\r\n"
        }
        #expect(try mesh.connect().exchange(request(65536)).status == 200)
        let response = try mesh.connect().exchange(request(65537))
        #expect(response.status == 431)
        #expect(response["x-weir-reason"] == "head-too-large")
    }

    @Test func targetAndFieldLimitsAreExact() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        #expect(try client.get("/" + String(repeating: "a", count: 16383)).status == 200)
        let long = try client.get("/" + String(repeating: "a", count: 16384))
        #expect(long.status == 414)
        #expect(long["x-weir-reason"] == "uri-too-long")
        func fields(_ count: Int) -> String { (1..<count).map { "X-\($0): y\r\n" }.joined() }
        #expect(try mesh.connect().exchange("GET / HTTP/1.1\r\nHost: e\r\n\(fields(200))\r\n").status == 200)
        #expect(try mesh.connect().exchange("GET / HTTP/1.1\r\nHost: e\r\n\(fields(201))\r\n").status == 431)
    }

    @Test func slowHeadIsGivenUp() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port]) { $0.headTimeout = .milliseconds(200) }
        let client = try mesh.connect()
        try client.send("GET / HT")
        let response = try client.receiveResponse()
        #expect(response.status == 408)
        #expect(response["x-weir-reason"] == "head-timeout")
        #expect(try client.isEnded())
    }

    /// One byte every now and then does not keep it open.
    @Test func drippingHeadIsGivenUp() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port]) { $0.headTimeout = .milliseconds(300) }
        let client = try mesh.connect()
        Thread.detachNewThread {
            for byte in "GET / HTTP/1.1\r\nHost: e\r\nX: abcdefghijklmnopqrstuvwxyz".utf8 {
                guard (try? client.send([byte])) != nil else { return }
                usleep(30_000)
            }
        }
        #expect(try client.receiveResponse().status == 408)
    }

    @Test func silentConnectionIsClosedInSilence() throws {
        let mesh = try Mesh { $0.idleTimeout = .milliseconds(200) }
        let client = try mesh.connect()
        #expect(try client.isEnded())
        mesh.expect { $0.clientsOpen == 0 }
    }

    @Test func keptConnectionIsClosedInSilence() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port]) { $0.idleTimeout = .milliseconds(300) }
        let client = try mesh.connect()
        _ = try client.get()
        #expect(try client.isEnded())
    }

    @Test func tooManyConnections() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port]) { $0.connectionsPerPod = 2 }
        let one = try mesh.connect()
        _ = try one.get()
        let two = try mesh.connect()
        _ = try two.get()
        let three = try mesh.connect()
        let response = try three.receiveResponse()
        #expect(response.status == 503)
        #expect(response["x-weir-reason"] == "too-many-connections")
        two.close()
        mesh.expect { $0.clientsOpen <= 2 && $0.refused == 1 }
        three.close()
        mesh.expect { $0.clientsOpen == 1 }
        #expect(try mesh.connect().get().status == 200)
        #expect(try one.get().status == 200)
    }

    /// A route's answer keeps the connection, whatever body came along.
    @Test func routeAnswersKeepTheConnection() throws {
        let mesh = try Mesh(rules: [])
        let client = try mesh.connect()
        #expect(try client.exchange("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc").status == 404)
        #expect(try client.exchange("POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n").status == 404)
        try client.send("3\r\nabc\r\n0\r\n\r\n")
        #expect(try client.get().status == 404)
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 100000\r\n\r\n")
        #expect(try client.receiveResponse().status == 404)
        try client.send(String(repeating: "x", count: 100000))
        #expect(try client.exchange("HEAD / HTTP/1.1\r\nHost: e\r\n\r\n").body.isEmpty)
        let expecting = try client.exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(expecting.status == 404)
        #expect(expecting["connection"] == "close")
        #expect(try client.isEnded())
    }

    /// A body nobody wants is not read without end.
    @Test func endlessUnwantedBodyEndsTheConnection() throws {
        let mesh = try Mesh(rules: []) { $0.discardLimit = 100_000 }
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 1000000000\r\n\r\n")
        #expect(try client.receiveResponse().status == 404)
        #expect(throws: Wire.Failure.self) {
            for _ in 0..<1000 { try client.send([UInt8](repeating: 0, count: 1 << 16)) }
        }
        mesh.expect { $0.clientsOpen == 0 }
    }
}
