import Foundation
import Model
import Proxy
import Reactor
import Synchronization
import Testing

/// RequestMirror: HTTPRouteRequestMirror, HTTPRouteRequestMultipleMirrors, HTTPRouteRequestPercentageMirror.
@Suite struct MirrorTests {
    private func mirror(
        _ port: UInt16, http2: Bool = false, _ numerator: UInt64 = 1, of denominator: UInt64 = 1
    ) -> Filter {
        .requestMirror(
            RequestMirror(
                service: ObjectName(namespace: "default", name: "mirror"), port: 80,
                target: .backend(backend("mirror", port, http2: http2)), numerator: numerator,
                denominator: denominator))
    }

    private func chunked(_ parts: [String], trailers: String = "") -> String {
        parts.map { String($0.utf8.count, radix: 16) + "\r\n\($0)\r\n" }.joined() + "0\r\n\(trailers)\r\n"
    }

    @Test(arguments: 0..<8) func copiesBetweenVersions(_ combination: Int) throws {
        let (client2, primary2, mirror2) = (combination & 1 != 0, combination & 2 != 0, combination & 4 != 0)
        let primary = try Recorder("primary", overHTTP2: primary2)
        let copies = try Recorder("mirror", overHTTP2: mirror2, head: "X-Mirror: 1\r\n")
        let filters: [Filter] = [
            .requestHeaderModifier(
                HeaderModifier(set: [header("x-set", "yes")], add: [], remove: [Array("x-gone".utf8)])),
            mirror(copies.port, http2: mirror2),
            .urlRewrite(URLRewrite(hostname: Array("rewritten".utf8), path: .replaceFullPath(Array("/new".utf8)))),
        ]
        let mesh = try Mesh(rules: forward(weighted("primary", primary.port, http2: primary2), filters: filters))
        let entrance = try Entrance(mesh, overHTTP2: client2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        let parts = (0..<20).map { String(repeating: "part \($0) ", count: 1000) }
        let head = "Host: echo\r\nX-Gone: 1\r\nX-Stay: 2\r\n"
        let bodies = [
            "GET /old?q HTTP/1.1\r\n\(head)\r\n",
            "POST /old?q HTTP/1.1\r\n\(head)Content-Length: 5\r\n\r\nhello",
            "POST /old?q HTTP/1.1\r\n\(head)Transfer-Encoding: chunked\r\n\r\n\(chunked(parts, trailers: "X-End: 1\r\n"))",
            "PUT /old?q HTTP/1.1\r\n\(head)Transfer-Encoding: chunked\r\n\r\n\(chunked([]))",
            "HEAD /old?q HTTP/1.1\r\n\(head)\r\n",
        ]
        for (index, request) in bodies.enumerated() {
            let response = try client.exchange(request)
            #expect(response.status == 200 && response["x-mirror"] == nil, "\(response)")
            #expect(response.text == (index == 4 ? "" : "primary"))
            // One after the other, so that they can be told apart.
            let all = copies.wait(index + 1)
            try #require(all.count == index + 1)
            let copy = all[index]
            let original = primary.requests[index]
            #expect(copy.start == original.start)
            #expect(copy.start.hasSuffix("/new?q HTTP/1.1"))
            #expect(copy["host"] == "rewritten" && copy["x-set"] == "yes" && copy["x-stay"] == "2")
            #expect(copy["x-gone"] == nil)
            #expect(copy.body == original.body)
            #expect(copy.trailers.lowercased() == original.trailers.lowercased())
        }
        #expect(primary.requests[2].text == parts.joined())
        #expect(primary.requests[2].trailers.lowercased() == "x-end: 1\r\n")
        mesh.expect { $0.mirrorsSent == 5 && $0.mirrorsDropped == 0 && $0.mirrorsFailed == 0 }
        // They are no requests of clients.
        mesh.expect { $0.requests.reduce(0) { $0 + $1.byClass.reduce(0) { $0 + $1.count } } == 5 }
        #expect(mesh.counters().requests.filter { $0.byClass.contains { $0.count > 0 } }.count == 1)
    }

    @Test func severalWithSharesOfTheirOwn() throws {
        let primary = try Recorder("primary")
        let copies = try (0..<4).map { try Recorder("mirror \($0)") }
        let rules = forward(
            weighted(
                "primary", [primary.port],
                filters: [mirror(copies[2].port, 1, of: 2), mirror(copies[3].port, 25, of: 100)]),
            filters: [mirror(copies[0].port, 0, of: 100), mirror(copies[1].port)])
        let mesh = try Mesh(rules: rules)
        let client = try mesh.connect()
        for _ in 0..<400 { #expect(try client.get().status == 200) }
        #expect(copies[1].wait(400).count == 400)
        mesh.expect { $0.mirrorsSent == UInt64(400 + copies[2].count + copies[3].count) }
        #expect(copies[0].count == 0)
        // Six standard deviations of Binomial(400, 1/2) and (400, 1/4).
        #expect((140...260).contains(copies[2].count), "\(copies[2].count)")
        #expect((48...152).contains(copies[3].count), "\(copies[3].count)")
        #expect(mesh.counters().mirrorsFailed == 0 && mesh.counters().mirrorsDropped == 0)
    }

    @Test func invalidMirrorMirrorsNothing() throws {
        let primary = try Recorder("primary")
        let filter = Filter.requestMirror(
            RequestMirror(
                service: ObjectName(namespace: "default", name: "none"), port: 80, target: .invalid(.backendNotFound),
                numerator: 1, denominator: 1))
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [filter]))
        #expect(try mesh.connect().get().status == 200)
        #expect(mesh.counters().mirrorsSent == 0)
    }

    /// What goes wrong with a mirror is nobody's business.
    @Test(arguments: ["refused", "reset", "garbage", "500", "early"]) func mirrorThatFails(_ how: String) throws {
        let primary = try Recorder("primary")
        let server = try ScriptedServer { wire, _ in
            switch how {
            case "reset":
                _ = try wire.receiveRequest()
                wire.reset()
            case "garbage":
                _ = try wire.receiveRequest()
                try wire.send("nonsense\r\n\r\n")
            case "500":
                while try wire.receiveRequest() != nil {
                    try wire.send("HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno")
                }
            default:
                // An answer before the request is whole.
                _ = try wire.receive(through: "\r\n\r\n")
                try wire.send("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let port = how == "refused" ? try refusedPort() : server.port
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(port)]))
        let client = try mesh.connect()
        for _ in 0..<3 {
            let body = String(repeating: "x", count: 100_000)
            let response = try client.exchange(
                "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(response.status == 200 && response.text == "primary")
        }
        #expect(primary.requests.allSatisfy { $0.body.count == 100_000 })
        mesh.expect { $0.mirrorsSent == 3 }
        if how == "500" || how == "early" {
            #expect(mesh.counters().mirrorsFailed == 0)
        } else {
            mesh.expect { $0.mirrorsFailed == 3 }
        }
        #expect(mesh.counters().cuts == 0 && mesh.counters().clientAborts == 0)
    }

    @Test func contentGoesToTheMirrorAsItComes() throws {
        let arrived = Mutex("")
        let ended = Mutex(false)
        let server = try ScriptedServer { wire, _ in
            while true {
                let bytes = try wire.receive()
                if bytes.isEmpty { break }
                arrived.withLock { $0 += String(decoding: bytes, as: UTF8.self) }
            }
            ended.withLock { $0 = true }
        }
        let primary = try Recorder("primary")
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(server.port)]))
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        #expect(eventually { arrived.withLock { $0.contains("first") } })
        #expect(primary.count == 0)
        // A client that leaves in the middle takes its copy along.
        client.reset()
        mesh.expect { $0.mirrorsDropped == 1 && $0.mirrorsSent == 1 }
        #expect(eventually { mesh.counters().upstreamsOpen == 0 })
    }

    @Test(arguments: [false, true]) func mirrorThatDoesNotReadIsCutOff(_ http2: Bool) throws {
        let hold = DispatchSemaphore(value: 0)
        let stalled = try ScriptedServer { _, _ in _ = hold.wait(timeout: .now() + 30) }
        defer { for _ in 0..<8 { hold.signal() } }
        let total = 16 << 20
        let checked = Stream()
        let primary = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            while checked.count < total {
                let bytes = try wire.receive()
                guard !bytes.isEmpty, checked.check(bytes) else { return }
            }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let mesh = try Mesh(
            rules: forward(weighted("primary", [primary.port]), filters: [mirror(stalled.port, http2: http2)]))
        let client = try mesh.connect()
        let sent = Stream()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(total)\r\n\r\n")
        for _ in 0..<(total >> 16) { try client.send(sent.next(65536)) }
        #expect(try client.receiveResponse().status == 200)
        #expect(checked.count == total)
        mesh.expect { $0.mirrorsDropped == 1 && $0.mirrorsFailed == 0 }
        mesh.expect { $0.bufferedBytes < 1 << 20 }
    }

    @Test func stalledMirrorDelaysNobody() throws {
        // A listener that nobody accepts from: connected, and silent.
        let silent = try SilentPort()
        let primary = try Recorder("primary")
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(silent.port)]))
        let client = try mesh.connect()
        let began = Clock.now()
        for _ in 0..<1000 { #expect(try client.get().text == "primary") }
        // Five milliseconds each on a machine that does other things besides.
        #expect(Clock.now() - began < 5_000_000_000)
        #expect(mesh.counters().mirrorsSent == 1000)
    }

    @Test func mirrorOutlivesTheClient() throws {
        let primary = try Recorder("primary")
        let copies = try Recorder("mirror", delay: 0.3)
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(copies.port)]))
        let client = try mesh.connect()
        #expect(try client.get().status == 200)
        client.reset()
        #expect(copies.wait().count == 1)
        mesh.expect { $0.clientsOpen == 0 && $0.upstreamsIdle == 2 }
        #expect(mesh.counters().mirrorsFailed == 0 && mesh.counters().mirrorsDropped == 0)
    }

    @Test func mirrorHasADeadline() throws {
        let silent = try SilentPort()
        let primary = try Recorder("primary")
        let mesh = try Mesh(
            rules: forward(weighted("primary", [primary.port]), filters: [mirror(silent.port)], timeout: 0.2))
        #expect(try mesh.connect().get().status == 200)
        mesh.expect { $0.mirrorsFailed == 1 && $0.upstreamsOpen == $0.upstreamsIdle }
    }

    /// The backend answers before it has read all: the client need not send the rest, and the copy cannot be whole.
    @Test(arguments: [false, true]) func earlyAnswerEndsTheCopy(_ http2: Bool) throws {
        let primary = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        let copies = try Recorder("mirror")
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(copies.port)]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 1000\r\n\r\nsome")
        #expect(try client.receiveResponse().status == 413)
        mesh.expect { $0.mirrorsDropped == 1 }
        #expect(copies.count == 0)
    }

    @Test func upgradesAreNotMirrored() throws {
        let copies = try Recorder("mirror")
        let primary = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            try wire.send(try wire.receive())
        }
        let mesh = try Mesh(rules: forward(weighted("primary", [primary.port]), filters: [mirror(copies.port)]))
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        #expect(try client.receiveResponse().status == 101)
        try client.send("ping")
        #expect(try client.receive(exactly: 4) == Array("ping".utf8))
        #expect(mesh.counters().mirrorsSent == 0)
    }

    /// A request that is sent again is copied once.
    @Test(arguments: [false, true]) func retriesAreNotCopied(_ http2: Bool) throws {
        let tries = Mutex(0)
        let primary = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                let number = tries.withLock { tries in
                    tries += 1
                    return tries
                }
                #expect(request.text == "hello")
                try wire.send("HTTP/1.1 \(number < 3 ? 503 : 200) X\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let bridge = try bridgeToHTTP1(primary.port)
        let copies = try Recorder("mirror", overHTTP2: http2)
        let filters = [mirror(copies.port, http2: http2)]
        let mesh = try Mesh(rules: [
            RouteTableEntry(
                rule: Rule(
                    route: RouteReference(kind: .http, name: ObjectName(namespace: "default", name: "route")), index: 0,
                    name: nil,
                    action: .forward(
                        Backends([weighted("primary", http2 ? bridge.port : primary.port, http2: http2)])),
                    filters: filters, timeouts: Timeouts(request: nil, backendRequest: nil),
                    retry: Retry(codes: [503], attempts: 3, backoff: 1_000_000)), matches: [], creationTimestamp: nil)
        ])
        let client = try mesh.connect()
        let response = try client.exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n\(chunked(["hel", "lo"]))")
        #expect(response.status == 200)
        let all = copies.wait()
        #expect(all.count == 1 && all.first?.text == "hello")
        mesh.expect { $0.mirrorsSent == 1 && $0.retries == 2 }
    }

    @Test func accessLogTellsOfMirrors() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer {
            close(ends[0])
            close(ends[1])
        }
        let primary = try Recorder("primary")
        let copies = try Recorder("mirror")
        do {
            let mesh = try Mesh(
                rules: forward(
                    weighted("primary", [primary.port]), filters: [mirror(copies.port), mirror(copies.port)])
            ) { [ends] in $0.accessLog = ends[1] }
            #expect(try mesh.connect().get().status == 200)
            #expect(copies.wait(2).count == 2)
        }
        var room = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &room, room.count)
        let lines = String(decoding: room[..<max(count, 0)], as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains(",\"mirrors\":2,"), "\(lines)")
    }
}
