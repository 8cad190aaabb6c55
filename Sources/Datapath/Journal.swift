import Glibc

/// What Weir made outside the pins and must undo when it is uninstalled, one line each in the file `datapath.undo` of
/// the state folder. The file outlives the agent; a line may name what is gone already.
struct Journal: Sendable {
    enum Entry: Hashable, Sendable {
        /// A bpffs that Weir mounted.
        case mount(path: String)
        /// A cgroup that Weir made.
        case cgroup(path: String)
        /// Local routes inside a network namespace, known by its cookie: the path may lead to another one by now.
        case routes(netns: String, cookie: UInt64)

        fileprivate var line: String {
            switch self {
            case .mount(let path): "mount\t\(path)"
            case .cgroup(let path): "cgroup\t\(path)"
            case .routes(let netns, let cookie): "routes\t\(cookie)\t\(netns)"
            }
        }

        fileprivate init?(line: Substring) {
            let words = line.split(separator: "\t", maxSplits: 2).map(String.init)
            switch (words.first, words.count) {
            case ("mount", 2): self = .mount(path: words[1])
            case ("cgroup", 2): self = .cgroup(path: words[1])
            case ("routes", 3):
                guard let cookie = UInt64(words[1]) else { return nil }
                self = .routes(netns: words[2], cookie: cookie)
            default: return nil
            }
        }
    }

    private let path: String
    private(set) var entries: [Entry] = []

    /// Reads what earlier agents noted in the folder `state`, which is made when it is not there.
    init(state: String) throws(DatapathError) {
        try Folder.make(state)
        path = state + "/datapath.undo"
        guard Folder.exists(path) else { return }
        entries = try TextFile.read(path).split(separator: "\n").compactMap { Entry(line: $0) }
    }

    /// To be called before the thing is made, so that a crash in between leaves nothing unnoted.
    mutating func note(_ entry: Entry) throws(DatapathError) {
        guard !entries.contains(entry) else { return }
        try TextFile.write(entry.line + "\n", to: path, flags: O_WRONLY | O_APPEND | O_CREAT)
        entries.append(entry)
    }

    /// To be called after the thing is undone.
    mutating func strike(_ entry: Entry) throws(DatapathError) {
        guard entries.contains(entry) else { return }
        entries.removeAll { $0 == entry }
        try rewrite()
    }

    private func rewrite() throws(DatapathError) {
        guard !entries.isEmpty else {
            guard unlink(path) == 0 || errno == ENOENT else { throw .last("remove \(path)") }
            return
        }
        let fresh = path + ".new"
        try TextFile.write(
            entries.map { $0.line + "\n" }.joined(), to: fresh, flags: O_WRONLY | O_CREAT | O_TRUNC)
        guard rename(fresh, path) == 0 else { throw .last("rename \(fresh)") }
    }
}
