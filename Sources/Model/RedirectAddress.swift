/// Where the kernel sends a redirected connect instead of a Service's address: 127.64.0.0/10 + index for IPv4, and
/// fdc0:6d65:7368::/64 + index for IPv6, with the Service's port. The index is the frontend's in `Snapshot.frontends`.
extension IPAddress {
    /// The address that stands for frontend `index`, of the family of the frontend's own address.
    package static func redirect(index: UInt32, isIPv4: Bool) -> IPAddress {
        guard isIPv4 else { return IPAddress(high: 0xfdc0_6d65_7368_0000, low: UInt64(index)) }
        precondition(index < 1 << 22)
        return IPAddress(v4: 0x7f40_0000 | index)
    }

    /// The frontend index that this local address of an accepted connection stands for; nil when it stands for none,
    /// so the connection was not redirected.
    package var redirectIndex: UInt32? {
        if isIPv4 {
            let value = UInt32(truncatingIfNeeded: low)
            return value & 0xffc0_0000 == 0x7f40_0000 ? value & 0x003f_ffff : nil
        }
        return high == 0xfdc0_6d65_7368_0000 ? UInt32(exactly: low) : nil
    }
}
