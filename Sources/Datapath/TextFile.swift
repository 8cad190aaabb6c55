import CLinux
import Glibc

/// Small files of procfs, sysfs and of Weir's own state, read and written whole.
enum TextFile {
    static func read(_ path: String) throws(DatapathError) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .last("open \(path)") }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .last("read \(path)") }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    /// One write(2), as cgroupfs and procfs want it.
    static func write(_ text: String, to path: String, flags: CInt = O_WRONLY) throws(DatapathError) {
        let file = open(path, flags | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .last("open \(path)") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw .last("write \(path)") }
    }
}

/// Folders, made with their parents.
enum Folder {
    static func make(_ path: String) throws(DatapathError) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            guard mkdir(made, 0o700) == 0 || errno == EEXIST else { throw .last("make folder \(made)") }
        }
    }

    /// The names in it, sorted; empty when there is no such folder.
    static func names(in path: String) throws(DatapathError) -> [String] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw .last("open folder \(path)")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func parent(of path: String) -> String {
        "/" + path.split(separator: "/").dropLast().joined(separator: "/")
    }

    /// The magic number of the file system that holds `path`; nil when the path is not there.
    static func fileSystem(of path: String) -> Int64? {
        let magic = clinux_file_system(path)
        return magic < 0 ? nil : magic
    }
}
