import CLinux
import Foundation
import HTTPWire
import Model
import Proxy
import Testing

/// Pods are network namespaces here: clients, listeners and endpoints live in them. Needs root.
@Suite struct PodTests {
    /// A listener on every address of the namespace, as the kernel's redirection would reach it.
    private static func listener(in namespace: Namespace, ipv6: Bool = false) throws -> (fd: Int32, port: UInt16) {
        try namespace.run {
            let fd = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address =
                ipv6
                ? clinux_address(high: 0, low: 0, port: 0) : clinux_address(high: 0, low: 0xffff_0000_0000, port: 0)
            guard clinux_bind(fd, &address) == 0, listen(fd, 128) == 0, clinux_local_address(fd, &address) == 0 else {
                throw Wire.Failure(description: "cannot listen")
            }
            return (fd, address.port)
        }
    }

    /// Connects to what the kernel makes of the frontend with this index.
    private static func dial(_ index: UInt32, _ port: UInt16, in namespace: Namespace) throws -> Wire {
        try namespace.run {
            let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address = clinux_address(high: 0, low: 0xffff_7f40_0000 + UInt64(index), port: port)
            let result = clinux_connect(fd, &address)
            guard result == 0 else {
                close(fd)
                throw Wire.Failure(description: "connect: \(String(cString: strerror(-result)))")
            }
            return Wire(fd: fd)
        }
    }

    @Test func theDialledAddressTellsTheService() throws {
        let namespace = try Namespace()
        let echo = try namespace.run { try ScriptedServer.echo("inside") }
        let (fd, port) = try Self.listener(in: namespace)
        let proxy = try Proxy(ProxyConfiguration())
        try proxy.start()
        defer { proxy.stop() }
        proxy.publish(Mesh.snapshot(1, backends: [echo.port], rules: nil, port: port, index: 5))
        proxy.add(
            pod: ProxyPod(
                cookie: 1, name: ObjectName(namespace: "default", name: "client"),
                networkNamespace: namespace.duplicate(), listeners: [fd]))
        let client = try Self.dial(5, port, in: namespace)
        // The endpoint is in the pod's namespace: only a socket made there reaches it.
        #expect(try client.get("/x").text.hasPrefix("inside\nGET /x HTTP/1.1\n"))
        let unknown = try Self.dial(6, port, in: namespace)
        #expect(try unknown.get().status == 503)
    }

    @Test func consumerRoutesFollowThePodsNamespace() throws {
        let namespace = try Namespace()
        let producer = try namespace.run { try ScriptedServer.echo("producer") }
        let consumer = try namespace.run { try ScriptedServer.echo("consumer") }
        let (fd, port) = try Self.listener(in: namespace)
        let proxy = try Proxy(ProxyConfiguration())
        try proxy.start()
        defer { proxy.stop() }
        proxy.publish(
            Mesh.snapshot(
                1, backends: [], rules: forward(weighted("producer", [producer.port])),
                consumers: ["team": forward(weighted("consumer", [consumer.port]))], port: port))
        proxy.add(
            pod: ProxyPod(
                cookie: 1, name: ObjectName(namespace: "team", name: "client"),
                networkNamespace: namespace.duplicate(), listeners: [fd]))
        #expect(try Self.dial(0, port, in: namespace).get()["x-server"] == "consumer")
    }

    @Test func removedPodIsResetAtOnce() throws {
        let namespace = try Namespace()
        let server = try namespace.run {
            try ScriptedServer { wire, _ in
                _ = try wire.receiveRequest()
                _ = try wire.receive()
            }
        }
        let (fd, port) = try Self.listener(in: namespace)
        let proxy = try Proxy(ProxyConfiguration())
        try proxy.start()
        defer { proxy.stop() }
        proxy.publish(Mesh.snapshot(1, backends: [server.port], rules: nil, port: port))
        proxy.add(
            pod: ProxyPod(
                cookie: 7, name: ObjectName(namespace: "default", name: "client"),
                networkNamespace: namespace.duplicate(), listeners: [fd]))
        let idle = try Self.dial(0, port, in: namespace)
        let busy = try Self.dial(0, port, in: namespace)
        try busy.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        while proxy.counters().upstreamsOpen == 0 { usleep(1000) }
        proxy.remove(podCookie: 7)
        #expect(throws: Wire.Failure.self) { _ = try busy.receiveResponse() }
        #expect(throws: Wire.Failure.self) {
            // A reset, not an end.
            if try idle.receive().isEmpty { return }
        }
        // The listener is closed with the last worker's reference.
        let deadline = ContinuousClock.now + .seconds(5)
        while (try? Self.dial(0, port, in: namespace)) != nil, .now < deadline { usleep(1000) }
        #expect(throws: Wire.Failure.self) { _ = try Self.dial(0, port, in: namespace) }
        let counters = proxy.counters()
        #expect(counters.clientsOpen == 0)
        #expect(counters.upstreamsOpen == 0)
    }

    /// The same with streams, to an endpoint that would take them anew.
    @Test func removedPodTakesItsStreamsWithIt() throws {
        let namespace = try Namespace()
        let server = try namespace.run { try HTTP2Server { _ in } }
        let (fd, port) = try Self.listener(in: namespace)
        let proxy = try Proxy(ProxyConfiguration())
        try proxy.start()
        defer { proxy.stop() }
        proxy.publish(
            Mesh.snapshot(1, backends: [], rules: forward(weighted("new", [server.port], .http2)), port: port))
        proxy.add(
            pod: ProxyPod(
                cookie: 7, name: ObjectName(namespace: "default", name: "client"),
                networkNamespace: namespace.duplicate(), listeners: [fd]))
        let new = HTTP2Peer(.client, try Self.dial(0, port, in: namespace), limits: HTTP2Limits(), onRequest: nil)
        Foundation.Thread.detachNewThread { new.run() }
        let streams = try (0..<10).map { try new.request("GET", "/\($0)") }
        let old = try Self.dial(0, port, in: namespace)
        try old.send("GET /old HTTP/1.1\r\nHost: e\r\n\r\n")
        while (server.peers.first?.openStreams ?? 0) < 11 { usleep(1000) }
        proxy.remove(podCookie: 7)
        for stream in streams { #expect(throws: Wire.Failure.self) { _ = try stream.message() } }
        #expect(throws: Wire.Failure.self) { _ = try old.receiveResponse() }
        #expect(server.peers[0].end(within: 5) != nil)
        let deadline = ContinuousClock.now + .seconds(5)
        while proxy.counters().bufferedBytes > 0, .now < deadline { usleep(1000) }
        let counters = proxy.counters()
        #expect(counters.clientSessionsOpen == 0 && counters.upstreamSessionsOpen == 0 && counters.clientsOpen == 0)
        #expect(counters.bufferedBytes == 0)
        #expect(server.connections == 1, "nothing was sent again")
    }

    @Test func podsDoNotShareConnections() throws {
        let one = try Namespace()
        let two = try Namespace()
        // The same address and port in two namespaces: two different servers.
        let first = try one.run { try ScriptedServer.echo("first") }
        let second = try two.run { () throws -> ScriptedServer? in
            for _ in 0..<200 {
                if let server = try? ScriptedServer.echo("second", port: first.port) { return server }
            }
            return nil
        }
        #expect(second != nil)
        let (firstListener, port) = try Self.listener(in: one)
        let secondListener = try two.run { () throws -> Int32 in
            let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            var address = clinux_address(high: 0, low: 0xffff_0000_0000, port: port)
            guard clinux_bind(fd, &address) == 0, listen(fd, 16) == 0 else { throw Wire.Failure(description: "listen") }
            return fd
        }
        let proxy = try Proxy(ProxyConfiguration())
        try proxy.start()
        defer { proxy.stop() }
        proxy.publish(Mesh.snapshot(1, backends: [first.port], rules: nil, port: port))
        let pods = [(UInt64(1), one, firstListener), (2, two, secondListener)]
        for (cookie, namespace, listener) in pods {
            proxy.add(
                pod: ProxyPod(
                    cookie: cookie, name: ObjectName(namespace: "default", name: "pod-\(cookie)"),
                    networkNamespace: namespace.duplicate(), listeners: [listener]))
        }
        for _ in 0..<5 {
            #expect(try Self.dial(0, port, in: one).get()["x-server"] == "first")
            #expect(try Self.dial(0, port, in: two).get()["x-server"] == "second")
        }
    }
}
