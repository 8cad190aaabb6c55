import Agent
import ArgumentParser
import Foundation
import Playground

struct PlaygroundCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "playground", abstract: "Pods on this machine, without a cluster: network namespaces and cgroups.",
        subcommands: [UpCommand.self, ExecCommand.self, DownCommand.self])

    /// Prints a failure as one line and ends with status 1.
    static func reporting(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as PlaygroundError {
            standardError("weir playground: \(failure)")
            throw ExitCode(1)
        }
    }

    struct UpCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "up", abstract: "Make the Pods of a folder of manifests.",
            discussion: """
                Each Pod becomes a network namespace (veth, bridge, IPv4 and IPv6), a cgroup, hosts entries for the \
                Services' names, and one process per container: its command, if that program is on this machine, else \
                `weir echo` on each container port.
                """)
        @OptionGroup var state: StateOption
        @Option(help: "The cgroup v2 folder for the pods' cgroups. Default: the agent's own default.")
        var cgroup: String?
        @Argument(help: "A folder of YAML or JSON manifests.")
        var folder: String

        func run() async throws {
            try PlaygroundCommand.reporting {
                let manifests = try PlaygroundManifests(folder: folder)
                let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
                let report = try Playground(state: state.state).up(manifests, cgroup: cgroup, echo: [program, "echo"])
                var table = Table([
                    .init("NAMESPACE"), .init("NAME"), .init("ADDRESSES"), .init("NETNS"), .init("RUNS"),
                ])
                for pod in report.pods {
                    table.add([
                        pod.sandbox.namespace, pod.sandbox.name,
                        pod.sandbox.addresses.map { "\($0)" }.joined(separator: ","), pod.sandbox.netns,
                        pod.runs.joined(separator: "; "),
                    ])
                }
                print(table.text(wide: true), terminator: "")
                for note in report.notes { print("note: \(note)") }
            }
        }
    }

    struct ExecCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "exec",
            abstract: "Run a command as a pod: in its network namespace, its cgroup, its hosts file.")
        @OptionGroup var state: StateOption
        @Argument(help: "NAMESPACE/POD, or POD where that is enough.")
        var pod: String
        @Argument(parsing: .postTerminator, help: "The command, after --.")
        var command: [String]

        func validate() throws {
            if command.isEmpty { throw ValidationError("a command is wanted after --") }
        }

        func run() async throws {
            try PlaygroundCommand.reporting { try Playground(state: state.state).exec(pod, command) }
        }
    }

    struct DownCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "down", abstract: "Remove the pods and everything that was made for them.")
        @OptionGroup var state: StateOption

        func run() async throws {
            try PlaygroundCommand.reporting {
                for note in try Playground(state: state.state).down() ?? [] { print("note: \(note)") }
            }
        }
    }
}

struct EchoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "An HTTP server that answers with the request, as JSON.",
        discussion: """
            HTTP/1.1, HTTP/2 with prior knowledge, WebSocket, and gRPC for the service of the Gateway API conformance \
            suite. Query parameters, or x-echo- fields, ask for more: delay=500ms, status=503, size=1000000, chunked, \
            early, close=reset, uuid=a&succeedAfter=2&responseCode=503, … /_seen?prefix=/a tells the requests that came.
            """)
    @Option(help: "A port to listen on. May be repeated.")
    var port: [UInt16]

    func run() async throws {
        try PlaygroundCommand.reporting { try EchoServer(EchoServer.Configuration(ports: port)).run() }
    }
}
