import CLinux
import Glibc
import Synchronization

/// Messages for one loop from any thread. `descriptor` is readable while there may be some.
package final class Inbox<Message: Sendable>: Sendable {
    package let descriptor: Int32
    private let waiting = Mutex<[Message]>([])

    package init() throws(SystemError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard descriptor >= 0 else { throw SystemError("eventfd", code: errno) }
    }

    deinit { close(descriptor) }

    package func post(_ message: Message) {
        let wasEmpty = waiting.withLock {
            $0.append(message)
            return $0.count == 1
        }
        if wasEmpty { eventfd_write(descriptor, 1) }
    }

    /// All messages so far, in order.
    package func take() -> [Message] {
        var value: eventfd_t = 0
        eventfd_read(descriptor, &value)
        return waiting.withLock { messages in
            let taken = messages
            messages = []
            return taken
        }
    }
}
