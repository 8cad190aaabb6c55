package import BPF
package import CLibbpf

/// A cgroup hook of the datapath: its program, its attach type, and the name of its pinned link.
package struct Hook: Sendable {
    package let name: String
    package let type: bpf_attach_type

    package var program: String { "weir_" + name }

    package static let all = [
        Hook(name: "connect4", type: BPF_CGROUP_INET4_CONNECT),
        Hook(name: "connect6", type: BPF_CGROUP_INET6_CONNECT),
        Hook(name: "sendmsg4", type: BPF_CGROUP_UDP4_SENDMSG),
        Hook(name: "sendmsg6", type: BPF_CGROUP_UDP6_SENDMSG),
        Hook(name: "recvmsg4", type: BPF_CGROUP_UDP4_RECVMSG),
        Hook(name: "recvmsg6", type: BPF_CGROUP_UDP6_RECVMSG),
        Hook(name: "getpeername4", type: BPF_CGROUP_INET4_GETPEERNAME),
        Hook(name: "getpeername6", type: BPF_CGROUP_INET6_GETPEERNAME),
    ]

    /// The program that steers a pod's redirected connections to its listener.
    package static let lookupProgram = "weir_sk_lookup"
}

extension DatapathObject {
    /// The ELF object's bytes.
    package static var bytes: [UInt8] {
        let digits = UnsafeBufferPointer(start: hexadecimal.utf8Start, count: hexadecimal.utf8CodeUnitCount)
        func value(_ digit: UInt8) -> UInt8 { digit < UInt8(ascii: "a") ? digit - 48 : digit - 87 }
        return [UInt8](unsafeUninitializedCapacity: digits.count / 2) { bytes, count in
            for index in 0..<digits.count / 2 {
                bytes[index] = value(digits[2 * index]) << 4 | value(digits[2 * index + 1])
            }
            count = digits.count / 2
        }
    }

    package static func open() throws(BPFError) -> Object {
        try Object(bytes: bytes, name: "datapath")
    }
}
