import Foundation
import Glibc
import Manifests
import Resources

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() {
        let template = FileManager.default.temporaryDirectory.appending(path: "weir-manifests-XXXXXX").path()
        var bytes = Array(template.utf8CString)
        path = mkdtemp(&bytes).map { String(cString: $0) } ?? ""
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func full(_ name: String) -> String { "\(path)/\(name)" }

    /// Truncates in place and writes, as `>` does.
    func write(_ name: String, _ text: String) {
        let file = open(full(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        precondition(file >= 0, "cannot write \(name)")
        put(text, to: file)
        close(file)
    }

    func put(_ text: String, to file: Int32) {
        let bytes = Array(text.utf8)
        precondition(Glibc.write(file, bytes, bytes.count) == bytes.count)
    }

    /// Writes beside and renames over.
    func replace(_ name: String, _ text: String) {
        write(".\(name.replacing("/", with: "-")).tmp", text)
        move(".\(name.replacing("/", with: "-")).tmp", name)
    }

    func move(_ name: String, _ other: String) {
        precondition(Glibc.rename(full(name), full(other)) == 0, "cannot rename \(name)")
    }

    func remove(_ name: String) {
        try? FileManager.default.removeItem(atPath: full(name))
    }

    func folder(_ name: String) {
        precondition(mkdir(full(name), 0o755) == 0)
    }

    func link(_ name: String, to target: String) {
        precondition(symlink(target, full(name)) == 0)
    }
}

/// A folder with its watcher and the inventory that its events built.
final class Follower {
    let folder: ManifestFolder
    private(set) var inventory = Inventory()
    private(set) var report = Report()
    private(set) var version: UInt64 = 0
    /// Events of the last batch.
    private(set) var events: [Event] = []
    /// Objects that a batch deleted, of all batches.
    private(set) var deletions = 0

    init(_ folder: TemporaryFolder) throws {
        self.folder = try ManifestFolder(folder.path)
        take(try self.folder.readAll())
    }

    private func take(_ batch: Batch) {
        events = batch.events
        for case .delete in batch.events { deletions += 1 }
        _ = inventory.apply(.batch(batch.events))
        report = batch.report
        version = batch.version
    }

    func synchronize() throws { take(try folder.synchronize()) }

    /// Waits for notices until `condition` holds; false after five seconds.
    func wait(until condition: (Follower) -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(5)
        while !condition(self) {
            guard ContinuousClock.now < end else { return false }
            var poll = pollfd(fd: folder.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard Glibc.poll(&poll, 1, 1000) > 0 else { continue }
            take(try folder.read())
        }
        return true
    }

    func route(_ name: String) -> HTTPRoute? {
        inventory.httpRoutes[NamespacedName(namespace: "default", name: name)]
    }

    func hasService(_ name: String) -> Bool {
        inventory.services[NamespacedName(namespace: "default", name: name)] != nil
    }
}

func service(_ name: String, port: Int = 80) -> String {
    """
    apiVersion: v1
    kind: Service
    metadata:
      name: \(name)
    spec:
      ports:
      - port: \(port)

    """
}

func route(_ name: String, path: String = "/", weight: Int = 1) -> String {
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata:
      name: \(name)
    spec:
      parentRefs:
      - group: ""
        kind: Service
        name: echo
      rules:
      - matches:
        - path:
            value: \(path)
        backendRefs:
        - name: echo
          port: 80
          weight: \(weight)

    """
}
