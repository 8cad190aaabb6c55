import BPF
import CDatapath
import Glibc
package import Model

/// A pod whose connections are redirected: its namespace and its listeners, open for as long as this lives.
///
/// The proxy accepts on the listeners: an accepted socket's local address gives the frontend (`IPAddress.redirectIndex`)
/// and its local port the Service's port. Upstream sockets are made inside `netns`.
package final class EnrolledPod: Sendable {
    package let name: ObjectName
    /// The pod's namespace as known to the kernel's tables.
    package let scope: UInt32
    /// The network namespace's cookie: the pod's identity. A pod whose sandbox is replaced is enrolled anew.
    package let cookie: UInt64
    package let path: String
    private let namespace: PodNamespace
    private let ipv4: Descriptor
    private let ipv6: Descriptor?
    private let lookup: Link
    private let steering: Map

    /// A descriptor of the network namespace, for setns(2).
    package var netns: CInt { namespace.descriptor.number }
    package var listener4: CInt { ipv4.number }
    /// Nil in a namespace without IPv6.
    package var listener6: CInt? {
        switch ipv6 {
        case .some(let descriptor): descriptor.number
        case .none: nil
        }
    }

    init(
        name: ObjectName, scope: UInt32, cookie: UInt64, namespace: consuming PodNamespace, ipv4: consuming Descriptor,
        ipv6: consuming Descriptor?, lookup: consuming Link, steering: consuming Map
    ) {
        self.name = name
        self.scope = scope
        self.cookie = cookie
        path = namespace.path
        self.namespace = namespace
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.lookup = lookup
        self.steering = steering
    }

    /// Leaves the namespace as it was before enrolment, but for its sockets.
    func leave() throws(DatapathError) {
        try namespace.removeRoutes()
    }
}
