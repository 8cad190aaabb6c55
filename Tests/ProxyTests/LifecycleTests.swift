import Foundation
import Model
import Proxy
import Testing

@Suite struct LifecycleTests {
    @Test func drainFinishesWhatIsInFlight() throws {
        let go = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { wire, _ in
            while try wire.receiveRequest() != nil {
                arrived.signal()
                go.wait()
                try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let mesh = try Mesh(backends: [server.port]) { $0.workers = 2 }
        go.signal()
        let idle = try mesh.connect()
        #expect(try idle.get().status == 200)
        let busy = try mesh.connect()
        try busy.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        for _ in 0..<2 { #expect(arrived.wait(timeout: .now() + 5) == .success) }
        #expect(mesh.proxy.drain(deadline: .now + .milliseconds(200)) == false)
        #expect(try idle.isEnded())
        #expect(throws: Wire.Failure.self) { _ = try mesh.connect() }
        go.signal()
        let response = try busy.receiveResponse()
        #expect(response.text == "ok")
        #expect(response["connection"] == "close")
        #expect(try busy.isEnded())
        #expect(mesh.proxy.drain(deadline: .now + .seconds(5)))
    }

    /// What was sent before the drain began is answered, accepted or not.
    @Test func drainAnswersWhatWasSent() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let kept = try mesh.connect()
        _ = try kept.get()
        var clients: [Wire] = [kept]
        for _ in 0..<20 { clients.append(try mesh.connect()) }
        for client in clients { try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n") }
        #expect(mesh.proxy.drain(deadline: .now + .seconds(8)))
        for client in clients {
            #expect(try client.receiveResponse().status == 200)
            #expect(try client.isEnded())
        }
    }

    @Test func drainWithNothingOpenIsDoneAtOnce() throws {
        let mesh = try Mesh { $0.workers = 3 }
        #expect(mesh.proxy.drain(deadline: .now + .seconds(5)))
    }

    @Test func everyWorkerAcknowledges() throws {
        let mesh = try Mesh { $0.workers = 4 }
        for generation in UInt64(2)...50 { mesh.proxy.publish(Mesh.snapshot(generation, backends: [], rules: nil)) }
        #expect(mesh.proxy.waitUntilAcknowledged(50, deadline: .now + .seconds(5)))
        #expect(mesh.proxy.acknowledged == [50, 50, 50, 50])
        #expect(!mesh.proxy.waitUntilAcknowledged(51, deadline: .now + .milliseconds(50)))
        #expect(mesh.proxy.isResponsive(within: .seconds(5)))
    }

    @Test func stopEndsConnections() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        _ = try client.get()
        mesh.proxy.stop()
        #expect((try? client.receive())?.isEmpty ?? true)
        mesh.proxy.stop()
    }

    @Test func requestsAreCountedByRouteAndBackend() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/e")], .forward(Backends([weighted("echo", [echo.port])]))),
            rule(1, [prefix("/f")], .fail(.filterNotHonoured)),
        ])
        let client = try mesh.connect()
        for _ in 0..<3 { _ = try client.get("/e") }
        _ = try client.get("/f")
        _ = try client.get("/none")
        // A client has its response a moment before the worker has counted it.
        func expect(_ number: UInt64, rule: Int?, backend: String?, class classIndex: Int) {
            mesh.expect { counters in
                counters.requests.filter { $0.labels.rule == rule && $0.labels.backend?.name == backend }
                    .reduce(0) { $0 + $1.byClass[classIndex].count } == number
            }
        }
        expect(3, rule: 0, backend: "echo", class: 1)
        expect(1, rule: 1, backend: nil, class: 4)
        expect(1, rule: nil, backend: nil, class: 3)
        // The same labels go on counting in the next snapshot.
        mesh.publish(2, rules: [rule(0, [prefix("/e")], .forward(Backends([weighted("echo", [echo.port])])))])
        _ = try client.get("/e")
        expect(4, rule: 0, backend: "echo", class: 1)
        expect(1, rule: 1, backend: nil, class: 4)
        let sum = mesh.counters().requests.reduce(0.0) { $0 + $1.byClass.reduce(0.0) { $0 + $1.sum } }
        #expect(sum > 0)
    }

    @Test func accessLog() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(rules: [rule(3, [prefix("/e")], .forward(Backends([weighted("echo", [echo.port])])))]) {
            [ends] in $0.accessLog = ends[1]
        }
        let client = try mesh.connect()
        _ = try client.exchange("POST /e\"x?q=1 HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc")
        _ = try client.exchange("POST /e/x?q=1 HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc")
        _ = try mesh.connect().get("/none")
        let started = ContinuousClock.now
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 65536)
        while text.filter({ $0 == "\n" }).count < 2, ContinuousClock.now - started < .seconds(5) {
            let count = read(ends[0], &buffer, buffer.count)
            text += String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
        }
        mesh.proxy.stop()
        close(ends[0])
        close(ends[1])
        let lines = try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let forwarded = try #require(lines.first { $0["path"] as? String == "/e/x" })
        #expect(forwarded["method"] as? String == "POST")
        #expect(forwarded["status"] as? Int == 200)
        #expect(forwarded["route"] as? String == "default/route")
        #expect(forwarded["rule"] as? Int == 3)
        #expect(forwarded["service"] as? String == "default/echo:80")
        #expect(forwarded["bytesIn"] as? Int == 3)
        #expect((forwarded["bytesOut"] as? Int ?? 0) > 10)
        let refused = try #require(lines.first { $0["path"] as? String == "/none" })
        #expect(refused["status"] as? Int == 404)
        #expect(refused["reason"] as? String == "no-route-matched")
    }

    @Test func stuckAccessLogHoldsNothingUp() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let mesh = try Mesh(rules: []) { [ends] in $0.accessLog = ends[1] }
        let client = try mesh.connect()
        // More than the pipe and all waiting blocks hold: 200 bytes a line, 64 blocks of 32 KiB.
        let batch = String(
            repeating: "GET /\(String(repeating: "x", count: 800)) HTTP/1.1\r\nHost: e\r\n\r\n", count: 20)
        for _ in 0..<200 {
            try client.send(batch)
            for _ in 0..<20 { #expect(try client.receiveResponse().status == 404) }
        }
        mesh.expect { $0.accessLogDropped > 0 }
        Thread.detachNewThread { [ends] in
            var buffer = [UInt8](repeating: 0, count: 65536)
            while read(ends[0], &buffer, buffer.count) > 0 {}
            close(ends[0])
        }
        mesh.proxy.stop()
        close(ends[1])
    }
}
