import Foundation
import Glibc
import TestSupport

extension Node {
    /// What identifies the node's kernel objects after the folders that named them are gone.
    struct Identity: Sendable {
        var cgroup: UInt64
        var namespaces: Set<UInt64>
    }

    func identity() -> Identity {
        var namespaces: Set<UInt64> = []
        for file in Self.names(in: "/run/netns") where file.hasPrefix(name) {
            if let number = Self.inode("/run/netns/\(file)") { namespaces.insert(number) }
        }
        return Identity(cgroup: Self.inode(cgroup) ?? 0, namespaces: namespaces)
    }

    /// Ends the agent, uninstalls, removes the pods. Every step is taken, whatever fails.
    /// - Returns: what went wrong or is left, one line each.
    func tearDown() async -> [String] {
        let identity = identity()
        var problems: [String] = []
        func attempt(_ what: String, _ step: () async throws -> Void) async {
            do { try await step() } catch { problems.append("\(what): \(error)") }
        }
        await attempt("agent") {
            if let output = try await stopAgent(), output.status != 0 {
                throw ChildProcess.Failure("exit status \(output.status): \(output.error.suffix(3000))")
            }
        }
        await attempt("uninstall") { try await uninstall() }
        await attempt("playground down") {
            try await ChildProcess.succeed([weir, "playground", "down", "--state", state])
        }
        await attempt("leftovers") { problems += try await leftovers(of: identity) }
        return problems
    }

    func uninstall() async throws {
        try await ChildProcess.succeed(
            [weir, "uninstall", "--state", state, "--pins", pins])
    }

    private func leftovers(of identity: Identity) async throws -> [String] {
        var found: [String] = []
        for path in [pins, cgroup, state] where access(path, F_OK) == 0 {
            found.append("\(path) is still there: \(Self.names(in: path))")
        }
        for folder in ["/run/netns", Self.bpffs] {
            found += Self.names(in: folder).filter { $0.hasPrefix(name) }.map { "\(folder)/\($0) is still there" }
        }
        let mounts = try String(contentsOfFile: "/proc/mounts", encoding: .utf8)
        found += mounts.split(separator: "\n").filter { $0.contains(name) }.map { "mount: \($0)" }
        let netns = try await ChildProcess.succeed(["ip", "netns", "list"])
        found += netns.split(separator: "\n").filter { $0.contains(name) }.map { "ip netns: \($0)" }
        let links = try await ChildProcess.succeed(["bpftool", "-j", "link", "show"])
        for link in try JSONDecoder().decode([Link].self, from: Data(links.utf8)) {
            if link.cgroup_id == identity.cgroup || link.netns_ino.map(identity.namespaces.contains) == true {
                found.append("BPF link \(link.id) is still there")
            }
        }
        for process in Self.names(in: "/proc") {
            guard let pid = pid_t(process), pid != getpid(),
                let words = try? Data(contentsOf: URL(filePath: "/proc/\(process)/cmdline")), !words.isEmpty
            else { continue }
            let command = String(decoding: words, as: UTF8.self)
            if command.contains(state + "\0") || command.contains(manifests) {
                found.append("process \(pid) is still there: \(command.replacing("\0", with: " "))")
            }
        }
        return found
    }

    private struct Link: Decodable {
        var id: Int
        var cgroup_id: UInt64?
        var netns_ino: UInt64?
    }

    static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }

    private static func inode(_ path: String) -> UInt64? {
        var facts = stat()
        return stat(path, &facts) == 0 ? UInt64(facts.st_ino) : nil
    }
}

extension Node {
    /// Removes what runs of these tests left that were killed, so that they disturb nobody. Nodes of live processes stay.
    static func removeStale() async throws {
        let weir = try WeirBinary.path()
        for name in names(in: "/run") where name.hasPrefix(prefix) {
            let parts = name.dropFirst(prefix.count).split(separator: "-")
            guard parts.count == 2, let owner = pid_t(parts[0]), kill(owner, 0) != 0, errno == ESRCH else { continue }
            for process in names(in: "/proc") {
                guard let pid = pid_t(process),
                    let words = try? Data(contentsOf: URL(filePath: "/proc/\(process)/cmdline"))
                else { continue }
                let command = String(decoding: words, as: UTF8.self)
                if command.contains("weir\0agent\0"), command.contains("/run/\(name)\0") { kill(pid, SIGKILL) }
            }
            let pins = "\(bpffs)/\(name)"
            _ = try await ChildProcess.run(
                [weir, "uninstall", "--state", "/run/\(name)", "--pins", pins])
            _ = try await ChildProcess.run([weir, "playground", "down", "--state", "/run/\(name)"])
        }
    }
}
