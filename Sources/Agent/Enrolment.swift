import Compiler
import Datapath
import Glibc
import Inspection
import Model
import Proxy
import Resources

/// Keeps the pods whose connections are redirected equal to those that the manifests say, as network namespaces come,
/// go and are replaced. State is per namespace, not per pod: a replaced sandbox is another one.
final class Enrolment {
    private struct Member {
        var verdict: EnrolmentVerdict
        var addresses: [String]
        /// Set while it is enrolled.
        var pod: EnrolledPod?
        /// Device and inode of the namespace file at that time.
        var identity: Identity?
        var milliseconds: Double?
        var failure: String?
    }

    private struct Identity: Equatable {
        let device: UInt
        let inode: UInt

        init?(path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
        }
    }

    private let datapath: Datapath?
    private let proxy: Proxy
    private var scopes = ScopeIDs()
    private var members: [ObjectName: Member] = [:]

    /// Without a datapath nothing is enrolled; the pods are still listed.
    init(datapath: Datapath?, proxy: Proxy) {
        self.datapath = datapath
        self.proxy = proxy
    }

    /// The kernel tables of a snapshot. Here, because they and the pods share the numbers of namespaces.
    func tables(of snapshot: Snapshot, serviceLB: Bool, previous: Tables) -> Tables {
        Tables(snapshot: snapshot, serviceLB: serviceLB, scopes: &scopes, previous: previous)
    }

    /// Takes in which pods there are and what their labels say.
    func update(_ inventory: Inventory) {
        var gone = Set(members.keys)
        for (key, pod) in inventory.pods {
            let name = ObjectName(key)
            gone.remove(name)
            let namespace = inventory.namespaces[NamespacedName(namespace: "", name: key.namespace)]
            let verdict = EnrolmentVerdict(pod: pod, namespace: namespace)
            if let known = members[name], known.verdict != verdict { withdraw(name) }
            var member = members[name] ?? Member(verdict: verdict, addresses: [])
            member.verdict = verdict
            member.addresses = pod.addresses
            members[name] = member
        }
        for name in gone {
            withdraw(name)
            members[name] = nil
        }
        reconcile()
    }

    /// Enrols what waits and can be enrolled now; lets go of namespaces that are gone or replaced.
    func reconcile() {
        guard datapath != nil else { return }
        for (name, member) in members {
            guard case .enrol(let netns) = member.verdict else { continue }
            let identity = Identity(path: netns)
            if member.pod != nil, member.identity != identity { withdraw(name) }
            if identity != nil, members[name]?.pod == nil { enrol(name, netns, identity) }
        }
    }

    private func enrol(_ name: ObjectName, _ netns: String, _ identity: Identity?) {
        guard let datapath else { return }
        let start = ContinuousClock.now
        do {
            let pod = try datapath.enrol(name, netns: netns, scope: scopes.id(for: name.namespace))
            let listeners = [pod.listener4, pod.listener6].compactMap { $0 }.map(Self.duplicate)
            proxy.add(
                pod: ProxyPod(
                    cookie: pod.cookie, name: name, networkNamespace: Self.duplicate(pod.netns), listeners: listeners))
            members[name]?.pod = pod
            members[name]?.identity = identity
            members[name]?.failure = nil
            let took = ContinuousClock.now - start
            members[name]?.milliseconds =
                Double(took.components.attoseconds) / 1e15 + Double(took.components.seconds) * 1e3
        } catch {
            members[name]?.failure = "\(error)"
        }
    }

    private static func duplicate(_ descriptor: Int32) -> Int32 {
        fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    }

    private func withdraw(_ name: ObjectName) {
        guard let pod = members[name]?.pod else { return }
        do {
            try datapath?.unenrol(name)
        } catch {
            members[name]?.failure = "\(error)"
        }
        proxy.remove(podCookie: pod.cookie)
        members[name]?.pod = nil
        members[name]?.identity = nil
        members[name]?.milliseconds = nil
    }

    var enrolledCount: Int { members.values.count { $0.pod != nil } }
    var otherCount: Int { members.count - enrolledCount }

    /// Pods that should be enrolled and are not, with the reason.
    var findings: [Finding] {
        members.sorted { $0.key < $1.key }.compactMap { name, member in
            member.failure.map { Finding(object: "Pod \(name)", message: "not enrolled: \($0)") }
        }
    }

    var views: [PodView] {
        members.sorted { $0.key < $1.key }.map { name, member in
            var (state, message) = member.verdict.explanation
            var netns: String?
            if case .enrol(let path) = member.verdict {
                netns = path
                if datapath == nil {
                    state = "redirect-off"
                } else if member.pod != nil {
                    state = "enrolled"
                } else if let failure = member.failure {
                    (state, message) = ("failed", failure)
                } else {
                    message = "\(path) does not exist yet"
                }
            }
            return PodView(
                namespace: name.namespace, name: name.name, enrolled: member.pod != nil, state: state, message: message,
                netns: netns, cookie: member.pod?.cookie, addresses: member.addresses,
                enrolMilliseconds: member.milliseconds)
        }
    }
}
