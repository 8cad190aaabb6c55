import Glibc

/// Programs on this machine.
enum Program {
    /// The file that runs as `name`: itself when it holds a slash, else the first in PATH, then in `also`.
    /// Nil when there is none, or it is not executable.
    static func find(_ name: String, path: String? = nil, also: [String] = []) -> String? {
        if name.contains("/") { return isExecutable(name) ? name : nil }
        guard !name.isEmpty else { return nil }
        let folders = (path ?? variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(
            String.init)
        return (folders + also).lazy.map { "\($0)/\(name)" }.first(where: isExecutable)
    }

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// This process's environment.
    static var environment: [String: String] {
        var all: [String: String] = [:]
        var entry = Glibc.environ
        while let text = entry.pointee {
            let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { all[String(parts[0])] = String(parts[1]) }
            entry += 1
        }
        return all
    }

    private static func isExecutable(_ path: String) -> Bool {
        var facts = stat()
        return stat(path, &facts) == 0 && facts.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}

/// Calls `body` with a null-terminated array of C strings.
func withStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
