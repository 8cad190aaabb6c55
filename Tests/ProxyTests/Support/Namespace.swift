import CLinux
import Foundation
import Glibc

/// A network namespace with its loopback up, gone when the last descriptor and socket in it are.
final class Namespace: Sendable {
    private let descriptor: Int32

    init() throws {
        descriptor = try Self.onThread {
            guard clinux_unshare_netns() == 0 else {
                throw Wire.Failure(description: "unshare: \(String(cString: strerror(errno)))")
            }
            guard clinux_loopback_up() == 0 else { throw Wire.Failure(description: "loopback") }
            return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        }
    }

    deinit { close(descriptor) }

    /// A descriptor of it, for the taker to close.
    func duplicate() -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }

    /// Runs `body` in it: sockets made there belong to it.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) throws -> T {
        let descriptor = descriptor
        return try Self.onThread {
            guard clinux_set_netns(descriptor) == 0 else { throw Wire.Failure(description: "setns") }
            return try body()
        }
    }

    private static func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) throws -> T {
        let box = Outcome<T>()
        let done = DispatchSemaphore(value: 0)
        Foundation.Thread.detachNewThread {
            box.result = Result { try body() }
            done.signal()
        }
        done.wait()
        return try box.result!.get()
    }
}

private final class Outcome<T: Sendable>: @unchecked Sendable {
    var result: Result<T, any Error>?
}
