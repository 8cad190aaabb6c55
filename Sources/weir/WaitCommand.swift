import Agent
import ArgumentParser
import Inspection

struct WaitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wait",
        abstract: "Return when everything in the manifests folder up to now is in force.",
        discussion: "In force: the kernel tables hold it and every proxy worker has acknowledged it.")
    @OptionGroup var state: StateOption
    @Option(help: "How long to wait, for an agent that is still starting too.")
    var timeout = Seconds(30)

    func run() async throws {
        try await reporting {
            let reply = try await state.client.wait(timeout: .seconds(timeout.value))
            print("generation \(reply.generation) is in force")
        }
    }
}
