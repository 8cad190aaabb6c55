import CLinux
import Glibc

/// A program to run in a pod.
struct PodProcess {
    /// The words of the command; the first is looked for in the machine's PATH.
    let command: [String]
    /// Wins over the caller's environment and the pod's own variables.
    var environment: [String: String] = [:]
    var directory: String?

    /// Replaces this process by the program, in the pod. Terminal, signals, descriptors and exit status are the program's
    /// own. Returns only by throwing; the process may then be in the pod's cgroup already.
    func replaceSelf(in sandbox: Sandbox) throws(PlaygroundError) -> Never {
        let program = try executable()
        var failed: Int32 = 0
        try Self.withPod(sandbox) { (pod) throws(PlaygroundError) in
            failed = clinux_enter_pod(pod)
            guard failed == 0 else { throw Self.error(step: failed, code: errno, sandbox, self) }
        }
        if let directory, chdir(directory) != 0 {
            throw Self.error(step: Int32(CLINUX_POD_DIRECTORY.rawValue), code: errno, sandbox, self)
        }
        // The threads that Swift's concurrency runs on block most signals, and the program would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        signal(SIGPIPE, SIG_DFL)
        withStrings(command) { arguments in
            withStrings(variables(in: sandbox)) { _ = execve(program, arguments, $0) }
        }
        throw Self.error(step: Int32(CLINUX_POD_EXECUTE.rawValue), code: errno, sandbox, self)
    }

    /// Starts the program in the pod. Descriptor 3 is `notify` unless that is -1.
    /// - Returns: its process id; the caller waits for it, or leaves it to whoever outlives the caller.
    func start(
        in sandbox: Sandbox, input: Int32, output: Int32, error: Int32, notify: Int32 = -1, ownSession: Bool
    ) throws(PlaygroundError) -> pid_t {
        let program = try executable()
        var child: pid_t = -1
        var failed: Int32 = 0
        var code: Int32 = 0
        try Self.withPod(sandbox) { pod in
            withStrings(command) { arguments in
                withStrings(variables(in: sandbox)) { environment in
                    withOptionalString(directory) { directory in
                        program.withCString { program in
                            arguments.withUnsafeBufferPointer { arguments in
                                environment.withUnsafeBufferPointer { environment in
                                    var description = clinux_program(
                                        path: program, arguments: arguments.baseAddress,
                                        environment: environment.baseAddress, directory: directory, input: input,
                                        output: output, error: error, notify: notify)
                                    child = clinux_spawn_in_pod(pod, &description, ownSession ? 1 : 0, &failed)
                                    code = errno
                                }
                            }
                        }
                    }
                }
            }
        }
        guard child > 0 else { throw Self.error(step: failed, code: code, sandbox, self) }
        return child
    }

    private func executable() throws(PlaygroundError) -> String {
        guard let name = command.first else { throw PlaygroundError("no command is given") }
        guard let program = Program.find(name, path: environment["PATH"]) else {
            throw PlaygroundError("\(name): no such program on this machine")
        }
        return program
    }

    private func variables(in sandbox: Sandbox) -> [String] {
        var all = Program.environment
        all.merge(sandbox.variables) { $1 }
        all.merge(environment) { $1 }
        return all.map { "\($0.key)=\($0.value)" }.sorted()
    }

    private static func withPod(
        _ sandbox: Sandbox, _ body: (UnsafePointer<clinux_pod>) throws(PlaygroundError) -> Void
    ) throws(PlaygroundError) {
        let netns = try Descriptor(sandbox.netns, O_RDONLY)
        let cgroup = try Descriptor("\(sandbox.cgroup)/cgroup.procs", O_WRONLY)
        let hosts = strdup(sandbox.hosts)
        defer { free(hosts) }
        var pod = clinux_pod(netns: netns.number, cgroup_procs: cgroup.number, hosts: hosts)
        try body(&pod)
    }

    private static func error(step: Int32, code: Int32, _ sandbox: Sandbox, _ process: Self) -> PlaygroundError {
        let attempt: String
        switch UInt32(bitPattern: step) {
        case CLINUX_POD_CGROUP.rawValue: attempt = "cannot enter the cgroup \(sandbox.cgroup)"
        case CLINUX_POD_NETNS.rawValue: attempt = "cannot enter the network namespace \(sandbox.netns)"
        case CLINUX_POD_MOUNTS.rawValue: attempt = "cannot make a mount namespace"
        case CLINUX_POD_HOSTS.rawValue: attempt = "cannot mount \(sandbox.hosts) on /etc/hosts"
        case CLINUX_POD_DIRECTORY.rawValue: attempt = "cannot change to \(process.directory ?? "")"
        case CLINUX_POD_EXECUTE.rawValue: attempt = "cannot run \(process.command.first ?? "")"
        default: attempt = "cannot start a process"
        }
        return PlaygroundError("Pod \(sandbox.path): \(attempt)", errno: code)
    }
}

private func withOptionalString(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Void) {
    guard let text else { return body(nil) }
    text.withCString { body($0) }
}
