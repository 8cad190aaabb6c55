import BPF
import CDatapath
import CLibbpf
import CLinux
import Glibc
package import Model
import Synchronization

/// The kernel side of Weir on this node: programs attached to the pods' cgroup, tables of services, enrolled pods.
///
/// Links and maps are pinned: in-kernel balancing goes on while no agent runs. Connects are redirected only while the
/// pod's listener is open and `heartbeat` is called; else they take the ordinary path.
///
/// All calls may come from any thread; one at a time runs, but for `heartbeat`, which waits for none of them.
package final class Datapath: Sendable {
    package struct Configuration: Sendable {
        /// A folder in a bpffs, as /sys/fs/bpf/weir/v1. It names the layout's version: maps are reused, never converted.
        package var pins: String
        /// The cgroup of the pods; made, and removed when uninstalling, if it is not there.
        package var cgroup: String
        /// Where to note what uninstalling must undo.
        package var state: String
        /// Ids of the cgroups whose processes are never redirected: the agent's own; at most 4.
        package var agents: [UInt64]
        /// Nanoseconds without `heartbeat` after which connects pass.
        package var heartbeatMaxAge: UInt64

        package init(
            pins: String, cgroup: String, state: String, agents: [UInt64] = [], heartbeatMaxAge: UInt64 = 3_000_000_000
        ) {
            self.pins = pins
            self.cgroup = cgroup
            self.state = state
            self.agents = agents
            self.heartbeatMaxAge = heartbeatMaxAge
        }
    }

    private struct State: ~Copyable {
        var journal: Journal
        var tables: KernelTables
        var enrolled: [ObjectName: EnrolledPod] = [:]
        let cgroup: String
        let object: Object
        let pods: Map
        let listeners: Map
        let stats: Map
        /// Held for its lock.
        let pins: Pins
    }

    private let state: Mutex<State>
    private let pulse: Pulse

    /// Takes over what an earlier agent left in the pins, if there is anything. Nothing is redirected before the first
    /// `apply` and `heartbeat`. Throws `.locked` while another agent has the pins.
    package init(_ configuration: Configuration) throws(DatapathError) {
        guard configuration.agents.count <= Int(WEIR_MAX_AGENTS) else {
            throw .node("more than \(WEIR_MAX_AGENTS) cgroups of the agent")
        }
        var journal = try Journal(state: configuration.state)
        let pins = try Pins(path: configuration.pins, journal: &journal)
        let cgroup = try Self.cgroup(configuration.cgroup, journal: &journal)

        let object = try withBPF { () throws(BPFError) in try DatapathObject.open() }
        try withBPF { () throws(BPFError) in
            for map in ["pods", "listeners", "svcs", "slots", "rev", "revu", "cfg", "stats"] {
                try object.pin(map: map, at: pins.maps + "/" + map)
            }
            try object.load()
        }
        pulse = try Pulse(
            withBPF { () throws(BPFError) in try object.map("cfg") }, agents: configuration.agents,
            maxAge: configuration.heartbeatMaxAge)
        _ = try Self.attach(object, to: cgroup, pins: pins, renew: true)

        let tables = try KernelTables(
            services: withBPF { () throws(BPFError) in try object.map("svcs") },
            slots: withBPF { () throws(BPFError) in try object.map("slots") },
            reverse: withBPF { () throws(BPFError) in try object.map("rev") })
        let pods = try withBPF { () throws(BPFError) in try object.map("pods") }
        let listeners = try withBPF { () throws(BPFError) in try object.map("listeners") }
        let stats = try withBPF { () throws(BPFError) in try object.map("stats") }
        state = Mutex(
            State(
                journal: journal, tables: tables, cgroup: configuration.cgroup, object: object, pods: pods,
                listeners: listeners, stats: stats,
                pins: pins))
    }

    /// Makes the kernel's tables hold `tables`, writing only what differs. The proxy must know new frontends before
    /// this, and may forget old ones after it.
    package func apply(_ tables: Tables) throws(DatapathError) -> Applied {
        let applied = try state.withLock { (state) throws(DatapathError) in
            try state.tables.apply(tables, now: clinux_monotonic_nanoseconds())
        }
        pulse.allow()
        return applied
    }

    /// The agent's sign of life, to be given several times within `heartbeatMaxAge`.
    package func heartbeat() {
        pulse.beat()
    }

    /// From now on every connect takes the ordinary path; connections that are open stay. For an orderly end; only
    /// another `apply` takes it back.
    package func stopRedirecting() {
        pulse.stop()
    }

    package func counters() throws(DatapathError) -> Counters {
        let sums = try state.withLock { (state) throws(DatapathError) in
            try withBPF { () throws(BPFError) -> [UInt64] in
                var sums: [UInt64] = []
                for index in 0..<WEIR_COUNTERS.rawValue { sums.append(try state.stats.sum(at: index)) }
                return sums
            }
        }
        return Counters { sums[Int($0.rawValue)] }
    }

    /// Enrols the pod whose network namespace is at `netns`, for clients of `scope`. Enrolling a pod again does nothing
    /// while its namespace and scope are the same, else it replaces the earlier enrolment.
    package func enrol(_ name: ObjectName, netns: String, scope: UInt32) throws(DatapathError) -> EnrolledPod {
        precondition(scope != ScopeIDs.everyone)
        return try state.withLock { (state) throws(DatapathError) in
            let namespace = try PodNamespace(path: netns)
            let cookie = try namespace.cookie()
            if let pod = state.enrolled[name] {
                if pod.cookie == cookie && pod.scope == scope { return pod }
                try Self.withdraw(pod, &state)
            }
            if let other = state.enrolled.values.first(where: { $0.cookie == cookie }) {
                throw .node("pods \(other.name) and \(name) have the same network namespace \(netns)")
            }
            // Uninstalling finds the namespace by this; it may outlive the agent.
            try state.journal.note(.routes(netns: netns, cookie: cookie))
            let hasIPv6 = try namespace.addRoutes()
            let ipv4 = try namespace.listener(isIPv4: true)
            var ipv6: Descriptor?
            var number6: CInt?
            if hasIPv6 {
                let listener = try namespace.listener(isIPv4: false)
                number6 = listener.number
                ipv6 = consume listener
            }
            let steering = try withBPF { () throws(BPFError) in
                try Map(type: BPF_MAP_TYPE_SOCKMAP, name: "podl", keySize: 4, valueSize: 8, capacity: 2)
            }
            let lookup = try withBPF { () throws(BPFError) in
                try steering.update(UInt32(0), UInt64(ipv4.number))
                if let number6 { try steering.update(UInt32(1), UInt64(number6)) }
                return try state.object.instance(of: Hook.lookupProgram, replacing: "podl", with: steering)
                    .attach(to: namespace.descriptor.number, as: BPF_SK_LOOKUP, name: "sk_lookup in \(netns)")
            }
            try withBPF { () throws(BPFError) in
                try state.listeners.update(Self.listenerKey(cookie, AF_INET), UInt64(ipv4.number))
                if let number6 {
                    try state.listeners.update(Self.listenerKey(cookie, AF_INET6), UInt64(number6))
                }
                // Last: from here on the pod's connects are redirected.
                try state.pods.update(cookie, weir_pod(scope: scope, pad: 0))
            }
            let pod = EnrolledPod(
                name: name, scope: scope, cookie: cookie, namespace: namespace, ipv4: ipv4, ipv6: ipv6,
                lookup: lookup, steering: steering)
            state.enrolled[name] = pod
            return pod
        }
    }

    /// Takes the pod out: its connects take the ordinary path from now on. Its listeners close when the last reference
    /// to the enrolled pod goes.
    package func unenrol(_ name: ObjectName) throws(DatapathError) {
        try state.withLock { (state) throws(DatapathError) in
            guard let pod = state.enrolled[name] else { return }
            try Self.withdraw(pod, &state)
        }
    }

    /// The pods that are enrolled now.
    package func enrolled() -> [EnrolledPod] {
        state.withLock { state in state.enrolled.values.sorted { $0.name < $1.name } }
    }

    /// Takes out what earlier agents enrolled and this one did not: call it once all of the node's pods are enrolled.
    /// Returns how many pods were taken out.
    package func dropStalePods() throws(DatapathError) -> Int {
        try state.withLock { (state) throws(DatapathError) in
            let current = Set(state.enrolled.values.map(\.cookie))
            let held = try withBPF { () throws(BPFError) in try state.pods.keys(of: UInt64.self) }
            let stale = held.filter { !current.contains($0) }
            for cookie in stale { try Self.forget(cookie, &state) }
            for case .routes(let netns, let cookie) in state.journal.entries where !current.contains(cookie) {
                try Self.removeRoutes(netns: netns) { $0 == cookie }
                try state.journal.strike(.routes(netns: netns, cookie: cookie))
            }
            return stale.count
        }
    }

    /// Attaches again what came off because the pods' cgroup was removed; made anew if need be. To be called now and
    /// then: the kernel tells nobody. False when nothing had to be done.
    package func reattach() throws(DatapathError) -> Bool {
        try state.withLock { (state) throws(DatapathError) in
            let cgroup = try Self.cgroup(state.cgroup, journal: &state.journal)
            return try Self.attach(state.object, to: cgroup, pins: state.pins, renew: false)
        }
    }

    /// Undoes everything that any agent with these pins and this state folder did. Throws `.locked` while one runs.
    /// Returns what was left, in words: cgroups that processes are in. They stay noted for the next time.
    @discardableResult
    package static func uninstall(pins path: String, state: String) throws(DatapathError) -> [String] {
        if let pins = try Pins(existing: path) {
            // The state folder may be gone, as after a container's end; the usual place of namespaces is not.
            let cookies = try pins.enrolledCookies()
            let folder = "/run/netns"
            for name in cookies.isEmpty ? [] : try Folder.names(in: folder) {
                try removeRoutes(netns: folder + "/" + name) { cookies.contains($0) }
            }
            try pins.removeAll()
        }
        guard Folder.exists(state) else { return [] }
        var journal = try Journal(state: state)
        var left: [String] = []
        // The last made goes first: a cgroup was noted after its parent.
        for entry in journal.entries.reversed() {
            switch entry {
            case .routes(let netns, let cookie): try removeRoutes(netns: netns) { $0 == cookie }
            case .mount(let path): try Pins.unmount(path)
            case .cgroup(let path):
                do {
                    if Folder.exists(path) { try Cgroup(path: path).remove() }
                } catch .system(_, EBUSY) {
                    left.append("cgroup \(path): processes are in it")
                    continue
                }
            }
            try journal.strike(entry)
        }
        return left
    }

    private static func cgroup(_ path: String, journal: inout Journal) throws(DatapathError) -> Cgroup {
        if Folder.exists(path) { return try Cgroup(path: path) }
        let parent = try cgroup(Folder.parent(of: path), journal: &journal)
        guard let name = path.split(separator: "/").last else { throw .node("\(path) is no cgroup") }
        try journal.note(.cgroup(path: path))
        return try parent.make(String(name))
    }

    /// With `renew`, links that are attached already get this agent's programs. True when one was attached anew.
    private static func attach(
        _ object: borrowing Object, to cgroup: Cgroup, pins: borrowing Pins, renew: Bool
    ) throws(DatapathError) -> Bool {
        let folder = open(cgroup.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .last("open cgroup \(cgroup.path)") }
        defer { close(folder) }
        let id = try cgroup.id()
        var attached = false
        for hook in Hook.all {
            let pin = pins.links + "/" + hook.name
            let program = try withBPF { () throws(BPFError) in try object.program(hook.program) }
            if let link = try withBPF({ () throws(BPFError) in try Link(pinned: pin) }) {
                // One of another cgroup, or of one that was removed, is of no use any more.
                let current = try withBPF { () throws(BPFError) in try link.cgroup() }
                if current == id {
                    if renew { try withBPF { () throws(BPFError) in try link.replace(with: program) } }
                    continue
                }
                try withBPF { () throws(BPFError) in try link.detach() }
                guard unlink(pin) == 0 else { throw .last("remove pin \(pin)") }
            }
            try withBPF { () throws(BPFError) in
                try program.attach(to: folder, as: hook.type, name: "\(hook.name) to \(cgroup.path)").pin(at: pin)
            }
            attached = true
        }
        return attached
    }

    private static func withdraw(_ pod: EnrolledPod, _ state: inout State) throws(DatapathError) {
        state.enrolled[pod.name] = nil
        try forget(pod.cookie, &state)
        try pod.leave()
        try state.journal.strike(.routes(netns: pod.path, cookie: pod.cookie))
    }

    private static func forget(_ cookie: UInt64, _ state: inout State) throws(DatapathError) {
        try withBPF { () throws(BPFError) in
            try state.pods.remove(cookie)
            try state.listeners.remove(listenerKey(cookie, AF_INET))
            try state.listeners.remove(listenerKey(cookie, AF_INET6))
        }
    }

    private static func listenerKey(_ cookie: UInt64, _ family: CInt) -> weir_listener_key {
        weir_listener_key(netns_cookie: cookie, family: UInt32(family), pad: 0)
    }

    /// A namespace that is gone, or another one at the same path, has none of Weir's routes.
    private static func removeRoutes(netns: String, where isEnrolled: (UInt64) -> Bool) throws(DatapathError) {
        guard Folder.exists(netns) else { return }
        let namespace: PodNamespace
        do {
            namespace = try PodNamespace(path: netns)
        } catch .node {
            return
        }
        if isEnrolled(try namespace.cookie()) { try namespace.removeRoutes() }
    }
}
