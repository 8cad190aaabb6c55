import Foundation
import Glibc
import Synchronization
import TestSupport

/// A machine of its own as far as Weir can tell: pods made by `weir playground`, an agent that serves a folder of
/// manifests, and names that no other node has. `tearDown` leaves nothing.
final class Node: Sendable {
    /// Begins the name of everything that the node makes outside its folder.
    let name: String
    let weir: String
    let folder: TemporaryFolder
    let manifests: String
    let state: String
    let pins: String
    let cgroup: String
    let metricsPort: UInt16
    private let agentProcess = Mutex<ChildProcess?>(nil)

    static let prefix = "wn-"
    static let bpffs = "/sys/fs/bpf"
    /// The folder with this target's sources.
    static let sources: String = {
        let file = #filePath
        return String(file[..<(file.lastIndex(of: "/") ?? file.endIndex)])
    }()
    static let programs = sources + "/Programs"
    private static let made = Atomic(0)

    /// Makes the pods of `base`, a YAML text; no agent runs yet.
    init(base: String) async throws {
        let number = Self.made.add(1, ordering: .relaxed).newValue
        name = "\(Self.prefix)\(getpid())-\(number)"
        weir = try WeirBinary.path()
        folder = try TemporaryFolder(prefix: name)
        manifests = folder.path + "/manifests"
        state = "/run/\(name)"
        pins = "\(Self.bpffs)/\(name)"
        cgroup = try Self.cgroupRoot() + "/\(name)"
        metricsPort = try Self.freePort()
        try FileManager.default.createDirectory(atPath: manifests, withIntermediateDirectories: true)
        try write("base.yaml", base)
        try await ChildProcess.succeed(
            [weir, "playground", "up", manifests, "--state", state, "--cgroup", cgroup])
    }

    /// The text of a base, with the node's own names in it.
    func fill(_ text: String) -> String { Self.fill(text, node: name) }

    static func fill(_ text: String, node: String) -> String {
        text.replacing("{NODE}", with: node).replacing("{PROGRAMS}", with: programs)
    }

    /// The name that the next node of this process will have.
    static var nextName: String { "\(prefix)\(getpid())-\(made.load(ordering: .relaxed) + 1)" }

    private static func cgroupRoot() throws -> String {
        let mounts = try String(contentsOfFile: "/proc/mounts", encoding: .utf8)
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 2, fields[2] == "cgroup2" { return String(fields[1]) }
        }
        throw ChildProcess.Failure("no cgroup v2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")
    }

    /// A port of 127.0.0.1 that nobody listens on.
    static func freePort() throws -> UInt16 {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, size) == 0 && getsockname(number, $0, &size) == 0
            }
        }
        guard bound else { throw ChildProcess.Failure("bind: \(String(cString: strerror(errno)))") }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// The folder of manifests.
extension Node {
    /// Puts `text` into the file in one step, as an editor does: written beside it, renamed over it.
    /// - Returns: the time of the rename by `monotonicNanoseconds`.
    @discardableResult func write(_ file: String, _ text: String) throws -> UInt64 {
        let path = "\(manifests)/\(file)"
        let draft = "\(folder.path)/draft"
        // Close-on-exec, unlike Foundation's: a child that started meanwhile would go on having the file open for writing.
        let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        let bytes = Array(text.utf8)
        let isWritten = file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count
        if file >= 0 { close(file) }
        guard isWritten else { throw ChildProcess.Failure("cannot write \(draft)") }
        let time = monotonicNanoseconds()
        guard rename(draft, path) == 0 else {
            throw ChildProcess.Failure("rename to \(path): \(String(cString: strerror(errno)))")
        }
        return time
    }

    /// Writes the file and waits until it is in force.
    func apply(_ file: String, _ text: String) async throws {
        try write(file, text)
        try await wait()
    }

    /// Removes the file and waits until that is in force.
    func remove(_ file: String) async throws {
        unlink("\(manifests)/\(file)")
        try await wait()
    }

    func wait() async throws {
        try await weir("wait", "--timeout", "20s")
    }
}

/// Commands.
extension Node {
    /// Runs a command of `weir` against this node's agent; it must succeed.
    @discardableResult func weir(_ arguments: String...) async throws -> String {
        try await ChildProcess.succeed([weir] + arguments + ["--state", state])
    }

    func json<Payload: Decodable>(_ type: Payload.Type, _ arguments: String...) async throws -> Payload {
        let text = try await ChildProcess.succeed([weir] + arguments + ["-o", "json", "--state", state])
        return try JSONDecoder().decode(Payload.self, from: Data(text.utf8))
    }

    /// The command line that runs `command` in a pod.
    func command(in pod: String, _ command: [String]) -> [String] {
        [weir, "playground", "exec", "--state", state, pod, "--"] + command
    }

    @discardableResult func exec(
        _ pod: String, _ command: [String], input: String = "", timeout: Duration = .seconds(60)
    ) async throws -> String {
        try await ChildProcess.succeed(self.command(in: pod, command), input: input, timeout: timeout)
    }

    /// Starts a program in a pod; its standard input stays open until `closeInput`.
    func start(_ pod: String, _ command: [String]) throws -> ChildProcess {
        try ChildProcess(self.command(in: pod, command), input: nil)
    }

    func metrics() async throws -> String {
        try await ChildProcess.succeed(["curl", "-sS", "-m", "10", "http://127.0.0.1:\(metricsPort)/metrics"])
    }
}

/// The agent.
extension Node {
    func agentCommand(_ more: [String] = []) -> [String] {
        [
            weir, "agent", "--manifests", manifests, "--state", state, "--pins", pins, "--cgroup", cgroup,
            "--metrics-address", "127.0.0.1:\(metricsPort)", "--service-lb",
        ] + more
    }

    var agent: ChildProcess? { agentProcess.withLock { $0 } }

    /// Starts the agent and waits until everything in the folder is in force.
    func startAgent(_ more: String...) async throws {
        let process = try ChildProcess(agentCommand(more))
        agentProcess.withLock { $0 = process }
        try? "\(process.pid)\n".write(toFile: "\(folder.path)/agent.pid", atomically: false, encoding: .utf8)
        do {
            try await wait()
        } catch {
            process.signal(SIGKILL)
            let output = try? await process.wait()
            throw ChildProcess.Failure("the agent: \(output?.error.suffix(3000) ?? ""); \(error)")
        }
    }

    /// Ends the agent by a signal and waits for its end.
    @discardableResult func stopAgent(_ signal: Int32 = SIGTERM) async throws -> ChildProcess.Output? {
        guard let agent else { return nil }
        agentProcess.withLock { $0 = nil }
        agent.signal(signal)
        return try await agent.wait(timeout: .seconds(45))
    }
}
