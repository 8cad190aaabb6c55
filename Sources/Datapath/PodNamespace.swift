import BPF
import CDatapath
import CLinux
import Glibc

/// A pod's network namespace, held open. What happens inside runs on the calling thread, which comes back out.
struct PodNamespace: ~Copyable, Sendable {
    let path: String
    let descriptor: Descriptor

    private static let nsfsMagic: Int64 = 0x6e73_6673

    init(path: String) throws(DatapathError) {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .last("open network namespace \(path)") }
        let descriptor = Descriptor(owning: file)
        guard Folder.fileSystem(of: path) == Self.nsfsMagic else {
            throw .node("\(path) is no network namespace")
        }
        self.path = path
        self.descriptor = descriptor
    }

    private init(path: String, descriptor: consuming Descriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// A new, empty namespace that lives as long as this.
    static func scratch() throws(DatapathError) -> PodNamespace {
        let own = "/proc/thread-self/ns/net"
        let home = open(own, O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw .last("open this thread's network namespace") }
        defer { close(home) }
        guard unshare(CLONE_NEWNET) == 0 else { throw .last("make a network namespace") }
        let made = open(own, O_RDONLY | O_CLOEXEC)
        precondition(clinux_set_netns(home) == 0, "cannot leave a scratch network namespace")
        guard made >= 0 else { throw .last("open a new network namespace") }
        return PodNamespace(path: "scratch", descriptor: Descriptor(owning: made))
    }

    /// Runs `body` on this thread in the namespace. `body` must not suspend, and it cannot: it is synchronous.
    func inside<Result: ~Copyable>(_ body: () throws(DatapathError) -> Result) throws(DatapathError) -> Result {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw .last("open this thread's network namespace") }
        defer { close(home) }
        guard clinux_set_netns(descriptor.number) == 0 else { throw .last("enter network namespace \(path)") }
        defer {
            // A thread that stays in a pod would open the agent's own sockets there.
            precondition(clinux_set_netns(home) == 0, "cannot leave network namespace \(path)")
        }
        return try body()
    }

    /// The namespace's cookie, by which the programs know it. Unique for as long as the kernel runs.
    func cookie() throws(DatapathError) -> UInt64 {
        try inside { () throws(DatapathError) in
            let socket = Glibc.socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else { throw .last("open a socket in \(path)") }
            defer { close(socket) }
            let cookie = clinux_netns_cookie(socket)
            guard cookie != 0 else { throw .last("read the cookie of \(path)") }
            return cookie
        }
    }

    private static let prefix4: [UInt8] = [127, 64, 0, 0]
    private static let prefix6: [UInt8] = [0xfd, 0xc0, 0x6d, 0x65, 0x73, 0x68] + [UInt8](repeating: 0, count: 10)

    /// Sets loopback up, and gives redirected connections their way to the listeners: over IPv4 with the pod's address
    /// as their source where it has one, so that the agent sees the pod's address as its peer; IPv6 needs the route to
    /// get there at all. False when the namespace has no IPv6.
    func addRoutes() throws(DatapathError) -> Bool {
        try inside { () throws(DatapathError) in
            let netlink = try Rtnetlink()
            try netlink.loopbackUp()
            if let source = Self.ownAddress() {
                try netlink.addLocal(prefix: Self.prefix4, length: 10, source: source)
            }
            guard Self.hasIPv6() else { return false }
            try netlink.addLocal(prefix: Self.prefix6, length: 64, source: nil)
            return true
        }
    }

    func removeRoutes() throws(DatapathError) {
        try inside { () throws(DatapathError) in
            let netlink = try Rtnetlink()
            try netlink.removeLocal(prefix: Self.prefix4, length: 10)
            if Self.hasIPv6() { try netlink.removeLocal(prefix: Self.prefix6, length: 64) }
        }
    }

    /// A listening, non-blocking socket on 127.63.0.1 or ::1 and a port of the kernel's choice. Other pods cannot reach
    /// it. With SO_REUSEADDR, because its connections own the Service's port locally and, in TIME_WAIT, would keep an
    /// app from binding it.
    func listener(isIPv4: Bool) throws(DatapathError) -> Descriptor {
        try inside { () throws(DatapathError) in
            let what = "listen in \(path)"
            let family = isIPv4 ? AF_INET : AF_INET6
            let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
            let socket = Glibc.socket(family, type, CInt(IPPROTO_TCP))
            guard socket >= 0 else { throw .last(what) }
            let descriptor = Descriptor(owning: socket)
            var yes: CInt = 1
            guard setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
                throw .last(what)
            }
            let bound =
                isIPv4
                ? Self.bind(
                    socket,
                    sockaddr_in(
                        sin_family: sa_family_t(AF_INET), sin_port: 0,
                        sin_addr: in_addr(s_addr: UInt32(0x7f3f_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0)))
                : Self.bind(
                    socket,
                    sockaddr_in6(
                        sin6_family: sa_family_t(AF_INET6), sin6_port: 0, sin6_flowinfo: 0, sin6_addr: in6addr_loopback,
                        sin6_scope_id: 0))
            guard bound == 0, listen(socket, 4096) == 0 else { throw .last(what) }
            return descriptor
        }
    }

    private static func bind<Address>(_ socket: CInt, _ address: Address) -> CInt {
        withUnsafeBytes(of: address) {
            Glibc.bind(socket, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
        }
    }

    /// The namespace's first IPv4 address that is not loopback's, in network order.
    private static func ownAddress() -> [UInt8]? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        var next = list
        while let interface = next?.pointee {
            next = interface.ifa_next
            guard let address = interface.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET),
                interface.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            let value = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
            return withUnsafeBytes(of: value, Array.init)
        }
        return nil
    }

    /// Whether loopback has its IPv6 address: not with ipv6.disable=1, nor with disable_ipv6 set in the namespace.
    private static func hasIPv6() -> Bool {
        let socket = Glibc.socket(AF_INET6, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        return bind(
            socket,
            sockaddr_in6(
                sin6_family: sa_family_t(AF_INET6), sin6_port: 0, sin6_flowinfo: 0, sin6_addr: in6addr_loopback,
                sin6_scope_id: 0)) == 0
    }
}
