import BPF
import CLibbpf
import CLinux
import Glibc

/// One thing that Weir needs of this node, tried out. What a check makes, it removes.
package struct NodeCheck: Equatable, Sendable {
    package let name: String
    package let isFine: Bool
    /// What was found, or what is lacking and what to do.
    package let detail: String

    /// bpf_set_retval (5.18) is the newest thing that the programs use.
    package static let oldestKernel = KernelVersion(major: 5, minor: 18)

    /// Every check, in the order in which they build on each other. `pins` is where the agent is to pin.
    package static func all(pins: String) -> [NodeCheck] {
        [
            check("kernel", kernel), check("btf", btf), check("cgroup2", cgroup), check("bpffs") { bpffs(pins) },
            check("capabilities", capabilities), check("ipv6", ipv6),
        ] + programs()
    }

    private enum Finding {
        case fine(String)
        case lacking(String)
    }

    private static func check(_ name: String, _ body: () throws -> Finding) -> NodeCheck {
        do {
            switch try body() {
            case .fine(let detail): return NodeCheck(name: name, isFine: true, detail: detail)
            case .lacking(let detail): return NodeCheck(name: name, isFine: false, detail: detail)
            }
        } catch {
            return NodeCheck(name: name, isFine: false, detail: "\(error)")
        }
    }

    private static func kernel() throws -> Finding {
        let release =
            try TextFile.read("/proc/sys/kernel/osrelease").split(separator: "\n").first.map(String.init) ?? ""
        guard let version = KernelVersion(release: release) else { return .lacking("unknown release \(release)") }
        return version < oldestKernel
            ? .lacking("\(release); \(oldestKernel.major).\(oldestKernel.minor) is needed") : .fine(release)
    }

    private static func btf() throws -> Finding {
        let file = "/sys/kernel/btf/vmlinux"
        return Folder.exists(file) ? .fine(file) : .lacking("no \(file): the kernel needs CONFIG_DEBUG_INFO_BTF")
    }

    private static func cgroup() throws -> Finding {
        let root = try Cgroup.root()
        let pods = try Cgroup.kubepods()
        return .fine(
            "\(root.path); " + (pods.map { "pods in \($0.path)" } ?? "no kubelet's folder of pods: the agent makes one")
        )
    }

    private static func bpffs(_ pins: String) -> Finding {
        if let mounted = Pins.mountPoint(of: pins) { return .fine("mounted at \(mounted)") }
        let known = (try? TextFile.read("/proc/filesystems"))?.split(separator: "\n").contains { $0.hasSuffix("\tbpf") }
        return known == true
            ? .fine("not mounted for \(pins); the agent mounts it") : .lacking("the kernel has no bpf file system")
    }

    private static func capabilities() throws -> Finding {
        let needed = [("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)]
        let line = try TextFile.read("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        guard let word = line?.split(separator: "\t").last, let held = UInt64(word, radix: 16) else {
            return .lacking("cannot read them")
        }
        let missing = needed.filter { held & 1 << $0.1 == 0 }.map(\.0)
        return missing.isEmpty
            ? .fine(needed.map(\.0).joined(separator: ", ")) : .lacking("missing " + missing.joined(separator: ", "))
    }

    private static func ipv6() throws -> Finding {
        Folder.exists("/proc/sys/net/ipv6") ? .fine("available") : .fine("not in this kernel: pods have IPv4 only")
    }

    /// Loads the programs, attaches each hook to a scratch cgroup, and enrols a scratch network namespace.
    private static func programs() -> [NodeCheck] {
        do {
            let object = try DatapathObject.open()
            try object.load()
            return hooks(object)
        } catch {
            return [NodeCheck(name: "load", isFine: false, detail: error.description)]
        }
    }

    private static func hooks(_ object: borrowing Object) -> [NodeCheck] {
        var checks = [NodeCheck(name: "load", isFine: true, detail: "programs pass the verifier")]
        for hook in Hook.all {
            checks.append(
                check(hook.name) {
                    let scratch = try Cgroup.root().make("weir-check-\(getpid())")
                    defer { try? scratch.remove() }
                    let folder = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                    guard folder >= 0 else { throw DatapathError.last("open \(scratch.path)") }
                    defer { close(folder) }
                    _ = try object.program(hook.program).attach(to: folder, as: hook.type, name: hook.name)
                    return .fine("attaches to a cgroup")
                })
        }
        checks.append(
            check("sk_lookup") {
                let namespace = try PodNamespace.scratch()
                let hasIPv6 = try namespace.addRoutes()
                let listener = try namespace.listener(isIPv4: true)
                let steering = try Map(type: BPF_MAP_TYPE_SOCKMAP, name: "podl", keySize: 4, valueSize: 8, capacity: 2)
                try steering.update(UInt32(0), UInt64(listener.number))
                _ = try object.instance(of: Hook.lookupProgram, replacing: "podl", with: steering)
                    .attach(to: namespace.descriptor.number, as: BPF_SK_LOOKUP, name: "sk_lookup")
                return .fine("attaches to a network namespace with IPv4" + (hasIPv6 ? " and IPv6" : ""))
            })
        return checks
    }
}

package struct KernelVersion: Comparable, Sendable {
    package let major: Int
    package let minor: Int

    package init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// From `uname -r`, as "6.1.0-18-amd64" or "6.18-rc1".
    package init?(release: String) {
        let parts = release.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]), let minor = Int(parts[1].prefix { $0.isWholeNumber }) else {
            return nil
        }
        self.init(major: major, minor: minor)
    }

    package static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
}
