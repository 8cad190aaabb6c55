import Foundation
import HTTPWire
import Model
import Proxy
import Testing

@Suite struct RoutingTests {
    @Test func requestHeaderModifiersOfRuleThenBackend() throws {
        let echo = try ScriptedServer.echo()
        let ruleFilter = Filter.requestHeaderModifier(
            HeaderModifier(
                set: [header("X-Set", "rule"), header("X-Both", "rule")], add: [header("X-Add", "rule")],
                remove: [Array("x-gone".utf8)]))
        let backendFilter = Filter.requestHeaderModifier(
            HeaderModifier(set: [header("x-both", "backend")], add: [header("X-Add", "backend")], remove: []))
        let mesh = try Mesh(
            rules: forward(weighted("echo", [echo.port], filters: [backendFilter]), filters: [ruleFilter]))
        let text = try mesh.connect().get("/", "X-SET: old", "X-Gone: 1", "X-Add: own", "X-Kept: k").text
        #expect(
            text
                == "echo\nGET / HTTP/1.1\nHost: echo\nX-Add: own\nX-Kept: k\nX-Set: rule\nX-Add: rule\nx-both: backend\nX-Add: backend\n\n"
        )
    }

    @Test func responseHeaderModifiers() throws {
        let server = try ScriptedServer { wire, _ in
            while try wire.receiveRequest() != nil {
                try wire.send(
                    "HTTP/1.1 200 OK\r\nX-Gone: 1\r\nX-Set: old\r\nX-Set: older\r\nX-Add: own\r\nContent-Length: 0\r\n\r\n"
                )
            }
        }
        let filter = Filter.responseHeaderModifier(
            HeaderModifier(
                set: [header("X-Set", "new")], add: [header("X-Add", "more")], remove: [Array("X-Gone".utf8)]))
        let mesh = try Mesh(rules: forward(weighted("echo", [server.port]), filters: [filter]))
        let client = try mesh.connect()
        for _ in 0..<2 {
            let response = try client.get()
            #expect(response["x-set"] == "new")
            #expect(response["x-add"] == "own, more")
            #expect(response["x-gone"] == nil)
        }
    }

    @Test func rewriteOfPathAndHost() throws {
        let echo = try ScriptedServer.echo()
        let rewrite = Filter.urlRewrite(
            URLRewrite(
                hostname: Array("elsewhere".utf8),
                path: .replacePrefixMatch(match: Array("/old".utf8), replacement: Array("/new".utf8))))
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/old")], .forward(Backends([weighted("echo", [echo.port])])), filters: [rewrite])
        ])
        let client = try mesh.connect()
        #expect(
            try client.get("/old/a%2Fb?q=1").text.hasPrefix("echo\nGET /new/a%2Fb?q=1 HTTP/1.1\nHost: elsewhere\n\n"))
        #expect(try client.get("/old").text.hasPrefix("echo\nGET /new HTTP/1.1\nHost: elsewhere\n\n"))
        let absolute = try client.exchange("GET http://x/old/a HTTP/1.1\r\nHost: y\r\n\r\n")
        #expect(absolute.text.hasPrefix("echo\nGET /new/a HTTP/1.1\nHost: elsewhere\n\n"))
    }

    @Test func redirects() throws {
        func redirect(_ index: Int, _ path: String, _ redirect: Redirect, filters: [Filter] = []) -> RouteTableEntry {
            rule(index, [prefix(path)], .redirect(redirect), filters: filters)
        }
        let extra = Filter.responseHeaderModifier(HeaderModifier(set: [], add: [header("X-Extra", "1")], remove: []))
        let mesh = try Mesh(rules: [
            redirect(
                0, "/host",
                Redirect(scheme: nil, hostname: Array("example.org".utf8), port: nil, path: nil, status: 301)),
            redirect(
                1, "/port", Redirect(scheme: nil, hostname: nil, port: 8080, path: nil, status: 302), filters: [extra]),
            redirect(
                2, "/tls", Redirect(scheme: Array("https".utf8), hostname: nil, port: nil, path: nil, status: 308)),
            redirect(
                3, "/old",
                Redirect(
                    scheme: nil, hostname: nil, port: nil,
                    path: .replacePrefixMatch(match: Array("/old".utf8), replacement: Array("/new".utf8)), status: 302)),
        ])
        let client = try mesh.connect()
        let host = try client.get("/host/x?y")
        #expect(host.status == 301)
        #expect(host["location"] == "http://example.org/host/x?y")
        #expect(host["x-weir-reason"] == "redirect")
        let port = try client.exchange("GET /port HTTP/1.1\r\nHost: e:99\r\n\r\n")
        #expect(port["location"] == "http://e:8080/port")
        #expect(port["x-extra"] == "1")
        #expect(try client.exchange("GET /tls HTTP/1.1\r\nHost: e:99\r\n\r\n")["location"] == "https://e/tls")
        #expect(try client.get("/old/a?b")["location"] == "http://echo/new/a?b")
    }

    @Test func weightsAreExactShares() throws {
        let one = try ScriptedServer.echo("one")
        let two = try ScriptedServer.echo("two")
        let mesh = try Mesh(
            rules: forward(weighted("one", [one.port], weight: 90), weighted("two", [two.port], weight: 10)))
        let client = try mesh.connect()
        var counts: [String: Int] = [:]
        for _ in 0..<2000 { counts[try client.get()["x-server"] ?? "?", default: 0] += 1 }
        // 200 expected; six standard deviations are 80.
        #expect((120...280).contains(counts["two"] ?? 0))
        #expect(counts.values.reduce(0, +) == 2000)
    }

    @Test func badBackendGetsItsShareOfErrors() throws {
        let echo = try ScriptedServer.echo()
        let missing = WeightedBackend(
            service: ObjectName(namespace: "default", name: "gone"), port: 80, weight: 1,
            target: .invalid(.backendNotFound), filters: [])
        let empty = weighted("empty", [], weight: 1)
        let never = weighted("never", [], weight: 0)
        let mesh = try Mesh(rules: forward(weighted("echo", [echo.port], weight: 2), missing, empty, never))
        let client = try mesh.connect()
        var counts: [Int: Int] = [:]
        for _ in 0..<800 {
            let response = try client.get()
            counts[response.status, default: 0] += 1
            if response.status == 500 {
                #expect(response["x-weir-reason"] == "backend-not-found")
                #expect(response.text == "the chosen backend was not found: default/gone\n")
            } else if response.status == 503 {
                #expect(response["x-weir-reason"] == "no-ready-endpoint")
                #expect(response.text == "no ready endpoint of default/empty:80\n")
            }
        }
        #expect((320...480).contains(counts[200] ?? 0))
        #expect((120...280).contains(counts[500] ?? 0))
        #expect((120...280).contains(counts[503] ?? 0))
    }

    @Test(arguments: [Reason.filterNotHonoured, .noBackendRefs, .allWeightsZero])
    func failingRules(reason: Reason) throws {
        let mesh = try Mesh(rules: [rule(0, [], .fail(reason))])
        let client = try mesh.connect()
        for _ in 0..<2 {
            let response = try client.get()
            #expect(response.status == 500)
            #expect(response["x-weir-reason"] == reason.rawValue)
        }
    }

    @Test func consumerRoutesHoldForTheirNamespace() throws {
        let producer = try ScriptedServer.echo("producer")
        let consumer = try ScriptedServer.echo("consumer")
        let consumers = ["team": forward(weighted("consumer", [consumer.port]))]
        let inside = try Mesh(
            rules: forward(weighted("producer", [producer.port])), consumers: consumers, clientNamespace: "team")
        #expect(try inside.connect().get()["x-server"] == "consumer")
        let outside = try Mesh(
            rules: forward(weighted("producer", [producer.port])), consumers: consumers, clientNamespace: "other")
        #expect(try outside.connect().get()["x-server"] == "producer")
    }

    @Test func requestTimeout() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            // The proxy gives up, and says so by closing.
            #expect((try? wire.isEnded()) ?? true)
        }
        let mesh = try Mesh(rules: forward(weighted("slow", [server.port]), timeout: 0.2))
        let client = try mesh.connect()
        let start = ContinuousClock.now
        let response = try client.get()
        #expect(response.status == 504)
        #expect(response["x-weir-reason"] == "request-timeout")
        let took = ContinuousClock.now - start
        #expect(took >= .milliseconds(195) && took < .seconds(3))
        mesh.expect { $0.upstreamsOpen == 0 }
        #expect(try client.get().status == 504)
    }

    @Test func backendRequestTimeout() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            _ = try wire.receive()
        }
        let mesh = try Mesh(rules: forward(weighted("slow", [server.port]), timeout: 5, backendTimeout: 0.2))
        let response = try mesh.connect().get()
        #expect(response.status == 504)
        #expect(response["x-weir-reason"] == "backend-request-timeout")
    }

    @Test func timeoutAfterTheHeadCutsTheConnection() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
            _ = try wire.receive()
        }
        let mesh = try Mesh(rules: forward(weighted("slow", [server.port]), timeout: 0.2))
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(throws: Wire.Failure.self) { _ = try client.receiveResponse() }
        mesh.expect { $0.cuts == 1 && $0.clientsOpen == 0 && $0.upstreamsOpen == 0 }
    }

    @Test func unknownServiceIsAnswered() throws {
        let mesh = try Mesh()
        mesh.proxy.publish(Snapshot(generation: 2, services: [], frontends: []))
        #expect(mesh.proxy.waitUntilAcknowledged(2, deadline: .now + .seconds(5)))
        let response = try mesh.connect().get()
        #expect(response.status == 503)
    }
}
