import CLinux
import Glibc

/// The text of a file as one writer left it.
enum FileReading {
    case text([UInt8], FolderTree.Identity)
    /// Somebody has the file open for writing; what is in it now is not what they mean.
    case busy
    case gone
    case failure(String)

    /// Reads the file under a lease, where the file system has leases: no writer gets in between. Elsewhere a writer in
    /// place may be seen half-way, until the notice of its end comes.
    static func read(_ path: String) -> FileReading {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else {
            let isGone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP
            return isGone ? .gone : .failure("cannot be read: \(systemMessage(errno))")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return .failure("cannot be read: \(systemMessage(errno))") }
        guard status.st_mode & S_IFMT == S_IFREG else { return .failure("is no regular file") }
        let lease = clinux_take_read_lease(file)
        if lease == 1 { return .busy }
        defer { if lease == 0 { clinux_give_lease_back(file) } }
        guard fstat(file, &status) == 0 else { return .failure("cannot be read: \(systemMessage(errno))") }
        // One byte more than allowed, so that the reader of the text can tell.
        let limit = min(Int(status.st_size), SourceText.maximumSize) + 1
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            while count < limit {
                let step = Glibc.read(file, buffer.baseAddress.map { $0 + count }, limit - count)
                if step < 0, errno == EINTR { continue }
                if step < 0 { failure = errno }
                guard step > 0 else { break }
                count += step
            }
        }
        guard failure == 0 else { return .failure("cannot be read: \(systemMessage(failure))") }
        return .text(bytes, FolderTree.Identity(status))
    }
}
