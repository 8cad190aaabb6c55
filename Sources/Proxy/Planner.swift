import CLinux
import HTTPWire
import Model
import Reactor

/// Makes plans out of snapshots: gives endpoints their slots and requests their series, and reuses what did not change.
/// Belongs to whoever publishes; workers never see it.
struct Planner {
    private struct EndpointKey: Hashable {
        let address: IPAddress
        let port: UInt16
    }
    private struct Slot {
        var key: EndpointKey?
        var identity: UInt64
        var serial: UInt64
    }
    /// A Service port that connections of a plain listener count as dialled to.
    struct Listen {
        let service: ObjectName
        let port: UInt16
    }

    private let workers: Int
    /// How long a series outlives its route.
    private let seriesLife: UInt64
    private var serial: UInt64 = 0
    private var snapshot = Snapshot.empty
    private var ports: [ObjectIdentifier: PortPlan] = [:]
    private var slots: [Slot] = []
    private var slotByKey: [EndpointKey: UInt32] = [:]
    private var freeSlots: [UInt32] = []
    private var nextIdentity: UInt64 = 1
    private(set) var series: [RequestLabels: Series] = [:]
    private var freeSeries: [Series] = []
    private var namespaces: [String: UInt32] = [:]
    /// Of the backends that have one, by Service: what a worker has used of it outlives the plan.
    private var budgets: [ObjectName: RetryBudgets] = [:]
    private(set) var listens: [Listen] = []

    init(workers: Int, seriesLife: UInt64 = 600_000_000_000) {
        self.workers = workers
        self.seriesLife = seriesLife
    }

    /// A small number for a namespace's name, for ever the same.
    mutating func intern(namespace: String) -> UInt32 {
        if let known = namespaces[namespace] { return known }
        let number = UInt32(namespaces.count)
        namespaces[namespace] = number
        return number
    }

    mutating func addListen(_ listen: Listen) -> Int {
        listens.append(listen)
        return listens.count - 1
    }

    /// The plan of the last snapshot anew, after `addListen`.
    mutating func replan(now: UInt64) -> Plan { plan(snapshot, now: now) }

    mutating func plan(_ snapshot: Snapshot, now: UInt64) -> Plan {
        self.snapshot = snapshot
        serial += 1
        var kept: [ObjectIdentifier: PortPlan] = [:]
        var all: [PortPlan] = []
        let memory = Arena()
        var portsOf: [ObjectIdentifier: Plan.Ports] = [:]
        for service in snapshot.services {
            let ordered = service.ports.filter { $0.transport == .tcp } + service.ports.filter { $0.transport != .tcp }
            let pointers = ordered.map { port in
                let planned = ports[ObjectIdentifier(port)] ?? portPlan(port)
                kept[ObjectIdentifier(port)] = planned
                all.append(planned)
                for slot in planned.slots { slots[Int(slot)].serial = serial }
                for series in planned.series { series.lastPlanned = now }
                return planned.planned
            }
            let copied = memory.copy(pointers)
            portsOf[ObjectIdentifier(service)] = Plan.Ports(first: copied.baseAddress, count: copied.count)
        }
        ports = kept
        let nothing = Plan.Ports(first: nil, count: 0)
        let frontends = memory.copy(
            snapshot.frontends.map { $0.flatMap { portsOf[ObjectIdentifier($0.service)] } ?? nothing })
        let listens = memory.copy(
            listens.map { listen in
                snapshot.service(listen.service).flatMap { portsOf[ObjectIdentifier($0)] }?.port(listen.port)
            })
        let removed = forgetEndpoints()
        forgetSeries(now: now)
        return Plan(
            snapshot: snapshot, serial: serial, ports: all, frontends: frontends, listens: listens, memory: memory,
            removed: removed, slotLimit: slots.count)
    }

    /// Frees the slots that this plan did not name.
    private mutating func forgetEndpoints() -> [(slot: UInt32, identity: UInt64)] {
        var removed: [(slot: UInt32, identity: UInt64)] = []
        for index in slots.indices where slots[index].serial != serial {
            guard let key = slots[index].key else { continue }
            removed.append((UInt32(index), slots[index].identity))
            slots[index].key = nil
            slotByKey[key] = nil
            freeSlots.append(UInt32(index))
        }
        return removed
    }

    private mutating func forgetSeries(now: UInt64) {
        for (labels, one) in series where now > one.lastPlanned && now - one.lastPlanned > seriesLife {
            series[labels] = nil
            freeSeries.append(one)
        }
    }

    private mutating func series(_ labels: RequestLabels) -> Series {
        if let known = series[labels] { return known }
        nextIdentity += 1
        let new: Series
        if let free = freeSeries.popLast() {
            free.recycle(labels: labels, identity: nextIdentity)
            new = free
        } else {
            new = Series(labels: labels, identity: nextIdentity, workers: workers)
        }
        series[labels] = new
        return new
    }

    private mutating func budgets(
        _ budget: RetryBudget, of service: ObjectName, _ memory: Arena
    ) -> UnsafeMutablePointer<RetryBudgetState> {
        let kept: RetryBudgets
        if let known = budgets[service], known.budget == budget {
            kept = known
        } else {
            kept = RetryBudgets(budget, workers: workers, now: Clock.now())
            budgets[service] = kept
        }
        return memory.keep(kept)._withUnsafeGuaranteedRef { $0.states }
    }

    private mutating func endpoint(_ endpoint: Endpoint) -> PlannedEndpoint {
        let key = EndpointKey(address: endpoint.address, port: endpoint.port)
        let slot: UInt32
        if let known = slotByKey[key] {
            slot = known
        } else {
            nextIdentity += 1
            let entry = Slot(key: key, identity: nextIdentity, serial: serial)
            if let free = freeSlots.popLast() {
                slot = free
                slots[Int(free)] = entry
            } else {
                slot = UInt32(slots.count)
                slots.append(entry)
            }
            slotByKey[key] = slot
        }
        return PlannedEndpoint(
            address: clinux_address(high: endpoint.address.high, low: endpoint.address.low, port: endpoint.port),
            slot: slot, identity: slots[Int(slot)].identity)
    }

    /// The address and port that a slot stands for; nil when it is another endpoint's by now, or nobody's.
    func endpoint(slot: UInt32, identity: UInt64) -> (address: IPAddress, port: UInt16)? {
        guard Int(slot) < slots.count, slots[Int(slot)].identity == identity, let key = slots[Int(slot)].key else {
            return nil
        }
        return (key.address, key.port)
    }

    private mutating func portPlan(_ port: ServicePort) -> PortPlan {
        var builder = PortPlanBuilder(port: port)
        return builder.build(&self)
    }

    /// Builds one `PortPlan`.
    private struct PortPlanBuilder {
        let port: ServicePort
        let memory = Arena()
        var slots: [UInt32] = []
        var series: [Series] = []
        var backends: [ObjectIdentifier: PlannedBackend] = [:]

        init(port: ServicePort) { self.port = port }

        mutating func build(_ planner: inout Planner) -> PortPlan {
            let plain = reference(
                weight: 1, failure: nil, backend: port.plain, version: .asClient, filters: [],
                series: count(&planner, route: nil, backend: (port.plain.service, port.plain.port)), &planner)
            let producer = port.producer.map { table($0, &planner) }
            let consumers = port.consumers.sorted { $0.key < $1.key }.map { namespace, routes in
                PlannedConsumer(namespace: planner.intern(namespace: namespace), table: table(routes, &planner))
            }
            let planned = memory.copy(
                PlannedPort(
                    port: port.port, title: memory.text("\(port.service):\(port.port)"), plain: memory.copy(plain),
                    producer: producer, consumers: memory.copy(consumers), source: memory.keep(port)))
            return PortPlan(source: port, planned: planned, memory: memory, slots: slots, series: series)
        }

        private mutating func table(_ routes: RouteTable, _ planner: inout Planner) -> UnsafePointer<PlannedTable> {
            var rules: [PlannedRule] = []
            for one in routes.rules { rules.append(rule(one, &planner)) }
            return memory.copy(
                PlannedTable(
                    table: memory.keep(routes), rules: memory.copy(rules),
                    series: count(&planner, route: nil, backend: nil)))
        }

        private mutating func rule(_ rule: Rule, _ planner: inout Planner) -> PlannedRule {
            var references: [PlannedReference] = []
            var total: UInt64 = 0
            let session = rule.sessionPersistence.map { sessionRules($0) }
            let action: PlannedRule.Action
            switch rule.action {
            case .fail(let reason): action = .fail(reason)
            case .redirect(let redirect): action = .redirect(memory.keep(PlannedRedirect(redirect)))
            case .forward(let all):
                action = .forward
                total = all.total
                for one in all.all {
                    let label: (ObjectName, UInt16?)? = (one.service, one.port)
                    let series = count(&planner, route: rule, backend: label)
                    switch one.target {
                    case .backend(let backend):
                        references.append(
                            reference(
                                weight: one.weight, failure: nil, backend: backend, version: version(of: backend, rule),
                                filters: rule.filters + one.filters, series: series, session: session,
                                cors: one.filters.cors, hasCORS: rule.filters.cors != nil,
                                mirrors: mirrors(rule, rule.filters + one.filters, series, &planner),
                                auths: auths(one.filters, series, &planner), &planner))
                    case .invalid(let reason):
                        references.append(
                            reference(
                                weight: one.weight, failure: reason,
                                backend: Backend(
                                    service: one.service, port: one.port ?? 0, appProtocol: nil, endpoints: []),
                                version: .http1, filters: [], series: series, &planner))
                    }
                }
            }
            let none = count(&planner, route: rule, backend: nil)
            return PlannedRule(
                action: action, references: memory.copy(references), total: total,
                requestTimeout: rule.timeouts.request ?? TimerWheel.never,
                backendTimeout: rule.timeouts.backendRequest ?? TimerWheel.never,
                retry: rule.retry.map { RetryPolicy($0, codes: memory.copy($0.codes)) } ?? RetryPolicy(),
                hasRetry: rule.retry != nil, hasSession: session != nil,
                cors: rule.filters.cors.map { memory.keep(CORSTable($0)) },
                auths: memory.copy(auths(rule.filters, none, &planner)),
                responseEdits: PlannedEdits(
                    rule.filters.responseEdits, dropping: rule.filters.cors == nil ? [] : CORSTable.replacedFields,
                    memory),
                rule: memory.keep(rule),
                series: none)
        }

        private func version(of backend: Backend, _ rule: Rule) -> PlannedVersion {
            if case .grpc = rule.route.kind { return .http2 }
            if case .http2 = backend.httpVersion { return .http2 }
            return .http1
        }

        private mutating func reference(
            weight: UInt32, failure: Reason?, backend: Backend, version: PlannedVersion, filters: [Filter],
            series: Unmanaged<Series>, session: UnsafePointer<SessionRules>? = nil, cors: CORSPolicy? = nil,
            hasCORS: Bool = false, mirrors: [PlannedMirror] = [], auths: [PlannedAuth] = [],
            _ planner: inout Planner
        ) -> PlannedReference {
            let rewrites = filters.urlRewrites
            return PlannedReference(
                weight: weight, failure: failure, backend: planned(backend, &planner), version: version,
                requestEdits: PlannedEdits(filters.requestEdits, memory),
                responseEdits: PlannedEdits(
                    filters.responseEdits, dropping: cors != nil || hasCORS ? CORSTable.replacedFields : [], memory),
                rewrites: rewrites.isEmpty ? nil : memory.keep(PlannedRewrites(rewrites)), series: series,
                session: session ?? backend.trafficPolicy?.sessionPersistence.map { sessionRules($0) },
                cors: cors.map { memory.keep(CORSTable($0)) },
                budgets: backend.trafficPolicy?.retryBudget.map { planner.budgets($0, of: backend.service, memory) },
                mirrors: memory.copy(mirrors), auths: memory.copy(auths))
        }

        private mutating func auths(
            _ filters: [Filter], _ series: Unmanaged<Series>, _ planner: inout Planner
        ) -> [PlannedAuth] {
            filters.externalAuths.map { auth in
                let reference = reference(
                    weight: 1, failure: nil, backend: auth.backend, version: auth.version, filters: [], series: series,
                    &planner)
                return PlannedAuth(auth, reference, memory)
            }
        }

        /// A copy's head is changed as the request's is, by `filters`.
        private mutating func mirrors(
            _ rule: Rule, _ filters: [Filter], _ series: Unmanaged<Series>, _ planner: inout Planner
        ) -> [PlannedMirror] {
            filters.liveMirrors.map { mirror, backend in
                let reference = reference(
                    weight: 1, failure: nil, backend: backend, version: version(of: backend, rule), filters: filters,
                    series: series, &planner)
                return PlannedMirror(
                    reference: memory.copy(reference), numerator: mirror.numerator, denominator: mirror.denominator)
            }
        }

        private func sessionRules(_ persistence: SessionPersistence) -> UnsafePointer<SessionRules> {
            var path: [UInt8] = []
            let name: [UInt8]
            switch persistence.carrier {
            case .cookie(let cookie, let cookiePath, _): (name, path) = (cookie, cookiePath)
            case .header(let header): name = header
            }
            return memory.copy(SessionRules(persistence, name: memory.text(name), path: memory.text(path)))
        }

        private mutating func planned(_ backend: Backend, _ planner: inout Planner) -> PlannedBackend {
            if let known = backends[ObjectIdentifier(backend)] { return known }
            _ = memory.keep(backend)
            let endpoints = backend.endpoints.map { planner.endpoint($0) }
            slots += endpoints.map(\.slot)
            let copied = memory.copy(endpoints)
            let none = UnsafePointer<PlannedEndpoint>(bitPattern: MemoryLayout<PlannedEndpoint>.alignment)!
            let planned = PlannedBackend(
                endpoints: copied.baseAddress ?? none, count: copied.count,
                forIPv4: .init(backend.endpoints(forIPv4: true)),
                forIPv6: .init(backend.endpoints(forIPv4: false)),
                service: memory.text(backend.service.description), port: backend.port)
            backends[ObjectIdentifier(backend)] = planned
            return planned
        }

        private mutating func count(
            _ planner: inout Planner, route: Rule?, backend: (ObjectName, UInt16?)?
        ) -> Unmanaged<Series> {
            let one = planner.series(
                RequestLabels(
                    parent: port.service, parentPort: port.port, route: route?.route, rule: route?.index,
                    ruleName: route?.name, backend: backend?.0, backendPort: backend?.1))
            series.append(one)
            return memory.keep(one)
        }
    }
}
