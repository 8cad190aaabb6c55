import Datapath
import Model
import Prometheus
import Proxy

/// The metrics page. Series are bounded by the routes, the workers and fixed vocabularies, never by the traffic.
struct MetricsText {
    static let contentType = Exposition.contentType

    private var out = Exposition()

    /// What the agent knows beside the proxy's and the kernel's counters.
    struct Facts {
        var version: String
        var ready: Bool
        var generation: UInt64
        var compiledAt: Double
        var compileSeconds: Double
        var services: Int
        var routes: Int
        var enrolled: Int
        var refusedObjects: Int
    }

    static func text(_ facts: Facts, _ proxy: ProxyCounters, _ kernel: Counters?) -> String {
        var text = MetricsText()
        text.agent(facts)
        text.requests(proxy.requests)
        text.proxy(proxy)
        if let kernel { text.kernel(kernel) }
        return text.out.text
    }

    private mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        out.family(name, .gauge, help)
        out.sample(name, [], value)
    }

    private mutating func counter(_ name: String, _ help: String, _ value: UInt64) {
        out.family(name, .counter, help)
        out.sample(name, [], value)
    }

    private mutating func agent(_ facts: Facts) {
        out.family("weir_build_info", .gauge, "1, labelled with the version.")
        out.sample("weir_build_info", [("version", facts.version)], 1 as UInt64)
        gauge("weir_ready", "1 once everything read at the start is in force.", facts.ready ? 1 : 0)
        gauge("weir_generation", "The snapshot in force.", Double(facts.generation))
        gauge("weir_last_compile_timestamp_seconds", "When it was compiled.", facts.compiledAt)
        gauge("weir_last_compile_duration_seconds", "How long that took.", facts.compileSeconds)
        gauge("weir_services", "Services known.", Double(facts.services))
        gauge("weir_routes", "Routes with a parent of ours.", Double(facts.routes))
        gauge("weir_pods_enrolled", "Pods whose connections are redirected.", Double(facts.enrolled))
        gauge("weir_manifests_refused", "Files and objects that are refused.", Double(facts.refusedObjects))
    }

    private mutating func requests(_ series: [ProxyCounters.Requests]) {
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"]
        out.family("weir_requests_total", .counter, "Requests by route, backend and status class.")
        for entry in series {
            let labels = Self.labels(entry.labels)
            for (name, histogram) in zip(classes, entry.byClass) where histogram.count > 0 {
                out.sample("weir_requests_total", labels + [("code_class", name)], histogram.count)
            }
        }
        out.family("weir_request_duration_seconds", .histogram, "From a request's first byte to its response's last.")
        for entry in series {
            let labels = Self.labels(entry.labels)
            for (name, histogram) in zip(classes, entry.byClass) where histogram.count > 0 {
                out.histogram(
                    "weir_request_duration_seconds", labels + [("code_class", name)], bounds: DurationHistogram.bounds,
                    counts: histogram.buckets, sum: histogram.sum)
            }
        }
    }

    private static func labels(_ labels: RequestLabels) -> Exposition.Labels {
        [
            ("parent_namespace", labels.parent.namespace), ("parent_name", labels.parent.name),
            ("parent_port", String(labels.parentPort)), ("route_kind", labels.route?.kind.rawValue ?? ""),
            ("route_namespace", labels.route?.name.namespace ?? ""), ("route_name", labels.route?.name.name ?? ""),
            ("rule", labels.rule.map(String.init) ?? ""), ("rule_name", labels.ruleName ?? ""),
            ("backend_namespace", labels.backend?.namespace ?? ""), ("backend_name", labels.backend?.name ?? ""),
            ("backend_port", labels.backendPort.map { String($0) } ?? ""),
        ]
    }

    private mutating func proxy(_ counters: ProxyCounters) {
        out.family("weir_own_answers_total", .counter, "Answers that Weir gave itself, by x-weir-reason.")
        for (reason, count) in counters.ownAnswers {
            out.sample("weir_own_answers_total", [("reason", reason.rawValue)], count)
        }
        out.family("weir_worker_acknowledged_generation", .gauge, "The snapshot that each worker serves.")
        for (worker, generation) in counters.acknowledged.enumerated() {
            out.sample("weir_worker_acknowledged_generation", [("worker", String(worker))], generation)
        }
        gauge("weir_client_connections", "Open connections of clients.", Double(counters.clientsOpen))
        gauge("weir_upstream_connections", "Open connections to endpoints.", Double(counters.upstreamsOpen))
        gauge("weir_upstream_connections_idle", "Those that wait in a pool.", Double(counters.upstreamsIdle))
        out.family("weir_http2_connections", .gauge, "Open HTTP/2 connections, by side.")
        out.sample("weir_http2_connections", [("side", "clients")], counters.clientSessionsOpen)
        out.sample("weir_http2_connections", [("side", "upstreams")], counters.upstreamSessionsOpen)
        out.family("weir_http2_floods_total", .counter, "HTTP/2 connections ended for what they asked for too often.")
        for (flood, count) in counters.floods {
            out.sample("weir_http2_floods_total", [("kind", "\(flood)")], count)
        }
        gauge("weir_tunnels", "Connections that were upgraded.", Double(counters.tunnelsOpen))
        gauge("weir_buffered_bytes", "Memory held for peers that do not read.", Double(counters.bufferedBytes))
        counter("weir_client_connections_total", "Connections of clients accepted.", counters.accepted)
        counter("weir_client_connections_refused_total", "Beyond a pod's limit.", counters.refused)
        counter("weir_accept_errors_total", "accept(2) failed.", counters.acceptErrors)
        counter("weir_upstream_connects_total", "Connections to endpoints opened.", counters.upstreamConnects)
        counter("weir_upstream_connect_failures_total", "Those that failed.", counters.connectFailures)
        out.family("weir_retries_total", .counter, "Requests sent to another endpoint or connection.")
        out.sample("weir_retries_total", [("cause", "connect-failed")], counters.connectRetries)
        out.sample("weir_retries_total", [("cause", "stale-connection")], counters.staleRetries)
        out.sample("weir_retries_total", [("cause", "route")], counters.retries)
        counter(
            "weir_unreplayable_requests_total", "Not sent again though their route says so: too large to keep.",
            counters.unreplayable)
        counter("weir_endpoint_ejections_total", "Endpoints left out for a while, by worker.", counters.ejections)
        counter("weir_external_auth_checks_total", "Questions to authorization services.", counters.checks)
        counter("weir_mirrors_total", "Copies of requests begun for mirrors.", counters.mirrorsSent)
        out.family("weir_mirrors_lost_total", .counter, "Those that did not come to their end, by cause.")
        out.sample("weir_mirrors_lost_total", [("cause", "dropped")], counters.mirrorsDropped)
        out.sample("weir_mirrors_lost_total", [("cause", "failed")], counters.mirrorsFailed)
        counter("weir_client_aborts_total", "Clients that left before their response was whole.", counters.clientAborts)
        counter("weir_cut_connections_total", "Cut because a response could not be finished.", counters.cuts)
        out.family("weir_bytes_total", .counter, "Bytes, by direction.")
        out.sample("weir_bytes_total", [("direction", "from_clients")], counters.bytesFromClients)
        out.sample("weir_bytes_total", [("direction", "to_clients")], counters.bytesToClients)
        out.sample("weir_bytes_total", [("direction", "from_upstreams")], counters.bytesFromUpstreams)
        out.sample("weir_bytes_total", [("direction", "to_upstreams")], counters.bytesToUpstreams)
        counter("weir_access_log_dropped_total", "Lines dropped rather than wait.", counters.accessLogDropped)
    }

    private mutating func kernel(_ counters: Counters) {
        out.family("weir_kernel_connects_total", .counter, "What the kernel programs did with connects, by result.")
        for (name, value) in counters.all {
            out.sample("weir_kernel_connects_total", [("result", name)], value)
        }
    }
}
