package import BPF
import Glibc

package enum DatapathError: Error, CustomStringConvertible {
    /// Another agent uses these pins.
    case locked(pins: String)
    /// A system call failed; `operation` names what it was tried on.
    case system(operation: String, code: CInt)
    case bpf(BPFError)
    /// Something on this node is not as Weir needs it.
    case node(String)

    package var description: String {
        switch self {
        case .locked(let pins): "another weir agent uses the pins in \(pins)"
        case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
        case .bpf(let error): error.description
        case .node(let message): message
        }
    }

    /// The errno of the call that just failed.
    static func last(_ operation: String) -> DatapathError {
        .system(operation: operation, code: errno)
    }
}

/// Runs BPF calls where only a `DatapathError` may be thrown.
func withBPF<Result: ~Copyable>(_ body: () throws(BPFError) -> Result) throws(DatapathError) -> Result {
    do {
        return try body()
    } catch {
        throw .bpf(error)
    }
}
