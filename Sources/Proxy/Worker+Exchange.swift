import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    // MARK: Life

    /// A fresh exchange. `timer` is the connection's when asked over HTTP/1; else it gets one of its own.
    mutating func makeExchange(
        asker: ExchangeState.Asker, client: UInt32, clientStream: UInt32 = Slab.none, origin: UInt32, isIPv4: Bool,
        timer: UInt32? = nil
    ) -> Exchange {
        let index = exchanges.allocate()
        let x = exchange(index)
        let own = timer ?? timers.create(token: Self.token(.exchange, index, generation: 0))
        x.initialize(
            to: ExchangeState(
                index: index, timer: own, asker: asker, client: client, clientStream: clientStream, origin: origin,
                isIPv4: isIPv4))
        x.pointee.started = now
        x.pointee.lastProgress = now
        return x
    }

    /// Frees an exchange that has no upstream any more, and what it holds.
    mutating func free(_ x: Exchange) {
        guard !x.pointee.isFreed else { return }
        x.pointee.isFreed = true
        x.pointee.isReady = false
        x.pointee.phase = .over
        if x.pointee.isTunnel { uncount(.tunnels) }
        releasePlan(x)
        clearQueues(x)
        if x.pointee.asker == .mirror { unlinkMirror(x) }
        x.pointee.log.clear(&buffers)
        if x.pointee.asker != .http1 { timers.destroy(x.pointee.timer) }
        deadExchanges.append(x.pointee.index)
    }

    private mutating func clearQueues(_ x: Exchange) {
        if !x.pointee.replay.isVacant { x.pointee.replay.clear(&buffers) }
        if !x.pointee.responseLines.isVacant { x.pointee.responseLines.clear(&buffers) }
        if !x.pointee.handshake.isVacant { x.pointee.handshake.clear(&buffers) }
        clear(&x.pointee.toClient)
        clear(&x.pointee.toUpstream)
        if (x.pointee.firstMirror & x.pointee.auth) != Slab.none {
            if x.pointee.firstMirror != Slab.none { leaveMirrors(x) }
            if x.pointee.auth != Slab.none { dropAuthorization(x) }
        }
    }

    mutating func clear(_ output: inout StreamOutput) {
        if !output.queue.isVacant { output.queue.clear(&buffers) }
        if !output.trailers.isVacant { output.trailers.clear(&buffers) }
    }

    /// The response is on its way whole: the exchange is counted, and its client goes on.
    mutating func finish(_ x: Exchange) {
        record(x)
        releasePlan(x)
        x.pointee.phase = .over
        clearQueues(x)
        switch x.pointee.asker {
        case .http1: finish(client(x.pointee.client), x)
        case .http2: finishStream(x)
        case .mirror: free(x)
        case .check: checkEnded(x)
        }
    }

    // MARK: Going on

    /// Does all that can be done for an exchange now.
    mutating func advance(_ x: Exchange) {
        switch x.pointee.asker {
        case .http1: advance(client(x.pointee.client))
        case .http2, .mirror, .check:
            guard x.pointee.phase == .sent, x.pointee.answerer == .http1 else {
                if x.pointee.phase == .held { advanceHeld(x) }
                return
            }
            let u = upstream(x.pointee.upstream)
            if u.pointee.output.isVacant && !u.pointee.isWriteBroken {
                if x.pointee.isTunnel && x.pointee.toUpstream.ends && !u.pointee.shutDown {
                    u.pointee.shutDown = true
                    shutdown(u.pointee.fd, Int32(SHUT_WR))
                    finishTunnelIfOver(x)
                } else {
                    pullRequest(x)
                }
            }
            guard x.pointee.phase == .sent, x.pointee.answerer == .http1 else { return }
            if u.pointee.readable && u.pointee.state == .active { relayResponse(x, u) }
        }
    }

    // MARK: Time

    /// Sets the timer to whatever comes first.
    @inline(__always)
    mutating func arm(_ x: Exchange) { arm(x, idle: now &+ settings.idleTimeout) }

    @inline(__always)
    private mutating func arm(_ x: Exchange, idle: UInt64) {
        timers.set(
            x.pointee.timer,
            min(min(x.pointee.requestDeadline, x.pointee.attemptDeadline), min(x.pointee.wakeTime, idle)))
    }

    mutating func exchangeExpired(_ x: Exchange) {
        guard x.pointee.phase != .over, !x.pointee.isTunnel else { return }
        if now >= x.pointee.requestDeadline {
            failDeadline(x)
            return advance(x)
        }
        if now >= x.pointee.attemptDeadline {
            attemptFailed(x, .timeout)
            return advance(x)
        }
        if now >= x.pointee.wakeTime {
            resend(x)
            return advance(x)
        }
        let isAwaited = isClientAwaited(x)
        if isAwaited && now &- x.pointee.lastProgress >= settings.idleTimeout { return clientStalled(x) }
        arm(x, idle: (isAwaited ? x.pointee.lastProgress : now) &+ settings.idleTimeout)
    }

    /// The exchange goes on when the client sends or takes something.
    private func isClientAwaited(_ x: Exchange) -> Bool {
        switch x.pointee.asker {
        case .http1: if !client(x.pointee.client).pointee.output.isVacant { return true }
        case .http2: if !x.pointee.toClient.queue.isVacant { return true }
        case .mirror, .check: return false
        }
        // Calls of gRPC may be silent for as long as their deadlines let them.
        return !x.pointee.isRequestComplete && !x.pointee.isGRPC
            && (x.pointee.phase == .sent ? upstreamHasRoom(x) : isContentAwaited(x))
    }

    private mutating func clientStalled(_ x: Exchange) {
        switch x.pointee.asker {
        case .http1: clientLeft(client(x.pointee.client))
        case .http2:
            count(.clientAborts)
            cancelStream(x, .cancel)
        case .mirror, .check: break
        }
    }

    // MARK: Failure

    /// Ends an exchange that cannot succeed: with an answer, or, when its head is out, by cutting the response off.
    mutating func fail(
        _ x: Exchange, _ reason: Reason, status: UInt16? = nil, _ text: (inout HeadWriter) -> Void
    ) {
        if x.pointee.isHeadSent {
            x.pointee.reason = UInt8(reason.ordinal)
            return cut(x)
        }
        dropUpstream(x)
        answer(x, reason, status: status, text)
    }

    /// The response cannot be finished and its head is out: the connection's end, or the stream's, tells (RFC 9112 section
    /// 8, RFC 9113 section 8.1).
    mutating func cut(_ x: Exchange) {
        switch x.pointee.asker {
        case .http1:
            count(.cuts)
            abort(client(x.pointee.client))
        case .http2:
            count(.cuts)
            if x.pointee.isGRPC && !x.pointee.toClient.ends { endCall(x) } else { cancelStream(x, .internalError) }
        case .mirror:
            dropUpstream(x)
            mirrorFailed(x)
        case .check:
            dropUpstream(x)
            finish(x)
        }
    }

    /// Nobody waits for the endpoint's response any more: it is told so.
    mutating func dropUpstream(_ x: Exchange) {
        switch x.pointee.answerer {
        case .none: return
        case .http1: reset(upstream(x.pointee.upstream))
        case .http2: dropUpstreamStream(x)
        }
    }

    // MARK: Plans

    /// Keeps the current plan until `releasePlan` is called for the same exchange.
    @inline(__always)
    mutating func holdPlan(_ x: Exchange) {
        guard currentPlan >= 0 else { return }
        plans[currentPlan].inFlight &+= 1
        x.pointee.plan = Int32(truncatingIfNeeded: currentPlan)
    }

    @inline(__always)
    mutating func releasePlan(_ x: Exchange) {
        let held = Int(x.pointee.plan)
        guard held >= 0 else { return }
        x.pointee.plan = -1
        x.pointee.reference = nil
        x.pointee.rule = nil
        x.pointee.endpoint = nil
        x.pointee.session = nil
        plans[held].inFlight &-= 1
        if plans[held].inFlight == 0 && held != currentPlan { releaseHeld(held) }
    }
}
