/// An IPv4 or IPv6 address as 16 bytes in network order; IPv4 is held as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2),
/// the form in which the kernel tables hold it.
package struct IPAddress: Hashable, Sendable {
    /// The first eight bytes, read big-endian.
    package let high: UInt64
    /// The last eight bytes, read big-endian.
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its value read big-endian: 127.0.0.1 is 0x7f00_0001.
    package init(v4 value: UInt32) {
        high = 0
        low = 0x0000_ffff_0000_0000 | UInt64(value)
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
}
