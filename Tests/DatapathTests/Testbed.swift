import CLinux
import Datapath
import Foundation
import Glibc
import Model
import Testing

/// The tests on this machine's kernel, one after the other: they start processes, and a child holds copies of the
/// agent's sockets until it has called exec.
@Suite(.serialized) enum KernelTests {}

/// Two network namespaces joined by a veth pair, a cgroup for clients, a folder for pins and state. `pod` is where
/// clients run; `far` has the servers, and on its loopback the Services' addresses, so that a connect which is let pass
/// arrives at the address it named. Everything is undone by `tearDown`.
final class Testbed {
    static let serviceV4 = "10.199.9.1"
    static let serviceV6 = "fd00:199:9::1"
    static let podV4 = "10.199.1.1"
    static let podV6 = "fd00:199:1::1"
    static let farV4 = "10.199.1.2"
    static let farV6 = "fd00:199:1::2"

    let name: String
    let folder: String
    let cgroup: Cgroup
    private var servers: [(name: String, server: Server)] = []

    private static let counter = NSLock()
    nonisolated(unsafe) private static var made = 0

    var pod: String { "/run/netns/\(name)p" }
    var far: String { "/run/netns/\(name)f" }
    var pins: String { folder + "/bpf/v1" }
    var state: String { folder + "/state" }
    var pods: String { cgroup.path + "/pods" }

    init(ipv6: Bool = true) throws {
        Self.counter.lock()
        Self.made += 1
        name = "wk-\(getpid())-\(Self.made)"
        Self.counter.unlock()
        folder = "/run/\(name)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        cgroup = try Cgroup.root().make(name)
        let lines = [
            "ip netns add \(name)p", "ip netns add \(name)f",
            "ip -n \(name)p link add eth0 type veth peer name eth0 netns \(name)f",
            "ip -n \(name)p addr add \(Self.podV4)/24 dev eth0", "ip -n \(name)f addr add \(Self.farV4)/24 dev eth0",
            "ip -n \(name)f addr add 10.199.1.3/24 dev eth0", "ip -n \(name)f addr add 10.199.1.4/24 dev eth0",
            "ip -n \(name)p link set eth0 up", "ip -n \(name)f link set eth0 up", "ip -n \(name)f link set lo up",
            "ip -n \(name)f addr add \(Self.serviceV4)/32 dev lo",
            "ip -n \(name)p route add 10.199.9.0/24 via \(Self.farV4)",
        ]
        let lines6 = [
            "ip -n \(name)p addr add \(Self.podV6)/64 dev eth0 nodad",
            "ip -n \(name)f addr add \(Self.farV6)/64 dev eth0 nodad",
            "ip -n \(name)f addr add \(Self.serviceV6)/128 dev lo nodad",
            "ip -n \(name)p -6 route add fd00:199:9::/64 via \(Self.farV6)",
        ]
        let without = ["nsenter --net=/run/netns/\(name)p sysctl -qw net.ipv6.conf.all.disable_ipv6=1"]
        for line in lines + (ipv6 ? lines6 : without) { try shell(line) }
    }

    func configuration(agents: [UInt64] = []) -> Datapath.Configuration {
        // Tests beat once, and a busy machine may take long to start a client.
        Datapath.Configuration(
            pins: pins, cgroup: pods, state: state, agents: agents, heartbeatMaxAge: 60_000_000_000)
    }

    /// Datapath, with the pod enrolled and the proxy's part played by a server that answers `proxy`.
    func enrolled(_ snapshot: Snapshot, agents: [UInt64] = [], serviceLB: Bool = false, namespace: String = "apps")
        throws -> (datapath: Datapath, pod: EnrolledPod, scopes: ScopeIDs)
    {
        let datapath = try Datapath(configuration(agents: agents))
        var scopes = ScopeIDs()
        _ = try datapath.apply(Tables(snapshot: snapshot, serviceLB: serviceLB, scopes: &scopes))
        let pod = try datapath.enrol(
            ObjectName(namespace: namespace, name: "client"), netns: pod, scope: scopes.id(for: namespace))
        play(pod)
        return (datapath, pod, scopes)
    }

    /// Answers on the pod's listeners as `proxy`.
    func play(_ pod: EnrolledPod) {
        servers.append(("proxy", Server(pod.listener4, says: "proxy", keeping: pod)))
        if let listener = pod.listener6 { servers.append(("proxy", Server(listener, says: "proxy", keeping: pod))) }
    }

    /// A TCP server on all addresses of `far`, or of the pod, that answers with `name`.
    func serve(_ port: UInt16, in netns: String? = nil, address: String = "::", says name: String) throws {
        let socket = try socket(SOCK_STREAM, address, port, in: netns ?? far)
        servers.append((name, Server(socket, says: name, keeping: nil, owned: true)))
    }

    /// A UDP server that answers each datagram with `name`.
    func serveDatagrams(_ address: String, _ port: UInt16, says name: String) throws {
        let socket = try socket(SOCK_DGRAM, address, port, in: far)
        servers.append((name, Server(socket, says: name, keeping: nil, owned: true)))
    }

    /// Ends the servers of that name; the agent's listeners close with the last of them.
    func stopServers(saying name: String) {
        for (other, server) in servers where other == name { server.stop() }
        servers.removeAll { $0.name == name }
    }

    private func socket(_ type: __socket_type, _ address: String, _ port: UInt16, in netns: String) throws -> CInt {
        let namespace = open(netns, O_RDONLY | O_CLOEXEC)
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        defer { close(namespace); close(home) }
        try #require(clinux_set_netns(namespace) == 0)
        defer { precondition(clinux_set_netns(home) == 0) }
        var hints = addrinfo()
        hints.ai_socktype = CInt(type.rawValue)
        hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        try #require(getaddrinfo(address, "\(port)", &hints, &found) == 0)
        defer { freeaddrinfo(found) }
        let target = try #require(found).pointee
        let descriptor = Glibc.socket(target.ai_family, CInt(type.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        try #require(descriptor >= 0)
        var yes: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        try #require(bind(descriptor, target.ai_addr, target.ai_addrlen) == 0, "bind \(address) \(port)")
        if type == SOCK_STREAM { try #require(listen(descriptor, 1024) == 0) }
        return descriptor
    }

    /// Runs the client script in the pod's namespace and in a cgroup below the hooked one: what it printed, in words.
    func client(_ arguments: String..., cgroup child: String = "pods/client", netns: String? = nil) throws -> String {
        let script = folder + "/client.py"
        if !FileManager.default.fileExists(atPath: script) {
            try clientScript.write(toFile: script, atomically: true, encoding: .utf8)
        }
        return try run("python3 \(script) \(arguments.joined(separator: " "))", cgroup: child, netns: netns)
    }

    func run(_ command: String, cgroup child: String = "pods/client", netns: String? = nil) throws -> String {
        var below = cgroup
        for part in child.split(separator: "/") { below = try below.make(String(part)) }
        return try shell(
            "sh -c 'echo $$ > \(below.path)/cgroup.procs; exec nsenter --net=\(netns ?? pod) timeout 20 \(command)'")
    }

    func tearDown() throws {
        for (_, server) in servers { server.stop() }
        servers = []
        try Datapath.uninstall(pins: pins, state: state)
        try shell("ip netns del \(name)p; ip netns del \(name)f; true")
        if FileManager.default.fileExists(atPath: cgroup.path) { try cgroup.remove() }
        try FileManager.default.removeItem(atPath: folder)
    }
}

/// Runs a test's body on a fresh bed, and takes the bed down whatever happens.
func withTestbed(ipv6: Bool = true, _ body: (Testbed) throws -> Void) throws {
    let bed = try Testbed(ipv6: ipv6)
    do {
        try body(bed)
    } catch {
        try? bed.tearDown()
        throw error
    }
    try bed.tearDown()
}

struct ShellFailure: Error, CustomStringConvertible {
    let description: String
}

@discardableResult
func shell(_ command: String) throws -> String {
    guard let pipe = popen("( \(command) ) 2>&1", "re") else { throw ShellFailure(description: "popen \(command)") }
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { output += chunk[..<count] }
    let status = pclose(pipe)
    let text = String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    guard status == 0 else { throw ShellFailure(description: "\(command): status \(status): \(text)") }
    return text
}
