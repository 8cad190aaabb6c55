import Compiler
import Datapath
import Foundation
import Inspection
import Logging
import Manifests
import Model
import Proxy
import Reactor
import Resources

/// The program: what the folder says goes through the inventory and the compiler into a snapshot, and the snapshot into
/// the proxy, the kernel, the statuses and the answers to questions. Lives on the control loop's thread.
///
///     folder ─► Inventory ─► Compiler ─► Snapshot ─┬─► Proxy: one read per request
///                                                  ├─► Datapath: Tables ─► kernel maps
///                                                  └─► statuses, weir status, routes, explain, …
final class Pipeline {
    let configuration: Configuration
    let proxy: Proxy
    private let folder: ManifestFolder
    let datapath: Datapath?
    private let log: Logger
    private(set) var inventory = Inventory()
    private var compiler: Compiler
    private(set) var enrolment: Enrolment
    /// What the kernel was last told; nil before the first time, when it may hold what an earlier agent left.
    private(set) var tables: Tables?
    private(set) var report = Report()
    private(set) var compilation: Compilation?
    private(set) var compiledAt: Date?
    private(set) var compileSeconds = 0.0
    /// Why the last snapshot is not in force everywhere; nil when it is.
    private(set) var laggard: String?
    private var ticks = 0
    let startedAt = Date()
    private(set) var ready = false
    private(set) var isDraining = false

    init(
        _ configuration: Configuration, folder: ManifestFolder, proxy: Proxy, datapath: Datapath?, log: Logger
    ) {
        self.configuration = configuration
        self.folder = folder
        self.proxy = proxy
        self.datapath = datapath
        self.log = log
        compiler = Compiler(meshName: configuration.meshName)
        enrolment = Enrolment(datapath: datapath, proxy: proxy)
    }

    /// Puts the whole folder in force. Pods are enrolled last: nothing is redirected before the proxy knows where to.
    func start() throws {
        take(try folder.readAll())
        if let dropped = try datapath?.dropStalePods(), dropped > 0 {
            log.info("took out pods of an earlier run", metadata: ["pods": "\(dropped)"])
        }
        ready = true
        log.info("ready", metadata: ["generation": "\(snapshot.generation)", "pods": "\(enrolment.enrolledCount)"])
    }

    // MARK: The flow

    private func take(_ batch: Batch) {
        if batch.report != report {
            tell(of: batch.report)
            report = batch.report
        }
        let changes = inventory.apply(.batch(batch.events))
        guard !changes.isEmpty || compilation == nil else { return }
        let start = ContinuousClock.now
        let now = Date()
        let compilation = compiler.compile(
            inventory, touching: changes, now: Double(Clock.now()) / 1e9, timestamp: timestamp(now))
        compileSeconds = seconds(since: start)
        compiledAt = now
        let isNew = self.compilation?.snapshot !== compilation.snapshot
        self.compilation = compilation
        if isNew { putInForce(compilation.snapshot) }
        enrolment.update(inventory)
    }

    /// Logs what is new in a report, once.
    private func tell(of next: Report) {
        func tell(_ what: String, _ list: (Report) -> [Manifests.Finding]) {
            let known = Set(list(report).map(\.inspected))
            for finding in list(next).map(\.inspected) where !known.contains(finding) {
                log.warning("\(what): \(finding.text)")
            }
        }
        tell("refused") { $0.refusedFiles + $0.refusedObjects }
        tell("unknown field") { $0.unknownFields }
        tell("duplicate") { $0.duplicates }
        tell("ignored") { $0.notObjects + $0.unknownKinds + $0.notServed }
    }

    /// The proxy learns of a service before the kernel redirects to it; on removal the kernel forgets first.
    private func putInForce(_ snapshot: Snapshot) {
        let next = enrolment.tables(of: snapshot, serviceLB: configuration.serviceLB, previous: tables ?? .empty)
        do {
            if let narrowed = tables?.narrowed(to: next) {
                tables = narrowed
                _ = try datapath?.apply(narrowed)
            }
            proxy.publish(snapshot)
            guard proxy.waitUntilAcknowledged(snapshot.generation, deadline: .now + .seconds(5)) else {
                laggard = "a worker has not acknowledged generation \(snapshot.generation)"
                return
            }
            tables = next
            _ = try datapath?.apply(next)
            laggard = nil
        } catch {
            laggard = "the kernel tables do not hold generation \(snapshot.generation): \(error)"
        }
        if let laggard { log.error("\(laggard)") }
    }

    // MARK: What the control loop drives

    var descriptors: [Int32] { [folder.fileDescriptor] }

    func readable(_ descriptor: Int32) {
        do {
            take(try folder.read())
        } catch {
            log.error("cannot read the manifests: \(error)")
        }
    }

    /// Ten times a second: network namespaces come and go, the pods' cgroup may have been made anew, and what was not in
    /// force is tried again.
    func tick() {
        enrolment.reconcile()
        ticks += 1
        if ticks.isMultiple(of: 20) { reattach() }
        if laggard != nil, let compilation { putInForce(compilation.snapshot) }
    }

    private func reattach() {
        do {
            if try datapath?.reattach() == true { log.info("attached again: the pods' cgroup was made anew") }
        } catch {
            log.error("cannot attach to the pods' cgroup: \(error)")
        }
    }

    /// From now on nothing changes; questions are still answered.
    func drain() {
        isDraining = true
        ready = false
    }

    /// Everything in the folder up to now is in force in the kernel and in every worker, or an error says what is not.
    func settle() throws -> WaitReply {
        if isDraining { throw StartFailure("the agent is ending") }
        take(try folder.synchronize())
        enrolment.reconcile()
        if let laggard { throw StartFailure(laggard) }
        let open = folder.filesBeingWritten
        guard open.isEmpty else {
            throw StartFailure("open for writing, and not read before it is closed: \(open.joined(separator: ", "))")
        }
        return WaitReply(generation: snapshot.generation)
    }

    var snapshot: Snapshot { compilation?.snapshot ?? .empty }
}
