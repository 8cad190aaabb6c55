import CLinux
import Glibc

/// A thread that takes no signals: they are the main thread's.
package enum Thread {
    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    /// `name`, of at most 15 bytes, is what the kernel shows for it. Returns its `pthread_t`.
    @discardableResult
    package static func start(_ name: String, _ run: @escaping @Sendable () -> Void) throws(SystemError) -> UInt {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let body = Unmanaged.passRetained(
            Body {
                clinux_name_thread(name)
                run()
            })
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        guard result == 0 else {
            body.release()
            throw SystemError("pthread_create", code: result)
        }
        return thread
    }
}
