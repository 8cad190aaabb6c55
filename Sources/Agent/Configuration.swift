import Compiler
import HTTPWire
package import Model

/// Everything an agent is told at its start; decoded and checked once, never changed afterwards.
package struct Configuration: Sendable {
    /// The folder of YAML and JSON that is the cluster.
    package var manifests: String
    /// The folder that holds the admin socket and what outlives a run.
    package var state: String
    /// The bpffs folder of maps and links.
    package var pins: String
    /// The cgroup whose processes' connects are looked at; nil: the node's kubepods folder, else one made for it.
    package var cgroup: String?
    /// False: no eBPF is loaded and no pod is enrolled; only `listeners` take connections.
    package var redirect: Bool
    /// Balance Services without routes in the kernel, for machines without kube-proxy.
    package var serviceLB: Bool
    /// Proxy threads, 1...64.
    package var workers: Int
    /// Where metrics and health are served; nil: nowhere.
    package var metrics: SocketAddress?
    package var listeners: [PlainListener]
    /// Seconds that requests in flight may take to finish after SIGTERM.
    package var drain: Double
    package var accessLog: Bool
    package var limits: Limits
    /// A file with the 32 bytes that sessions are signed with; nil: one that the agent makes in `state`.
    package var sessionKey: String?
    /// The name of the XMesh that stands for this mesh.
    package var meshName = Compiler.defaultMeshName

    /// What a client may ask of the proxy.
    package struct Limits: Sendable {
        /// Bytes of a request's head, from the request line to the final CRLF.
        package var head = 65_536
        /// Bytes of a request's target.
        package var target = 16_384
        /// Field lines of a head.
        package var fields = 200
        /// Seconds for a head to arrive.
        package var headTimeout = 10.0
        /// Seconds that a connection may be idle.
        package var idleTimeout = 300.0
        package var connectionsPerPod = 10_000

        package init() {}
    }

    package init(
        manifests: String, state: String, pins: String, cgroup: String?, redirect: Bool, serviceLB: Bool, workers: Int,
        metrics: SocketAddress?, listeners: [PlainListener], drain: Double, accessLog: Bool, limits: Limits
    ) {
        self.manifests = manifests
        self.state = state
        self.pins = pins
        self.cgroup = cgroup
        self.redirect = redirect
        self.serviceLB = serviceLB
        self.workers = workers
        self.metrics = metrics
        self.listeners = listeners
        self.drain = drain
        self.accessLog = accessLog
        self.limits = limits
    }

    /// What the proxy's parser is told.
    var headLimits: HeadLimits { HeadLimits(head: limits.head, target: limits.target, fields: limits.fields) }

    package static let defaultState = "/run/weir"
    package static let defaultPins = "/sys/fs/bpf/weir/v1"
    package static let defaultMetrics = "127.0.0.1:15020"
}

/// `ADDRESS:PORT`, with an IPv6 address in brackets.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    package let port: UInt16

    package init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if bracketed { host = host.dropFirst().dropLast() }
        guard bracketed == host.contains(":"), let address = IPAddress(String(host)) else { return nil }
        self.init(address: address, port: port)
    }

    package var description: String {
        address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

/// `ADDRESS:PORT=NAMESPACE/SERVICE:PORT`: connections to the address count as dialled to that Service, by a client of
/// no namespace, so that producer routes hold.
package struct PlainListener: Hashable, Sendable, CustomStringConvertible {
    package let address: SocketAddress
    package let service: ObjectName
    package let port: UInt16

    package init?(_ text: String) {
        let sides = text.split(separator: "=", maxSplits: 1)
        guard sides.count == 2, let address = SocketAddress(String(sides[0])) else { return nil }
        let names = sides[1].split(separator: "/")
        guard names.count == 2, let colon = names[1].lastIndex(of: ":"),
            let port = UInt16(names[1][names[1].index(after: colon)...]), port > 0
        else { return nil }
        self.address = address
        service = ObjectName(namespace: String(names[0]), name: String(names[1][..<colon]))
        self.port = port
    }

    package var description: String { "\(address)=\(service):\(port)" }
}
