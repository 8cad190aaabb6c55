import Agent
import Model
import Testing

@Suite struct ConfigurationTests {
    @Test(arguments: [
        ("127.0.0.1:15020", "127.0.0.1:15020"), ("[::1]:80", "[::1]:80"), ("0.0.0.0:0", "0.0.0.0:0"),
    ])
    func readsAddresses(_ text: String, _ printed: String) throws {
        #expect(try #require(SocketAddress(text)).description == printed)
    }

    @Test(arguments: [
        "", "127.0.0.1", ":80", "::1:80", "[127.0.0.1]:80", "127.0.0.1:65536", "localhost:80", "1.2.3.4:-1",
    ])
    func refusesWhatIsNoAddress(_ text: String) {
        #expect(SocketAddress(text) == nil)
    }

    @Test func readsPlainListeners() throws {
        let listener = try #require(PlainListener("[::1]:8080=shop/web:80"))
        #expect(listener.service == ObjectName(namespace: "shop", name: "web"))
        #expect(listener.port == 80)
        #expect(listener.description == "[::1]:8080=shop/web:80")
    }

    @Test(arguments: [
        "127.0.0.1:80", "127.0.0.1:80=web:80", "127.0.0.1:80=a/b", "127.0.0.1:80=a/b/c:80", "x=a/b:80",
        "1.1.1.1:1=a/b:0",
    ])
    func refusesWhatIsNoListener(_ text: String) {
        #expect(PlainListener(text) == nil)
    }
}
