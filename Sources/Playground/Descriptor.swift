import Glibc

/// An open file, closed at the end of its life.
struct Descriptor: ~Copyable {
    let number: Int32

    init(adopting number: Int32) {
        self.number = number
    }

    /// Close-on-exec is added to `flags`.
    init(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws(PlaygroundError) {
        number = open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw PlaygroundError("cannot open \(path)", errno: errno) }
    }

    deinit { close(number) }

    /// Everything up to the end of the file.
    func readAll() throws(PlaygroundError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = read(number, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += buffer[..<count]
            } else if errno != EINTR {
                throw PlaygroundError("read failed", errno: errno)
            }
        }
    }

    func writeAll(_ text: String, to name: String) throws(PlaygroundError) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(number, $0.baseAddress!, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw PlaygroundError("cannot write \(name)", errno: errno)
            }
        }
    }
}

/// Overwrites a file of the kernel (sysctl, cgroup) or makes an ordinary one.
func write(_ text: String, to path: String) throws(PlaygroundError) {
    let file = try Descriptor(path, O_WRONLY | O_CREAT | O_TRUNC)
    try file.writeAll(text, to: path)
}

/// Makes a folder and its missing parents.
func makeFolders(_ path: String) throws(PlaygroundError) {
    for folder in missingFolders(path) where mkdir(folder, 0o755) != 0 && errno != EEXIST {
        throw PlaygroundError("cannot make the folder \(folder)", errno: errno)
    }
}

/// Those of a folder and its parents that do not exist, outermost first.
func missingFolders(_ path: String) -> [String] {
    var missing: [String] = []
    var folder = path[...]
    while !folder.isEmpty, access(String(folder), F_OK) != 0 {
        missing.insert(String(folder), at: 0)
        guard let slash = folder.lastIndex(of: "/") else { break }
        folder = folder[..<slash]
    }
    return missing
}
