import HTTPWire

/// The parts of a gRPC request's path, `/service/method`: what is behind its last slash, and what is between that and
/// its first byte, which is a slash too (gRPC over HTTP2, "Requests").
struct GRPCPath: BitwiseCopyable {
    /// Whether the path has two slashes at all.
    let isWhole: Bool
    let service: ByteRange
    let method: ByteRange

    /// For tables that ask for no part.
    static let unread = GRPCPath(isWhole: false, service: .empty, method: .empty)

    private init(isWhole: Bool, service: ByteRange, method: ByteRange) {
        self.isWhole = isWhole
        self.service = service
        self.method = method
    }

    init(_ head: Span<UInt8>, _ path: ByteRange) {
        let first = Int(path.start)
        let end = path.bounds.upperBound
        var last = end
        while last > first, head[last - 1] != 0x2f { last -= 1 }
        // `last` is behind the last slash.
        guard last - first >= 2, head[first] == 0x2f else {
            self = .unread
            return
        }
        self.init(isWhole: true, service: ByteRange(first + 1..<last - 1), method: ByteRange(last..<end))
    }
}
