import CLinux
import Glibc
import Model
import Reactor

extension Worker {
    mutating func readInbox() {
        for message in shared.inbox.take() {
            switch message {
            case .adopt(let plan): adopt(plan)
            case .add(let origin): add(origin)
            case .remove(let slot): remove(slot)
            case .drain: drain()
            case .ping(let number): shared.answer(ping: number)
            case .health(let inquiry):
                inquiry.answer(worker: index, endpoints.health(now: now))
                shared.reportAnswer()
            case .stop: isStopped = true
            }
        }
    }

    // MARK: Plans

    private mutating func adopt(_ plan: Plan) {
        let previous = currentPlan
        let free = plans.firstIndex { $0.plan == nil } ?? plans.count
        if free == plans.count { plans.append(HeldPlan()) }
        plans[free] = HeldPlan(plan: .passRetained(plan))
        currentPlan = free
        serial = plan.serial
        frontends = plan.frontends
        listens = plan.listens
        endpoints.grow(to: plan.slotLimit)
        if previous >= 0, plans[previous].inFlight == 0 { releaseHeld(previous) }
        if !plan.removed.isEmpty {
            for (slot, identity) in plan.removed { endpoints.remove(slot: slot, identity: identity) }
            closeStrayUpstreams()
        }
        shared.acknowledge(plan.generation)
    }

    /// Pooled connections to endpoints that are in no plan any more.
    private mutating func closeStrayUpstreams() {
        for index in 0..<upstreams.limit where upstreams.isUsed(index) {
            let u = upstream(index)
            guard u.pointee.state == .idle,
                !endpoints.isCurrent(slot: u.pointee.slot, identity: u.pointee.identity)
            else { continue }
            close(u)
        }
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            guard s.pointee.role == .upstream, s.pointee.state != .closed,
                !endpoints.isCurrent(slot: s.pointee.slot, identity: s.pointee.identity)
            else { continue }
            retire(s)
        }
    }

    mutating func releaseHeld(_ held: Int) {
        plans[held].plan?.release()
        plans[held] = HeldPlan()
    }

    // MARK: Origins

    private mutating func add(_ origin: Origin) {
        while origins.count <= origin.slot { origins.append(nil) }
        origins[origin.slot] = origin
        if isDraining { return }
        for fd in origin.listeners {
            let free = listeners.firstIndex { $0.fd < 0 } ?? listeners.count
            if free == listeners.count { listeners.append(Listener()) }
            listeners[free] = Listener(fd: fd, origin: UInt32(origin.slot))
            let token = Self.token(.listener, UInt32(free), generation: 0)
            if !epoll.add(fd, Epoll.listener, token: token) { count(.acceptErrors) }
        }
    }

    private mutating func closeListeners(of slot: UInt32) {
        for index in listeners.indices where listeners[index].fd >= 0 && listeners[index].origin == slot {
            epoll.remove(listeners[index].fd)
            listeners[index] = Listener()
        }
    }

    /// Everything at once and with resets: a socket with unsent data would keep the pod's network namespace for minutes.
    private mutating func remove(_ slot: Int) {
        guard slot < origins.count, origins[slot] != nil else { return }
        closeListeners(of: UInt32(slot))
        for index in 0..<clients.limit where clients.isUsed(index) {
            let c = client(index)
            if c.pointee.phase != .closed && c.pointee.dialled.origin == slot { abort(c) }
        }
        // Who asks goes before who answers, lest a request that lost its endpoint look for another.
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            if s.pointee.role == .client && s.pointee.state != .closed && s.pointee.dialled.origin == slot { abort(s) }
        }
        for index in 0..<exchanges.limit where exchanges.isUsed(index) {
            let x = exchange(index)
            if !x.pointee.isFreed && x.pointee.origin == slot { abandon(x) }
        }
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            if s.pointee.state != .closed && s.pointee.dialled.origin == slot { abort(s) }
        }
        for index in 0..<upstreams.limit where upstreams.isUsed(index) {
            let u = upstream(index)
            if u.pointee.state != .closed && u.pointee.origin == slot { reset(u) }
        }
        origins[slot] = nil
    }

    // MARK: The end

    /// No new connections, no new requests on idle ones; what is in flight goes on. Connections that were made before are
    /// taken, and requests that were sent before are answered.
    private mutating func drain() {
        guard !isDraining else { return }
        isDraining = true
        for index in listeners.indices where listeners[index].fd >= 0 {
            while acceptSome(index) {}
            epoll.remove(listeners[index].fd)
        }
        listeners.removeAll()
        for index in 0..<clients.limit where clients.isUsed(index) {
            let c = client(index)
            guard c.pointee.phase == .idle else { continue }
            c.pointee.readable = true
            advance(c)
            guard c.pointee.phase == .idle else { continue }
            if c.pointee.hasServed {
                close(c)
            } else {
                // Its first request is on its way.
                timers.set(c.pointee.timer, now &+ settings.lingerTimeout)
            }
        }
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            if s.pointee.state != .closed { retire(s) }
        }
        shared.reportNotAccepting()
    }

    mutating func closeEverything() {
        for index in 0..<clients.limit where clients.isUsed(index) {
            let c = client(index)
            if c.pointee.phase != .closed { abort(c) }
        }
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            if s.pointee.role == .client && s.pointee.state != .closed { abort(s) }
        }
        for index in 0..<exchanges.limit where exchanges.isUsed(index) {
            let x = exchange(index)
            if !x.pointee.isFreed { abandon(x) }
        }
        for index in 0..<sessions.limit where sessions.isUsed(index) {
            let s = session(index)
            if s.pointee.state != .closed { abort(s) }
        }
        for index in 0..<upstreams.limit where upstreams.isUsed(index) {
            let u = upstream(index)
            if u.pointee.state != .closed { reset(u) }
        }
        for index in deadSessions { free(session(index)) }
        log.flush(now: now, cells + Counter.accessLogDropped.rawValue, isLast: true)
        for held in plans.indices where plans[held].plan != nil { releaseHeld(held) }
        origins.removeAll()
    }
}
