import Agent
import ArgumentParser
import Foundation
import Inspection

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "What the agent serves, and what it has to say about the manifests.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    func run() async throws {
        try await reporting {
            let status: AgentStatus = try await state.client.get("/status")
            try show(status, output.output) { wide in Self.text(status, wide: wide) }
            guard status.ready else {
                standardError("weir: the agent is \(status.draining ? "ending" : "not ready yet")")
                throw ExitCode(1)
            }
        }
    }

    static func text(_ status: AgentStatus, wide: Bool) -> String {
        var out = ""
        func line(_ name: String, _ value: String) {
            out += name.padding(toLength: 14, withPad: " ", startingAt: 0) + value + "\n"
        }
        line("agent", "\(status.version), pid \(status.pid), since \(status.startedAt)")
        line("ready", status.ready ? "yes" : status.draining ? "no: it is ending" : "no: it is starting")
        line("generation", "\(status.generation), compiled in \(milliseconds(status.compileMilliseconds))")
        let late = status.workers.filter { $0.acknowledgedGeneration != status.generation }
        line(
            "workers",
            "\(status.workers.count)"
                + (late.isEmpty
                    ? ", all at that generation"
                    : late.map { ", \($0.index) is at \($0.acknowledgedGeneration)" }.joined()))
        line("manifests", status.manifests)
        line("redirect", status.redirect + (status.serviceLB ? ", service-lb on" : ""))
        if wide {
            line("cgroup", status.cgroup ?? "-")
            line("pins", status.pins ?? "-")
        }
        if let mesh = status.mesh {
            line("mesh", mesh.text)
            if wide { line("features", mesh.supportedFeatures.joined(separator: " ")) }
        }
        for listener in status.listeners { line("listen", listener) }
        line("services", "\(status.counts.services)")
        line("routes", "\(status.counts.routes)")
        line("policies", "\(status.counts.policies)")
        line("pods", "\(status.counts.podsEnrolled) enrolled, \(status.counts.podsNotEnrolled) not")
        let all = [
            ("refused", status.refused), ("unknown fields", status.unknownFields), ("duplicates", status.duplicates),
            ("ignored", status.ignored), ("problems", status.problems),
        ]
        if all.allSatisfy(\.1.isEmpty) { line("findings", "none") }
        for (title, findings) in all where !findings.isEmpty {
            out += "\n\(title):\n" + findings.map { "  \($0.text)\n" }.joined()
        }
        return out
    }
}

extension MeshView {
    /// `weir: True (Accepted), 29 features: Weir serves this mesh, as weir.dev/mesh`
    var text: String {
        let condition = accepted.map { " \($0) (\(reason ?? "")), \(supportedFeatures.count) features:" } ?? ""
        let place = action == "create" ? "; no XMesh of that name is there" : ""
        return "\(name):\(condition) \(message)\(place)"
    }
}

func milliseconds(_ value: Double) -> String {
    String(format: "%.1f ms", value)
}

/// A command that shows what the agent answers at one path.
protocol ListCommand: AsyncParsableCommand {
    associatedtype Answer: Codable
    var state: StateOption { get }
    var output: OutputOption { get }
    static var path: String { get }
    static func table(_ answer: Answer) -> Table
}

extension ListCommand {
    func run() async throws {
        try await reporting {
            let answer: Answer = try await state.client.get(Self.path)
            try show(answer, output.output) { wide in Self.table(answer).text(wide: wide) }
        }
    }
}

struct PodsCommand: ListCommand {
    static let configuration = CommandConfiguration(
        commandName: "pods", abstract: "The pods, and whether their connections are redirected.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    static let path = "/pods"

    static func table(_ pods: [PodView]) -> Table {
        var table = Table([
            .init("NAMESPACE"), .init("NAME"), .init("STATE"), .init("TOOK"), .init("ADDRESSES"),
            .init("NETNS", wide: true), .init("COOKIE", wide: true), .init("MESSAGE"),
        ])
        for pod in pods {
            table.add([
                pod.namespace, pod.name, pod.state, pod.enrolMilliseconds.map(milliseconds) ?? "",
                pod.addresses.joined(separator: ","), pod.netns ?? "", pod.cookie.map(String.init) ?? "",
                pod.message ?? "",
            ])
        }
        return table
    }
}

struct ServicesCommand: ListCommand {
    static let configuration = CommandConfiguration(
        commandName: "services", abstract: "The Services, and which routes hold for each port.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    static let path = "/services"

    static func table(_ services: [ServiceView]) -> Table {
        var table = Table([
            .init("NAMESPACE"), .init("NAME"), .init("ADDRESSES"), .init("PORT"), .init("APPPROTOCOL", wide: true),
            .init("ENDPOINTS"), .init("PRODUCER ROUTES"), .init("CONSUMER ROUTES"), .init("INDEX", wide: true),
        ])
        for service in services {
            for port in service.ports {
                let consumers = port.consumers.sorted { $0.key < $1.key }
                table.add([
                    service.namespace, service.name, service.addresses.map(\.address).joined(separator: ","),
                    "\(port.port)/\(port.protocol)", port.appProtocol ?? "", String(port.endpoints),
                    port.producer.joined(separator: ", "),
                    consumers.map { "\($0.key): \($0.value.joined(separator: ", "))" }.joined(separator: "; "),
                    service.addresses.map { String($0.index) }.joined(separator: ","),
                ])
            }
        }
        return table
    }
}

struct EndpointsCommand: ListCommand {
    static let configuration = CommandConfiguration(
        commandName: "endpoints", abstract: "The ready endpoints behind each Service port.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    static let path = "/endpoints"

    static func table(_ endpoints: [EndpointView]) -> Table {
        var table = Table([
            .init("NAMESPACE"), .init("SERVICE"), .init("PORT"), .init("ENDPOINT"), .init("POD"),
        ])
        for endpoint in endpoints {
            let address = endpoint.address.contains(":") ? "[\(endpoint.address)]" : endpoint.address
            table.add([
                endpoint.namespace, endpoint.service, String(endpoint.port), "\(address):\(endpoint.endpointPort)",
                endpoint.pod ?? "",
            ])
        }
        return table
    }
}

struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "The version of this program, and of the agent that answers.")
    @OptionGroup var state: StateOption
    @OptionGroup var output: OutputOption

    func run() async throws {
        let agent: AgentStatus? = try? await state.client.get("/status")
        let view = VersionView(version: version, agent: agent?.version)
        try show(view, output.output) { _ in "weir \(view.version)\nagent \(view.agent ?? "does not answer")\n" }
    }
}
