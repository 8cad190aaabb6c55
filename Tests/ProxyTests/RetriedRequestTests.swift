import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// HTTPRouteRetry, HTTPRouteRetryWithTimeouts and HTTPRouteRetryConnectionError of Gateway API, and what they leave open.
@Suite struct RetriedRequestTests {
    /// Answers `status` so many times, then 200.
    private static func failing(
        _ version: HTTPVersion, times: Int, status: Int = 500, delay: Double = 0
    ) throws -> FlakyServer {
        try FlakyServer(version) { number, _ in
            if delay > 0 { Thread.sleep(forTimeInterval: delay) }
            return .reply(
                number < times ? Reply(status: status, "failure \(number)", [("x-number", "\(number)")]) : Reply())
        }
    }

    private static func mesh(
        _ version: HTTPVersion, _ ports: UInt16..., retry: Retry?, timeout: Double? = nil, backendTimeout: Double? = nil
    ) throws -> Mesh {
        try Mesh(
            rules: policy(
                weighted("echo", ports, version), retry: retry, timeout: timeout, backendTimeout: backendTimeout))
    }

    // MARK: Statuses

    @Test("HTTPRouteRetry: codes [500], attempts 3", arguments: Pair.all) func statusIsRetried(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 2)
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 3))
        let client = try VersionedClient(pair.client, mesh)
        let response = try client.ask().response
        #expect(response.status == 200)
        #expect(response.text == "ok")
        #expect(server.requests.count == 3)
        #expect(mesh.counters().retries == 2)
        #expect(try client.ask().response.status == 200)
    }

    @Test(arguments: Pair.all) func lastAnswerIsPassedOnUnchanged(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 9)
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 3))
        let client = try VersionedClient(pair.client, mesh)
        let response = try client.ask().response
        #expect(response.status == 500)
        #expect(response.text == "failure 3")
        #expect(response["x-number"] == "3")
        #expect(response["x-weir-reason"] == nil)
        #expect(server.requests.count == 4)
    }

    @Test(arguments: Pair.all) func statusThatIsNotListedIsNotRetried(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 1, status: 503)
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 3))
        #expect(try VersionedClient(pair.client, mesh).ask().response.status == 503)
        #expect(server.requests.count == 1)
    }

    /// A response that nobody wants leaves its connection usable when it is short, whether it comes with its head or not.
    @Test(arguments: [true, false], [false, true]) func connectionOutlivesShortResponse(
        _ saysLength: Bool, _ isSlow: Bool
    ) throws {
        let server = try ScriptedServer { wire, _ in
            var number = 0
            while try wire.receiveRequest() != nil {
                number += 1
                try wire.send("HTTP/1.1 \(number < 3 ? "503 No" : "200 OK")\r\n")
                let content = saysLength ? ["hel", "lo"] : ["5\r\nhel", "lo\r\n", "0\r\n", "\r\n"]
                try wire.send(saysLength ? "Content-Length: 5\r\n\r\n" : "Transfer-Encoding: chunked\r\n\r\n")
                for piece in content {
                    if isSlow { Thread.sleep(forTimeInterval: 0.02) }
                    try wire.send(piece)
                }
            }
        }
        let mesh = try Self.mesh(.http11, server.port, retry: retry([503], attempts: 3, backoff: 0.3))
        let client = try mesh.connect()
        #expect(try client.get().status == 200)
        #expect(try client.get().status == 200)
        #expect(server.connections == 1)
        mesh.expect { $0.upstreamsIdle == 1 && $0.bufferedBytes == 0 }
    }

    /// A long or endless one is not awaited.
    @Test(arguments: [1_000_000, 1000]) func longResponseIsNotAwaited(_ length: Int) throws {
        let server = try ScriptedServer { wire, number in
            _ = try wire.receiveRequest()
            if number == 0 {
                try wire.send("HTTP/1.1 503 No\r\nContent-Length: \(length)\r\n\r\nhello")
                if length > 100_000 { try wire.send([UInt8](repeating: 7, count: 50_000)) }
                _ = try wire.receive()
            } else {
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                _ = try wire.receive()
            }
        }
        let mesh = try Self.mesh(.http11, server.port, retry: retry([503], attempts: 1))
        #expect(try mesh.connect().get().status == 200)
        #expect(server.connections == 2)
        mesh.expect { $0.upstreamsOpen == 1 && $0.bufferedBytes == 0 }
    }

    // MARK: Waits

    @Test(arguments: Pair.all) func backoffIsAMinimum(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 2)
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 2, backoff: 0.1))
        let client = try VersionedClient(pair.client, mesh)
        var status = 0
        let time = try seconds { status = try client.ask().response.status }
        #expect(status == 200)
        #expect(time >= 0.3, "0.1 s, then twice that")
    }

    @Test func manyAttemptsWithoutWaiting() throws {
        let refused = try refusedPort()
        let mesh = try Self.mesh(.http11, refused, retry: retry(attempts: 1_000_000, backoff: 0))
        let response = try mesh.connect().get()
        #expect(response.status == 503)
        #expect(response["x-weir-reason"] == "connect-failed")
        #expect(mesh.counters().retries == UInt64(RetryPolicy.attemptLimit))
    }

    // MARK: Connections

    @Test("HTTPRouteRetryConnectionError: attempts 3, no codes", arguments: Pair.all)
    func resetsAreRetried(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { number, _ in number < 2 ? .reset : .reply(Reply()) }
        let mesh = try Self.mesh(pair.server, server.port, retry: retry(attempts: 3))
        #expect(try VersionedClient(pair.client, mesh).ask().response.status == 200)
        #expect(server.requests.count == 3)
    }

    @Test(arguments: Pair.all) func resetsBeyondTheAttempts(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { _, _ in .reset }
        let mesh = try Self.mesh(pair.server, server.port, retry: retry(attempts: 3))
        let response = try VersionedClient(pair.client, mesh).ask().response
        #expect(response.status == 503)
        #expect(response["x-weir-reason"] == "upstream-reset")
        #expect(server.requests.count == 4)
        #expect(mesh.counters().retries == 3)
    }

    @Test(arguments: Pair.all) func resetPostIsRetriedWhereItsStatusIsListed(_ pair: Pair) throws {
        for (codes, count, status) in [([500], 1, 502), ([502], 2, 200)] as [([UInt16], Int, Int)] {
            let server = try FlakyServer(pair.server) { number, _ in number == 0 ? .reset : .reply(Reply()) }
            let mesh = try Self.mesh(pair.server, server.port, retry: retry(codes, attempts: 3))
            let response = try VersionedClient(pair.client, mesh).ask("POST", body: Array("abc".utf8)).response
            #expect(response.status == status)
            #expect(server.requests.count == count)
        }
    }

    /// Nothing of a request was processed: it goes on, whatever its method and without a rule that says so.
    @Test(arguments: [HTTPVersion.http11, .http2]) func refusedStreamGoesElsewhere(_ client: HTTPVersion) throws {
        let refusing = try FlakyServer(.http2) { _, _ in .refuse }
        let other = try FlakyServer(.http2) { _, _ in .reply(Reply()) }
        let mesh = try Self.mesh(.http2, refusing.port, other.port, retry: nil)
        let client = try VersionedClient(client, mesh)
        for _ in 0..<20 { #expect(try client.ask("POST", body: Array("abc".utf8)).response.status == 200) }
        #expect(other.requests.count == 20)
        #expect(other.requests.allSatisfy { $0.text == "abc" })
        #expect(mesh.counters().ejections == 0, "who refuses streams is not broken")
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func streamAboveGoAwayIsSentAgain(_ client: HTTPVersion) throws {
        let server = try FlakyServer(.http2) { number, _ in number == 0 ? .goAway : .reply(Reply()) }
        let mesh = try Self.mesh(.http2, server.port, retry: nil)
        let response = try VersionedClient(client, mesh).ask("POST", body: Array("abc".utf8)).response
        #expect(response.status == 200)
        #expect(server.requests.map(\.text) == ["abc", "abc"])
        #expect(server.connections == 2)
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func cutConnectionIsRetried(_ client: HTTPVersion) throws {
        let server = try FlakyServer(.http2) { number, _ in number < 2 ? .cut : .reply(Reply()) }
        let mesh = try Self.mesh(.http2, server.port, retry: retry(attempts: 3))
        #expect(try VersionedClient(client, mesh).ask().response.status == 200)
        #expect(server.requests.count == 3)
    }

    @Test func unreadableResponseIsRetried() throws {
        let server = try ScriptedServer { wire, number in
            _ = try wire.receiveRequest()
            try wire.send(number < 2 ? "nonsense\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            _ = try wire.receive()
        }
        let mesh = try Self.mesh(.http11, server.port, retry: retry(attempts: 1))
        let client = try mesh.connect()
        let response = try client.get()
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-invalid")
        #expect(server.connections == 2)
        #expect(try client.get().status == 200)
    }

    @Test(arguments: Pair.all) func retriesGoToOtherEndpoints(_ pair: Pair) throws {
        let bad = try (0..<2).map { _ in try Self.failing(pair.server, times: .max, status: 500) }
        let good = try Self.failing(pair.server, times: 0)
        let mesh = try Mesh(
            rules: policy(
                weighted("echo", bad.map(\.port) + [good.port], pair.server), retry: retry([500], attempts: 2)))
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<30 { #expect(try client.ask().response.status == 200) }
        #expect(good.requests.count == 30)
    }

    /// With attempts left, the ones that failed are asked again, too.
    @Test func retriesComeBackToEndpointsThatFailed() throws {
        let servers = try (0..<2).map { _ in try Self.failing(.http11, times: 2) }
        let mesh = try Self.mesh(
            .http11, servers[0].port, servers[1].port, retry: retry([500], attempts: 4))
        #expect(try mesh.connect().get().status == 200)
        #expect(servers.map { $0.requests.count }.sorted() == [2, 3])
    }

    // MARK: Timeouts

    @Test("HTTPRouteRetryWithTimeouts: backendRequest, attempts 2", arguments: Pair.all)
    func backendTimeoutIsRetried(_ pair: Pair) throws {
        for (failures, status) in [(2, 200), (3, 504)] {
            let server = try FlakyServer(pair.server) { number, _ in number < failures ? .hang : .reply(Reply()) }
            let mesh = try Self.mesh(pair.server, server.port, retry: retry(attempts: 2), backendTimeout: 0.3)
            let response = try VersionedClient(pair.client, mesh).ask().response
            #expect(response.status == status)
            #expect(response["x-weir-reason"] == (status == 504 ? "backend-request-timeout" : nil))
            #expect(server.requests.count == 3)
        }
    }

    @Test("HTTPRouteRetryWithTimeouts: request caps all attempts", arguments: Pair.all)
    func requestTimeoutCapsAttempts(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 50, delay: 0.1)
        let mesh = try Self.mesh(
            pair.server, server.port, retry: retry([500], attempts: 100, backoff: nil), timeout: 0.5)
        let client = try VersionedClient(pair.client, mesh)
        var response: Message?
        let time = try seconds { response = try client.ask().response }
        #expect(response?.status == 504)
        #expect(response?["x-weir-reason"] == "request-timeout")
        #expect(time < 3)
        #expect(server.requests.count <= 5)
    }

    /// The wait would be longer than the request may take: it is over at once.
    @Test(arguments: Pair.all) func waitBeyondTheRequestTimeout(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 1)
        let mesh = try Self.mesh(
            pair.server, server.port, retry: retry([500], attempts: 1, backoff: 30), timeout: 20)
        let client = try VersionedClient(pair.client, mesh)
        var status = 0
        let time = try seconds { status = try client.ask().response.status }
        #expect(status == 504)
        #expect(time < 10)
    }

    // MARK: Bodies

    @Test(arguments: Pair.all) func bodiesAreSentAgain(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { number, _ in .reply(Reply(status: number % 2 == 0 ? 500 : 200)) }
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 1))
        let client = try VersionedClient(pair.client, mesh)
        for count in [0, 1, 60_000] {
            for saysLength in [true, false] {
                let body = Stream().next(count)
                let response = try client.ask("POST", body: body, saysLength: saysLength).response
                #expect(response.status == 200)
                let requests = server.requests.suffix(2)
                #expect(requests.allSatisfy { $0.body == body && $0.start == "POST / HTTP/1.1" })
                #expect(Set(requests.map { $0["content-length"] }).count == 1)
            }
        }
        #expect(mesh.counters().unreplayable == 0)
    }

    @Test(arguments: Pair.all) func trailersAreSentAgainOrNothingIs(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { number, _ in .reply(Reply(status: number == 0 ? 500 : 200)) }
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 1))
        let client = try VersionedClient(pair.client, mesh)
        let response = try client.ask(
            "POST", body: Array("abc".utf8), saysLength: false, trailers: [("x-sum", "17")]
        ).response
        #expect(server.requests.allSatisfy { $0.trailers.lowercased() == "x-sum: 17\r\n" && $0.text == "abc" })
        #expect(response.status == (server.requests.count == 2 ? 200 : 500))
        #expect(mesh.counters().unreplayable == (server.requests.count == 2 ? 0 : 1))
    }

    @Test(arguments: Pair.all) func bodyBeyondTheLimitIsNotSentAgain(_ pair: Pair) throws {
        let body = Stream().next(80_000)
        let server = try FlakyServer(pair.server) { _, request in
            request.start.contains("reset") ? .reset : .reply(Reply(status: 500, "failure"))
        }
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500, 502], attempts: 3))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask("POST", "/", body: body).response
        #expect(first.status == 500)
        #expect(first.text == "failure")
        #expect(first["x-weir-reason"] == nil)
        let second = try client.ask("POST", "/reset", body: body).response
        #expect(second.status == 502)
        #expect(second["x-weir-reason"] == "upstream-reset")
        #expect(server.requests.count == 2)
        #expect(mesh.counters().unreplayable == 2)
        #expect(mesh.counters().retries == 0)
    }

    struct Upload: CustomTestStringConvertible, Sendable {
        var pair: Pair
        var saysLength: Bool
        /// The first attempt ends with a status, or with a reset.
        var isReset: Bool
        var testDescription: String { "\(pair), length \(saysLength), reset \(isReset)" }
        static let all = Pair.all.flatMap { pair in
            [true, false].flatMap { length in [true, false].map { Upload(pair: pair, saysLength: length, isReset: $0) }
            }
        }
    }

    /// The first attempt fails while the client still sends, and the client sends on during the wait and after it.
    @Test(arguments: Upload.all) func bodyInFlightIsSentAgain(_ upload: Upload) throws {
        let server = try HastyServer(upload.pair.server, isReset: upload.isReset)
        let mesh = try Self.mesh(
            upload.pair.server, server.port, retry: retry([502, 503], attempts: 1, backoff: 0.5))
        let body = Stream().next(45_000)
        let parts = stride(from: 0, to: body.count, by: 15_000).map { Array(body[$0..<$0 + 15_000]) }
        var fields: [HTTP2Peer.Field] = []
        if upload.saysLength { fields.append(("content-length", "\(body.count)")) }
        func waitForRetry() { mesh.expect { $0.retries == 1 } }
        let status: Int
        if upload.pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request("POST", "/", fields, isEnd: false)
            try stream.send(parts[0])
            waitForRetry()
            try stream.send(parts[1])
            Thread.sleep(forTimeInterval: 1.2)
            try stream.send(parts[2], isEnd: true)
            status = try stream.message().status
        } else {
            let client = try mesh.connect()
            func send(_ part: [UInt8]) throws {
                if !upload.saysLength { try client.send("\(String(part.count, radix: 16))\r\n") }
                try client.send(part)
                if !upload.saysLength { try client.send("\r\n") }
            }
            try client.send(
                "POST / HTTP/1.1\r\nHost: e\r\n" + Wire.lines(fields)
                    + (upload.saysLength ? "" : "Transfer-Encoding: chunked\r\n") + "\r\n")
            try send(parts[0])
            waitForRetry()
            try send(parts[1])
            Thread.sleep(forTimeInterval: 1.2)
            try send(parts[2])
            if !upload.saysLength { try client.send("0\r\n\r\n") }
            status = try client.receiveResponse().status
        }
        #expect(status == 200)
        #expect(server.bodies == [body])
        #expect(mesh.counters().unreplayable == 0)
    }

    /// A client over HTTP/2 may have leave to send more than is kept; what it sends while its request waits is not lost.
    @Test(arguments: [HTTPVersion.http11, .http2]) func muchContentDuringTheWait(_ version: HTTPVersion) throws {
        for saysLength in [true, false] {
            let server = try HastyServer(version, isReset: false)
            let mesh = try Self.mesh(version, server.port, retry: retry([503], attempts: 1, backoff: 0.5))
            let client = try HTTP2Peer.connect(mesh)
            let body = Stream().next(300_000)
            let stream = try client.request(
                "POST", "/", saysLength ? [("content-length", "\(body.count)")] : [], isEnd: false)
            mesh.expect { $0.retries == 1 }
            try stream.send(body, isEnd: true)
            #expect(try stream.message().status == 200)
            #expect(server.bodies == [body])
            mesh.expect { $0.bufferedBytes == 0 }
        }
    }

    /// Trailers, too, may come while a request waits.
    @Test(arguments: [HTTPVersion.http11, .http2]) func endDuringTheWait(_ version: HTTPVersion) throws {
        for hasTrailers in [true, false] {
            let server = try HastyServer(version, isReset: false)
            let mesh = try Self.mesh(version, server.port, retry: retry([503], attempts: 1, backoff: 0.5))
            let client = try HTTP2Peer.connect(mesh)
            let stream = try client.request("POST", "/", isEnd: false)
            mesh.expect { $0.retries == 1 }
            try stream.send(Array("abc".utf8), isEnd: true, trailers: hasTrailers ? [("x-sum", "17")] : [])
            let status = try stream.message().status
            if version == .http2 && hasTrailers {
                #expect(status == 503)
                #expect(mesh.counters().unreplayable == 1)
            } else {
                #expect(status == 200)
                #expect(server.bodies == [Array("abc".utf8)])
                #expect(server.trailers.map { $0.lowercased() } == [hasTrailers ? "x-sum: 17\r\n" : ""])
            }
        }
    }

    // MARK: While a request waits

    @Test(arguments: Pair.all) func clientThatLeavesDuringTheWait(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: .max)
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 1, backoff: 60))
        if pair.client == .http2 {
            let client = try HTTP2Peer.connect(mesh)
            let first = try client.request("POST", "/", body: Array("abc".utf8))
            _ = try client.request()
            mesh.expect { $0.retries == 2 }
            first.reset()
            mesh.expect { $0.clientAborts == 1 }
            #expect(!client.isOver)
            client.cut()
        } else {
            let client = try mesh.connect()
            try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc")
            mesh.expect { $0.retries == 1 }
            client.reset()
        }
        mesh.expect {
            $0.clientsOpen == 0 && $0.clientSessionsOpen == 0 && $0.bufferedBytes == 0 && $0.clientAborts == 1
        }
        // Nothing is left that would have to end first.
        #expect(mesh.proxy.drain(deadline: .now + .seconds(5)))
    }

    @Test(arguments: Pair.all) func routeChangeDuringTheWait(_ pair: Pair) throws {
        let server = try Self.failing(pair.server, times: 1)
        let other = try ScriptedServer.echo("other")
        let mesh = try Self.mesh(pair.server, server.port, retry: retry([500], attempts: 1, backoff: 0.5))
        let answered = DispatchSemaphore(value: 0)
        let status = Mutex(0)
        Thread.detachNewThread {
            let response = try? VersionedClient(pair.client, mesh).ask("POST", body: Array("abc".utf8)).response
            status.withLock { $0 = response?.status ?? -1 }
            answered.signal()
        }
        mesh.expect { $0.retries == 1 }
        for generation in 2..<6 { mesh.publish(UInt64(generation), backends: [other.port]) }
        #expect(answered.wait(timeout: .now() + 10) == .success)
        #expect(status.withLock { $0 } == 200)
        #expect(server.requests.map(\.text) == ["abc", "abc"])
        #expect(other.connections == 0)
    }
}

/// A server that fails the first request as soon as it has its head, and takes later ones whole.
private final class HastyServer: Sendable {
    private let old: ScriptedServer?
    private let new: HTTP2Server?
    private let seen: Seen

    private final class Seen: Sendable {
        let isFirst = Mutex(true)
        let requests = Mutex<[Message]>([])
        func takeFirst() -> Bool {
            isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
        }
        func note(_ request: Message) { requests.withLock { $0.append(request) } }
    }

    init(_ version: HTTPVersion, isReset: Bool) throws {
        let seen = Seen()
        self.seen = seen
        if version == .http2 {
            old = nil
            new = try HTTP2Server { stream in
                _ = try stream.receiveHead()
                if seen.takeFirst() { return isReset ? stream.reset(.internalError) : stream.respond(503, isEnd: true) }
                seen.note(try stream.message())
                stream.respond(200, isEnd: true)
            }
        } else {
            new = nil
            old = try ScriptedServer { wire, _ in
                if seen.takeFirst() {
                    _ = try wire.receive(through: "\r\n\r\n")
                    if isReset { return wire.reset() }
                    try wire.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
                    _ = try wire.receiveToEnd()
                    return
                }
                while let request = try wire.receiveRequest() {
                    seen.note(request)
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
    }

    var port: UInt16 { old?.port ?? new!.port }
    /// Of the requests that it took.
    var bodies: [[UInt8]] { seen.requests.withLock { $0.map(\.body) } }
    var trailers: [String] { seen.requests.withLock { $0.map(\.trailers) } }
}
