import CDatapath
import Model

/// The model's values in the kernel's layout, and back.
extension weir_address {
    init(_ address: IPAddress) {
        self.init(
            word: (
                UInt32(truncatingIfNeeded: address.high >> 32).bigEndian,
                UInt32(truncatingIfNeeded: address.high).bigEndian,
                UInt32(truncatingIfNeeded: address.low >> 32).bigEndian,
                UInt32(truncatingIfNeeded: address.low).bigEndian
            ))
    }
}

extension IPAddress {
    init(_ address: weir_address) {
        self.init(
            high: UInt64(UInt32(bigEndian: address.word.0)) << 32 | UInt64(UInt32(bigEndian: address.word.1)),
            low: UInt64(UInt32(bigEndian: address.word.2)) << 32 | UInt64(UInt32(bigEndian: address.word.3)))
    }
}

extension weir_service_key {
    init(_ at: FrontendPort, scope: UInt32) {
        self.init(
            address: weir_address(at.address), port: at.port.bigEndian, protocol: at.transport == .udp ? 17 : 6, pad: 0,
            scope: scope)
    }

    var frontendPort: FrontendPort {
        FrontendPort(
            address: IPAddress(address), port: UInt16(bigEndian: port), transport: self.protocol == 17 ? .udp : .tcp)
    }
}

extension weir_service {
    static func isEqual(_ a: Self, _ b: Self) -> Bool {
        (a.flags, a.index, a.base, a.count, a.generation) == (b.flags, b.index, b.base, b.count, b.generation)
    }
}
