import Foundation
import HTTPWire
import Model
import Proxy
import Testing

/// Session persistence (GEP-1619) in the worker.
@Suite struct PersistenceTests {
    private static func cookie(
        _ name: String = "sticky", path: String = "/", isPermanent: Bool = false, absolute: Double? = nil,
        idle: Double? = nil
    ) -> SessionPersistence {
        SessionPersistence(
            carrier: .cookie(name: Array(name.utf8), path: Array(path.utf8), isPermanent: isPermanent),
            absoluteTimeout: absolute.map { UInt64($0 * 1e9) }, idleTimeout: idle.map { UInt64($0 * 1e9) })
    }

    private static func header(_ name: String = "x-session") -> SessionPersistence {
        SessionPersistence(carrier: .header(name: Array(name.utf8)), absoluteTimeout: nil, idleTimeout: nil)
    }

    private static func servers(_ version: HTTPVersion, _ names: String...) throws -> [FlakyServer] {
        try names.map { name in
            try FlakyServer(version) { _, _ in
                .reply(Reply(status: 200, name, [("x-server", name), ("set-cookie", "own=1; Path=/")]))
            }
        }
    }

    /// The token in a Set-Cookie field of that name; nil when there is none, which must not be said twice.
    private static func token(_ response: Message, _ name: String = "sticky") -> String? {
        let lines = response.fields.filter { $0.name.lowercased() == "set-cookie" && $0.value.hasPrefix("\(name)=") }
        #expect(lines.count <= 1)
        return lines.first.map { String($0.value.dropFirst(name.count + 1).prefix { $0 != ";" }) }
    }

    @Test(arguments: Pair.all) func cookieSession(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b", "c", "d")
        let mesh = try Mesh(
            rules: policy(weighted("echo", servers.map(\.port), pair.server), session: Self.cookie(path: "/shop")))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask().response
        let token = try #require(Self.token(first))
        let line = first.fields.first { $0.value.hasPrefix("sticky=") }?.value
        #expect(line == "sticky=\(token); Path=/shop; HttpOnly; SameSite=Strict")
        #expect(first.fields.contains { $0.value == "own=1; Path=/" }, "other cookies are the backend's")
        for _ in 0..<200 {
            let response = try client.ask("GET", "/", [("cookie", "a=b; sticky=\(token); c=d")]).response
            #expect(response.text == first.text)
            #expect(Self.token(response) == nil, "the client knows it")
        }
        let request = try #require(servers.flatMap(\.requests).last { $0["cookie"] != nil })
        #expect(request["cookie"] == "a=b; sticky=\(token); c=d", "the backend gets all cookies as they came")
        // Other sessions get other endpoints.
        #expect(Set(try (0..<60).map { _ in try client.ask().response.text }).count == 4)
    }

    @Test(arguments: Pair.all) func headerSession(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b", "c")
        let mesh = try Mesh(
            rules: policy(weighted("echo", servers.map(\.port), pair.server), session: Self.header()))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask().response
        let token = try #require(first["x-session"])
        for _ in 0..<50 {
            let response = try client.ask("GET", "/", [("X-Session".lowercased(), token)]).response
            #expect(response.text == first.text)
            #expect(response["x-session"] == nil)
        }
    }

    @Test(arguments: Pair.all) func severalCookiesOfTheName(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b", "c")
        let mesh = try Mesh(rules: policy(weighted("echo", servers.map(\.port), pair.server), session: Self.cookie()))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask().response
        let token = try #require(Self.token(first))
        for _ in 0..<20 {
            let response = try client.ask("GET", "/", [("cookie", "sticky=stale; sticky=\(token); sticky=x")]).response
            #expect(response.text == first.text)
            #expect(Self.token(response) == nil)
        }
    }

    /// A token that was not given here says nothing: the client gets a new session.
    @Test(arguments: Pair.all) func tamperedToken(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b", "c")
        let mesh = try Mesh(rules: policy(weighted("echo", servers.map(\.port), pair.server), session: Self.cookie()))
        let client = try VersionedClient(pair.client, mesh)
        let token = try #require(Self.token(try client.ask().response))
        var letters = Array(token)
        letters[10] = letters[10] == "A" ? "B" : "A"
        var texts: Set<String> = []
        for _ in 0..<60 {
            let response = try client.ask("GET", "/", [("cookie", "sticky=\(String(letters))")]).response
            #expect(Self.token(response) != nil)
            texts.insert(response.text)
        }
        #expect(texts.count == 3)
    }

    /// An existing session stays when the weight of its backend becomes 0; new ones go where the weight is.
    @Test(arguments: Pair.all) func weightBecomesZero(_ pair: Pair) throws {
        let old = try Self.servers(pair.server, "old-1", "old-2")
        let new = try Self.servers(pair.server, "new")
        func rules(_ oldWeight: UInt32, _ newWeight: UInt32) -> [RouteTableEntry] {
            policy(
                weighted("old", old.map(\.port), pair.server, weight: oldWeight),
                weighted("new", new.map(\.port), pair.server, weight: newWeight), session: Self.cookie())
        }
        let mesh = try Mesh(rules: rules(1, 0))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask().response
        let token = try #require(Self.token(first))
        mesh.publish(2, rules: rules(0, 1))
        for _ in 0..<50 {
            #expect(try client.ask("GET", "/", [("cookie", "sticky=\(token)")]).response.text == first.text)
            #expect(try client.ask().response.text == "new")
        }
    }

    @Test(arguments: Pair.all) func endpointIsGone(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b")
        func rules(_ servers: ArraySlice<FlakyServer>) -> [RouteTableEntry] {
            policy(weighted("echo", servers.map(\.port), pair.server), session: Self.cookie())
        }
        let mesh = try Mesh(rules: rules(servers[..<1]))
        let client = try VersionedClient(pair.client, mesh)
        let token = try #require(Self.token(try client.ask().response))
        mesh.publish(2, rules: rules(servers[1...]))
        let moved = try client.ask("GET", "/", [("cookie", "sticky=\(token)")]).response
        #expect(moved.text == "b")
        let other = try #require(Self.token(moved))
        #expect(other != token)
        mesh.publish(3, rules: rules(servers[...]))
        for _ in 0..<20 { #expect(try client.ask("GET", "/", [("cookie", "sticky=\(other)")]).response.text == "b") }
    }

    /// An endpoint that cannot be connected is as good as gone.
    @Test func endpointRefuses() throws {
        let servers = try Self.servers(.http11, "a")
        let refused = try ScriptedServer.echo("b")
        let mesh = try Mesh(
            rules: policy(weighted("echo", [servers[0].port, refused.port]), session: Self.cookie()))
        var token: String?
        while token == nil {
            let response = try mesh.connect().get()
            if response["x-server"] == "b" { token = Self.token(response) }
        }
        refused.stop()
        mesh.publish(2, rules: policy(weighted("echo", [servers[0].port, try refusedPort()]), session: Self.cookie()))
        let response = try mesh.connect().get("/", "Cookie: sticky=\(token!)")
        #expect(response["x-server"] == "a")
        #expect(Self.token(response) != nil)
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func absoluteTimeout(_ version: HTTPVersion) throws {
        let servers = try Self.servers(.http11, "a", "b", "c")
        let mesh = try Mesh(
            rules: policy(weighted("echo", servers.map(\.port)), session: Self.cookie(absolute: 1.5)))
        let client = try VersionedClient(version, mesh)
        let token = try #require(Self.token(try client.ask().response))
        #expect(Self.token(try client.ask("GET", "/", [("cookie", "sticky=\(token)")]).response) == nil)
        Thread.sleep(forTimeInterval: 1.6)
        let renewed = Self.token(try client.ask("GET", "/", [("cookie", "sticky=\(token)")]).response)
        #expect(renewed != nil && renewed != token)
    }

    /// Use puts the end off: the client is told a new token of the same endpoint.
    @Test(arguments: [HTTPVersion.http11, .http2]) func idleTimeout(_ version: HTTPVersion) throws {
        let servers = try Self.servers(.http11, "a", "b", "c", "d", "e")
        let mesh = try Mesh(
            rules: policy(weighted("echo", servers.map(\.port)), session: Self.cookie(idle: 4)))
        let client = try VersionedClient(version, mesh)
        let first = try client.ask().response
        var token = try #require(Self.token(first))
        let original = token
        for _ in 0..<10 {
            Thread.sleep(forTimeInterval: 0.5)
            let response = try client.ask("GET", "/", [("cookie", "sticky=\(token)")]).response
            #expect(response.text == first.text)
            token = Self.token(response) ?? token
        }
        #expect(token != original)
        // The first token has not been used for longer than that.
        #expect(Self.token(try client.ask("GET", "/", [("cookie", "sticky=\(original)")]).response) != nil)
    }

    @Test(arguments: [HTTPVersion.http11, .http2]) func permanentCookie(_ version: HTTPVersion) throws {
        let servers = try Self.servers(.http11, "a")
        let mesh = try Mesh(
            rules: policy(
                weighted("echo", servers.map(\.port)), session: Self.cookie(isPermanent: true, absolute: 3600)))
        let client = try VersionedClient(version, mesh)
        let response = try client.ask().response
        let line = response.fields.first { $0.value.hasPrefix("sticky=") }?.value
        #expect(line?.contains("; Max-Age=3600;") == true)
        let secure = try client.ask("GET", "/", [("x-forwarded-proto", "https")]).response
        #expect(secure.fields.contains { $0.value.hasPrefix("sticky=") && $0.value.contains("; Secure;") })
    }

    @Test(arguments: Pair.all) func sessionOfTheBackendsPolicy(_ pair: Pair) throws {
        let servers = try Self.servers(pair.server, "a", "b", "c")
        let mesh = try Mesh(
            rules: policy(governed("echo", servers.map(\.port), pair.server, session: Self.cookie("backend"))))
        let client = try VersionedClient(pair.client, mesh)
        let first = try client.ask().response
        let token = try #require(Self.token(first, "backend"))
        for _ in 0..<30 {
            let response = try client.ask("GET", "/", [("cookie", "backend=\(token)")]).response
            #expect(response.text == first.text)
            #expect(Self.token(response, "backend") == nil)
        }
    }

    @Test func keyIsSharedBetweenProxies() throws {
        let servers = try Self.servers(.http11, "a", "b", "c", "d")
        let key = try #require(SessionKey((0..<32).map { UInt8($0) }))
        func mesh(_ key: SessionKey?) throws -> Mesh {
            try Mesh(rules: policy(weighted("echo", servers.map(\.port)), session: Self.cookie())) {
                if let key { $0.sessionKey = key }
            }
        }
        let one = try mesh(key)
        let two = try mesh(key)
        let stranger = try mesh(nil)
        let first = try one.connect().get()
        let token = try #require(Self.token(first))
        for _ in 0..<20 {
            let response = try two.connect().get("/", "Cookie: sticky=\(token)")
            #expect(response.text == first.text)
            #expect(Self.token(response) == nil)
        }
        #expect(Self.token(try stranger.connect().get("/", "Cookie: sticky=\(token)")) != nil)
    }

    /// Answers of Weir's own say nothing of sessions.
    @Test func ownAnswers() throws {
        let mesh = try Mesh(rules: policy(weighted("echo", [try refusedPort()]), session: Self.cookie()))
        let response = try mesh.connect().get()
        #expect(response.status == 503)
        #expect(Self.token(response) == nil)
    }
}
