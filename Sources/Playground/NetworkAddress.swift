import Glibc

/// An IPv4 or IPv6 address, as it stands in a manifest.
package struct NetworkAddress: Hashable, Sendable, Codable, CustomStringConvertible {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]

    /// Nil unless `bytes` are 4 or 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads dotted decimal (RFC 6943 section 3.1.1, strict form) or RFC 4291 section 2.2.
    package init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: text.utf8.contains(UInt8(ascii: ":")) ? 16 : 4)
        guard inet_pton(bytes.count == 4 ? AF_INET : AF_INET6, text, &bytes) == 1 else { return nil }
        self.bytes = bytes
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no IP address")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    package var isIPv4: Bool { bytes.count == 4 }

    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Bits of the network that the playground takes every pod's address to lie in.
    var prefixLength: Int { isIPv4 ? 24 : 64 }

    /// The address with everything after `prefixLength` set to zero.
    var network: NetworkAddress {
        let kept = prefixLength / 8
        return NetworkAddress(kept: bytes[..<kept], size: bytes.count)
    }

    private init(kept: ArraySlice<UInt8>, size: Int) {
        bytes = kept + [UInt8](repeating: 0, count: size - kept.count)
    }
}
