import Agent
import Resources
import Testing

@Suite struct EnrolmentVerdictTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var namespace: String?
        var pod: String?
        var netns: String? = "/run/netns/x"
        var hostNetwork = false
        let verdict: EnrolmentVerdict
        var testDescription: String { "namespace \(namespace ?? "-"), pod \(pod ?? "-"), netns \(netns ?? "-")" }
    }

    @Test(arguments: [
        Case(namespace: nil, pod: nil, verdict: .notLabelled),
        Case(namespace: "enabled", pod: nil, verdict: .enrol(netns: "/run/netns/x")),
        Case(namespace: nil, pod: "enabled", verdict: .enrol(netns: "/run/netns/x")),
        Case(namespace: "enabled", pod: "disabled", verdict: .optedOut),
        Case(namespace: "disabled", pod: "enabled", verdict: .enrol(netns: "/run/netns/x")),
        Case(namespace: "disabled", pod: nil, verdict: .notLabelled),
        Case(namespace: "yes", pod: nil, verdict: .notLabelled),
        Case(namespace: "enabled", pod: nil, netns: nil, verdict: .noNetns),
        Case(namespace: "enabled", pod: nil, netns: "", verdict: .noNetns),
        Case(namespace: "enabled", pod: nil, hostNetwork: true, verdict: .hostNetwork),
    ])
    func followsLabels(_ example: Case) {
        let pod = Pod(
            metadata: ObjectMeta(
                name: "p", namespace: "n", labels: example.pod.map { ["weir.dev/mesh": $0] },
                annotations: example.netns.map { ["weir.dev/netns": $0] }),
            spec: PodSpec(containers: [], hostNetwork: example.hostNetwork ? true : nil))
        let namespace = Namespace(
            metadata: ObjectMeta(name: "n", labels: example.namespace.map { ["weir.dev/mesh": $0] }))
        #expect(EnrolmentVerdict(pod: pod, namespace: namespace) == example.verdict)
        if example.namespace == nil { #expect(EnrolmentVerdict(pod: pod, namespace: nil) == example.verdict) }
    }
}
