import CLinux
import Glibc
import HTTPWire
package import Model
package import Reactor
import Synchronization

/// The L7 proxy: listeners in pods or plain ones, worker threads, and the snapshot they serve.
///
/// Call `start` once before anything else, `stop` once at the end. All methods may be called from any thread; none may be
/// called from a worker's.
package final class Proxy: Sendable {
    private struct State {
        var planner: Planner
        var origins: [Origin?] = []
        var slotOfCookie: [UInt64: Int] = [:]
        var threads: [pthread_t] = []
        var isStarted = false
        var isStopped = false
    }

    private let configuration: ProxyConfiguration
    private let workers: [WorkerShared]
    private let gate = Gate()
    private let logWriter: LogWriter?
    private let state: Mutex<State>
    private let pings = Atomic<UInt64>(0)
    /// Slots of origins that every worker has let go.
    private let freeSlots = FreeSlots()

    package init(_ configuration: ProxyConfiguration) throws(SystemError) {
        var configuration = configuration
        configuration.workers = min(max(configuration.workers, 1), 64)
        self.configuration = configuration
        logWriter = configuration.accessLog.map { LogWriter(descriptor: $0) }
        var workers: [WorkerShared] = []
        for _ in 0..<configuration.workers { workers.append(try WorkerShared(gate: gate, logWriter: logWriter)) }
        self.workers = workers
        state = Mutex(State(planner: Planner(workers: configuration.workers)))
    }

    /// Starts the workers' threads.
    package func start() throws(SystemError) {
        let settings = WorkerSettings(configuration)
        let result: Result<Void, SystemError> = state.withLock { state in
            precondition(!state.isStarted, "a proxy starts once")
            state.isStarted = true
            do throws(SystemError) {
                if let logWriter {
                    state.threads.append(try Thread.start("weir-log") { logWriter.run() })
                }
                for (index, shared) in workers.enumerated() {
                    // Made here, so that a failure is an error of `start`.
                    let box = WorkerBox(try Worker(index: index, settings: settings, shared: shared))
                    state.threads.append(try Thread.start("weir-worker-\(index)") { box.run() })
                }
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    // MARK: What is served

    /// Gives all workers a snapshot. Each serves it from its next turn on and then acknowledges its generation.
    package func publish(_ snapshot: Snapshot) {
        state.withLock { state in
            let plan = state.planner.plan(snapshot, now: Clock.now())
            for worker in workers { worker.inbox.post(.adopt(plan)) }
        }
    }

    /// The generation that each worker serves.
    package var acknowledged: [UInt64] { workers.map(\.generation) }

    /// Blocks until every worker serves `generation` or a later one: true; false when `deadline` comes first.
    package func waitUntilAcknowledged(_ generation: UInt64, deadline: ContinuousClock.Instant) -> Bool {
        gate.wait(until: deadline) { workers.allSatisfy { $0.generation >= generation } }
    }

    /// Whether every worker's loop comes round within `duration`; blocks until it is known. For a heartbeat: connections
    /// must not be sent to a proxy that hangs.
    package func isResponsive(within duration: Duration) -> Bool {
        let ping = pings.add(1, ordering: .relaxed).newValue
        for worker in workers { worker.inbox.post(.ping(ping)) }
        return gate.wait(until: .now + duration) { workers.allSatisfy { $0.pong >= ping } }
    }

    /// The endpoints that failed lately, sorted, as all workers see them; nil when one of them does not answer within
    /// `duration`.
    package func failingEndpoints(within duration: Duration) -> [FailingEndpoint]? {
        let inquiry = HealthInquiry()
        for worker in workers { worker.inbox.post(.health(inquiry)) }
        guard gate.wait(until: .now + duration, { inquiry.count == workers.count }) else { return nil }
        let now = Clock.now()
        var failing: [UInt32: FailingEndpoint] = [:]
        state.withLock { state in
            for health in inquiry.all {
                guard let place = state.planner.endpoint(slot: health.slot, identity: health.identity) else { continue }
                failing[health.slot, default: FailingEndpoint(address: place.address, port: place.port)]
                    .add(health, now: now)
            }
        }
        return failing.values.sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    }

    // MARK: Where connections come from

    /// Accepts from a pod's listeners. The pod's descriptors are the proxy's from here on. A pod whose cookie is known
    /// already is taken for the same sandbox, and replaces it.
    package func add(pod: ProxyPod) {
        state.withLock { state in
            if let known = state.slotOfCookie[pod.cookie] { remove(slot: known, &state) }
            let namespace = state.planner.intern(namespace: pod.name.namespace)
            let origin = makeOrigin(
                &state, name: pod.name, namespace: namespace, destination: .byAddress,
                networkNamespace: pod.networkNamespace, listeners: pod.listeners)
            state.slotOfCookie[pod.cookie] = origin.slot
        }
    }

    /// Closes everything of a pod, with resets. Its descriptors are closed once every worker has let go of it.
    package func remove(podCookie cookie: UInt64) {
        state.withLock { state in
            guard let slot = state.slotOfCookie.removeValue(forKey: cookie) else { return }
            remove(slot: slot, &state)
        }
    }

    /// Opens a plain listener whose connections count as dialled to a port of a Service by a client of `clientNamespace`.
    /// Returns the bound port.
    package func listen(
        address: IPAddress, port: UInt16, service: ObjectName, servicePort: UInt16, clientNamespace: String
    ) throws(SystemError) -> UInt16 {
        var local = clinux_address(high: address.high, low: address.low, port: port)
        let fd = clinux_tcp_socket(address.isIPv4 ? AF_INET : AF_INET6)
        guard fd >= 0 else { throw SystemError("socket", code: -fd) }
        _ = clinux_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        let bound = clinux_bind(fd, &local)
        guard bound == 0 else {
            close(fd)
            throw SystemError("bind", code: -bound)
        }
        guard Glibc.listen(fd, 4096) == 0, clinux_local_address(fd, &local) == 0 else {
            let code = errno
            close(fd)
            throw SystemError("listen", code: code)
        }
        state.withLock { state in
            let entry = state.planner.addListen(Planner.Listen(service: service, port: servicePort))
            let plan = state.planner.replan(now: Clock.now())
            for worker in workers { worker.inbox.post(.adopt(plan)) }
            let namespace = state.planner.intern(namespace: clientNamespace)
            _ = makeOrigin(
                &state, name: nil, namespace: namespace, destination: .listen(entry), networkNamespace: nil,
                listeners: [fd])
        }
        return local.port
    }

    private func makeOrigin(
        _ state: inout State, name: ObjectName?, namespace: UInt32, destination: Origin.Destination,
        networkNamespace: Int32?, listeners: [Int32]
    ) -> Origin {
        let slot = freeSlots.take() ?? state.origins.count
        if slot == state.origins.count { state.origins.append(nil) }
        let freeSlots = freeSlots
        let origin = Origin(
            slot: slot, name: name, namespace: namespace, destination: destination,
            networkNamespace: networkNamespace, listeners: listeners, released: { freeSlots.give($0) })
        state.origins[slot] = origin
        for worker in workers { worker.inbox.post(.add(origin)) }
        return origin
    }

    private func remove(slot: Int, _ state: inout State) {
        state.origins[slot] = nil
        for worker in workers { worker.inbox.post(.remove(slot: slot)) }
    }

    // MARK: The end

    /// Closes all listeners, so that the kernel lets new connections take the ordinary path, and idle connections; lets
    /// requests in flight finish. Returns true when the last connection is closed, false when `deadline` comes first.
    package func drain(deadline: ContinuousClock.Instant) -> Bool {
        for worker in workers { worker.inbox.post(.drain) }
        _ = gate.wait(until: deadline) { workers.allSatisfy(\.isNotAccepting) }
        state.withLock { state in for origin in state.origins { origin?.closeListeners() } }
        return gate.wait(until: deadline) { workers.allSatisfy(\.isDrained) }
    }

    /// Closes everything that is left and ends the threads.
    package func stop() {
        let threads = state.withLock { state in
            defer { state.isStopped = true }
            return state.isStopped ? [] : state.threads
        }
        guard !threads.isEmpty else { return }
        for worker in workers { worker.inbox.post(.stop) }
        let count = logWriter == nil ? 0 : 1
        for thread in threads.dropFirst(count) { pthread_join(thread, nil) }
        logWriter?.stop()
        for thread in threads.prefix(count) { pthread_join(thread, nil) }
        state.withLock { state in
            state.origins = []
            state.slotOfCookie = [:]
        }
    }

    // MARK: Counters

    /// Reads the counters of all workers; costs them nothing.
    package func counters() -> ProxyCounters {
        var counters = ProxyCounters()
        let series = state.withLock { Array($0.planner.series.values) }
        counters.requests = series.map { ProxyCounters.Requests(labels: $0.labels, byClass: $0.read()) }
            .sorted { $0.labels < $1.labels }
        func sum(_ counter: Counter) -> UInt64 { workers.reduce(0) { $0 &+ $1.cells[counter] } }
        counters.ownAnswers = Reason.all.map { reason in
            (reason, workers.reduce(0) { $0 &+ $1.cells[reason.ordinal] })
        }
        counters.floods = HTTP2Flood.allCases.map { flood in (flood, workers.reduce(0) { $0 &+ $1.cells[flood] }) }
        counters.clientsOpen = sum(.clients)
        counters.clientSessionsOpen = sum(.clientSessions)
        counters.upstreamSessionsOpen = sum(.upstreamSessions)
        counters.upstreamsOpen = sum(.upstreams)
        counters.upstreamsIdle = sum(.idleUpstreams)
        counters.tunnelsOpen = sum(.tunnels)
        counters.accepted = sum(.accepted)
        counters.refused = sum(.refused)
        counters.acceptErrors = sum(.acceptErrors)
        counters.upstreamConnects = sum(.upstreamConnects)
        counters.connectFailures = sum(.connectFailures)
        counters.connectRetries = sum(.connectRetries)
        counters.staleRetries = sum(.staleRetries)
        counters.retries = sum(.retries)
        counters.unreplayable = sum(.unreplayable)
        counters.ejections = sum(.ejections)
        counters.checks = sum(.checks)
        counters.mirrorsSent = sum(.mirrorsSent)
        counters.mirrorsDropped = sum(.mirrorsDropped)
        counters.mirrorsFailed = sum(.mirrorsFailed)
        counters.clientAborts = sum(.clientAborts)
        counters.cuts = sum(.cuts)
        counters.bytesFromClients = sum(.bytesFromClients)
        counters.bytesToClients = sum(.bytesToClients)
        counters.bytesFromUpstreams = sum(.bytesFromUpstreams)
        counters.bytesToUpstreams = sum(.bytesToUpstreams)
        counters.bufferedBytes = sum(.bufferedBytes)
        counters.accessLogDropped = sum(.accessLogDropped)
        counters.acknowledged = acknowledged
        return counters
    }
}

/// Numbers of table entries that may be used again.
private final class FreeSlots: Sendable {
    private let slots = Mutex<[Int]>([])
    func take() -> Int? { slots.withLock { $0.popLast() } }
    func give(_ slot: Int) { slots.withLock { $0.append(slot) } }
}
