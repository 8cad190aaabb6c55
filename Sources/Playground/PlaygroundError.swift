import Glibc

/// Why the playground could not do what it was asked to: one line for its user, naming the object at fault.
package struct PlaygroundError: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    /// A system call that failed: what was tried, and errno in words.
    init(_ attempt: String, errno code: Int32) {
        description = "\(attempt): \(String(cString: strerror(code)))"
    }
}
