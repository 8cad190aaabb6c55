import CLinux
import Glibc

/// One epoll instance and the room for its events.
package struct Epoll: ~Copyable {
    /// What a socket in a loop is registered for, once: edges of everything.
    package static let socket =
        EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | UInt32(bitPattern: Int32.min)
    /// A listener shared between loops: level-triggered, one loop woken per connection (Linux 4.5).
    package static let listener = EPOLLIN.rawValue | 1 << 28
    /// Level-triggered input.
    package static let input = EPOLLIN.rawValue

    package struct Event: BitwiseCopyable {
        package let token: UInt64
        package let flags: UInt32

        @inline(__always) package var isReadable: Bool { flags & EPOLLIN.rawValue != 0 }
        @inline(__always) package var isWritable: Bool { flags & EPOLLOUT.rawValue != 0 }
        /// The peer will send no more.
        @inline(__always) package var isReadClosed: Bool {
            flags & (EPOLLRDHUP.rawValue | EPOLLHUP.rawValue) != 0
        }
        /// The connection was reset, or never made.
        @inline(__always) package var isError: Bool { flags & EPOLLERR.rawValue != 0 }
        @inline(__always) package var isHangup: Bool { flags & EPOLLHUP.rawValue != 0 }
    }

    private let descriptor: Int32
    private let events: UnsafeMutableRawPointer
    private let capacity: Int32

    package init(capacity: Int32 = 256) throws(SystemError) {
        let descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw SystemError("epoll_create1", code: errno) }
        self.descriptor = descriptor
        self.capacity = capacity
        events = .allocate(byteCount: Int(capacity) * clinux_epoll_event_size(), alignment: 16)
    }

    deinit {
        close(descriptor)
        events.deallocate()
    }

    /// False with errno set when the kernel refuses.
    package func add(_ fd: Int32, _ flags: UInt32, token: UInt64) -> Bool {
        clinux_epoll_add(descriptor, fd, flags, token) == 0
    }

    /// The same for a descriptor that is in it already; edges that were told are told again.
    package func modify(_ fd: Int32, _ flags: UInt32, token: UInt64) -> Bool {
        clinux_epoll_modify(descriptor, fd, flags, token) == 0
    }

    package func remove(_ fd: Int32) {
        _ = clinux_epoll_remove(descriptor, fd)
    }

    /// The number of events, 0 after `timeout` milliseconds (-1: none) or a signal.
    package func wait(timeout: Int32) -> Int {
        let count = clinux_epoll_wait(descriptor, events, capacity, timeout)
        if count >= 0 { return Int(count) }
        // Anything but a signal means that the descriptor is gone: the loop would spin for ever.
        precondition(errno == EINTR, "epoll_wait failed")
        return 0
    }

    package func event(_ index: Int) -> Event {
        Event(
            token: clinux_event_token(events, Int32(index)), flags: clinux_event_flags(events, Int32(index)))
    }
}
