import Agent
import ArgumentParser
import Glibc
import Logging

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "agent", abstract: "Run the agent of this node.")

    @Option(help: "The folder of YAML and JSON that is the cluster; followed as it changes.")
    var manifests: String
    @Option(help: "The cgroup v2 folder of the pods. Default: the node's kubepods folder, else one that is made.")
    var cgroup: String?
    @Option(help: "The folder for the admin socket and what outlives a run.")
    var state = Configuration.defaultState
    @Option(help: "The bpffs folder for maps and links.")
    var pins = Configuration.defaultPins
    @Option(help: "ADDRESS:PORT for metrics and health, or 'off'.")
    var metricsAddress = Configuration.defaultMetrics
    @Option(help: "Proxy threads. Default: the cores, at most 4.")
    var workers: Int?
    @Flag(help: "Balance Services without routes in the kernel: for machines without kube-proxy.")
    var serviceLb = false
    @Option(help: "on, or off to load no eBPF.")
    var redirect = Redirect.on
    @Option(help: "ADDRESS:PORT=NAMESPACE/SERVICE:PORT: a plain listener for that Service. May be repeated.")
    var listen: [String] = []
    @Option(help: "How long requests in flight may take after SIGTERM, as 30s or 500ms.")
    var drain = Seconds(30)
    @Flag(help: "Write one JSON line per request to standard output.")
    var accessLog = false
    @Option(help: "The name of the XMesh that stands for this mesh. Default: weir.")
    var meshName: String?
    @Option(help: "A file of 32 bytes that sessions are signed with, the same on all nodes. Default: this node's own.")
    var sessionKey: String?
    @Option(help: "The largest request head, in bytes.")
    var maxHead = Configuration.Limits().head
    @Option(help: "The longest request target, in bytes.")
    var maxTarget = Configuration.Limits().target
    @Option(help: "The most field lines of a head.")
    var maxFields = Configuration.Limits().fields
    @Option(help: "How long a request head may take to arrive.")
    var headTimeout = Seconds(Configuration.Limits().headTimeout)
    @Option(help: "How long a connection may be idle.")
    var idleTimeout = Seconds(Configuration.Limits().idleTimeout)
    @Option(help: "The most connections of one pod.")
    var connectionsPerPod = Configuration.Limits().connectionsPerPod

    enum Redirect: String, ExpressibleByArgument, CaseIterable {
        case on, off
    }

    func validate() throws {
        _ = try configuration()
    }

    func run() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let configuration = try configuration()
        do {
            try await Agent(configuration).run()
        } catch let failure as StartFailure {
            standardError("weir agent: \(failure)")
            throw ExitCode(1)
        }
    }

    func configuration() throws -> Configuration {
        let workers = workers ?? min(4, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        guard (1...64).contains(workers) else { throw ValidationError("--workers \(workers): 1 to 64 is wanted") }
        let listeners = try listen.map { text in
            guard let listener = PlainListener(text) else {
                throw ValidationError("--listen '\(text)': ADDRESS:PORT=NAMESPACE/SERVICE:PORT is wanted")
            }
            return listener
        }
        var metrics: SocketAddress?
        if metricsAddress != "off" {
            metrics = SocketAddress(metricsAddress)
            if metrics == nil {
                throw ValidationError("--metrics-address '\(metricsAddress)': ADDRESS:PORT or 'off' is wanted")
            }
        }
        var limits = Configuration.Limits()
        limits.head = maxHead
        limits.target = maxTarget
        limits.fields = maxFields
        limits.headTimeout = headTimeout.value
        limits.idleTimeout = idleTimeout.value
        limits.connectionsPerPod = connectionsPerPod
        guard (256...1_048_576).contains(maxHead), (16...maxHead).contains(maxTarget), (1...10_000).contains(maxFields),
            connectionsPerPod > 0, limits.headTimeout > 0, limits.idleTimeout > 0
        else {
            throw ValidationError(
                "limits: --max-head 256 to 1048576, --max-target 16 to --max-head, --max-fields 1 to 10000, others above 0"
            )
        }
        var configuration = Configuration(
            manifests: manifests, state: state, pins: pins, cgroup: cgroup, redirect: redirect == .on,
            serviceLB: serviceLb, workers: workers, metrics: metrics, listeners: listeners, drain: drain.value,
            accessLog: accessLog, limits: limits)
        configuration.sessionKey = sessionKey
        if let meshName {
            guard !meshName.isEmpty else { throw ValidationError("--mesh-name: a name is wanted") }
            configuration.meshName = meshName
        }
        return configuration
    }
}

/// A length of time on the command line: `30s`, `500ms`, `2m`, or bare seconds.
struct Seconds: ExpressibleByArgument, CustomStringConvertible {
    let value: Double

    init(_ value: Double) {
        self.value = value
    }

    init?(argument: String) {
        let units: [(suffix: String, factor: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("", 1)]
        for unit in units where argument.hasSuffix(unit.suffix) {
            if let number = Double(argument.dropLast(unit.suffix.count)), number >= 0, number < 1e9 {
                value = number * unit.factor
                return
            }
        }
        return nil
    }

    var description: String { value == value.rounded() ? "\(Int(value))s" : "\(value)s" }
    var defaultValueDescription: String { description }
}
