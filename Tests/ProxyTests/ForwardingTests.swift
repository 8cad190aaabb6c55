import Foundation
import Model
import Proxy
import Testing

@Suite struct ForwardingTests {
    @Test func plainForwardingWithoutRoutes() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        for number in 0..<3 {
            let response = try client.get("/a?b=\(number)")
            #expect(response.status == 200)
            #expect(response.text.hasPrefix("echo\nGET /a?b=\(number) HTTP/1.1\nHost: echo\n"))
            #expect(response["date"] != nil)
        }
        #expect(echo.connections == 1, "one upstream connection is used again")
    }

    @Test func routesDecidePerRequestOnOneConnection() throws {
        let one = try ScriptedServer.echo("one")
        let two = try ScriptedServer.echo("two")
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/one")], .forward(Backends([weighted("one", [one.port])]))),
            rule(1, [prefix("/two")], .forward(Backends([weighted("two", [two.port])]))),
        ])
        let client = try mesh.connect()
        #expect(try client.get("/one/x")["x-server"] == "one")
        #expect(try client.get("/two")["x-server"] == "two")
        let none = try client.get("/three")
        #expect(none.status == 404)
        #expect(none["x-weir-reason"] == "no-route-matched")
        #expect(none["server"] == "weir")
        #expect(none.text == "no route matched: 2 rules of default/echo:80 were tried\n")
        #expect(try client.get("/one")["x-server"] == "one")
    }

    @Test func keptConnectionObeysNewRoutes() throws {
        let one = try ScriptedServer.echo("one")
        let two = try ScriptedServer.echo("two")
        let mesh = try Mesh(rules: forward(weighted("one", [one.port])))
        let client = try mesh.connect()
        #expect(try client.get()["x-server"] == "one")
        mesh.publish(2, rules: forward(weighted("two", [two.port])))
        #expect(try client.get()["x-server"] == "two")
        mesh.publish(3, backends: [one.port], rules: nil)
        #expect(try client.get()["x-server"] == "one")
        mesh.publish(4, backends: [], rules: nil)
        #expect(try client.get()["x-weir-reason"] == "no-ready-endpoint")
    }

    @Test func postWithLength() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        let response = try client.exchange("POST /p HTTP/1.1\r\nHost: echo\r\nContent-Length: 5\r\n\r\nhello")
        #expect(response.text.hasSuffix("\n\nhello"))
        #expect(response.text.contains("Content-Length: 5\n"))
        #expect(try client.get().status == 200)
    }
}
