import Glibc

/// A call into libbpf or bpf(2) that failed.
package struct BPFError: Error, CustomStringConvertible {
    /// What was tried, with the name of the object it was tried on.
    package let operation: String
    /// The errno; never 0.
    package let code: CInt
    /// The end of what libbpf and the verifier said, at most 4 KiB; empty when they said nothing.
    package let log: String

    package init(_ operation: String, code: CInt, log: String = "") {
        self.operation = operation
        self.code = code
        self.log = log
    }

    package var description: String {
        let head = "\(operation): \(String(cString: strerror(code))) (errno \(code))"
        return log.isEmpty ? head : head + "\n" + log
    }
}
