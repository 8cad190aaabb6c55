import CLinux
import Model

// A snapshot laid out for the workers: trivial structs behind pointers, so that a request costs no retain, no hash and no
// allocation. All memory of a Service port hangs on its `PortPlan`, all of a snapshot on its `Plan`; a worker keeps the plan
// that a request was decided by until the request needs it no more.

struct PlannedEndpoint: BitwiseCopyable {
    var address: clinux_address
    /// Index of the workers' state for this address and port.
    var slot: UInt32
    /// Tells this endpoint from earlier ones with the same slot; grows.
    var identity: UInt64
}

struct PlannedBackend: BitwiseCopyable {
    let endpoints: UnsafePointer<PlannedEndpoint>
    let count: Int
    /// The endpoints for clients of one family, as `Backend.endpoints(forIPv4:)` says.
    struct Share: BitwiseCopyable {
        let first: Int
        let count: Int

        init(_ range: Range<Int>) {
            first = range.lowerBound
            count = range.count
        }
    }
    let forIPv4: Share
    let forIPv6: Share
    /// For people: `namespace/name`.
    let service: PlannedText
    let port: UInt16
}

typealias PlannedText = UnsafeRawBufferPointer

/// A list of header modifiers as its outcome: lines whose name is in `dropped` go, `lines` come behind the others.
struct PlannedEdits: BitwiseCopyable {
    /// In lower case.
    let dropped: UnsafeBufferPointer<PlannedText>
    /// Whole field lines, each with its CRLF.
    let lines: PlannedText

    /// `dropped` go too.
    init(_ edits: HeaderEdits, dropping more: [[UInt8]] = [], _ memory: Arena) {
        var bytes: [UInt8] = []
        for field in edits.added {
            bytes += field.name
            bytes += [0x3a, 0x20]
            bytes += field.value
            bytes += [0x0d, 0x0a]
        }
        dropped = memory.copy((edits.dropped + more).map { memory.text($0) })
        lines = memory.text(bytes)
    }

    private init() {
        dropped = UnsafeBufferPointer(start: nil, count: 0)
        lines = .nothing
    }

    static var none: PlannedEdits { PlannedEdits() }
}

/// The version of HTTP that a backend is spoken to with; gRPC always goes over HTTP/2.
enum PlannedVersion: UInt8 {
    case http1
    case http2
    /// Where no route holds: what the client speaks, as if nobody stood between.
    case asClient
}

/// A backendRef, or the Service's own endpoints where no route holds.
struct PlannedReference: BitwiseCopyable {
    let weight: UInt32
    /// nil: `backend` gets the request.
    let failure: Reason?
    let backend: PlannedBackend
    let version: PlannedVersion
    /// The rule's modifiers, then the reference's.
    let requestEdits: PlannedEdits
    let responseEdits: PlannedEdits
    /// The rule's rewrite, then the reference's; nil: no change.
    let rewrites: Unmanaged<PlannedRewrites>?
    let series: Unmanaged<Series>
    /// How its requests are kept together: the rule's way, else that of the backend's policy.
    let session: UnsafePointer<SessionRules>?
    /// The CORS filter of the reference; the rule's is the rule's.
    let cors: Unmanaged<CORSTable>?
    /// By worker; nil: the backend has no retry budget.
    let budgets: UnsafeMutablePointer<RetryBudgetState>?
    /// The rule's, then the reference's.
    let mirrors: UnsafeBufferPointer<PlannedMirror>
    /// The reference's own.
    let auths: UnsafeBufferPointer<PlannedAuth>
}

/// The URLRewrite filters of a rule and its backendRef, in the order in which they run.
final class PlannedRewrites: Sendable {
    let rewrites: [URLRewrite]
    let hostname: [UInt8]?

    init(_ rewrites: [URLRewrite]) {
        self.rewrites = rewrites
        hostname = rewrites.hostname
    }
}

final class PlannedRedirect: Sendable {
    let redirect: Redirect
    init(_ redirect: Redirect) { self.redirect = redirect }
}

struct PlannedRule: BitwiseCopyable {
    enum Action: BitwiseCopyable {
        case forward
        case redirect(Unmanaged<PlannedRedirect>)
        case fail(Reason)
    }
    let action: Action
    let references: UnsafeBufferPointer<PlannedReference>
    /// The sum of the weights; at least 1 when the action is `forward`.
    let total: UInt64
    /// Nanoseconds; `TimerWheel.never` when there is none.
    let requestTimeout: UInt64
    let backendTimeout: UInt64
    let retry: RetryPolicy
    /// `retry` may ask for something: the request is kept.
    let hasRetry: Bool
    /// The rule says how sessions are kept: over all its references, whatever their weights.
    let hasSession: Bool
    let cors: Unmanaged<CORSTable>?
    let auths: UnsafeBufferPointer<PlannedAuth>
    /// The rule's response modifiers, for redirects.
    let responseEdits: PlannedEdits
    let rule: Unmanaged<Rule>
    /// Requests that got no backend.
    let series: Unmanaged<Series>

    /// As `Backends.pick`: the reference that owns `ticket`, uniform over 0..<total.
    @inline(__always)
    func pick(_ ticket: UInt64) -> UnsafePointer<PlannedReference> {
        var rest = ticket
        let last = references.count - 1
        for index in 0..<last {
            let weight = UInt64(references[index].weight)
            if rest < weight { return references.baseAddress! + index }
            rest -= weight
        }
        return references.baseAddress! + last
    }
}

struct PlannedTable: BitwiseCopyable {
    let table: Unmanaged<RouteTable>
    let rules: UnsafeBufferPointer<PlannedRule>
    /// Requests that no rule matched.
    let series: Unmanaged<Series>
}

struct PlannedConsumer: BitwiseCopyable {
    let namespace: UInt32
    let table: UnsafePointer<PlannedTable>
}

struct PlannedPort: BitwiseCopyable {
    let port: UInt16
    /// For people: `namespace/name:port`.
    let title: PlannedText
    let plain: UnsafePointer<PlannedReference>
    let producer: UnsafePointer<PlannedTable>?
    let consumers: UnsafeBufferPointer<PlannedConsumer>
    let source: Unmanaged<ServicePort>

    /// As `ServicePort.routes(forClientIn:)`.
    @inline(__always)
    func table(forClientIn namespace: UInt32) -> UnsafePointer<PlannedTable>? {
        for consumer in consumers where consumer.namespace == namespace { return consumer.table }
        return producer
    }
}

/// One Service port and everything that its requests can meet. Reused from plan to plan while the snapshot's object is the
/// same one.
final class PortPlan: @unchecked Sendable {
    let source: ServicePort
    let planned: UnsafePointer<PlannedPort>
    /// Keeps what `planned` points to.
    private let memory: Arena
    /// Slots of every endpoint in it, and its series: what the planner must keep.
    let slots: [UInt32]
    let series: [Series]

    init(source: ServicePort, planned: UnsafePointer<PlannedPort>, memory: Arena, slots: [UInt32], series: [Series]) {
        self.source = source
        self.planned = planned
        self.memory = memory
        self.slots = slots
        self.series = series
    }
}

/// Memory and objects that live as long as it does.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []
    private var objects: [AnyObject] = []

    deinit { for block in blocks { block.deallocate() } }

    func keep<Object: AnyObject>(_ object: Object) -> Unmanaged<Object> {
        objects.append(object)
        return .passUnretained(object)
    }

    func copy<T: BitwiseCopyable>(_ elements: [T]) -> UnsafeBufferPointer<T> {
        guard !elements.isEmpty else { return UnsafeBufferPointer(start: nil, count: 0) }
        let room = UnsafeMutableBufferPointer<T>.allocate(capacity: elements.count)
        _ = room.initialize(from: elements)
        blocks.append(UnsafeMutableRawPointer(room.baseAddress!))
        return UnsafeBufferPointer(room)
    }

    func copy<T: BitwiseCopyable>(_ element: T) -> UnsafePointer<T> { copy([element]).baseAddress! }

    func text(_ bytes: [UInt8]) -> PlannedText { PlannedText(copy(bytes)) }
    func text(_ string: String) -> PlannedText { text(Array(string.utf8)) }
}

/// A snapshot's plan. Workers swap it whole.
final class Plan: @unchecked Sendable {
    struct Ports: BitwiseCopyable {
        let first: UnsafePointer<UnsafePointer<PlannedPort>>?
        let count: Int

        /// As `Service.port(_:)`: the builder puts TCP ports first.
        @inline(__always)
        func port(_ number: UInt16) -> UnsafePointer<PlannedPort>? {
            for index in 0..<count where first![index].pointee.port == number { return first![index] }
            return nil
        }
    }

    let generation: UInt64
    /// Counts the plans, so that connections can tell whether what they resolved still holds.
    let serial: UInt64
    let frontends: UnsafeBufferPointer<Ports>
    /// By listen index; nil while the snapshot has no such Service or port.
    let listens: UnsafeBufferPointer<UnsafePointer<PlannedPort>?>
    /// Endpoints that the plan before had and this one has not.
    let removed: [(slot: UInt32, identity: UInt64)]
    /// Slots 0..<slotLimit are in use by this plan or an earlier one.
    let slotLimit: Int
    private let snapshot: Snapshot
    private let ports: [PortPlan]
    private let memory: Arena

    init(
        snapshot: Snapshot, serial: UInt64, ports: [PortPlan], frontends: UnsafeBufferPointer<Ports>,
        listens: UnsafeBufferPointer<UnsafePointer<PlannedPort>?>, memory: Arena,
        removed: [(slot: UInt32, identity: UInt64)], slotLimit: Int
    ) {
        self.snapshot = snapshot
        generation = snapshot.generation
        self.serial = serial
        self.ports = ports
        self.frontends = frontends
        self.listens = listens
        self.memory = memory
        self.removed = removed
        self.slotLimit = slotLimit
    }

    /// What clients dial.
    func address(ofFrontend index: Int) -> IPAddress? {
        snapshot.frontends.indices.contains(index) ? snapshot.frontends[index]?.address : nil
    }
}
