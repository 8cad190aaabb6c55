import CLinux
import Glibc

/// The manifest files below a folder, as a walk found them. Names that begin with a point are passed over: editors and
/// the kubelet keep their own things there. Symbolic links are followed, to folders too.
struct FolderTree {
    /// What changes when a file is rewritten or replaced.
    struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64
        let size: Int
        /// Nanoseconds.
        let modified: Int64
        /// Nanoseconds.
        let changed: Int64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int(status.st_size)
            modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
            changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
        }
    }

    /// By path below the root.
    private(set) var files: [String: Identity] = [:]
    /// Paths below the root; the root is empty.
    private(set) var folders: [String] = []
    /// Names of any kind that are symbolic links, by path below the root.
    private(set) var links: Set<String> = []
    /// What cannot be walked, by path below the root.
    private(set) var failures: [(path: String, message: String)] = []

    static let maximumDepth = 32
    static let maximumFiles = 100_000

    static func isManifest(_ name: some StringProtocol) -> Bool {
        !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
    }

    /// Calls `visit` with each folder before its entries are read, so that a watch set then misses none. nil when the
    /// root cannot be opened.
    init?(root: String, visit: (String) -> Void) {
        guard walk(root, "", [], visit) else { return nil }
    }

    private mutating func walk(_ root: String, _ path: String, _ outer: [[UInt64]], _ visit: (String) -> Void) -> Bool {
        let full = path.isEmpty ? root : "\(root)/\(path)"
        visit(path)
        guard let folder = opendir(full) else {
            if !path.isEmpty, errno != ENOENT { fail(path, "cannot be read: \(systemMessage(errno))") }
            return false
        }
        defer { closedir(folder) }
        var status = stat()
        guard fstat(dirfd(folder), &status) == 0 else { return false }
        let identity = [UInt64(status.st_dev), UInt64(status.st_ino)]
        guard !outer.contains(identity) else { return true }
        guard outer.count < Self.maximumDepth else {
            fail(path, "nests deeper than \(Self.maximumDepth) folders")
            return true
        }
        folders.append(path)
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
                    Array(UnsafeBufferPointer(start: bytes, count: strnlen(bytes, 256)))
                }
            }
            if name == [UInt8(ascii: ".")] || name == [UInt8(ascii: "."), UInt8(ascii: ".")] { continue }
            guard let name = String(validating: name, as: UTF8.self) else {
                fail(path.isEmpty ? "." : path, "holds a name that is not UTF-8")
                continue
            }
            visitEntry(root, path, name, outer + [identity], visit)
        }
        return true
    }

    private mutating func visitEntry(
        _ root: String, _ path: String, _ name: String, _ outer: [[UInt64]], _ visit: (String) -> Void
    ) {
        let inner = path.isEmpty ? name : "\(path)/\(name)"
        let full = "\(root)/\(inner)"
        var status = stat()
        guard lstat(full, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFLNK {
            links.insert(inner)
            guard stat(full, &status) == 0 else {
                if Self.isManifest(name) { fail(inner, "is a link to nothing") }
                return
            }
        }
        if name.hasPrefix(".") { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            _ = walk(root, inner, outer, visit)
        } else if Self.isManifest(name) {
            guard files.count < Self.maximumFiles else { return fail(inner, "is beyond \(Self.maximumFiles) files") }
            files[inner] = Identity(status)
        }
    }

    private mutating func fail(_ path: String, _ message: String) {
        failures.append((path, message))
    }
}

/// What errno means.
func systemMessage(_ code: Int32) -> String {
    String(cString: strerror(code))
}
