import Foundation
import Model
import Proxy
import Reactor
import Synchronization
import Testing

/// ExternalAuth (GEP-1494) between clients, services and backends of all versions.
@Suite struct AuthorizationTests {
    private func auth(
        _ port: UInt16, http2: Bool = false, path: String = "", headers: [String] = [], response: [String] = [],
        maximumBody: Int = 0
    ) -> Filter {
        auth(
            .backend(backend("auth", port, http2: http2)),
            .http(path: Array(path.utf8), allowedResponseHeaders: response.map { Array($0.utf8) }), headers: headers,
            maximumBody: maximumBody)
    }

    private func auth(
        _ target: WeightedBackend.Target, _ how: ExternalAuth.AuthProtocol, headers: [String] = [], maximumBody: Int = 0
    ) -> Filter {
        .externalAuth(
            ExternalAuth(
                authProtocol: how, service: ObjectName(namespace: "default", name: "auth"), port: 80, target: target,
                allowedHeaders: headers.map { Array($0.utf8) }, maximumBody: maximumBody))
    }

    private func grpc(_ port: UInt16, headers: [String] = [], maximumBody: Int = 0) -> Filter {
        auth(.backend(backend("auth", port, http2: true)), .grpc, headers: headers, maximumBody: maximumBody)
    }

    /// Allows what says `x-verdict: allow`; denies with 401 and a text.
    private func service(_ requests: @escaping @Sendable (Message) -> Void = { _ in }) throws -> ScriptedServer {
        try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                requests(request)
                if request["x-verdict"] == "allow" {
                    try wire.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-User: alice\r\nX-Other: 1\r\n\r\nokay")
                } else {
                    let body = request.start.hasPrefix("HEAD ") ? "" : "go away"
                    try wire.send(
                        "HTTP/1.1 401 No\r\nContent-Length: 7\r\nWWW-Authenticate: Basic\r\nConnection: X-Gone\r\nX-Gone: 1\r\nContent-Type: text/x\r\n\r\n\(body)"
                    )
                }
            }
        }
    }

    private func chunked(_ parts: [String], trailers: String = "") -> String {
        parts.map { String($0.utf8.count, radix: 16) + "\r\n\($0)\r\n" }.joined() + "0\r\n\(trailers)\r\n"
    }

    @Test(arguments: 0..<16) func asksBetweenVersions(_ combination: Int) throws {
        let (client2, service2, backend2) = (combination & 1 != 0, combination & 2 != 0, combination & 4 != 0)
        let sendsBody = combination & 8 != 0
        let asked = Mutex<[Message]>([])
        let one = try service { request in asked.withLock { $0.append(request) } }
        let bridge = try bridgeToHTTP1(one.port)
        let target = try Recorder("backend", overHTTP2: backend2)
        let mesh = try Mesh(
            rules: forward(
                weighted("backend", target.port, http2: backend2),
                filters: [
                    auth(
                        service2 ? bridge.port : one.port, http2: service2, path: "/check",
                        headers: ["x-verdict", "x-sent"], response: ["x-user"], maximumBody: sendsBody ? 200_000 : 0)
                ]))
        let entrance = try Entrance(mesh, overHTTP2: client2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        let parts = (0..<10).map { String(repeating: "part \($0) ", count: 1000) }
        let head =
            "Host: echo\r\nX-Verdict: allow\r\nX-Sent: 1\r\nX-Kept: 2\r\nX-User: mallory\r\nAuthorization: secret\r\n"
        let requests = [
            "GET /a?b HTTP/1.1\r\n\(head)\r\n",
            "POST /a?b HTTP/1.1\r\n\(head)Content-Length: 5\r\n\r\nhello",
            "POST /a?b HTTP/1.1\r\n\(head)Transfer-Encoding: chunked\r\n\r\n\(chunked(parts, trailers: "X-End: 1\r\n"))",
            "PUT /a?b HTTP/1.1\r\n\(head)Transfer-Encoding: chunked\r\n\r\n\(chunked([]))",
            "HEAD /a?b HTTP/1.1\r\n\(head)\r\n",
            // A body whose parts come one by one.
            "POST /a?b HTTP/1.1\r\n\(head)Content-Length: 90000\r\n\r\n",
        ]
        for (index, request) in requests.enumerated() {
            try client.send(request)
            if index == 5 {
                for _ in 0..<9 {
                    usleep(2000)
                    try client.send(String(repeating: "x", count: 10_000))
                }
            }
            let response = try client.receiveResponse(toHEAD: index == 4)
            #expect(response.status == 200 && response.text == (index == 4 ? "" : "backend"), "\(response)")
            let question = try #require(asked.withLock { $0.last })
            let original = target.requests[index]
            #expect(original["x-user"] == "alice" && original["x-kept"] == "2" && original["x-other"] == nil)
            #expect(original["authorization"] == "secret" && original.start.hasSuffix("/a?b HTTP/1.1"))
            #expect(question.start == original.start.replacing("/a?b", with: "/check/a?b"))
            #expect(question["host"] == "echo" && question["authorization"] == "secret")
            #expect(question["x-sent"] == "1" && question["x-kept"] == nil)
            #expect(question["content-length"] == String(question.body.count))
            #expect(question.body == (sendsBody ? original.body : []))
        }
        #expect(target.requests[1].text == "hello" && target.requests[2].text == parts.joined())
        #expect(target.requests[2].trailers.lowercased() == "x-end: 1\r\n")
        #expect(target.requests[5].body.count == 90_000)

        for method in ["GET", "HEAD", "POST"] {
            let response = try client.exchange("\(method) / HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\nno")
            #expect(response.status == 401 && response.text == (method == "HEAD" ? "" : "go away"))
            #expect(response["www-authenticate"] == "Basic" && response["content-type"] == "text/x")
            #expect(response["x-gone"] == nil && response["x-weir-reason"] == "external-auth-denied")
            #expect(response["date"] != nil)
        }
        #expect(target.count == 6)
        #expect(mesh.counters().checks == 9)
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// Who could name the service's header as meant for this hop alone could take it away.
    @Test func clientCannotTakeTheServicesHeadersAway() throws {
        let one = try service()
        let target = try Recorder("backend")
        let mesh = try Mesh(
            rules: forward(
                weighted("backend", [target.port]), filters: [auth(one.port, headers: ["x-verdict"])]))
        let response = try mesh.connect().get(
            "/", "X-Verdict: allow", "Connection: X-User, X-Gone", "X-User: mallory", "X-Gone: 1")
        #expect(response.status == 200)
        #expect(target.requests[0]["x-user"] == "alice" && target.requests[0]["x-gone"] == nil)
        #expect(target.requests[0]["connection"] == nil && target.requests[0]["host"] == "echo")
        // All headers of the answer but those of its own content.
        #expect(target.requests[0]["x-other"] == "1")
    }

    @Test(arguments: [false, true]) func bodyThatIsTooLarge(_ http2: Bool) throws {
        let one = try service()
        let target = try Recorder("backend")
        let mesh = try Mesh(
            rules: forward(weighted("backend", [target.port]), filters: [auth(one.port, maximumBody: 100)]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let large = String(repeating: "x", count: 101)
        for request in [
            "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 101\r\n\r\n\(large)",
            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n\(chunked([large]))",
        ] {
            let response = try entrance.connect().exchange(request)
            #expect(response.status == 413 && response["x-weir-reason"] == "external-auth-body-too-large")
        }
        #expect(one.connections == 0 && target.count == 0)
    }

    @Test(arguments: [0, 100]) func clientThatWaitsForContinue(_ maximumBody: Int) throws {
        let one = try service()
        let target = try ScriptedServer { wire, _ in
            let head = Message(head: try wire.receive(through: "\r\n\r\n") ?? "")
            // Whoever has the body is not to ask for it again.
            #expect((head["expect"] == nil) == (maximumBody > 0))
            if maximumBody == 0 { try wire.send("HTTP/1.1 100 Continue\r\n\r\n") }
            #expect(try wire.receive(exactly: 5) == Array("hello".utf8))
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let mesh = try Mesh(
            rules: forward(
                weighted("backend", [target.port]),
                filters: [auth(one.port, headers: ["x-verdict"], maximumBody: maximumBody)]))
        let client = try mesh.connect()
        try client.send(
            "POST / HTTP/1.1\r\nHost: e\r\nX-Verdict: allow\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.receiveResponse().status == 100)
        try client.send("hello")
        #expect(try client.receiveResponse().status == 200)
    }

    @Test(arguments: ["refused", "no endpoint", "invalid", "reset", "closes", "garbage", "switches"])
    func failsClosed(_ how: String) throws {
        let one = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            switch how {
            case "reset": wire.reset()
            case "garbage": try wire.send("nonsense\r\n\r\n")
            case "switches": try wire.send("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            case "closes": try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort")
            default: break
            }
        }
        let target = try Recorder("backend")
        let filter =
            switch how {
            case "refused": auth(try refusedPort())
            case "no endpoint": auth(.backend(backend("auth", [])), .http(path: [], allowedResponseHeaders: []))
            case "invalid": auth(.invalid(.backendNotFound), .http(path: [], allowedResponseHeaders: []))
            default: auth(one.port)
            }
        for mesh in [
            try Mesh(rules: forward(weighted("backend", [target.port]), filters: [filter])),
            try Mesh(rules: forward(weighted("backend", [target.port], filters: [filter]))),
        ] {
            let client = try mesh.connect()
            for _ in 0..<2 {
                let response = try client.get()
                #expect(response.status == 403 && response["x-weir-reason"] == "external-auth-failed", "\(response)")
            }
        }
        #expect(target.count == 0)
    }

    @Test func serviceThatDoesNotAnswer() throws {
        let silent = try SilentPort()
        let target = try Recorder("backend")
        let filters = [auth(silent.port)]
        let mesh = try Mesh(rules: forward(weighted("backend", [target.port]), filters: filters))
        let client = try mesh.connect()
        let began = Clock.now()
        #expect(try client.get()["x-weir-reason"] == "external-auth-failed")
        #expect(Clock.now() - began >= 4_900_000_000)
        // The route's own limit comes first.
        mesh.publish(2, rules: forward(weighted("backend", [target.port]), filters: filters, timeout: 0.1))
        #expect(try client.get()["x-weir-reason"] == "request-timeout")
        #expect(target.count == 0)
        mesh.expect { $0.upstreamsOpen == 0 }
    }

    @Test(arguments: [false, true]) func clientThatLeavesCancelsTheQuestion(_ http2: Bool) throws {
        let gone = Mutex(0)
        let one = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            _ = try? wire.receive()
            gone.withLock { $0 += 1 }
        }
        let mesh = try Mesh(rules: forward(weighted("backend", [try refusedPort()]), filters: [auth(one.port)]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        mesh.expect { $0.checks == 1 && $0.upstreamsOpen == 1 }
        client.reset()
        #expect(eventually(within: 4) { gone.withLock { $0 == 1 } })
        mesh.expect(within: 2) { $0.upstreamsOpen == 0 && $0.bufferedBytes == 0 }
    }

    @Test func redirectsAfterAuthorization() throws {
        let one = try service()
        let mesh = try Mesh(rules: [
            rule(
                0, [],
                .redirect(Redirect(scheme: nil, hostname: Array("other".utf8), port: nil, path: nil, status: 302)),
                filters: [auth(one.port, headers: ["x-verdict"])])
        ])
        let client = try mesh.connect()
        #expect(try client.get("/a").status == 401)
        let response = try client.get("/a", "X-Verdict: allow")
        #expect(response.status == 302 && response["location"] == "http://other/a", "\(response)")
    }

    /// The rule's service, then the backendRef's, which sees what the first has changed.
    @Test(arguments: [false, true]) func ruleThenBackend(_ http2: Bool) throws {
        let asked = Mutex<[String]>([])
        let first = try service { request in asked.withLock { $0.append("first \(request["x-user"] ?? "-")") } }
        let second = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                asked.withLock { $0.append("second \(request["x-user"] ?? "-") \(request.text)") }
                let status = request["x-second"] == "allow" ? "200 OK" : "403 No"
                try wire.send("HTTP/1.1 \(status)\r\nContent-Length: 0\r\nX-Second: done\r\n\r\n")
            }
        }
        let target = try Recorder("backend")
        let copies = try Recorder("mirror")
        let mirror = Filter.requestMirror(
            RequestMirror(
                service: ObjectName(namespace: "default", name: "mirror"), port: 80,
                target: .backend(backend("mirror", [copies.port])), numerator: 1, denominator: 1))
        let mesh = try Mesh(
            rules: forward(
                weighted(
                    "backend", [target.port],
                    filters: [auth(second.port, headers: ["x-user", "x-second"], maximumBody: 1000)]),
                filters: [mirror, auth(first.port, headers: ["x-verdict", "x-user"])]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        func post(_ fields: String) throws -> Message {
            try client.exchange("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\(fields)\r\nhello")
        }
        #expect(try post("X-Verdict: allow\r\nX-Second: allow\r\n").status == 200)
        #expect(try post("X-Verdict: allow\r\n").status == 403)
        #expect(try post("X-Second: allow\r\n").status == 401)
        #expect(asked.withLock { $0 } == ["first -", "second alice hello", "first -", "second alice hello", "first -"])
        #expect(target.count == 1 && target.requests[0].text == "hello" && target.requests[0]["x-second"] == "done")
        // Mirrors get what has been allowed, as it goes to the backend.
        let all = copies.wait()
        #expect(all.count == 1 && all.first?.text == "hello" && all.first?["x-user"] == "alice")
        #expect(mesh.counters().mirrorsSent == 1)
    }

    @Test func pipelinedRequestsKeepTheirOrder() throws {
        let one = try service()
        let target = try ScriptedServer.echo()
        let mesh = try Mesh(
            rules: forward(weighted("backend", [target.port]), filters: [auth(one.port, headers: ["x-verdict"])]))
        let client = try mesh.connect()
        try client.send(
            "POST /1 HTTP/1.1\r\nHost: e\r\nX-Verdict: allow\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: e\r\n\r\nGET /3 HTTP/1.1\r\nHost: e\r\nX-Verdict: allow\r\n\r\n"
        )
        let first = try client.receiveResponse()
        #expect(first.status == 200 && first.text.contains("POST /1") && first.text.hasSuffix("abc"))
        #expect(try client.receiveResponse().status == 401)
        #expect(try client.receiveResponse().text.contains("GET /3"))
    }

    /// A request that is sent again is sent as the service changed it.
    @Test(arguments: [false, true]) func retriesKeepTheServicesChanges(_ http2: Bool) throws {
        let one = try service()
        let tries = Mutex<[Message]>([])
        let target = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                let count = tries.withLock { tries in
                    tries.append(request)
                    return tries.count
                }
                try wire.send("HTTP/1.1 \(count < 3 ? 503 : 200) X\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let bridge = try bridgeToHTTP1(target.port)
        let mesh = try Mesh(rules: [
            RouteTableEntry(
                rule: Rule(
                    route: RouteReference(kind: .http, name: ObjectName(namespace: "default", name: "route")), index: 0,
                    name: nil,
                    action: .forward(
                        Backends([weighted("backend", http2 ? bridge.port : target.port, http2: http2)])),
                    filters: [auth(one.port, headers: ["x-verdict"])],
                    timeouts: Timeouts(request: nil, backendRequest: nil),
                    retry: Retry(codes: [503], attempts: 3, backoff: 1_000_000)), matches: [], creationTimestamp: nil)
        ])
        let response = try mesh.connect().exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nX-Verdict: allow\r\nX-User: mallory\r\nContent-Length: 5\r\n\r\nhello")
        #expect(response.status == 200)
        let all = tries.withLock { $0 }
        #expect(all.count == 3 && all.allSatisfy { $0["x-user"] == "alice" && $0.text == "hello" })
        #expect(mesh.counters().checks == 1)
    }

    /// While the service thinks, the client's content waits where it is.
    @Test(arguments: [false, true]) func contentWaitsForTheVerdict(_ http2: Bool) throws {
        let go = DispatchSemaphore(value: 0)
        let one = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            _ = go.wait(timeout: .now() + 4)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let total = 8 << 20
        let checked = Stream()
        let target = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            while checked.count < total {
                let bytes = try wire.receive()
                guard !bytes.isEmpty, checked.check(bytes) else { return }
            }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let mesh = try Mesh(rules: forward(weighted("backend", [target.port]), filters: [auth(one.port)]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        Foundation.Thread.detachNewThread {
            let sent = Stream()
            try? client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(total)\r\n\r\n")
            for _ in 0..<(total >> 16) { try? client.send(sent.next(65536)) }
        }
        mesh.expect { $0.checks == 1 }
        usleep(300_000)
        #expect(mesh.counters().bufferedBytes <= 1 << 20)
        #expect(checked.count == 0)
        go.signal()
        #expect(try client.receiveResponse().status == 200)
        #expect(checked.count == total)
    }

    @Test func accessLogTellsOfDenials() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer {
            close(ends[0])
            close(ends[1])
        }
        let one = try service()
        do {
            let mesh = try Mesh(
                rules: forward(weighted("backend", [try refusedPort()]), filters: [auth(one.port)])
            ) { [ends] in $0.accessLog = ends[1] }
            #expect(try mesh.connect().get().status == 401)
        }
        var room = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &room, room.count)
        let text = String(decoding: room[..<max(count, 0)], as: UTF8.self)
        #expect(text.contains(",\"status\":401,\"reason\":\"external-auth-denied\","), "\(text)")
    }

    // MARK: gRPC, with grpcio as the service

    @Test(arguments: [false, true]) func grpcService(_ http2: Bool) throws {
        let server = try AuthServer()
        let target = try Recorder("backend", head: "X-Server: backend\r\n")
        let mesh = try Mesh(
            rules: forward(weighted("backend", [target.port]), filters: [grpc(server.port, maximumBody: 1000)]))
        let entrance = try Entrance(mesh, overHTTP2: http2)
        defer { withExtendedLifetime(entrance) {} }
        let client = try entrance.connect()
        func post(_ verdict: String, _ more: String = "") throws -> Message {
            try client.exchange(
                "POST /a?b HTTP/1.1\r\nHost: echo\r\nX-Verdict: \(verdict)\r\nX-User: mallory\r\nX-Secret: 1\r\nX-List: one\r\n\(more)Transfer-Encoding: chunked\r\n\r\n\(chunked(["hel", "lo"]))"
            )
        }
        for number in 1...3 {
            let allowed = try post("allow")
            #expect(allowed.status == 200 && allowed["x-checked"] == "yes" && allowed["x-server"] == "replaced")
            let request = try #require(target.requests.last)
            #expect(target.count == number && request["x-user"] == "alice" && request["x-secret"] == nil)
            #expect(request["x-list"] == "one, two" && request.text == "hello")
        }
        #expect(eventually { server.requests.count == 3 })
        let seen = server.requests[0]
        #expect(seen["method"] == "POST" && seen["path"] == "/a?b" && seen["host"] == "echo" && seen["body"] == "hello")
        #expect(
            seen["size"] == "5" && seen["protocol"] == (http2 ? "HTTP/2" : "HTTP/1.1") && seen["source"] == "127.0.0.1")
        #expect(seen["header::path"] == "/a?b" && seen["header:x-user"] == "mallory")

        let denied = try post("deny")
        #expect(denied.status == 401 && denied["www-authenticate"] == "Basic" && denied.text == "no entry")
        #expect(denied["x-weir-reason"] == "external-auth-denied")
        let plain = try post("deny-plainly")
        #expect(plain.status == 403 && plain["x-weir-reason"] == "external-auth-denied" && plain.body.isEmpty)
        for verdict in ["garbage", "abort", "query", "long"] {
            let failed = try post(verdict)
            #expect(failed.status == 403 && failed["x-weir-reason"] == "external-auth-failed", "\(verdict): \(failed)")
        }
        #expect(target.count == 3)
        if http2 {
            // What a client of gRPC is told; the bridge shows trailers-only responses as they are.
            let type = "Content-Type: application/grpc\r\n"
            let call = try post("deny", type)
            #expect(call.status == 200 && call["grpc-status"] == "16" && call["grpc-message"] == "no entry")
            #expect(call["www-authenticate"] == "Basic" && call["content-type"] == "application/grpc")
            #expect(try post("deny-plainly", type)["grpc-status"] == "7")
            let failed = try post("abort", type)
            #expect(failed["grpc-status"] == "7" && failed["x-weir-reason"] == "external-auth-failed")
        }
        mesh.expect { $0.bufferedBytes == 0 }
    }

    /// Many at once, over few connections: none waits for another, and none gets another's verdict.
    @Test func manyQuestionsAtOnce() throws {
        let server = try AuthServer()
        let target = try Recorder("backend")
        let mesh = try Mesh(rules: forward(weighted("backend", [target.port]), filters: [grpc(server.port)]))
        let clients = try (0..<24).map { _ in try mesh.connect() }
        let verdicts = ["allow", "deny", "slow", "deny-plainly"]
        for (index, client) in clients.enumerated() {
            try client.send("GET /\(index) HTTP/1.1\r\nHost: e\r\nX-Verdict: \(verdicts[index % 4])\r\n\r\n")
        }
        for (index, client) in clients.enumerated() {
            #expect(try client.receiveResponse().status == [200, 401, 200, 403][index % 4])
        }
        #expect(target.count == 12)
        mesh.expect { $0.checks == 24 && $0.upstreamSessionsOpen == 1 }
    }
}
