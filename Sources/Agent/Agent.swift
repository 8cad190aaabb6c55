import Datapath
import Foundation
import Glibc
import HTTPWire
import Logging
import Manifests
import Proxy

/// Wires the parts together, starts them in the order of their needs, and ends them in the reverse.
package struct Agent {
    private var configuration: Configuration

    package init(_ configuration: Configuration) {
        self.configuration = configuration
    }

    /// Runs until SIGTERM or SIGINT, then drains. Throws `StartFailure` when it cannot start.
    package func run() async throws {
        let log = Logger(label: "weir") { _ in LogLines() }
        var configuration = configuration
        let lock = try StateFolder(configuration.state)
        defer { lock.release() }
        let sessionKey = try lock.sessionKey(configuration.sessionKey)
        let control = try ControlLoop()
        // Everything that can be wrong with the command line comes before the first change to the node.
        try Self.checkFolder(configuration.manifests)
        var servers = [try await AdminServer(state: configuration.state, control: control).listen(log: log)]
        defer {
            for server in servers { server.stop() }
            unlink(AdminClient.socketPath(state: configuration.state))
        }
        if let address = configuration.metrics {
            servers.append(try await MetricsServer(address: address, control: control).listen(log: log))
        }
        let datapath = try configuration.redirect ? Self.datapath(&configuration) : nil
        let proxy: Proxy
        do {
            proxy = try Proxy(Self.proxyConfiguration(configuration, sessionKey))
            try proxy.start()
        } catch {
            throw StartFailure("cannot start the proxy: \(error)")
        }
        for listener in configuration.listeners {
            do {
                _ = try proxy.listen(
                    address: listener.address.address, port: listener.address.port, service: listener.service,
                    servicePort: listener.port, clientNamespace: "")
            } catch {
                throw StartFailure("--listen \(listener): \(error)")
            }
        }
        let heartbeat = try datapath.map { try Heartbeat($0, proxy) }

        let settings = configuration
        let failure = await control.serve {
            let folder: ManifestFolder
            do {
                folder = try ManifestFolder(settings.manifests)
            } catch {
                throw StartFailure("--manifests \(settings.manifests): \(error)")
            }
            let pipeline = Pipeline(settings, folder: folder, proxy: proxy, datapath: datapath, log: log)
            try pipeline.start()
            return pipeline
        }
        if failure == nil { log.info("draining", metadata: ["seconds": "\(configuration.drain)"]) }
        datapath?.stopRedirecting()
        let patience = failure == nil ? configuration.drain : 0
        let finished = proxy.drain(deadline: .now + .seconds(patience))
        if failure == nil {
            if finished {
                log.info("stopped")
            } else {
                log.warning("stopped: some requests were cut off at the end of the drain")
            }
        }
        control.end()
        proxy.stop()
        heartbeat?.stop()
        if let failure { throw failure }
    }

    private static func checkFolder(_ path: String) throws(StartFailure) {
        guard let folder = opendir(path) else { throw StartFailure("--manifests \(path)", errno: errno) }
        closedir(folder)
    }

    private static func datapath(_ configuration: inout Configuration) throws(StartFailure) -> Datapath {
        do throws(DatapathError) {
            let own = try Cgroup.of().id()
            let cgroup = if let given = configuration.cgroup { given } else { try defaultCgroup() }
            configuration.cgroup = cgroup
            return try Datapath(
                .init(pins: configuration.pins, cgroup: cgroup, state: configuration.state, agents: [own]))
        } catch .locked(let pins) {
            throw StartFailure("\(DatapathError.locked(pins: pins))")
        } catch {
            throw StartFailure("\(error); `weir check` says what this node lacks")
        }
    }

    /// The kubelet's folder of pods, else one of Weir's own, where `weir playground` puts its pods too.
    private static func defaultCgroup() throws(DatapathError) -> String {
        if try Cgroup.kubepods() == nil { _ = try Cgroup.root().make("weir") }
        return try Cgroup.podsFolder()
    }

    private static func proxyConfiguration(
        _ configuration: Configuration, _ sessionKey: SessionKey
    ) -> ProxyConfiguration {
        var proxy = ProxyConfiguration()
        proxy.workers = configuration.workers
        proxy.head = configuration.headLimits
        proxy.headTimeout = .seconds(configuration.limits.headTimeout)
        proxy.idleTimeout = .seconds(configuration.limits.idleTimeout)
        proxy.connectionsPerPod = configuration.limits.connectionsPerPod
        proxy.sessionKey = sessionKey
        proxy.accessLog = configuration.accessLog ? STDOUT_FILENO : nil
        return proxy
    }

    /// Undoes everything that an agent with these pins and this state did to the node. May be run twice.
    /// Returns what had to be left, in words: cgroups that processes are in.
    package static func uninstall(pins: String, state: String) throws(StartFailure) -> [String] {
        let folder = StateFolder.exists(state) ? try StateFolder(state) : nil
        defer { folder?.release() }
        do {
            let left = try Datapath.uninstall(pins: pins, state: state)
            if left.isEmpty { folder?.remove() }
            return left
        } catch {
            throw StartFailure("\(error)")
        }
    }
}
