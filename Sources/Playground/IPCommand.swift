import CLinux
import Glibc

/// Runs iproute2's `ip` over a batch of its commands, in the calling thread's network namespace.
struct IPCommand {
    let program: String

    init() throws(PlaygroundError) {
        guard let program = Program.find("ip", also: ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]) else {
            throw PlaygroundError("there is no `ip` on this machine: install iproute2")
        }
        self.program = program
    }

    /// - Throws: PlaygroundError with what `ip` said and the line it stopped at.
    func run(_ lines: [String]) throws(PlaygroundError) {
        let (input, inputWriter) = try Self.pipe()
        let (errors, errorsWriter) = try Self.pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, errorsWriter, 1)
        posix_spawn_file_actions_adddup2(&actions, errorsWriter, 2)
        var child: pid_t = 0
        let code = withStrings([program, "-batch", "-"]) {
            posix_spawn(&child, program, &actions, nil, $0, Glibc.environ)
        }
        close(input)
        close(errorsWriter)
        let said = Descriptor(adopting: errors)
        do {
            let batch = Descriptor(adopting: inputWriter)
            guard code == 0 else { throw PlaygroundError("cannot run \(program)", errno: code) }
            // `ip` stops reading at the first line it refuses; what it then says tells more than EPIPE.
            try? batch.writeAll(lines.joined(separator: "\n") + "\n", to: "to \(program)")
        }
        let text = String(decoding: try said.readAll(), as: UTF8.self)
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        guard status == 0 else {
            throw PlaygroundError("ip refused: \(Self.explain(text, lines))")
        }
    }

    /// `ip -batch` ends with "Command failed -:LINE".
    private static func explain(_ text: String, _ lines: [String]) -> String {
        let words = text.split(whereSeparator: \.isNewline).map(String.init)
        let reason = words.first { !$0.hasPrefix("Command failed") } ?? "no reason given"
        guard let last = words.last, let number = last.split(separator: ":").last.flatMap({ Int($0) }),
            lines.indices.contains(number - 1)
        else { return words.joined(separator: "; ") }
        return "`ip \(lines[number - 1])`: \(reason)"
    }

    private static func pipe() throws(PlaygroundError) -> (Int32, Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw PlaygroundError("cannot make a pipe", errno: errno) }
        return (ends[0], ends[1])
    }
}
