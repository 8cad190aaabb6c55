import Glibc

/// A connected socket of the echo server, with what has been read from it and not used yet. Closed at the end of its life.
struct EchoSocket: ~Copyable {
    let number: Int32
    /// Holds the largest head and more.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    private var start = 0
    private var end = 0

    static let capacity = 192 << 10

    init(_ number: Int32) {
        self.number = number
        var one: Int32 = 1
        setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit {
        close(number)
        buffer.deallocate()
    }

    /// Bytes read and not used. The pointer holds until the next `fill`.
    var pending: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[start..<end]) }

    mutating func use(_ count: Int) {
        start += count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Waits for more bytes behind the pending ones.
    /// - Returns: false at the end of the stream, on an error, or when there is no room.
    mutating func fill() -> Bool {
        if start > 0 && end == buffer.count {
            buffer.baseAddress!.copyMemory(from: buffer.baseAddress! + start, byteCount: end - start)
            end -= start
            start = 0
        }
        while end < buffer.count {
            let count = read(number, buffer.baseAddress! + end, buffer.count - end)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            end += count
            return true
        }
        return false
    }

    /// Whether the pending bytes begin with these; waits until that is certain, and uses none.
    mutating func begins(with wanted: [UInt8]) -> Bool {
        while true {
            let count = min(pending.count, wanted.count)
            if !pending[..<count].elementsEqual(wanted[..<count]) { return false }
            if count == wanted.count { return true }
            guard fill() else { return false }
        }
    }

    /// Sends what goes without waiting.
    /// - Returns: how many bytes went; nil when the peer has gone.
    func trySend(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard !bytes.isEmpty else { return 0 }
        while true {
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = Glibc.send(number, bytes.baseAddress!, bytes.count, flags)
            if count >= 0 { return count }
            if errno == EAGAIN { return 0 }
            if errno != EINTR { return nil }
        }
    }

    /// - Returns: false when the peer has gone.
    func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.send(number, rest.baseAddress!, rest.count, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { send($0) }
    }

    /// Waits, but not for a peer that has gone.
    func wait(milliseconds: Int) {
        guard milliseconds > 0 else { return }
        var entry = pollfd(fd: number, events: 0, revents: 0)
        poll(&entry, 1, Int32(milliseconds))
    }

    /// Makes the close a TCP reset.
    func resetOnClose() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    }

    /// Ends the sending side and reads the rest, so that unread bytes do not turn the close into a reset that would take
    /// the answer with it (RFC 9112 section 9.6). Gives up after a second without bytes, and after 16 MiB.
    mutating func linger() {
        shutdown(number, Int32(SHUT_WR))
        var timeout = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var total = 0
        while total < 16 << 20 {
            let count = read(number, buffer.baseAddress!, buffer.count)
            guard count > 0 else { return }
            total += count
        }
    }
}
