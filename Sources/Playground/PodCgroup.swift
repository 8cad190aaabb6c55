import CLinux
import Glibc

/// The cgroup of one pod, and the folders above it.
struct PodCgroup {
    let folder: String

    /// Makes the folder below one that exists. It must not exist itself.
    func make() throws(PlaygroundError) {
        guard mkdir(folder, 0o755) == 0 else { throw PlaygroundError("cannot make the cgroup \(folder)", errno: errno) }
        guard access("\(folder)/cgroup.procs", W_OK) == 0, access("\(folder)/cgroup.kill", W_OK) == 0 else {
            let code = errno
            rmdir(folder)
            throw PlaygroundError("\(folder) is no cgroup of cgroup v2 with cgroup.kill (Linux 5.14)", errno: code)
        }
    }

    /// Kills every process in it and below, waits for their end, and removes it. Nothing happens when it is not there.
    func remove() throws(PlaygroundError) {
        guard access(folder, F_OK) == 0 else { return }
        try write("1", to: "\(folder)/cgroup.kill")
        try waitUntilEmpty()
        try Self.removeTree(folder)
    }

    /// Whether a BPF program hooks connect(2) here: an agent's, which would lose it with the folder.
    static func isHooked(_ folder: String) -> Bool {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return clinux_connect_hooks(descriptor) > 0
    }

    /// A cgroup is empty when its last process has exited; the kernel says so by POLLPRI on cgroup.events.
    private func waitUntilEmpty() throws(PlaygroundError) {
        let events = try Descriptor("\(folder)/cgroup.events", O_RDONLY)
        let deadline = 10_000
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = pread(events.number, &buffer, buffer.count, 0)
            if count > 0, String(decoding: buffer[..<count], as: UTF8.self).contains("populated 0") { return }
            var entry = pollfd(fd: events.number, events: Int16(POLLPRI), revents: 0)
            if poll(&entry, 1, Int32(deadline)) == 0 {
                throw PlaygroundError("the processes in \(folder) do not end, though killed")
            }
        }
    }

    private static func removeTree(_ folder: String) throws(PlaygroundError) {
        if let stream = opendir(folder) {
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { try removeTree("\(folder)/\(name)") }
            }
        }
        guard rmdir(folder) == 0 || errno == ENOENT else {
            throw PlaygroundError("cannot remove the cgroup \(folder)", errno: errno)
        }
    }
}
