import CLinux
import Glibc

/// A network namespace held by a file, in the way of `ip netns`.
struct NetworkNamespace {
    let file: String

    /// Makes the namespace and its file, which must not exist, in a folder that does.
    func make() throws(PlaygroundError) {
        let placeholder = open(file, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)
        guard placeholder >= 0 else { throw PlaygroundError("cannot make \(file)", errno: errno) }
        close(placeholder)
        let home = try Descriptor("/proc/thread-self/ns/net", O_RDONLY)
        guard clinux_unshare_netns() == 0 else {
            throw PlaygroundError("cannot make a network namespace", errno: errno)
        }
        let result = mount("/proc/thread-self/ns/net", file, "none", UInt(MS_BIND), nil)
        let code = errno
        Self.enter(home)
        guard result == 0 else { throw PlaygroundError("cannot mount a network namespace on \(file)", errno: code) }
    }

    /// Removes the file; the namespace ends with its last process. Nothing happens when the file is not there.
    func remove() throws(PlaygroundError) {
        guard access(file, F_OK) == 0 else { return }
        if umount2(file, Int32(MNT_DETACH)) != 0, errno != EINVAL {
            throw PlaygroundError("cannot unmount \(file)", errno: errno)
        }
        guard unlink(file) == 0 || errno == ENOENT else {
            throw PlaygroundError("cannot remove \(file)", errno: errno)
        }
    }

    /// Runs `body` with the calling thread, and the processes it starts, in the namespace.
    func inside(_ body: () throws(PlaygroundError) -> Void) throws(PlaygroundError) {
        let home = try Descriptor("/proc/thread-self/ns/net", O_RDONLY)
        let target = try Descriptor(file, O_RDONLY)
        guard clinux_set_netns(target.number) == 0 else {
            throw PlaygroundError("cannot enter the network namespace \(file)", errno: errno)
        }
        defer { Self.enter(home) }
        try body()
    }

    /// Sets kernel settings of this namespace, named below /proc/sys/net.
    func set(_ settings: [(name: String, value: Int)]) throws(PlaygroundError) {
        try inside { () throws(PlaygroundError) in
            for (name, value) in settings {
                try write("\(value)", to: "/proc/sys/net/\(name)")
            }
        }
    }

    /// Back where the thread came from. To go on elsewhere would make and remove things on the wrong network.
    private static func enter(_ home: borrowing Descriptor) {
        guard clinux_set_netns(home.number) == 0 else {
            fatalError("cannot return to the machine's network namespace: \(String(cString: strerror(errno)))")
        }
    }
}
