import Foundation
import Glibc
import Testing
import TestSupport

/// How a client's bytes get to a backend.
enum Way: String, Sendable, CaseIterable, CustomTestStringConvertible {
    /// The Service has no route: the kernel forwards, so that a failure is the peers' own.
    case plain = "without a route"
    /// A route claims the Service's port: the client is redirected to the proxy.
    case route = "through a route"

    var testDescription: String { rawValue }
}

/// What a client or a server speaks, without TLS; HTTP/2 with prior knowledge.
enum HTTPVersion: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case http1 = "HTTP/1.1"
    case http2 = "HTTP/2"

    var testDescription: String { rawValue }

    /// curl's option.
    var curl: String { self == .http1 ? "--http1.1" : "--http2-prior-knowledge" }
    /// `how` of a ClientRequest.
    var how: String { self == .http1 ? "plain" : "h2" }
}

/// The Service `peer`, whose endpoints are the pods in which a test starts servers.
struct PeerService: Sendable {
    /// The Service's port and the servers'.
    var port: UInt16
    var appProtocol: String?
    var pods = [Base.v2]
    var route = Route.http()

    /// What claims the port when the way is through a route. Requests and answers then bear `x-through: weir`.
    enum Route: Sendable {
        /// `rule` is further lines of the one rule, `backend` another Service than `peer`.
        case http(rule: String = "", backend: String = "peer", port: UInt16? = nil)
        case grpc(rule: String = "", backend: String = "peer", port: UInt16? = nil)
    }

    static let clusterIP = "10.96.0.30"

    var address: String { "\(Self.clusterIP):\(port)" }

    func manifest(_ way: Way) -> String {
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: peer, namespace: \(Base.mesh)}
            spec:
              clusterIP: \(Self.clusterIP)
              clusterIPs: [\(Self.clusterIP)]
              ports: [{name: peer, port: \(port)\(appProtocol.map { ", appProtocol: \($0)" } ?? "")}]
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: peer
              namespace: \(Base.mesh)
              labels: {kubernetes.io/service-name: peer}
            addressType: IPv4
            ports: [{name: peer, port: \(port), protocol: TCP}]
            endpoints: [\(pods.map { "{addresses: [\(Base.address($0))], conditions: {ready: true}}" }
                .joined(separator: ", "))]

            """
        return way == .plain ? service : service + "---\n" + routeManifest
    }

    private var routeManifest: String {
        let kind: String
        let parts: (rule: String, backend: String, port: UInt16?)
        switch route {
        case .http(let rule, let backend, let port): (kind, parts) = ("HTTPRoute", (rule, backend, port))
        case .grpc(let rule, let backend, let port): (kind, parts) = ("GRPCRoute", (rule, backend, port))
        }
        return """
            apiVersion: gateway.networking.k8s.io/v1
            kind: \(kind)
            metadata: {name: peer, namespace: \(Base.mesh)}
            spec:
              parentRefs: [{group: "", kind: Service, name: peer, port: \(port)}]
              rules:
              - filters:
                - type: RequestHeaderModifier
                  requestHeaderModifier: {set: [{name: x-through, value: weir}]}
                - type: ResponseHeaderModifier
                  responseHeaderModifier: {set: [{name: x-through, value: weir}]}
                backendRefs: [{name: \(parts.backend), port: \(parts.port ?? port)}]
                \(parts.rule)

            """
    }
}

extension Node {
    /// Puts the Service in force, starts `server` in each of its pods, and calls `body` once they listen. The route, if
    /// there is one, must have good conditions. Afterwards nothing of it is left.
    func serving<Result>(
        _ service: PeerService, _ way: Way, _ server: [String], sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        try await applying(service, way, sourceLocation: sourceLocation) {
            try await running(server, in: service.pods, port: service.port, body)
        }
    }

    /// The same without a server.
    func applying<Result>(
        _ service: PeerService, _ way: Way, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            try await apply("peer.yaml", service.manifest(way))
            try await checkConditions(of: "peer.yaml", sourceLocation: sourceLocation)
            let result = try await body()
            try await remove("peer.yaml")
            return result
        } catch {
            try? await remove("peer.yaml")
            throw error
        }
    }

    /// Runs a server in pods while `body` runs.
    func running<Result>(
        _ server: [String], in pods: [String], port: UInt16, _ body: () async throws -> Result
    ) async throws -> Result {
        var processes: [ChildProcess] = []
        func stop() async throws {
            for process in processes {
                process.signal(SIGKILL, group: true)
                _ = try await process.wait(timeout: .seconds(20))
            }
        }
        do {
            for pod in pods { processes.append(try start(pod, server)) }
            for process in processes {
                let listens = await eventually(within: .seconds(30)) {
                    Self.isListening(process.pid, port) || !process.isRunning
                }
                guard listens, process.isRunning else {
                    throw ChildProcess.Failure("\(server.joined(separator: " ")): \(process.errorOutput.suffix(2000))")
                }
            }
            let result = try await body()
            for process in processes where !process.isRunning {
                Issue.record("\(server.joined(separator: " ")) has ended: \(process.errorOutput.suffix(2000))")
            }
            try await stop()
            return result
        } catch {
            for process in processes { Issue.record("the server's errors: \(process.errorOutput.suffix(2000))") }
            try await stop()
            throw error
        }
    }

    /// Whether someone listens on the port in the process's network namespace, once that is not this process's own any more.
    private static func isListening(_ pid: pid_t, _ port: UInt16) -> Bool {
        guard let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/net"),
            let its = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/ns/net"), own != its
        else { return false }
        let suffix = ":" + String(Int(port) + 0x10000, radix: 16, uppercase: true).suffix(4)
        return ["tcp", "tcp6"].contains { table in
            let text = (try? String(contentsOfFile: "/proc/\(pid)/net/\(table)", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").contains { line in
                let words = line.split(separator: " ")
                return words.count > 3 && words[1].hasSuffix(suffix) && words[3] == "0A"
            }
        }
    }

    /// The agent's peak of resident memory while `body` runs, beyond what it had before, in bytes.
    func agentGrowth(_ body: () async throws -> Void) async throws -> Int {
        guard let pid = agent?.pid else { throw ChildProcess.Failure("no agent runs") }
        // proc(5): 5 resets the peak.
        try "5".write(toFile: "/proc/\(pid)/clear_refs", atomically: false, encoding: .utf8)
        let before = try Self.residentPeak(pid)
        try await body()
        return try Self.residentPeak(pid) - before
    }

    private static func residentPeak(_ pid: pid_t) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { throw ChildProcess.Failure("/proc/\(pid)/status has no VmHWM") }
        return kibibytes * 1024
    }

    /// The command that runs one of the folder Programs.
    static func program(_ name: String, _ arguments: String...) -> [String] {
        [python, "\(programs)/\(name).py"] + arguments
    }
}

extension Node {
    /// Runs nginx in pods, as one process each, while `body` runs.
    /// - Parameter server: the lines of its only `server`.
    func runningNginx<Result>(
        server: String, in pods: [String], port: UInt16, _ body: () async throws -> Result
    ) async throws -> Result {
        let folder = try TemporaryFolder(prefix: "wn-nginx")
        defer { withExtendedLifetime(folder) {} }
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path)/\($0);" }.joined(separator: " ")
        try """
        daemon off; master_process off; pid \(folder.path)/pid; error_log stderr warn;
        events { worker_connections 1024; }
        http {
          access_log off;
          \(temporary)
          server {
            \(server)
          }
        }
        """.write(toFile: folder.path + "/nginx.conf", atomically: true, encoding: .utf8)
        return try await running(
            ["nginx", "-p", folder.path, "-c", folder.path + "/nginx.conf"], in: pods, port: port, body)
    }
}
