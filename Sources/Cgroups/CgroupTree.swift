import Glibc

/// The cgroup v2 tree of this machine: the only one, or the one beside cgroup v1 on a hybrid machine.
package struct CgroupTree: Equatable, Sendable {
    /// Where it is mounted: `/sys/fs/cgroup`, or `/sys/fs/cgroup/unified` on a hybrid machine.
    package let root: String

    package init(root: String) {
        self.root = root
    }

    /// The tree that this process sees, or nil when no cgroup v2 is mounted.
    package static func find() -> CgroupTree? {
        guard let mounts = readText("/proc/self/mountinfo") else { return nil }
        return CgroupTree(mountinfo: mounts)
    }

    /// The first cgroup2 mount in a text of the form of /proc/PID/mountinfo (proc(5)). Nil when there is none.
    package init?(mountinfo: String) {
        for line in mountinfo.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, dash + 1 < fields.count,
                fields[dash + 1] == "cgroup2"
            else { continue }
            root = Self.unescaped(fields[4])
            return
        }
        return nil
    }

    /// The folder that the agent hooks and below which the playground makes its pods, unless either is told otherwise:
    /// the kubelet's folder of pods where there is one, else `weir/pods`. It need not exist yet.
    package var podsFolder: String {
        kubepods ?? "\(root)/weir/pods"
    }

    /// The kubelet's folder for all pods, with its systemd or its cgroupfs driver; nil on a machine without kubelet.
    package var kubepods: String? {
        for name in ["kubepods.slice", "kubepods", "kubelet.slice/kubelet-kubepods.slice", "kubelet/kubepods"]
        where isFolder("\(root)/\(name)") {
            return "\(root)/\(name)"
        }
        return nil
    }

    /// proc(5) writes space, tab, newline and backslash as three octal digits.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

private func isFolder(_ path: String) -> Bool {
    var facts = stat()
    return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFDIR
}

private func readText(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { return nil }
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}
