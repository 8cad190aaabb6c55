import BPF
import CLinux
import Glibc

/// The folder in a bpffs that keeps maps and links alive while no agent runs. Whoever holds this holds the folder's lock.
struct Pins: ~Copyable, Sendable {
    let path: String
    private let lock: Descriptor

    private static let superMagic: Int64 = 0xcafe_4a11

    private static let standard = "/sys/fs/bpf"

    var maps: String { path + "/maps" }
    var links: String { path + "/links" }

    deinit {
        // A child between fork and exec still has the descriptor, and with it the lock.
        flock(lock.number, LOCK_UN)
    }

    /// Mounts a bpffs when `path` is in none: at /sys/fs/bpf for a path below it, else at `path` itself. The lock goes
    /// with the process, so an agent that died holds none.
    init(path: String, journal: inout Journal) throws(DatapathError) {
        if Self.mountPoint(of: path) == nil {
            let mountPoint = path == Self.standard || path.hasPrefix(Self.standard + "/") ? Self.standard : path
            try Folder.make(mountPoint)
            try journal.note(.mount(path: mountPoint))
            guard mount("bpffs", mountPoint, "bpf", 0, "mode=0700") == 0 else {
                throw .last("mount a bpffs at \(mountPoint)")
            }
        }
        try Folder.make(path)
        let lock = try Self.lock(path)
        try Folder.make(path + "/maps")
        try Folder.make(path + "/links")
        self.path = path
        self.lock = lock
    }

    /// Takes the lock of a folder of pins that is there already; nil when it is not there.
    init?(existing path: String) throws(DatapathError) {
        guard Folder.fileSystem(of: path) == Self.superMagic else { return nil }
        let lock = try Self.lock(path)
        self.path = path
        self.lock = lock
    }

    /// The nearest folder at or above `path` that exists, when it is in a bpffs.
    static func mountPoint(of path: String) -> String? {
        var folder = path
        while !Folder.exists(folder) && folder != "/" { folder = Folder.parent(of: folder) }
        return Folder.fileSystem(of: folder) == superMagic ? folder : nil
    }

    private static func lock(_ path: String) throws(DatapathError) -> Descriptor {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw .last("open pins \(path)") }
        let descriptor = Descriptor(owning: folder)
        guard flock(folder, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { throw .locked(pins: path) }
            throw .last("lock pins \(path)")
        }
        return descriptor
    }

    /// The network namespaces, by cookie, of all pods that are or were enrolled with these pins.
    func enrolledCookies() throws(DatapathError) -> Set<UInt64> {
        let path = maps + "/pods"
        return try withBPF { () throws(BPFError) -> Set<UInt64> in
            guard let pods = try Map.pinned(path) else { return [] }
            return Set(try pods.keys(of: UInt64.self))
        }
    }

    /// Detaches every link, then removes every pin and the folder.
    consuming func removeAll() throws(DatapathError) {
        for name in try Folder.names(in: links) {
            let pin = links + "/" + name
            let link = try withBPF { () throws(BPFError) in try Link(pinned: pin) }
            if let link { try withBPF { () throws(BPFError) in try link.detach() } }
            guard unlink(pin) == 0 || errno == ENOENT else { throw .last("remove pin \(pin)") }
        }
        for name in try Folder.names(in: maps) {
            guard unlink(maps + "/" + name) == 0 || errno == ENOENT else {
                throw .last("remove pin \(maps)/\(name)")
            }
        }
        for folder in [links, maps] {
            guard rmdir(folder) == 0 || errno == ENOENT else { throw .last("remove folder \(folder)") }
        }
        // A mount's own root cannot be removed; it goes with the mount.
        guard rmdir(path) == 0 || errno == ENOENT || errno == EBUSY else { throw .last("remove folder \(path)") }
        // The folder that holds the layout's version, when nothing else is in it.
        let parent = Folder.parent(of: path)
        if Folder.fileSystem(of: parent) == Self.superMagic, parent != Self.standard { rmdir(parent) }
    }

    /// Unmounts a bpffs that Weir mounted, unless somebody keeps something in it.
    static func unmount(_ path: String) throws(DatapathError) {
        guard Folder.fileSystem(of: path) == superMagic else { return }
        // The kernel itself puts these two into the root of a bpffs.
        guard try Folder.names(in: path).allSatisfy({ $0 == "maps.debug" || $0 == "progs.debug" }) else { return }
        guard umount(path) == 0 || errno == EBUSY || errno == EINVAL else { throw .last("unmount \(path)") }
        if path != standard { rmdir(path) }
    }
}
