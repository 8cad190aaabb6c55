import Agent
import ArgumentParser

struct UninstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uninstall",
        abstract: "Remove every pin, link, route and cgroup that agents with these pins and this state made.")
    @OptionGroup var state: StateOption
    @Option(help: "The bpffs folder of maps and links.")
    var pins = Configuration.defaultPins

    func run() async throws {
        do {
            for left in try Agent.uninstall(pins: pins, state: state.state) { print("left: \(left)") }
        } catch let failure {
            standardError("weir uninstall: \(failure)")
            throw ExitCode(1)
        }
    }
}
