import Compiler
import Datapath
import Foundation
import Inspection
import Manifests
import Model
import Proxy
import Resources

/// What the pipeline tells: the answers to `weir status`, `routes`, `explain` and the metrics page.
extension Pipeline {
    var podViews: [PodView] { enrolment.views }

    /// Every route that has a parent of ours and every policy that targets a Service, whole, with its status.
    var routes: ResourceList {
        let statuses = compilation?.statuses ?? [:]
        let policies = compilation?.policyStatuses ?? [:]
        return ResourceList(
            items: statuses.keys.sorted().compactMap { inventory.route($0, status: statuses[$0] ?? []) }
                + policies.keys.sorted().compactMap { inventory.policy($0, status: policies[$0] ?? []) })
    }

    func explain(_ request: ExplainRequest) throws -> Explained {
        try Explainer(
            snapshot: snapshot, inventory: inventory, pods: enrolment.views, limits: configuration.headLimits
        ).explain(request)
    }

    var status: AgentStatus {
        var counts = AgentStatus.Counts()
        counts.services = snapshot.services.count
        counts.routes = compilation?.statuses.count ?? 0
        counts.policies = compilation?.policyStatuses.count ?? 0
        counts.podsEnrolled = enrolment.enrolledCount
        counts.podsNotEnrolled = enrolment.otherCount
        var problems = enrolment.findings
        if let laggard { problems.append(Inspection.Finding(message: laggard)) }
        problems += (tables?.refused ?? []).map { Inspection.Finding(message: $0) }
        problems += (compilation?.problems ?? []).map(\.inspected)
        let ignored =
            (report.notObjects + report.unknownKinds + report.notServed).map(\.inspected)
            + (compilation?.ignored ?? []).map(\.inspected)
        return AgentStatus(
            version: version, pid: ProcessInfo.processInfo.processIdentifier, ready: ready, draining: isDraining,
            startedAt: timestamp(startedAt), manifests: configuration.manifests,
            redirect: datapath == nil ? "off" : "on", serviceLB: configuration.serviceLB,
            cgroup: datapath == nil ? nil : configuration.cgroup, pins: datapath == nil ? nil : configuration.pins,
            listeners: configuration.listeners.map { "\($0)" }, generation: snapshot.generation,
            compiledAt: compiledAt.map(timestamp), compileMilliseconds: compileSeconds * 1000,
            workers: proxy.acknowledged.enumerated().map { .init(index: $0, acknowledgedGeneration: $1) },
            counts: counts, mesh: compilation.map { MeshView($0.mesh) },
            refused: (report.refusedFiles + report.refusedObjects).map(\.inspected),
            unknownFields: report.unknownFields.map(\.inspected), duplicates: report.duplicates.map(\.inspected),
            ignored: ignored, problems: problems)
    }

    var metrics: String {
        let facts = MetricsText.Facts(
            version: version, ready: ready, generation: snapshot.generation,
            compiledAt: compiledAt?.timeIntervalSince1970 ?? 0, compileSeconds: compileSeconds,
            services: snapshot.services.count, routes: compilation?.statuses.count ?? 0,
            enrolled: enrolment.enrolledCount, refusedObjects: report.refusedFiles.count + report.refusedObjects.count)
        return MetricsText.text(facts, proxy.counters(), try? datapath?.counters())
    }
}
