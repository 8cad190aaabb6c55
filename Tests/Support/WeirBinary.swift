import Glibc

/// The program under test.
package enum WeirBinary {
    /// `$WEIR_BINARY`, else `weir` beside the running test executable.
    package static func path() throws -> String {
        if let named = getenv("WEIR_BINARY") { return String(cString: named) }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer[..<max(0, count)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let folder = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
        let path = "\(folder)/weir"
        guard access(path, X_OK) == 0 else {
            throw ChildProcess.Failure("no program \(path); set WEIR_BINARY")
        }
        return path
    }
}
