import Glibc
import Proxy

/// The agent's folder, held by a lock so that there is one agent to it.
struct StateFolder: Sendable {
    private let path: String
    private let descriptor: Int32

    init(_ path: String) throws(StartFailure) {
        var folder = ""
        for part in path.split(separator: "/") {
            folder += (folder.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
                throw StartFailure("--state \(path)", errno: errno)
            }
        }
        self.path = path
        while true {
            let number = open(Self.lock(path), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard number >= 0 else { throw StartFailure(Self.lock(path), errno: errno) }
            guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(number)
                if code == EWOULDBLOCK { throw StartFailure("another weir agent uses the state folder \(path)") }
                throw StartFailure(Self.lock(path), errno: code)
            }
            // An uninstall that held the lock before has removed the file that is locked here.
            var held = stat()
            var named = stat()
            fstat(number, &held)
            if stat(Self.lock(path), &named) == 0, held.st_ino == named.st_ino {
                descriptor = number
                return
            }
            close(number)
        }
    }

    private static func lock(_ path: String) -> String { path + "/agent.lock" }

    func release() {
        close(descriptor)
    }

    /// Removes what agents leave in the folder, and the folder unless something else is in it. Still to be released.
    func remove() {
        unlink(AdminClient.socketPath(state: path))
        unlink(Self.lock(path))
        unlink(keyFile)
        rmdir(path)
    }

    private var keyFile: String { path + "/session.key" }

    /// What sessions are signed with: the bytes of `file`; without one those of an earlier agent of this folder, else new
    /// ones, so that sessions outlive the agent.
    func sessionKey(_ file: String?) throws(StartFailure) -> SessionKey {
        if let file {
            guard let key = try Self.read(file) else { throw StartFailure("--session-key \(file)", errno: ENOENT) }
            return key
        }
        if let key = try Self.read(keyFile) { return key }
        var source = SystemRandomNumberGenerator()
        let bytes = (0..<SessionKey.length).map { _ in UInt8.random(in: .min ... .max, using: &source) }
        // Under its name only when it is whole.
        let new = keyFile + ".new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StartFailure(new, errno: errno) }
        defer { close(descriptor) }
        guard write(descriptor, bytes, bytes.count) == bytes.count, rename(new, keyFile) == 0,
            let key = SessionKey(bytes)
        else { throw StartFailure(keyFile, errno: errno) }
        return key
    }

    /// nil when there is no such file.
    private static func read(_ file: String) throws(StartFailure) -> SessionKey? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StartFailure(file, errno: errno)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: SessionKey.length + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw StartFailure(file, errno: errno) }
        guard let key = SessionKey(Array(bytes[..<count])) else {
            throw StartFailure("\(file): a session key is \(SessionKey.length) bytes")
        }
        return key
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// Whether an agent could have its state in a folder. Makes nothing.
package struct StateCheck {
    /// Nil when it could.
    package let problem: String?

    package init(_ path: String) {
        var existing = path
        while !existing.isEmpty, existing != "/", access(existing, F_OK) != 0 {
            existing = existing.lastIndex(of: "/").map { String(existing[..<$0]) } ?? "."
        }
        if existing.isEmpty { existing = "/" }
        var status = stat()
        if stat(existing, &status) == 0, status.st_mode & S_IFMT != S_IFDIR {
            problem = "\(existing) is no folder"
        } else if access(existing, W_OK | X_OK) != 0 {
            problem = "\(existing): \(String(cString: strerror(errno)))"
        } else {
            problem = nil
        }
    }
}
