import Agent
import ArgumentParser
import Datapath
import Inspection

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "What this node lacks to run the agent. Needs no agent; leaves nothing behind.")
    @OptionGroup var state: StateOption
    @Option(help: "The bpffs folder where the agent is to pin.")
    var pins = Configuration.defaultPins
    @OptionGroup var output: OutputOption

    /// One check, as it is shown.
    struct View: Codable {
        let name: String
        let ok: Bool
        let detail: String
    }

    func run() async throws {
        var checks = NodeCheck.all(pins: pins).map { View(name: $0.name, ok: $0.isFine, detail: $0.detail) }
        let folder = StateCheck(state.state)
        checks.append(
            View(name: "state", ok: folder.problem == nil, detail: folder.problem ?? "\(state.state) can be written"))
        try show(checks, output.output) { wide in
            var table = Table([.init("CHECK"), .init("OK"), .init("DETAIL")])
            for check in checks { table.add([check.name, check.ok ? "yes" : "NO", check.detail]) }
            return table.text(wide: wide)
        }
        let lacking = checks.filter { !$0.ok }
        guard lacking.isEmpty else {
            standardError("weir: this node lacks \(lacking.map(\.name).joined(separator: ", "))")
            throw ExitCode(1)
        }
    }
}
