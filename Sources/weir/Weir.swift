import Agent
import ArgumentParser

@main
struct Weir: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "A sidecarless service mesh agent: Gateway API routes for Services, by eBPF and one proxy per node.",
        subcommands: [
            AgentCommand.self, StatusCommand.self, PodsCommand.self, ServicesCommand.self, RoutesCommand.self,
            EndpointsCommand.self, ExplainCommand.self, CheckCommand.self, WaitCommand.self, VersionCommand.self,
            UninstallCommand.self, PlaygroundCommand.self, EchoCommand.self,
        ])
}

/// The option of every command that asks an agent.
struct StateOption: ParsableArguments {
    @Option(help: "The agent's state folder; its socket is weir.sock there.")
    var state = Configuration.defaultState

    var client: AdminClient { AdminClient(state: state) }
}

extension AdminClient.Failure {
    /// Exit status: 3 when no agent answers, 1 when it refuses.
    var exitCode: ExitCode {
        switch self {
        case .noAgent, .noAnswer: ExitCode(3)
        case .refused: ExitCode(1)
        }
    }
}

/// Runs a command's body; an agent's refusal goes to standard error with its exit status.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let failure as AdminClient.Failure {
        standardError("weir: \(failure)")
        throw failure.exitCode
    }
}
