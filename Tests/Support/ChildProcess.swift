import Foundation
package import Glibc
import Synchronization

/// A program that a test started, in a process group of its own.
package final class ChildProcess: Sendable {
    package let pid: pid_t
    /// Read by `output`; everything that the program writes to its two streams.
    private let standardOutput: String
    private let standardError: String
    private let folder: TemporaryFolder
    private let input: Mutex<Int32>
    private let ended = Mutex(false)
    private let exit: Task<Int32, Never>

    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(_ description: String) {
            self.description = description
        }
    }

    /// What a program left behind.
    package struct Output: Sendable {
        /// The exit status, or 128 and the signal that ended it, as a shell has it.
        package let status: Int32
        package let output: String
        package let error: String
    }

    /// - Parameters:
    ///   - input: what it reads from standard input; nil leaves it open until `closeInput`.
    package init(_ command: [String], input text: String? = "") throws {
        folder = try TemporaryFolder(prefix: "child")
        standardOutput = folder.path + "/out"
        standardError = folder.path + "/err"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var ends: [Int32] = [-1, -1]
        if let text {
            let file = folder.path + "/in"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            posix_spawn_file_actions_addopen(&actions, 0, file, O_RDONLY, 0)
        } else {
            // A pair of sockets, since they are close-on-exec from the start: no other child keeps the far end open.
            let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
            guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
                throw Failure("socketpair: \(String(cString: strerror(errno)))")
            }
            posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        }
        posix_spawn_file_actions_addopen(&actions, 1, standardOutput, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, standardError, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        let arguments = command.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, command[0], &actions, &attributes, arguments, environ)
        if ends[0] >= 0 { close(ends[0]) }
        guard code == 0 else {
            if ends[1] >= 0 { close(ends[1]) }
            throw Failure("cannot start \(command[0]): \(String(cString: strerror(code)))")
        }
        pid = child
        input = Mutex(ends[1])
        exit = Self.waiter(for: child)
    }

    deinit { closeInput() }

    private static func waiter(for pid: pid_t) -> Task<Int32, Never> {
        // The process stays a zombie, so that its id is not another's, until `reap`.
        Task {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    var information = siginfo_t()
                    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
                    continuation.resume(returning: 0)
                }
            }
        }
    }

    /// Ends the program's standard input, where it was left open.
    package func closeInput() {
        input.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    /// False once the program has ended.
    package var isRunning: Bool {
        ended.withLock { ended in
            var information = siginfo_t()
            let known = !ended && waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            return known && information.si_signo == 0
        }
    }

    /// Whether it has not been waited for yet and gets the signal.
    @discardableResult package func signal(_ number: Int32, group: Bool = false) -> Bool {
        ended.withLock { ended in
            !ended && kill(group ? -pid : pid, number) == 0
        }
    }

    /// Waits for the program's end. After `timeout` it is killed with its group, which is a failure.
    package func wait(timeout: Duration = .seconds(60)) async throws -> Output {
        let late = Mutex(false)
        let watchdog = Task {
            try await Task.sleep(for: timeout)
            late.withLock { $0 = true }
            signal(SIGKILL, group: true)
        }
        _ = await exit.value
        watchdog.cancel()
        var status: Int32 = 0
        ended.withLock { ended in
            if !ended { waitpid(pid, &status, 0) }
            ended = true
        }
        let output = Output(
            status: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f), output: self.output,
            error: errorOutput)
        if late.withLock({ $0 }) {
            throw Failure("pid \(pid): no end after \(timeout): \(output.error.suffix(2000))")
        }
        return output
    }

    /// What it has written to standard output so far.
    package var output: String { Self.text(standardOutput) }
    package var errorOutput: String { Self.text(standardError) }

    private static func text(_ file: String) -> String {
        String(decoding: (try? Data(contentsOf: URL(filePath: file))) ?? Data(), as: UTF8.self)
    }

    /// Runs a program to its end.
    package static func run(
        _ command: [String], input: String = "", timeout: Duration = .seconds(60)
    ) async throws -> Output {
        try await ChildProcess(command, input: input).wait(timeout: timeout)
    }

    /// Runs a program that must succeed.
    /// - Returns: its standard output.
    @discardableResult package static func succeed(
        _ command: [String], input: String = "", timeout: Duration = .seconds(60)
    ) async throws -> String {
        let output = try await run(command, input: input, timeout: timeout)
        guard output.status == 0 else {
            throw Failure(
                "\(command.joined(separator: " ")): exit status \(output.status): "
                    + "\(output.error.suffix(2000))\(output.output.suffix(500))")
        }
        return output.output
    }
}
