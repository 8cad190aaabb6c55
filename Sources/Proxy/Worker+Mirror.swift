import HTTPWire
import Model
import Reactor

// Copies of requests for RequestMirror filters: exchanges of their own, whose responses are read and thrown away.
//
// A copy is what the chosen backend gets: the head with all changes of the rule and its backendRef, and the content as it
// comes from the client. It goes to an endpoint of its own over a connection of its own. Nothing waits for it: content that
// its endpoint does not take is queued up to `mirrorBacklog`, and a copy that falls further behind is cut off. It outlives
// the request that it copies once it has got all of it; else it ends with that request.
extension Worker {
    /// Bytes of content that wait for a copy's endpoint at most.
    static var mirrorBacklog: Int { 256 << 10 }
    /// How long a copy may take once it has all of the request, where the rule has no request timeout. One that has counts
    /// from the copy's beginning.
    private static var mirrorTimeout: UInt64 { 30_000_000_000 }

    /// Begins the copies that the draw gives the request. Nothing of its content has been passed on yet; `isWhole` says that
    /// it has none. What upgrades to another protocol has no copies. `fields` are left as they were.
    mutating func beginMirrors(
        _ x: Exchange, _ mirrors: UnsafeBufferPointer<PlannedMirror>, _ bytes: UnsafeRawBufferPointer,
        _ head: RequestHead, isWhole: Bool
    ) {
        guard !x.pointee.wantsUpgrade else { return }
        let lines = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: fields[..<head.fieldCount]))
        var kept = ByteQueue()
        kept.append(UnsafeRawBufferPointer(lines), &buffers)
        var begun: UInt64 = 0
        for index in 0..<mirrors.count
        where random.samples(mirrors[index].numerator, of: mirrors[index].denominator) {
            beginMirror(x, mirrors[index].reference, bytes, head, isWhole: isWhole)
            // Writing a head marks the fields that it leaves out.
            lines.copyMemory(from: kept.bytes)
            begun &+= 1
        }
        kept.clear(&buffers)
        if begun > 0 && !x.pointee.log.isVacant { logMirrors(x, begun) }
    }

    private mutating func beginMirror(
        _ x: Exchange, _ reference: UnsafePointer<PlannedReference>, _ bytes: UnsafeRawBufferPointer,
        _ head: RequestHead, isWhole: Bool
    ) {
        let m = makeExchange(
            asker: .mirror, client: x.pointee.index, origin: x.pointee.origin, isIPv4: x.pointee.isIPv4)
        holdPlan(m, of: x)
        m.pointee.reference = reference
        m.pointee.isHEAD = x.pointee.isHEAD
        m.pointee.isIdempotent = x.pointee.isIdempotent
        m.pointee.isGRPC = x.pointee.isGRPC
        m.pointee.isRequestComplete = isWhole
        m.pointee.toUpstream.ends = isWhole
        if let timeout = x.pointee.rule?.pointee.requestTimeout, timeout != TimerWheel.never {
            m.pointee.requestDeadline = now &+ timeout
        } else if isWhole {
            m.pointee.requestDeadline = now &+ Self.mirrorTimeout
        }
        m.pointee.nextMirror = x.pointee.firstMirror
        x.pointee.firstMirror = m.pointee.index
        count(.mirrorsSent)
        dispatch(m, bytes, head, .nothing)
    }

    // MARK: Content

    /// A part of the content of a request that has copies.
    mutating func mirrorContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        var next = x.pointee.firstMirror
        while next != Slab.none {
            let m = exchange(next)
            next = m.pointee.nextMirror
            guard mirrorHasRoom(m, bytes.count) else {
                dropMirror(m)
                continue
            }
            forwardContent(m, bytes, isEnd: isEnd)
            if isEnd { mirrorIsWhole(m) }
        }
    }

    /// The trailer section, and with it the end.
    mutating func mirrorTrailers(_ x: Exchange, _ lines: UnsafeRawBufferPointer) {
        var next = x.pointee.firstMirror
        while next != Slab.none {
            let m = exchange(next)
            next = m.pointee.nextMirror
            guard mirrorHasRoom(m, lines.count) else {
                dropMirror(m)
                continue
            }
            forwardTrailers(m, lines)
            mirrorIsWhole(m)
        }
    }

    private func mirrorHasRoom(_ m: Exchange, _ count: Int) -> Bool {
        let waiting =
            switch m.pointee.answerer {
            case .none: 0
            case .http1: upstream(m.pointee.upstream).pointee.output.count
            case .http2: m.pointee.toUpstream.queue.count
            }
        return waiting &+ count <= Self.mirrorBacklog
    }

    private mutating func mirrorIsWhole(_ m: Exchange) {
        guard !m.pointee.isRequestComplete else { return }
        m.pointee.isRequestComplete = true
        guard m.pointee.requestDeadline == TimerWheel.never else { return }
        m.pointee.requestDeadline = now &+ Self.mirrorTimeout
        arm(m)
    }

    // MARK: The end

    /// The request is over: copies that have all of it go on by themselves.
    mutating func leaveMirrors(_ x: Exchange) {
        var next = x.pointee.firstMirror
        x.pointee.firstMirror = Slab.none
        while next != Slab.none {
            let m = exchange(next)
            next = m.pointee.nextMirror
            m.pointee.client = Slab.none
            m.pointee.nextMirror = Slab.none
            if !m.pointee.isRequestComplete { dropMirror(m) }
        }
    }

    /// Cuts a copy off that cannot be finished, or is too far behind.
    private mutating func dropMirror(_ m: Exchange) {
        guard !m.pointee.isFreed else { return }
        count(.mirrorsDropped)
        dropUpstream(m)
        free(m)
    }

    /// No endpoint took the copy or answered it in time.
    mutating func mirrorFailed(_ m: Exchange) {
        count(.mirrorsFailed)
        finish(m)
    }

    /// Takes a copy that is over from the list of the request's copies.
    mutating func unlinkMirror(_ m: Exchange) {
        guard m.pointee.client != Slab.none else { return }
        let x = exchange(m.pointee.client)
        m.pointee.client = Slab.none
        if x.pointee.firstMirror == m.pointee.index {
            x.pointee.firstMirror = m.pointee.nextMirror
            return
        }
        var previous = x.pointee.firstMirror
        while previous != Slab.none {
            let other = exchange(previous)
            if other.pointee.nextMirror == m.pointee.index {
                other.pointee.nextMirror = m.pointee.nextMirror
                return
            }
            previous = other.pointee.nextMirror
        }
    }

    /// Keeps the plan of `x` for an exchange that acts for it.
    mutating func holdPlan(_ other: Exchange, of x: Exchange) {
        guard x.pointee.plan >= 0 else { return }
        plans[Int(x.pointee.plan)].inFlight &+= 1
        other.pointee.plan = x.pointee.plan
    }

    private mutating func logMirrors(_ x: Exchange, _ begun: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { room in
            var writer = HeadWriter(room)
            writer.append(",\"mirrors\":")
            writer.append(decimal: begun)
            x.pointee.log.append(UnsafeRawBufferPointer(rebasing: room[..<writer.count]), &buffers)
        }
    }
}
