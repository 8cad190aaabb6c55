import HTTPWire

/// Bytes that wait to be sent.
struct EchoOutput: ~Copyable {
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var start = 0
    private var end = 0

    deinit { buffer.deallocate() }

    var count: Int { end - start }

    /// A writer with room for `room` bytes; what it wrote counts once `commit` is called. No other call may come between.
    mutating func writer(_ room: Int) -> HeadWriter {
        if buffer.count - end < room {
            let size = count + room <= buffer.count / 2 ? buffer.count : 2 * (count + room)
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
            buffer.deallocate()
            buffer = larger
            end -= start
            start = 0
        }
        return HeadWriter(UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
    }

    mutating func commit(_ writer: HeadWriter) {
        precondition(!writer.overflowed, "what was written did not fit")
        end += writer.count
    }

    /// Sends what goes without waiting.
    /// - Returns: false when the peer has gone.
    mutating func flush(_ socket: borrowing EchoSocket) -> Bool {
        while count > 0 {
            guard let sent = socket.trySend(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) else { return false }
            if sent == 0 { return true }
            start += sent
        }
        start = 0
        end = 0
        return true
    }
}
