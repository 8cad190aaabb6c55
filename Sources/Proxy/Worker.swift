import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

/// What a worker is told.
enum WorkerMessage: Sendable {
    case adopt(Plan)
    case add(Origin)
    /// Closes everything of the origin in this slot, with resets.
    case remove(slot: Int)
    case drain
    /// To be answered at once: the loop turns.
    case ping(UInt64)
    /// To be answered with what is known of endpoints that fail.
    case health(HealthInquiry)
    case stop
}

/// One thread's share of the proxy: a loop, the connections it accepted, the upstream connections it made. Nothing in it is
/// shared but what it counts. Other files extend it by the phase of a connection's life that they are about.
///
/// A connection that is closed stays in its slab, marked, until the turn is over: whoever still holds its pointer then
/// finds it closed, not replaced.
struct Worker: ~Copyable {
    /// What an epoll token or timer token speaks of: the top byte, then 24 bits of generation, then the index.
    enum Kind: UInt64 {
        case inbox = 1
        case listener
        case client
        case upstream
        case session
        /// A timer of an exchange that has one of its own.
        case exchange
    }

    struct Listener: BitwiseCopyable {
        var fd: Int32 = -1
        var origin: UInt32 = 0
    }

    /// A plan and the exchanges that still need it.
    struct HeldPlan: BitwiseCopyable {
        var plan: Unmanaged<Plan>?
        var inFlight = 0
    }

    let index: Int
    let settings: WorkerSettings
    let shared: WorkerShared
    let cells: UnsafeMutablePointer<Cell>
    var epoll: Epoll
    var timers: TimerWheel
    var clients = Slab(stride: MemoryLayout<ClientConnection>.stride)
    var upstreams = Slab(stride: MemoryLayout<UpstreamConnection>.stride)
    var sessions = Slab(stride: MemoryLayout<HTTP2Session>.stride)
    var authorizations = Slab(stride: MemoryLayout<Authorization>.stride)
    var exchanges = Slab(stride: MemoryLayout<ExchangeState>.stride)
    var buffers = BufferPool()
    var pools = Pools<UpstreamConnection>()
    var sessionPools = Pools<HTTP2Session>()
    var endpoints: EndpointStates
    var random: RandomSource
    var tickets: TicketSequence
    var now: UInt64
    /// Received bytes, on their way through.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 64)
    /// A head being written. Large enough for the largest head with the largest filters: their values are limited to
    /// 4096 bytes, 16 names a list, two lists of set and two of add.
    let out: UnsafeMutableRawBufferPointer
    /// What an exchange starts from.
    let blankExchange: Exchange
    let fields: UnsafeMutableBufferPointer<FieldRange>
    /// A head or trailer section that came as a header block, as text.
    let decoded: UnsafeMutableRawBufferPointer
    let trailerFields: UnsafeMutableBufferPointer<FieldRange>

    var origins: [Origin?] = []
    var listeners: [Listener] = []
    var plans: [HeldPlan] = []
    var currentPlan = -1
    /// Of the current plan.
    var serial: UInt64 = 0
    var frontends = UnsafeBufferPointer<Plan.Ports>(start: nil, count: 0)
    var listens = UnsafeBufferPointer<UnsafePointer<PlannedPort>?>(start: nil, count: 0)

    /// A target or Location being made.
    var text: [UInt8] = []

    var deadClients: [UInt32] = []
    var deadUpstreams: [UInt32] = []
    var deadSessions: [UInt32] = []
    var deadExchanges: [UInt32] = []
    /// Exchanges, and sessions, that had more to do than one turn gives.
    var ready: [UInt32] = []
    var readySessions: [UInt32] = []
    /// Whoever has something to send at the end of the turn.
    var dirtyClients: [UInt32] = []
    var dirtyUpstreams: [UInt32] = []
    var dirtySessions: [UInt32] = []
    var log: AccessLog
    var date = DateText()
    /// Given up to accept, and close, one connection when descriptors run out.
    var reserve: Int32
    /// This thread's network namespace, to come back to.
    let homeNamespace: Int32
    var isDraining = false
    var isStopped = false

    init(index: Int, settings: WorkerSettings, shared: WorkerShared) throws(SystemError) {
        let epoll = try Epoll()
        guard epoll.add(shared.inbox.descriptor, Epoll.input, token: Kind.inbox.rawValue << 56) else {
            throw SystemError("epoll_ctl", code: errno)
        }
        self.epoll = epoll
        self.index = index
        self.settings = settings
        self.shared = shared
        cells = shared.cells.cells
        now = Clock.now()
        timers = TimerWheel(now: now)
        endpoints = EndpointStates(now: now, ejection: settings.ejectionTime)
        tickets = TicketSequence(seed: now &* 0xd134_2543_de82_ef95 ^ UInt64(index) << 56)
        random = RandomSource(seed: now ^ UInt64(index) &* 0x9e37_79b9_7f4a_7c15)
        out = .allocate(byteCount: settings.head.head + (384 << 10), alignment: 64)
        blankExchange = .allocate(capacity: 1)
        blankExchange.initialize(
            to: ExchangeState(index: 0, timer: 0, asker: .http1, client: 0, origin: 0, isIPv4: true))
        fields = .allocate(capacity: settings.head.fields)
        // A header block may say more in fewer bytes, and what is too much must be told from what is broken.
        decoded = .allocate(byteCount: settings.head.head + 4096, alignment: 64)
        trailerFields = .allocate(capacity: settings.head.fields)
        log = AccessLog(writer: shared.logWriter)
        reserve = open("/dev/null", O_RDONLY | O_CLOEXEC)
        homeNamespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        text.reserveCapacity(4096)
        deadClients.reserveCapacity(256)
        deadUpstreams.reserveCapacity(256)
        deadSessions.reserveCapacity(64)
        deadExchanges.reserveCapacity(1024)
        ready.reserveCapacity(256)
        readySessions.reserveCapacity(64)
        dirtyClients.reserveCapacity(256)
        dirtyUpstreams.reserveCapacity(256)
        dirtySessions.reserveCapacity(256)
    }

    deinit {
        scratch.deallocate()
        out.deallocate()
        blankExchange.deallocate()
        fields.deallocate()
        decoded.deallocate()
        trailerFields.deallocate()
        Glibc.close(reserve)
        Glibc.close(homeNamespace)
    }

    /// Returns after `stop`.
    mutating func run() {
        while !isStopped {
            let isBusy = !ready.isEmpty || !readySessions.isEmpty
            let count = epoll.wait(timeout: isBusy ? 0 : log.shortened(timers.timeout(now: now)))
            now = Clock.now()
            for position in 0..<count { dispatch(epoll.event(position)) }
            while let token = timers.expired(now: now) { expire(token) }
            resumeReady()
            endTurn()
        }
        closeEverything()
    }

    private mutating func dispatch(_ event: Epoll.Event) {
        let index = UInt32(truncatingIfNeeded: event.token)
        switch event.token >> 56 {
        case Kind.client.rawValue:
            guard clients.isCurrent(index, generation: Self.generation(event.token)) else { return }
            clientEvent(client(index), event)
        case Kind.upstream.rawValue:
            guard upstreams.isCurrent(index, generation: Self.generation(event.token)) else { return }
            upstreamEvent(upstream(index), event)
        case Kind.session.rawValue:
            guard sessions.isCurrent(index, generation: Self.generation(event.token)) else { return }
            sessionEvent(session(index), event)
        case Kind.listener.rawValue: acceptSome(Int(index))
        default: readInbox()
        }
    }

    private mutating func expire(_ token: UInt64) {
        let index = UInt32(truncatingIfNeeded: token)
        switch token >> 56 {
        case Kind.client.rawValue: clientExpired(client(index))
        case Kind.upstream.rawValue: upstreamExpired(upstream(index))
        case Kind.session.rawValue: sessionExpired(session(index))
        default: exchangeExpired(exchange(index))
        }
    }

    private mutating func resumeReady() {
        if !ready.isEmpty {
            let count = ready.count
            for position in 0..<count {
                let x = exchange(ready[position])
                guard x.pointee.isReady else { continue }
                x.pointee.isReady = false
                advance(x)
            }
            ready.removeFirst(count)
        }
        if !readySessions.isEmpty {
            let count = readySessions.count
            for position in 0..<count {
                let s = session(readySessions[position])
                guard s.pointee.isReady, s.pointee.state != .closed else { continue }
                s.pointee.isReady = false
                advance(s)
            }
            readySessions.removeFirst(count)
        }
    }

    private mutating func endTurn() {
        flushDirty()
        if !deadClients.isEmpty {
            for index in deadClients { clients.free(index) }
            deadClients.removeAll(keepingCapacity: true)
        }
        if !deadUpstreams.isEmpty {
            for index in deadUpstreams { upstreams.free(index) }
            deadUpstreams.removeAll(keepingCapacity: true)
        }
        if !deadSessions.isEmpty {
            for index in deadSessions { free(session(index)) }
            deadSessions.removeAll(keepingCapacity: true)
        }
        if !deadExchanges.isEmpty {
            for index in deadExchanges { exchanges.free(index) }
            deadExchanges.removeAll(keepingCapacity: true)
        }
        log.flush(now: now, cells + Counter.accessLogDropped.rawValue)
        set(.bufferedBytes, UInt64(buffers.bytesInUse))
        if isDraining && clients.count == 0 && exchanges.count == 0 && sessions.count == 0 { shared.reportDrained() }
    }

    /// Sends what was written for connections during the turn. Whoever gets room by it may write more, to others too.
    private mutating func flushDirty() {
        while !dirtySessions.isEmpty || !dirtyClients.isEmpty || !dirtyUpstreams.isEmpty {
            while let index = dirtySessions.popLast() {
                let s = session(index)
                s.pointee.isDirty = false
                if s.pointee.state != .closed { flush(s) }
            }
            while let index = dirtyClients.popLast() {
                let c = client(index)
                c.pointee.isDirty = false
                guard c.pointee.phase != .closed, c.pointee.writable, flush(c) else { continue }
                advance(c)
            }
            while let index = dirtyUpstreams.popLast() {
                let u = upstream(index)
                u.pointee.isDirty = false
                guard u.pointee.state == .active || u.pointee.state == .tunnel, u.pointee.writable else { continue }
                flush(u)
                if u.pointee.exchange != Slab.none { advance(exchange(u.pointee.exchange)) }
            }
        }
    }

    /// Goes on with `x` after the others had their turn.
    mutating func makeReady(_ x: Exchange) {
        guard !x.pointee.isReady else { return }
        x.pointee.isReady = true
        ready.append(x.pointee.index)
    }

    mutating func makeReady(_ s: Session) {
        guard !s.pointee.isReady else { return }
        s.pointee.isReady = true
        readySessions.append(s.pointee.index)
    }

    mutating func makeDirty(_ c: Client) {
        guard !c.pointee.isDirty else { return }
        c.pointee.isDirty = true
        dirtyClients.append(c.pointee.index)
    }

    mutating func makeDirty(_ u: Upstream) {
        guard !u.pointee.isDirty else { return }
        u.pointee.isDirty = true
        dirtyUpstreams.append(u.pointee.index)
    }

    @inline(__always)
    mutating func makeDirty(_ s: Session) {
        guard !s.pointee.isDirty else { return }
        s.pointee.isDirty = true
        dirtySessions.append(s.pointee.index)
    }

    // MARK: Elements

    @inline(__always)
    func client(_ index: UInt32) -> Client {
        clients.element(index).assumingMemoryBound(to: ClientConnection.self)
    }

    @inline(__always)
    func upstream(_ index: UInt32) -> Upstream {
        upstreams.element(index).assumingMemoryBound(to: UpstreamConnection.self)
    }

    @inline(__always)
    func session(_ index: UInt32) -> Session {
        sessions.element(index).assumingMemoryBound(to: HTTP2Session.self)
    }

    @inline(__always)
    func exchange(_ index: UInt32) -> Exchange {
        exchanges.element(index).assumingMemoryBound(to: ExchangeState.self)
    }

    static func token(_ kind: Kind, _ index: UInt32, generation: UInt32) -> UInt64 {
        kind.rawValue << 56 | UInt64(generation) << 32 | UInt64(index)
    }

    @inline(__always)
    static func generation(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token >> 32) & 0xff_ffff }

    // MARK: Counting

    @inline(__always)
    func count(_ counter: Counter, _ amount: UInt64 = 1) { (cells + counter.rawValue).add(amount) }
    @inline(__always)
    func uncount(_ counter: Counter) { (cells + counter.rawValue).add(.max) }
    @inline(__always)
    func set(_ counter: Counter, _ value: UInt64) {
        cells[counter.rawValue].store(value, ordering: .relaxed)
    }
    func count(_ flood: HTTP2Flood) { (cells + WorkerCells.floods + Int(flood.rawValue)).add(1) }
    func count(answer reason: Reason) { (cells + Counter.allCases.count + reason.ordinal).add(1) }
}

extension Reason {
    /// Its place in `allCases`.
    var ordinal: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
    /// `allCases`, made once.
    static let all = allCases
}

// The optimiser does not see into functions of another module: what every request asks often is asked of stored properties.
extension Slab {
    /// As `pointer`.
    @inline(__always)
    func element(_ index: UInt32) -> UnsafeMutableRawPointer { chunks[Int(index >> 6)] + Int(index & 63) &* stride }
}

extension ByteQueue {
    /// As `isEmpty`.
    @inline(__always)
    var isVacant: Bool { length == 0 }
}
