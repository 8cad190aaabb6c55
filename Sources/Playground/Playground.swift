import Cgroups
import Glibc

/// Pods as network namespaces on this machine. Everything it makes is written down below `state` before it is made, so
/// that `down` undoes it whenever and however `up` ended.
package struct Playground: Sendable {
    /// `playground` below the agent's state folder.
    let folder: String
    private let state: String

    /// - Parameter state: the agent's state folder, `/run/weir` unless told otherwise.
    package init(state: String) {
        self.state = absolute(state)
        folder = self.state + "/playground"
    }

    /// What `up` made.
    package struct Report: Sendable {
        package struct Pod: Sendable {
            package let sandbox: Sandbox
            /// Per container: what runs, `weir echo on 8080` or the command; empty when the Pod runs nothing.
            package let runs: [String]
        }
        package let pods: [Pod]
        /// What the user should know, one line each.
        package let notes: [String]
    }

    /// Makes the pods of `manifests` and starts their containers; when it returns, each echo server listens.
    /// A failure undoes what was made.
    /// - Parameters:
    ///   - cgroup: the folder for the pods' cgroups, which the agent hooks; nil for `CgroupTree.podsFolder`.
    ///   - echo: the first words of the command that runs `EchoServer`; `--port N` for each port is added.
    package func up(
        _ manifests: PlaygroundManifests, cgroup: String? = nil, echo: [String]
    ) throws(PlaygroundError) -> Report {
        guard !manifests.pods.isEmpty else {
            throw PlaygroundError((["\(manifests.source) holds no Pod"] + manifests.notes).joined(separator: "; "))
        }
        let plan = try PlaygroundPlan(pods: manifests.pods, services: manifests.services)
        guard let podsCgroup = cgroup.map(absolute) ?? CgroupTree.find()?.podsFolder else {
            throw PlaygroundError("no cgroup v2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
        }
        let stateFolders = missingFolders(state)
        return try locked(creating: true) { () throws(PlaygroundError) in
            if let record = try PlaygroundRecord.read(from: folder) {
                throw PlaygroundError(
                    "a playground of \(record.source) is up already (\(record.pods.count) pods, state in \(folder)); "
                        + "`weir playground down` removes it")
            }
            let record = self.record(
                of: plan, from: manifests.source, podsCgroup: podsCgroup, stateFolders: stateFolders)
            do throws(PlaygroundError) {
                try Self.checkFree(record)
                try record.write(to: folder)
            } catch {
                try? removeOwnFolder(made: record.madeFolders)
                throw error
            }
            do throws(PlaygroundError) {
                let runs = try make(record, plan, echo: echo)
                return Report(
                    pods: zip(record.pods, runs).map { Report.Pod(sandbox: $0, runs: $1) },
                    notes: manifests.notes + plan.notes)
            } catch {
                do throws(PlaygroundError) {
                    _ = try remove(record)
                } catch let second {
                    throw PlaygroundError("\(error); and undoing it failed too: \(second)")
                }
                throw error
            }
        }
    }

    /// Ends the pods' processes and removes everything that `up` made, also after a crash half way.
    /// - Returns: what it left on purpose, one line each; nil when there was no playground.
    package func down() throws(PlaygroundError) -> [String]? {
        guard access(folder, F_OK) == 0 else { return nil }
        return try locked(creating: false) { () throws(PlaygroundError) in
            guard let record = try PlaygroundRecord.read(from: folder) else {
                try removeOwnFolder(made: [])
                return nil
            }
            return try remove(record)
        }
    }

    /// The pods that are up, ordered by namespace and name.
    package func pods() throws(PlaygroundError) -> [Sandbox] {
        guard let record = try PlaygroundRecord.read(from: folder) else {
            throw PlaygroundError("no playground is up (no state in \(folder)); `weir playground up DIR` makes one")
        }
        return record.pods
    }

    /// A pod by `NAMESPACE/NAME`, or by its name where that is enough.
    package func pod(_ name: String) throws(PlaygroundError) -> Sandbox {
        let all = try pods()
        let matches = all.filter { $0.path == name || $0.name == name }
        if let only = matches.first, matches.count == 1 { return only }
        let candidates = (matches.isEmpty ? all : matches).map(\.path).joined(separator: ", ")
        throw PlaygroundError(
            matches.isEmpty
                ? "no pod \(name) in the playground; there are \(candidates)"
                : "several pods are named \(name): \(candidates)")
    }

    /// Replaces this process by `command`, run as `pod`: in its network namespace, in its cgroup, with its /etc/hosts.
    package func exec(_ pod: String, _ command: [String]) throws(PlaygroundError) -> Never {
        try PodProcess(command: command).replaceSelf(in: self.pod(pod))
    }

    /// Runs `command` as `pod` with the given descriptors and waits for its end.
    /// - Returns: its exit status, or 128 and the signal that killed it, as a shell has it.
    package func run(
        _ pod: String, _ command: [String], input: Int32 = 0, output: Int32 = 1, error: Int32 = 2
    ) throws(PlaygroundError) -> Int32 {
        let child = try PodProcess(command: command)
            .start(in: self.pod(pod), input: input, output: output, error: error, ownSession: false)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}

extension Playground {
    private func record(
        of plan: PlaygroundPlan, from source: String, podsCgroup: String, stateFolders: [String]
    ) -> PlaygroundRecord {
        let sandboxes = plan.pods.map { placed in
            let file = "\(placed.pod.namespace)_\(placed.pod.name)"
            return Sandbox(
                namespace: placed.pod.namespace, name: placed.pod.name, addresses: placed.addresses,
                netns: placed.netns, cgroup: "\(podsCgroup)/\(file)", hosts: "\(folder)/hosts/\(file)")
        }
        var missing = missingFolders(podsCgroup)
        for pod in sandboxes {
            for path in missingFolders(parent(of: pod.netns)) where !missing.contains(path) { missing.append(path) }
        }
        return PlaygroundRecord(
            source: source, bridge: "\(folder)/bridge.netns", podsCgroup: podsCgroup, pods: sandboxes,
            madeFolders: stateFolders + missing)
    }

    /// What is there already is somebody else's: it must be neither used nor, later, removed.
    private static func checkFree(_ record: PlaygroundRecord) throws(PlaygroundError) {
        for pod in record.pods {
            if access(pod.netns, F_OK) == 0 {
                throw PlaygroundError(
                    "Pod \(pod.path): the network namespace \(pod.netns) exists already, and not by this playground")
            }
            if access(pod.cgroup, F_OK) == 0 {
                throw PlaygroundError(
                    "Pod \(pod.path): the cgroup \(pod.cgroup) exists already, and not by this playground")
            }
        }
    }

    private func make(
        _ record: PlaygroundRecord, _ plan: PlaygroundPlan, echo: [String]
    ) throws(PlaygroundError) -> [[String]] {
        for path in ["\(folder)/hosts", "\(folder)/log"] + record.madeFolders { try makeFolders(path) }
        for (sandbox, placed) in zip(record.pods, plan.pods) {
            try PodCgroup(folder: sandbox.cgroup).make()
            try write(placed.hosts, to: sandbox.hosts)
        }
        try PodNetwork(bridge: NetworkNamespace(file: record.bridge), pods: record.pods).make()
        var runs: [[String]] = []
        var started: [StartedContainer] = []
        for (sandbox, placed) in zip(record.pods, plan.pods) {
            var list: [String] = []
            for container in placed.pod.containers {
                let log = "\(folder)/log/\(sandbox.namespace)_\(sandbox.name).\(container.name)"
                guard let start = try StartedContainer(container, in: sandbox, echo: echo, log: log) else { continue }
                list.append(start.runs)
                started.append(start)
            }
            runs.append(list)
        }
        for container in started { try container.waitUntilReady() }
        return runs
    }

    /// Every step is taken even when one fails; the first failure is thrown, and the record stays for another try.
    private func remove(_ record: PlaygroundRecord) throws(PlaygroundError) -> [String] {
        var failure: PlaygroundError?
        func attempt(_ step: () throws(PlaygroundError) -> Void) {
            do throws(PlaygroundError) { try step() } catch { failure = failure ?? error }
        }
        for pod in record.pods {
            attempt { () throws(PlaygroundError) in try PodCgroup(folder: pod.cgroup).remove() }
        }
        for file in record.pods.map(\.netns) + [record.bridge] {
            attempt { () throws(PlaygroundError) in try NetworkNamespace(file: file).remove() }
        }
        if let failure { throw failure }
        var notes: [String] = []
        var leftovers = record.madeFolders
        if leftovers.contains(record.podsCgroup), PodCgroup.isHooked(record.podsCgroup) {
            notes.append("\(record.podsCgroup) stays: an agent's programs hook it; `weir uninstall` removes it")
            leftovers.removeAll { record.podsCgroup == $0 || record.podsCgroup.hasPrefix($0 + "/") }
        }
        try removeOwnFolder(made: leftovers)
        return notes
    }

    /// Removes the playground's folder, then those of `made` that are empty, innermost first.
    private func removeOwnFolder(made: [String]) throws(PlaygroundError) {
        for name in ["hosts", "log"] { try removeFiles(in: "\(folder)/\(name)") }
        unlink("\(folder)/\(PlaygroundRecord.fileName)")
        guard rmdir(folder) == 0 || errno == ENOENT else {
            throw PlaygroundError("cannot remove \(folder)", errno: errno)
        }
        for path in made.reversed() { rmdir(path) }
    }

    private func removeFiles(in path: String) throws(PlaygroundError) {
        guard let stream = opendir(path) else { return }
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(stream)
        guard rmdir(path) == 0 else { throw PlaygroundError("cannot remove \(path)", errno: errno) }
    }

    /// Runs `body` while no other process makes or removes this playground.
    private func locked<Result>(
        creating: Bool, _ body: () throws(PlaygroundError) -> Result
    ) throws(PlaygroundError) -> Result {
        while true {
            if creating { try makeFolders(folder) }
            let lock = try Descriptor(folder, O_RDONLY | O_DIRECTORY)
            guard flock(lock.number, LOCK_EX) == 0 else { throw PlaygroundError("cannot lock \(folder)", errno: errno) }
            var held = stat()
            var named = stat()
            fstat(lock.number, &held)
            // A `down` that held the lock before us has removed the folder that we locked.
            if stat(folder, &named) != 0 || held.st_ino != named.st_ino {
                if creating { continue }
            }
            return try body()
        }
    }
}

private func parent(of file: String) -> String {
    String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)])
}

/// An absolute form of `path`, without a slash at its end.
private func absolute(_ path: String) -> String {
    var path = path
    if !path.hasPrefix("/"), let current = getcwd(nil, 0) {
        path = String(cString: current) + "/" + path
        free(current)
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
}
