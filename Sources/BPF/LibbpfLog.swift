import CLibbpf
import Glibc
import Synchronization

/// libbpf's warnings since the last `take`, kept for the error that follows them instead of printed.
enum LibbpfLog {
    private static let limit = 4096
    private static let tail = Mutex<[UInt8]>([])
    private static let installed: Void = {
        _ = libbpf_set_print { level, format, arguments in
            guard level == LIBBPF_WARN, let format, let arguments else { return 0 }
            let line = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
                let wanted = buffer.withMemoryRebound(to: CChar.self) {
                    vsnprintf($0.baseAddress, limit, format, arguments)
                }
                count = max(0, min(Int(wanted), limit - 1))
            }
            LibbpfLog.tail.withLock { $0 = Array(($0 + line).suffix(limit)) }
            return 0
        }
    }()

    /// Forgets what was said so far, and from now on keeps what libbpf says.
    static func begin() {
        installed
        tail.withLock { $0 = [] }
    }

    static func take() -> String {
        tail.withLock { bytes in
            defer { bytes = [] }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
