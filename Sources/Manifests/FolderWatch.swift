import CLinux
import Glibc

/// An inotify instance.
struct FolderWatch: ~Copyable {
    /// What the kernel says about one name in a watched folder, or about the folder itself (an empty name).
    struct Notice {
        let descriptor: Int32
        let mask: UInt32
        let name: String
    }

    enum Failure: Error {
        case system(operation: String, code: Int32)
    }

    /// Writes count when the writer has closed the file: a text half written is nobody's intention.
    static let interest = UInt32(
        IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF
            | IN_ATTRIB | IN_ONLYDIR)

    let descriptor: Int32

    init() throws(Failure) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { throw .system(operation: "inotify_init1", code: errno) }
    }

    deinit {
        close(descriptor)
    }

    /// The watch descriptor of the folder, the same for every path that leads to it.
    func add(_ path: String) throws(Failure) -> Int32 {
        let watch = inotify_add_watch(descriptor, path, Self.interest)
        guard watch >= 0 else { throw .system(operation: "inotify_add_watch", code: errno) }
        return watch
    }

    func remove(_ watch: Int32) {
        inotify_rm_watch(descriptor, watch)
    }

    /// Everything in the queue, in order.
    func drain() throws(Failure) -> [Notice] {
        var notices: [Notice] = []
        let size = 64 << 10
        let header = MemoryLayout<inotify_event>.size
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: size, alignment: MemoryLayout<inotify_event>.alignment)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, size)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return notices }
            guard count > 0 else { throw .system(operation: "read", code: errno) }
            var offset = 0
            while offset + header <= count {
                let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                let bytes = buffer[(offset + header)..<(offset + header + Int(event.len))].prefix { $0 != 0 }
                notices.append(
                    Notice(descriptor: event.wd, mask: event.mask, name: String(decoding: bytes, as: UTF8.self)))
                offset += header + Int(event.len)
            }
        }
    }
}

extension FolderWatch.Notice {
    func has(_ flag: Int32) -> Bool { mask & UInt32(bitPattern: flag) != 0 }
    func has(_ flag: UInt32) -> Bool { mask & flag != 0 }
}
