import Foundation
import HTTPWire
import Model
import Proxy
import Synchronization
import Testing

/// gRPC through the worker: deadlines, statuses of Weir's own, what passes unchanged.
@Suite struct GRPCCallTests {
    private static func call(
        _ client: HTTP2Peer, _ more: [HTTP2Peer.Field] = [], body: [UInt8] = [0, 0, 0, 0, 0], isEnd: Bool = true
    ) throws -> PeerStream {
        try client.request(
            "POST", "/echo.Echo/Echo", [("content-type", "application/grpc"), ("te", "trailers")] + more, body: body,
            isEnd: isEnd)
    }

    /// A trailers-only answer.
    private static func expectStatus(
        _ stream: PeerStream, _ status: Int, _ reason: String?, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let response = try stream.message()
        #expect(response.status == 200, sourceLocation: sourceLocation)
        #expect(response["content-type"] == "application/grpc", sourceLocation: sourceLocation)
        #expect(response["grpc-status"] == "\(status)", sourceLocation: sourceLocation)
        #expect(response["x-weir-reason"] == reason, sourceLocation: sourceLocation)
        #expect(response["grpc-message"]?.isEmpty == false, sourceLocation: sourceLocation)
        #expect(response["content-length"] == nil && response.body.isEmpty, sourceLocation: sourceLocation)
        #expect(response.trailers == "", sourceLocation: sourceLocation)
    }

    /// An endpoint that answers nothing, and notes how its streams end.
    private final class Silent: Sendable {
        let server: HTTP2Server

        init() throws {
            let codes = Codes()
            self.shared = codes
            server = try HTTP2Server { stream in
                _ = try stream.receiveHead()
                let code = try stream.receiveReset()
                codes.all.withLock { $0.append(code) }
            }
        }

        private final class Codes: Sendable { let all = Mutex<[HTTP2ErrorCode]>([]) }
        private let shared: Codes

        func waitForResets(_ count: Int) -> [HTTP2ErrorCode] {
            let deadline = ContinuousClock.now + .seconds(10)
            while shared.all.withLock({ $0.count }) < count && .now < deadline { usleep(2000) }
            return shared.all.withLock { $0 }
        }
    }

    @Test func deadlineOfTheClient() throws {
        let silent = try Silent()
        let mesh = try Mesh(rules: policy(weighted("echo", [silent.server.port]), timeout: 60, kind: .grpc))
        let client = try HTTP2Peer.connect(mesh)
        let time = try seconds {
            try Self.expectStatus(try Self.call(client, [("grpc-timeout", "300m")]), 4, "grpc-timeout")
            // A call whose client still sends.
            try Self.expectStatus(
                try Self.call(client, [("grpc-timeout", "200000u")], isEnd: false), 4, "grpc-timeout")
        }
        #expect(time >= 0.5 && time < 8)
        #expect(silent.waitForResets(2) == [.cancel, .cancel])
        #expect(mesh.counters().upstreamSessionsOpen == 1)
    }

    @Test func deadlineOfTheRoute() throws {
        let silent = try Silent()
        let mesh = try Mesh(rules: policy(weighted("echo", [silent.server.port]), timeout: 0.3, kind: .grpc))
        let client = try HTTP2Peer.connect(mesh)
        try Self.expectStatus(try Self.call(client, [("grpc-timeout", "1H")]), 4, "request-timeout")
        try Self.expectStatus(try Self.call(client), 4, "request-timeout")
        #expect(silent.waitForResets(2) == [.cancel, .cancel])
    }

    @Test func deadlineOfAnAttempt() throws {
        let silent = try Silent()
        let mesh = try Mesh(rules: policy(weighted("echo", [silent.server.port]), backendTimeout: 0.3, kind: .grpc))
        try Self.expectStatus(try Self.call(try HTTP2Peer.connect(mesh)), 4, "backend-request-timeout")
    }

    /// What is no timeout (grpc/doc/PROTOCOL-HTTP2.md) is passed on and means nothing here.
    @Test func badTimeoutIsIgnored() throws {
        let server = try HTTP2Server { stream in
            _ = try stream.message()
            stream.respond(200, [("content-type", "application/grpc"), ("grpc-status", "0")], isEnd: true)
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc))
        let client = try HTTP2Peer.connect(mesh)
        for timeout in ["", "1", "-1S", "123456789S", "1x"] {
            #expect(try Self.call(client, [("grpc-timeout", timeout)]).message()["grpc-status"] == "0")
        }
    }

    /// A deadline that comes while the answer is on its way ends it with a status.
    @Test func deadlineBehindTheHead() throws {
        let server = try HTTP2Server { stream in
            _ = try stream.message()
            stream.respond(200, [("content-type", "application/grpc")])
            _ = try stream.receiveReset()
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc))
        let stream = try Self.call(try HTTP2Peer.connect(mesh), [("grpc-timeout", "300m")])
        let response = try stream.message()
        #expect(response.status == 200)
        #expect(response.trailers.contains("grpc-status: 4\r\n"), "\(response.trailers)")
        mesh.expect { $0.cuts == 1 }
    }

    @Test func noRouteMatches() throws {
        let mesh = try Mesh(rules: [])
        try Self.expectStatus(try Self.call(try HTTP2Peer.connect(mesh)), 12, "no-route-matched")
    }

    @Test func noEndpoints() throws {
        let mesh = try Mesh(rules: policy(weighted("echo", []), kind: .grpc))
        let stream = try Self.call(try HTTP2Peer.connect(mesh))
        #expect(try stream.receiveHead()["grpc-message"] == "no ready endpoint of default/echo:80")
        try Self.expectStatus(stream, 14, "no-ready-endpoint")
        let refusing = try Mesh(rules: policy(weighted("echo", [try refusedPort()]), kind: .grpc))
        try Self.expectStatus(try Self.call(try HTTP2Peer.connect(refusing)), 14, "connect-failed")
    }

    @Test func invalidShare() throws {
        let invalid = WeightedBackend(
            service: ObjectName(namespace: "default", name: "absent"), port: 80, weight: 1,
            target: .invalid(.backendNotFound), filters: [])
        let mesh = try Mesh(rules: policy(invalid, kind: .grpc))
        try Self.expectStatus(try Self.call(try HTTP2Peer.connect(mesh)), 14, "backend-not-found")
    }

    @Test func resets() throws {
        let server = try FlakyServer(.http2) { _, _ in .reset }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc))
        try Self.expectStatus(try Self.call(try HTTP2Peer.connect(mesh)), 14, "upstream-reset")
    }

    /// gRPC goes over HTTP/2 whatever the backend's appProtocol, and a call that is sent again is the same call.
    @Test func retriedCallIsTheSameCall() throws {
        let heads = Heads()
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            if heads.note(request) == 0 { return stream.respond(503, isEnd: true) }
            stream.respond(200, [("content-type", "application/grpc")])
            try stream.send(request.body, isEnd: true, trailers: [("grpc-status", "0")])
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), retry: retry([503], attempts: 1)))
        let stream = try Self.call(
            try HTTP2Peer.connect(mesh), [("grpc-timeout", "20S"), ("key-bin", "AAEC"), ("key-bin", "AwQ")])
        let response = try stream.message()
        #expect(response.body == [0, 0, 0, 0, 0])
        #expect(response.trailers == "grpc-status: 0\r\n")
        let all = heads.all.withLock { $0 }
        #expect(all.count == 2)
        #expect(all[0].start == all[1].start)
        #expect(all[0].fields.map { "\($0)" } == all[1].fields.map { "\($0)" })
        #expect(all[1]["te"] == "trailers")
        #expect(all[1]["grpc-timeout"] == "20S")
    }

    private final class Heads: Sendable {
        let all = Mutex<[Message]>([])
        func note(_ message: Message) -> Int {
            all.withLock {
                $0.append(message)
                return $0.count - 1
            }
        }
    }

    @Test func statusesPassUnchanged() throws {
        let server = try HTTP2Server { stream in
            let request = try stream.message()
            let status: [HTTP2Peer.Field] = [
                ("grpc-status", "5"), ("grpc-message", "no%20such%20thing"), ("grpc-status-details-bin", "CAUSBG5vbmU"),
            ]
            if request.start.contains("Only") {
                stream.respond(200, [("content-type", "application/grpc")] + status, isEnd: true)
            } else {
                stream.respond(200, [("content-type", "application/grpc+proto")])
                try stream.send([0, 0, 0, 0, 1, 7], isEnd: true, trailers: status)
            }
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc))
        let client = try HTTP2Peer.connect(mesh)
        let response = try Self.call(client).message()
        #expect(response["content-type"] == "application/grpc+proto")
        #expect(response.body == [0, 0, 0, 0, 1, 7])
        #expect(
            response.trailers
                == "grpc-status: 5\r\ngrpc-message: no%20such%20thing\r\ngrpc-status-details-bin: CAUSBG5vbmU\r\n")
        let only = try client.request("POST", "/echo.Echo/Only", [("content-type", "application/grpc")]).message()
        #expect(only["grpc-status"] == "5")
        #expect(only["grpc-message"] == "no%20such%20thing")
        #expect(only["grpc-status-details-bin"] == "CAUSBG5vbmU")
        #expect(only["x-weir-reason"] == nil)
    }

    /// UNAVAILABLE without a message is what an endpoint says that cannot serve.
    @Test func unavailableEndpointIsLeftOut() throws {
        func server(_ status: String) throws -> HTTP2Server {
            try HTTP2Server { stream in
                _ = try stream.message()
                stream.respond(200, [("content-type", "application/grpc"), ("grpc-status", status)], isEnd: true)
            }
        }
        let bad = try server("14")
        let good = try server("13")
        let mesh = try Mesh(rules: policy(weighted("echo", [bad.port, good.port]), kind: .grpc))
        let client = try HTTP2Peer.connect(mesh)
        var unavailable = 0
        for _ in 0..<100 where try Self.call(client).message()["grpc-status"] == "14" { unavailable += 1 }
        #expect(unavailable == 5)
        #expect(mesh.proxy.failingEndpoints(within: .seconds(10))?.map(\.port) == [bad.port])
    }

    /// Both ways at once, with pauses: longer in all than an idle client is kept.
    @Test func streamingIsNotIdle() throws {
        let server = try HTTP2Server { stream in
            _ = try stream.receiveHead()
            stream.respond(200, [("content-type", "application/grpc")])
            while true {
                let bytes = try stream.receive()
                if bytes.isEmpty { break }
                try stream.send(bytes)
            }
            try stream.send([], isEnd: true, trailers: [("grpc-status", "0")])
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc)) {
            $0.idleTimeout = .milliseconds(500)
            $0.upstreamIdleTimeout = .milliseconds(500)
        }
        let client = try HTTP2Peer.connect(mesh)
        let stream = try Self.call(client, body: [], isEnd: false)
        for number in 0..<8 as Range<UInt8> {
            try stream.send([0, 0, 0, 0, 1, number])
            #expect(try stream.receive(exactly: 6).last == number)
            Thread.sleep(forTimeInterval: 0.2)
        }
        // Silence is a call's right while nothing says how long it may last.
        Thread.sleep(forTimeInterval: 1.5)
        try stream.send([0, 0, 0, 0, 1, 99], isEnd: true)
        #expect(try stream.receive(exactly: 6).last == 99)
        #expect(try stream.message().trailers == "grpc-status: 0\r\n")
    }

    /// The server streams, the client reads slowly: that is progress, however long it takes.
    @Test func slowReaderIsNotIdle() throws {
        let size = 400_000
        let server = try HTTP2Server { stream in
            _ = try stream.message()
            stream.respond(200, [("content-type", "application/grpc")])
            try stream.send([UInt8](repeating: 7, count: size), isEnd: true, trailers: [("grpc-status", "0")])
        }
        let mesh = try Mesh(rules: policy(weighted("echo", [server.port]), kind: .grpc)) {
            $0.idleTimeout = .milliseconds(800)
        }
        let client = try HTTP2Peer.connect(mesh)
        let stream = try Self.call(client)
        stream.consume(false)
        var count = 0
        while count < size {
            let piece = try stream.receive().count
            if piece == 0 { break }
            count += piece
            Thread.sleep(forTimeInterval: 0.4)
            stream.consume(true)
            stream.consume(false)
        }
        #expect(count == size)
        #expect(try stream.message().trailers == "grpc-status: 0\r\n")
    }
}
