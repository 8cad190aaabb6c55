/// How large a message's head may be. Exactly at a limit passes.
package struct HeadLimits: BitwiseCopyable, Hashable, Sendable {
    /// Bytes from the first of the request line (or status line) to the final CRLF, which counts: else 431.
    /// At most 1 MiB, so that every offset fits `ByteRange`.
    package var head: Int
    /// Bytes of the request's target: else 414.
    package var target: Int
    /// Field lines: else 431. The caller's field buffer also limits them.
    package var fields: Int

    package init(head: Int = 65536, target: Int = 16384, fields: Int = 200) {
        precondition(head > 0 && head <= 1 << 20 && target > 0 && fields > 0 && fields <= Int(UInt16.max))
        self.head = head
        self.target = target
        self.fields = fields
    }
}
