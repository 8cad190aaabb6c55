import Cgroups
package import Glibc

/// A cgroup of version 2, by its folder.
package struct Cgroup: Hashable, Sendable {
    package let path: String

    private static let superMagic: Int64 = 0x6367_7270

    /// Refuses a path outside a cgroup v2 file system.
    package init(path: String) throws(DatapathError) {
        guard let magic = Folder.fileSystem(of: path) else { throw .last("cgroup \(path)") }
        guard magic == Self.superMagic else { throw .node("\(path) is not in a cgroup v2 file system") }
        self.path = path
    }

    private init(verified path: String) {
        self.path = path
    }

    /// Where cgroup v2 is mounted: /sys/fs/cgroup, or on a hybrid node /sys/fs/cgroup/unified.
    package static func root() throws(DatapathError) -> Cgroup {
        if let tree = CgroupTree.find() { return Cgroup(verified: tree.root) }
        throw .node("no cgroup v2 file system is mounted; mount one, for example at /sys/fs/cgroup/unified")
    }

    /// The kubelet's folder for all pods; nil on a machine without kubelet.
    package static func kubepods() throws(DatapathError) -> Cgroup? {
        try CgroupTree(root: root().path).kubepods.map { Cgroup(verified: $0) }
    }

    /// The folder that the agent hooks and the playground fills unless told otherwise; it need not exist yet.
    package static func podsFolder() throws(DatapathError) -> String {
        try CgroupTree(root: root().path).podsFolder
    }

    /// The cgroup that a process is in; `pid` nil is this one.
    package static func of(pid: pid_t? = nil) throws(DatapathError) -> Cgroup {
        let file = "/proc/\(pid.map(String.init) ?? "self")/cgroup"
        for line in try TextFile.read(file).split(separator: "\n") where line.hasPrefix("0::") {
            let below = String(line.dropFirst(3))
            return try Cgroup(verified: root().path + (below == "/" ? "" : below))
        }
        throw .node("\(file) names no cgroup v2")
    }

    /// A child, made when it is not there.
    package func make(_ name: String) throws(DatapathError) -> Cgroup {
        let child = path + "/" + name
        guard mkdir(child, 0o755) == 0 || errno == EEXIST else { throw .last("make cgroup \(child)") }
        return Cgroup(verified: child)
    }

    /// Removes it with its children; fails while a process is in one. One that is not there is removed already.
    package func remove() throws(DatapathError) {
        guard Folder.exists(path) else { return }
        for name in try Folder.names(in: path) {
            var information = stat()
            guard lstat(path + "/" + name, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else { continue }
            try Cgroup(verified: path + "/" + name).remove()
        }
        guard rmdir(path) == 0 || errno == ENOENT else { throw .last("remove cgroup \(path)") }
    }

    package func move(_ pid: pid_t) throws(DatapathError) {
        try TextFile.write("\(pid)", to: path + "/cgroup.procs")
    }

    package func processes() throws(DatapathError) -> [pid_t] {
        try TextFile.read(path + "/cgroup.procs").split(separator: "\n").compactMap { pid_t($0) }
    }

    /// What bpf_get_current_cgroup_id() returns for its processes: the folder's inode number, on 64-bit kernels.
    package func id() throws(DatapathError) -> UInt64 {
        var information = stat()
        guard stat(path, &information) == 0 else { throw .last("cgroup \(path)") }
        return UInt64(information.st_ino)
    }
}
