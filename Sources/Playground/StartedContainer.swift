import CLinux
import Glibc

/// A container whose process has been started in its pod.
final class StartedContainer {
    /// What runs, for the user.
    let runs: String
    private let pod: String
    private let log: String
    /// The reading end of the pipe on which an echo server says that it listens; -1 for any other program, which cannot.
    private let ready: Int32

    /// Nil when the container has nothing to run: neither a command that exists here nor a port to answer on.
    init?(
        _ container: PodPlan.Container, in sandbox: Sandbox, echo: [String], log: String
    ) throws(PlaygroundError) {
        let variables = Dictionary(container.environment.map { ($0.name, $0.value) }) { $1 }
        var process: PodProcess
        if let name = container.command.first, Program.find(name, path: variables["PATH"]) != nil {
            process = PodProcess(command: container.command + container.arguments)
            runs = (container.command + container.arguments).joined(separator: " ")
            ready = -1
        } else {
            guard !container.ports.isEmpty else { return nil }
            process = PodProcess(command: echo + container.ports.flatMap { ["--port", "\($0)"] })
            runs = "weir echo on " + container.ports.map(String.init).joined(separator: ", ")
            var ends: [Int32] = [0, 0]
            guard pipe2(&ends, O_CLOEXEC) == 0 else { throw PlaygroundError("cannot make a pipe", errno: errno) }
            ready = ends[0]
            process.environment[EchoServer.notifyVariable] = "3"
            defer { close(ends[1]) }
            pod = sandbox.path
            self.log = log
            process.environment.merge(variables) { own, _ in own }
            try Self.start(process, in: sandbox, log: log, notify: ends[1])
            return
        }
        pod = sandbox.path
        self.log = log
        process.environment = variables
        try Self.start(process, in: sandbox, log: log, notify: -1)
    }

    deinit {
        if ready >= 0 { close(ready) }
    }

    /// Waits until an echo server listens on all its ports.
    /// - Throws: PlaygroundError with the end of its log, when it ended instead.
    func waitUntilReady() throws(PlaygroundError) {
        guard ready >= 0 else { return }
        var entry = pollfd(fd: ready, events: Int16(POLLIN), revents: 0)
        var byte: UInt8 = 0
        guard poll(&entry, 1, 30_000) > 0 else {
            throw PlaygroundError("Pod \(pod): \(runs): not listening after 30 s; its log is \(log)")
        }
        guard read(ready, &byte, 1) == 1 else {
            let said = try Descriptor(log, O_RDONLY).readAll()
            throw PlaygroundError(
                "Pod \(pod): \(runs): ended at once: \(String(decoding: said.suffix(2000), as: UTF8.self))")
        }
    }

    private static func start(
        _ process: PodProcess, in sandbox: Sandbox, log: String, notify: Int32
    ) throws(PlaygroundError) {
        let nothing = try Descriptor("/dev/null", O_RDONLY)
        let output = try Descriptor(log, O_WRONLY | O_CREAT | O_APPEND)
        _ = try process.start(
            in: sandbox, input: nothing.number, output: output.number, error: output.number, notify: notify,
            ownSession: true)
    }
}
