package import Resources

/// Whether a pod's connections are to be redirected, from its object and its namespace's alone.
package enum EnrolmentVerdict: Equatable, Sendable {
    case enrol(netns: String)
    case notLabelled
    /// The pod's own label says `disabled`.
    case optedOut
    /// It shares the node's network namespace: enrolling it would enrol the node.
    case hostNetwork
    /// Labelled, but nothing says where its network namespace is.
    case noNetns

    package static let label = "weir.dev/mesh"
    package static let netnsAnnotation = "weir.dev/netns"

    package init(pod: Pod, namespace: Namespace?) {
        let own = pod.metadata.labels?[Self.label]
        let inherited = namespace?.metadata.labels?[Self.label]
        if own == "disabled" {
            self = .optedOut
        } else if own != "enabled", inherited != "enabled" {
            self = .notLabelled
        } else if pod.spec.hostNetwork == true {
            self = .hostNetwork
        } else if let netns = pod.metadata.annotations?[Self.netnsAnnotation], !netns.isEmpty {
            self = .enrol(netns: netns)
        } else {
            self = .noNetns
        }
    }

    /// The word of `weir pods`, and what to do about it.
    package var explanation: (state: String, message: String?) {
        switch self {
        case .enrol: ("waiting", nil)
        case .notLabelled: ("not-labelled", nil)
        case .optedOut: ("opted-out", nil)
        case .hostNetwork: ("host-network", "it shares the node's network namespace and is never redirected")
        case .noNetns: ("no-netns", "annotation \(Self.netnsAnnotation) is missing: the path of its network namespace")
        }
    }
}
