import Foundation
import Glibc

/// A new folder below the system's folder for temporary files, removed with the value's last reference.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init(prefix: String) throws {
        var template = Array((NSTemporaryDirectory() + "/\(prefix).XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw ChildProcess.Failure("cannot make a temporary folder: \(String(cString: strerror(errno)))")
        }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Writes a file, whole, below the folder. No program that another test starts meanwhile inherits it open.
    package func write(_ file: String, _ text: String) throws {
        let descriptor = open("\(path)/\(file)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ChildProcess.Failure("\(file): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw ChildProcess.Failure("\(file): \(String(cString: strerror(errno)))") }
            rest = rest.dropFirst(count)
        }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
