import Glibc

/// A file descriptor that is closed with its owner.
package struct Descriptor: ~Copyable, Sendable {
    package let number: CInt

    package init(owning number: CInt) {
        precondition(number >= 0)
        self.number = number
    }

    /// A copy that is closed on exec; `of` names the original in an error.
    init(copying number: CInt, of name: String) throws(BPFError) {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw BPFError("copy the descriptor of \(name)", code: errno) }
        self.number = copy
    }

    deinit { close(number) }
}
