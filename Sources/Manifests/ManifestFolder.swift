import CLinux
import Glibc
package import Resources

/// A folder of YAML and JSON as the cluster: what it holds, and from then on what changes, as events.
///
/// For one thread at a time. Poll `fileDescriptor` and call `read()` when it is readable. A file counts as written when
/// its writer closes it or renames it into place; one that disappears counts as gone 50 ms later, unless it is back by
/// then, since editors and version control replace files by removing them first.
package final class ManifestFolder {
    /// Why the folder cannot be followed.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package let description: String
    }

    /// Kinds that something here acts on.
    package static let servedKinds: Set<ResourceKind> = [
        .namespace, .service, .endpointSlice, .pod, .httpRoute, .grpcRoute, .referenceGrant, .xBackendTrafficPolicy,
        .xMesh,
    ]

    /// How long a file's objects outlive the file, in case it comes back.
    private static let removalGrace: UInt64 = 50_000_000
    /// How long until a file that is open for writing is looked at again, should no notice come.
    private static let busyRetry: UInt64 = 100_000_000
    /// Timestamps of file systems may be this coarse: a file as young as this may have changed unseen.
    private static let timestampGrain: Int64 = 50_000_000

    private struct Known {
        var identity: FolderTree.Identity
        var bytes: [UInt8]
        /// Wall-clock nanoseconds.
        var readAt: Int64
    }

    /// What a watched folder is to us.
    private struct Role {
        /// Paths of the folder below the root, when it is part of the tree.
        var folders: Set<String> = []
        /// Names in it that links of the tree lead to, and the paths of those links.
        var targets: [String: Set<String>] = [:]
        /// Names in it that make the whole tree another one.
        var roots: Set<String> = []
    }

    /// Readable when something has changed.
    package let fileDescriptor: Int32

    private let root: String
    private let watch: FolderWatch
    private let timer: Int32
    private var set: ManifestSet
    private var known: [String: Known] = [:]
    private var roles: [Int32: Role] = [:]
    private var links: Set<String> = []
    /// Monotonic nanoseconds at which a vanished file counts as gone.
    private var vanishing: [String: UInt64] = [:]
    /// Monotonic nanoseconds at which a file open for writing is looked at again.
    private var busy: [String: UInt64] = [:]
    private var rootFailure: Finding?
    private var treeFailures: [Finding] = []
    private var busyFindings: [String: Finding] = [:]
    private var version: UInt64 = 0
    private var report = Report()

    /// Throws `Failure` when there is no such folder or the kernel's limits leave no room to watch it.
    package init(_ path: String, served: Set<ResourceKind> = ManifestFolder.servedKinds) throws(Failure) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure(description: "\(path): \(systemMessage(errno))") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Failure(description: "\(path): is no folder") }
        guard let absolute = Self.absolute(path) else {
            throw Failure(description: "\(path): \(systemMessage(errno))")
        }
        root = absolute
        set = ManifestSet(served: served)
        do {
            watch = try FolderWatch()
        } catch {
            throw Failure(error)
        }
        timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC))
        fileDescriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard timer >= 0, fileDescriptor >= 0 else { throw Failure(description: systemMessage(errno)) }
        for descriptor in [watch.descriptor, timer] {
            var event = epoll_event()
            event.events = EPOLLIN.rawValue
            guard epoll_ctl(fileDescriptor, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
                throw Failure(description: systemMessage(errno))
            }
        }
    }

    deinit {
        close(fileDescriptor)
        close(timer)
    }

    /// Everything in the folder, to begin with.
    package func readAll() throws(Failure) -> Batch {
        try synchronize()
    }

    /// What changed, by the kernel's notices.
    package func read() throws(Failure) -> Batch {
        var expirations: UInt64 = 0
        _ = Glibc.read(timer, &expirations, 8)
        var dirty: Set<String> = []
        if try collect(&dirty) { walk(&dirty) }
        let now = clinux_monotonic_nanoseconds()
        dirty.formUnion(busy.filter { $0.value <= now }.keys)
        refresh(dirty)
        for (path, deadline) in vanishing where deadline <= now { forget(path) }
        return settle()
    }

    /// What changed up to now, by the kernel's notices and a walk over the folder: every file that was closed, renamed
    /// or removed before the call is taken in, without the time that a vanished file has to come back.
    package func synchronize() throws(Failure) -> Batch {
        var dirty: Set<String> = []
        _ = try collect(&dirty)
        walk(&dirty)
        dirty.formUnion(busy.keys)
        refresh(dirty)
        for path in vanishing.keys { forget(path) }
        return settle()
    }

    /// Files that changed and are not read yet, since a writer has them open.
    package var filesBeingWritten: [String] { busy.keys.sorted() }

    // MARK: Notices

    /// Reads the queue; true when the tree itself may be another one.
    private func collect(_ dirty: inout Set<String>) throws(Failure) -> Bool {
        let notices: [FolderWatch.Notice]
        do {
            notices = try watch.drain()
        } catch {
            throw Failure(error)
        }
        var isOtherTree = false
        for notice in notices {
            if notice.has(IN_Q_OVERFLOW) {
                isOtherTree = true
                continue
            }
            guard let role = roles[notice.descriptor] else { continue }
            if notice.has(IN_DELETE_SELF) || notice.has(IN_MOVE_SELF) || notice.has(IN_UNMOUNT)
                || notice.has(IN_IGNORED)
            {
                isOtherTree = true
            }
            if notice.name.isEmpty { continue }
            if role.roots.contains(notice.name), !notice.has(IN_ATTRIB) { isOtherTree = true }
            for path in role.targets[notice.name] ?? [] { dirty.insert(path) }
            for folder in role.folders where take(notice, in: folder, &dirty) { isOtherTree = true }
        }
        return isOtherTree
    }

    /// One name of a folder of the tree; true when the tree may be another one.
    private func take(_ notice: FolderWatch.Notice, in folder: String, _ dirty: inout Set<String>) -> Bool {
        let path = folder.isEmpty ? notice.name : "\(folder)/\(notice.name)"
        if notice.has(IN_ISDIR) {
            return !notice.name.hasPrefix(".") && !notice.has(IN_ATTRIB)
        }
        if links.contains(path) { return !notice.has(IN_ATTRIB) }
        let appears = notice.has(IN_CREATE) || notice.has(IN_MOVED_TO)
        var status = stat()
        if appears, lstat("\(root)/\(path)", &status) == 0, status.st_mode & S_IFMT == S_IFLNK { return true }
        guard FolderTree.isManifest(notice.name) else { return false }
        if notice.has(IN_CREATE) {
            // Whoever creates a file closes it later; a hard link is whole at once.
            if status.st_nlink > 1 { dirty.insert(path) }
        } else if notice.has(IN_ATTRIB) {
            if known[path] == nil { dirty.insert(path) }
        } else {
            dirty.insert(path)
        }
        return false
    }

    // MARK: The tree

    /// Walks the tree: sets watches, and finds files that are new, gone or not what was read.
    private func walk(_ dirty: inout Set<String>) {
        var fresh: [Int32: Role] = [:]
        var failures: [Finding] = []
        watchParent(&fresh)
        func visit(_ folder: String) {
            do {
                let descriptor = try watch.add(folder.isEmpty ? root : "\(root)/\(folder)")
                fresh[descriptor, default: Role()].folders.insert(folder)
            } catch {
                guard case .system(_, let code) = error, code != ENOENT, code != ENOTDIR else { return }
                failures.append(
                    Finding(
                        file: folder.isEmpty ? "." : folder,
                        message: "cannot be watched, changes below are not seen: \(Failure(error))"))
            }
        }
        let tree = FolderTree(root: root, visit: visit)
        if let tree {
            rootFailure = nil
            failures += tree.failures.map { Finding(file: $0.path, message: $0.message) }
            links = tree.links
            for link in tree.links { watchTarget(of: link, &fresh) }
            for (path, identity) in tree.files where !isCurrent(path, identity) { dirty.insert(path) }
            for path in known.keys where tree.files[path] == nil { dirty.insert(path) }
            for path in set.paths where tree.files[path] == nil { dirty.insert(path) }
        } else {
            rootFailure = Finding(
                file: ".", message: "the folder cannot be read (\(systemMessage(errno))); what it held stays in force")
        }
        treeFailures = failures
        for descriptor in roles.keys where fresh[descriptor] == nil { watch.remove(descriptor) }
        roles = fresh
    }

    /// The root may be a link that is swapped, or be replaced as a whole.
    private func watchParent(_ fresh: inout [Int32: Role]) {
        let parts = root.split(separator: "/")
        guard let name = parts.last else { return }
        let parent = "/" + parts.dropLast().joined(separator: "/")
        if let descriptor = try? watch.add(parent) { fresh[descriptor, default: Role()].roots.insert(String(name)) }
    }

    /// A link to a file elsewhere: the file may be rewritten there.
    private func watchTarget(of link: String, _ fresh: inout [Int32: Role]) {
        guard FolderTree.isManifest(link.split(separator: "/").last ?? ""),
            let target = Self.resolved("\(root)/\(link)")
        else { return }
        let parts = target.split(separator: "/")
        guard let name = parts.last else { return }
        let parent = "/" + parts.dropLast().joined(separator: "/")
        if let descriptor = try? watch.add(parent) {
            fresh[descriptor, default: Role()].targets[String(name), default: []].insert(link)
        }
    }

    private func isCurrent(_ path: String, _ identity: FolderTree.Identity) -> Bool {
        guard let known = known[path], known.identity == identity, vanishing[path] == nil else { return false }
        return max(identity.modified, identity.changed) + Self.timestampGrain < known.readAt
    }

    // MARK: Files

    private func refresh(_ paths: Set<String>) {
        guard rootFailure == nil else { return }
        for path in paths.sorted() { refresh(path) }
    }

    private func refresh(_ path: String) {
        let readAt = wallClockNanoseconds()
        let wasBusy = busy.removeValue(forKey: path) != nil
        busyFindings[path] = nil
        switch FileReading.read("\(root)/\(path)") {
        case .text(let bytes, let identity):
            vanishing[path] = nil
            let isSame = known[path]?.bytes == bytes && set.isCurrent(path)
            known[path] = Known(identity: identity, bytes: bytes, readAt: readAt)
            if !isSame { set.read(bytes, path: path) }
        case .busy:
            vanishing[path] = nil
            busy[path] = clinux_monotonic_nanoseconds() + Self.busyRetry
            if wasBusy {
                busyFindings[path] = Finding(
                    file: path, message: "is open for writing; it is read when its writer closes it")
            }
        case .gone:
            guard set.has(path), vanishing[path] == nil else { return }
            vanishing[path] = clinux_monotonic_nanoseconds() + Self.removalGrace
            set.vanish(path)
        case .failure(let message):
            vanishing[path] = nil
            known[path] = nil
            set.refuse(path, line: nil, message)
        }
    }

    private func forget(_ path: String) {
        vanishing[path] = nil
        known[path] = nil
        busyFindings[path] = nil
        set.remove(path)
    }

    private func settle() -> Batch {
        let events = set.settle()
        var next = set.report
        next.refusedFiles += treeFailures + busyFindings.values + (rootFailure.map { [$0] } ?? [])
        next.refusedFiles.sort()
        if !events.isEmpty || next != report || version == 0 { version += 1 }
        report = next
        arm()
        return Batch(events: events, report: report, version: version)
    }

    /// Sets the timer to the next deadline.
    private func arm() {
        var setting = itimerspec()
        if let next = (Array(vanishing.values) + Array(busy.values)).min() {
            setting.it_value.tv_sec = Int(next / 1_000_000_000)
            setting.it_value.tv_nsec = Int(next % 1_000_000_000)
        }
        timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    // MARK: Paths and clocks

    /// The path from the file system's root, with a link at its end kept, so that its swap is noticed.
    private static func absolute(_ path: String) -> String? {
        var parts = path.split(separator: "/")
        guard let last = parts.popLast(), last != ".", last != ".." else { return resolved(path) }
        let parent = (path.hasPrefix("/") ? "/" : "./") + parts.joined(separator: "/")
        guard let folder = resolved(parent) else { return nil }
        return folder == "/" ? "/\(last)" : "\(folder)/\(last)"
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    private func wallClockNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension ManifestFolder.Failure {
    fileprivate init(_ failure: FolderWatch.Failure) {
        switch failure {
        case .system(let operation, let code): description = "\(operation): \(systemMessage(code))"
        }
    }
}
