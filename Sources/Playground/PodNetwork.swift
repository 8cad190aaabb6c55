import Glibc

/// The playground's network: one namespace with a bridge, joined by a veth to each pod's. The machine's own network is not
/// touched, so neither its firewall, its forwarding switch nor an address in use can matter, and none is left behind.
///
/// Pods reach each other across the bridge. Everything else, a Service's address that nothing rewrote above all, has a
/// route to the bridge's namespace, which holds every other address as its own and listens on none: connect(2) is refused
/// at once. An ICMP refusal would not do: it meets the SYN still being sent, and waits for the next one a second later.
struct PodNetwork {
    let bridge: NetworkNamespace
    let pods: [Sandbox]

    /// The gateway of every pod; link-local, so that it is no pod's address.
    private static let gateway4 = "169.254.1.1"
    private static let gateway6 = "fe80::1"

    func make() throws(PlaygroundError) {
        let ip = try IPCommand()
        guard access("/proc/sys/net/ipv6", F_OK) == 0 || !pods.contains(where: { $0.addresses.contains { !$0.isIPv4 } })
        else { throw PlaygroundError("this machine's kernel has IPv6 switched off, and pods have IPv6 addresses") }
        let networks = Self.networks(of: pods)
        try bridge.make()
        try bridge.set(Self.bridgeSettings)
        for pod in pods {
            let namespace = NetworkNamespace(file: pod.netns)
            try namespace.make()
            try namespace.set(Self.podSettings)
        }
        try bridge.inside { () throws(PlaygroundError) in
            try ip.run(bridgeCommands(networks))
        }
        for pod in pods {
            try NetworkNamespace(file: pod.netns).inside { () throws(PlaygroundError) in
                try ip.run(Self.podCommands(pod, networks))
            }
        }
    }

    func remove() throws(PlaygroundError) {
        for pod in pods { try NetworkNamespace(file: pod.netns).remove() }
        try bridge.remove()
    }

    private static func networks(of pods: [Sandbox]) -> [NetworkAddress] {
        Set(pods.flatMap(\.addresses).map(\.network)).sorted { $0.description < $1.description }
    }

    /// Refusals are not rationed, pings to made-up addresses get no answer, and duplicate address detection is off, since
    /// the playground gives the addresses out.
    private static let bridgeSettings: [(name: String, value: Int)] =
        [
            ("ipv4/ip_forward", 1), ("ipv4/icmp_ratelimit", 0), ("ipv4/icmp_echo_ignore_all", 1),
            ("ipv4/conf/all/send_redirects", 0),
            ("ipv4/conf/default/send_redirects", 0),
        ]
        + ipv6(
            [("ipv6/conf/all/forwarding", 1), ("ipv6/icmp/ratelimit", 0), ("ipv6/icmp/echo_ignore_all", 1)]
                + addressSettings)

    private static let podSettings = ipv6(addressSettings)

    private static let addressSettings = [
        ("ipv6/conf/all/disable_ipv6", 0), ("ipv6/conf/default/disable_ipv6", 0), ("ipv6/conf/all/accept_dad", 0),
        ("ipv6/conf/default/accept_dad", 0), ("ipv6/conf/all/accept_ra", 0), ("ipv6/conf/default/accept_ra", 0),
    ]

    private static func ipv6(_ settings: [(String, Int)]) -> [(name: String, value: Int)] {
        access("/proc/sys/net/ipv6", F_OK) == 0 ? settings.map { (name: $0.0, value: $0.1) } : []
    }

    private func bridgeCommands(_ networks: [NetworkAddress]) -> [String] {
        var lines = ["link set lo up", "link add br0 type bridge mcast_snooping 0"]
        for (number, pod) in pods.enumerated() {
            lines += [
                "link add v\(number) type veth peer name eth0 netns \(pod.netns)",
                "link set v\(number) master br0 up alias \(pod.path)",
            ]
        }
        lines.append("link set br0 up")
        lines.append("address add \(Self.gateway4)/32 dev br0")
        lines.append("route add local 0.0.0.0/0 dev lo table main")
        if networks.contains(where: { !$0.isIPv4 }) {
            lines.append("address add \(Self.gateway6)/64 dev br0 nodad")
            lines.append("route add local ::/0 dev lo table main")
        }
        lines += networks.map { "route add \($0)/\($0.prefixLength) dev br0" }
        return lines
    }

    private static func podCommands(_ pod: Sandbox, _ networks: [NetworkAddress]) -> [String] {
        var lines = ["link set lo up", "link set eth0 up"]
        for address in pod.addresses {
            lines.append(
                "address add \(address)/\(address.prefixLength) dev eth0" + (address.isIPv4 ? "" : " nodad"))
        }
        let own = Set(pod.addresses.map(\.network))
        for family in [true, false] where pod.addresses.contains(where: { $0.isIPv4 == family }) {
            for network in networks where network.isIPv4 == family && !own.contains(network) {
                lines.append("route add \(network)/\(network.prefixLength) dev eth0")
            }
            lines.append("route add default via \(family ? gateway4 + " dev eth0 onlink" : gateway6 + " dev eth0")")
        }
        return lines
    }
}
