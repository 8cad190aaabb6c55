import BPF
import CLinux
import Glibc

/// Routes and links of the network namespace in which it was opened, by rtnetlink(7).
struct Rtnetlink: ~Copyable {
    private let socket: Descriptor

    /// `rtm_protocol` of the routes that Weir makes, so that a person sees whose they are.
    static let routeProtocol: UInt8 = 137

    init() throws(DatapathError) {
        let descriptor = Glibc.socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        guard descriptor >= 0 else { throw .last("open a netlink socket") }
        socket = Descriptor(owning: descriptor)
    }

    /// Sets the loopback device up; idempotent.
    func loopbackUp() throws(DatapathError) {
        let message = ifinfomsg(
            ifi_family: UInt8(AF_UNSPEC), __ifi_pad: 0, ifi_type: 0, ifi_index: 1, ifi_flags: UInt32(IFF_UP),
            ifi_change: UInt32(IFF_UP))
        try request(
            RTM_NEWLINK, flags: 0, payload: withUnsafeBytes(of: message, Array.init), what: "set loopback up")
    }

    /// Makes or replaces `local PREFIX dev lo [src SOURCE]` in the local table. `prefix` and `source` are 4 or 16 bytes
    /// in network order.
    func addLocal(prefix: [UInt8], length: UInt8, source: [UInt8]?) throws(DatapathError) {
        try request(
            RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE,
            payload: localRoute(prefix: prefix, length: length, source: source), what: "add the local route")
    }

    /// One that is not there is removed already.
    func removeLocal(prefix: [UInt8], length: UInt8) throws(DatapathError) {
        try request(
            RTM_DELROUTE, flags: 0, payload: localRoute(prefix: prefix, length: length, source: nil),
            what: "remove the local route", absent: [ESRCH, ENOENT, ENODEV])
    }

    private func localRoute(prefix: [UInt8], length: UInt8, source: [UInt8]?) -> [UInt8] {
        let isIPv4 = prefix.count == 4
        let header = rtmsg(
            rtm_family: UInt8(isIPv4 ? AF_INET : AF_INET6), rtm_dst_len: length, rtm_src_len: 0, rtm_tos: 0,
            rtm_table: UInt8(RT_TABLE_LOCAL.rawValue), rtm_protocol: Self.routeProtocol,
            rtm_scope: UInt8(isIPv4 ? RT_SCOPE_HOST.rawValue : RT_SCOPE_UNIVERSE.rawValue), rtm_type: UInt8(RTN_LOCAL),
            rtm_flags: 0)
        var payload = withUnsafeBytes(of: header, Array.init)
        payload += attribute(RTA_DST, prefix)
        payload += attribute(RTA_OIF, withUnsafeBytes(of: UInt32(1), Array.init))
        if let source { payload += attribute(RTA_PREFSRC, source) }
        return payload
    }

    private func attribute(_ type: rtattr_type_t, _ value: [UInt8]) -> [UInt8] {
        let header = rtattr(rta_len: UInt16(4 + value.count), rta_type: UInt16(type.rawValue))
        return withUnsafeBytes(of: header, Array.init) + value
    }

    /// Sends one request and waits for the kernel's answer. Errors in `absent` count as success.
    private func request<Type: BinaryInteger>(
        _ type: Type, flags: CInt, payload: [UInt8], what: String, absent: Set<CInt> = []
    ) throws(DatapathError) {
        let header = nlmsghdr(
            nlmsg_len: UInt32(16 + payload.count), nlmsg_type: UInt16(type),
            nlmsg_flags: UInt16(NLM_F_REQUEST | NLM_F_ACK | flags), nlmsg_seq: 1, nlmsg_pid: 0)
        let message = withUnsafeBytes(of: header, Array.init) + payload
        guard send(socket.number, message, message.count, 0) == message.count else { throw .last(what) }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket.number, &answer, answer.count, 0)
        guard count >= 20 else { throw .last(what) }
        let kind = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt16.self) }
        let error = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: CInt.self) }
        guard kind == UInt16(NLMSG_ERROR) else { throw .system(operation: what, code: EPROTO) }
        guard error == 0 || absent.contains(-error) else { throw .system(operation: what, code: -error) }
    }
}
