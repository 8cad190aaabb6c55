import CLinux
import Glibc
import HTTPWire
import Model
import Reactor

extension Worker {
    static var replayLimit: Int { 65536 }

    /// Sends a routed request for the first time. `bytes` hold the head; `body` is what came of the body with it, framed as
    /// it came over HTTP/1. `hasMore`: content, if only an empty one, that came before is passed on next.
    mutating func dispatch(
        _ x: Exchange, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead, _ body: UnsafeRawBufferPointer,
        hasMore: Bool = false
    ) {
        guard let reference = x.pointee.reference else { return }
        x.pointee.phase = .sent
        if !reference.pointee.mirrors.isEmpty {
            beginMirrors(
                x, reference.pointee.mirrors, bytes, head,
                isWhole: x.pointee.isRequestComplete && body.isEmpty && !hasMore)
        }
        if speaksHTTP2(x, reference) { return dispatchHTTP2(x, bytes, head, body, hasMore: hasMore) }
        // Content that others get too is framed for each of them.
        x.pointee.isRequestRaw = x.pointee.asker == .http1 && (x.pointee.firstMirror & x.pointee.auth) == Slab.none
        x.pointee.chunksRequest =
            !x.pointee.isRequestRaw
            && (head.framing.endsWithConnection && head.upgrade.isEmpty || head.framing.isChunked)
        guard let length = writeRequestHead(x, bytes, head, reference) else {
            return answer(x, .headTooLarge) { $0.append("the request's head is too large with its route's changes") }
        }
        let written = UnsafeRawBufferPointer(rebasing: out[..<length])
        let raw = x.pointee.isRequestRaw ? body : .nothing
        if let rule = x.pointee.rule, rule.pointee.hasRetry { keep(x, written, raw) }
        beginAttempt(x)
        attempt(x, head: written, body: raw)
        if raw.count < body.count && x.pointee.phase != .over {
            var decoder = BodyDecoder(head.framing)
            _ = passContent(of: x, &decoder, body)
        }
    }

    /// Keeps what an attempt sends, so that another can.
    mutating func keep(_ x: Exchange, _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) {
        x.pointee.isReplayable = head.count &+ body.count <= Self.replayLimit
        guard x.pointee.isReplayable else { return }
        x.pointee.replay.append(head, &buffers)
        x.pointee.replay.append(body, &buffers)
    }

    @inline(__always)
    private func speaksHTTP2(_ x: Exchange, _ reference: UnsafePointer<PlannedReference>) -> Bool {
        switch reference.pointee.version {
        case .http1: x.pointee.isGRPC && x.pointee.asker != .http1
        case .http2: true
        case .asClient: x.pointee.asker == .http2
        }
    }

    @inline(__always)
    mutating func beginAttempt(_ x: Exchange) {
        let timeout = x.pointee.backendTimeout
        x.pointee.attemptDeadline = timeout == TimerWheel.never ? timeout : now &+ timeout
        x.pointee.wakeTime = TimerWheel.never
        arm(x)
    }

    /// Sends the request's beginning to an endpoint of its backend that speaks HTTP/1: over an idle connection unless
    /// `isFresh`, else over a new one; on to the next endpoint when connecting fails at once. Answers when none is left.
    mutating func attempt(
        _ x: Exchange, head: UnsafeRawBufferPointer, body: UnsafeRawBufferPointer, isFresh: Bool = false
    ) {
        while let endpoint = nextEndpoint(x) {
            if !isFresh, sendOverIdle(x, endpoint, head, body) { return }
            if sendOverNew(x, endpoint, head, body) { return }
            noteConnectFailure(x, slot: endpoint.pointee.slot, identity: endpoint.pointee.identity)
        }
    }

    /// The endpoint to try; nil when none is left, and then the request has been answered.
    @inline(__always)
    mutating func nextEndpoint(_ x: Exchange) -> UnsafePointer<PlannedEndpoint>? {
        guard let reference = x.pointee.reference else {
            fail(x, .upstreamReset) { $0.append("the request's route is gone") }
            return nil
        }
        if let preferred = x.pointee.preferred {
            x.pointee.preferred = nil
            return preferred
        }
        let failures = x.pointee.connectFailures
        while failures < settings.connectAttempts {
            if let endpoint = endpoints.choose(
                reference.pointee.backend, isIPv4: x.pointee.isIPv4, tried: x.pointee.tried,
                triedCount: Int(x.pointee.triedCount), alsoOtherFamily: x.pointee.triedCount == failures, now: now,
                &random)
            {
                return endpoint
            }
            // None is left that no attempt has tried: the ones that were tried longest ago are next, but for those that could
            // not be connected in this attempt, which are the last.
            guard x.pointee.triedCount > failures else { break }
            forgetOldestTried(x)
        }
        if failures > 0 { attemptFailed(x, .connect) } else { failConnect(x) }
        return nil
    }

    private func forgetOldestTried(_ x: Exchange) {
        x.pointee.triedCount &-= 1
        for place in 0..<Int(x.pointee.triedCount) { x.pointee.tried[place] = x.pointee.tried[place &+ 1] }
    }

    /// The next attempt goes elsewhere when there is somewhere else.
    private func noteTried(_ x: Exchange, slot: UInt32) {
        if x.pointee.triedCount == 8 { forgetOldestTried(x) }
        x.pointee.tried[Int(x.pointee.triedCount)] = slot
        x.pointee.triedCount &+= 1
    }

    mutating func noteConnectFailure(_ x: Exchange, slot: UInt32, identity: UInt64) {
        count(.connectFailures)
        endpoints.avoid(slot: slot, identity: identity, now: now)
        if endpoints.noteFailure(slot: slot, identity: identity, now: now) { count(.ejections) }
        noteTried(x, slot: slot)
        if x.pointee.connectFailures > 0 { count(.connectRetries) }
        x.pointee.connectFailures &+= 1
    }

    /// The attempt is over without a usable response: another one, or an answer.
    mutating func attemptFailed(_ x: Exchange, _ failure: RetryPolicy.Failure) {
        noteFailure(x, failure)
        switch decide(x, failure) {
        case .move:
            // Nothing of the request was processed, or it may be twice: a fresh connection tells.
            count(.staleRetries)
            x.pointee.moves &+= 1
            if case .refused = failure, let endpoint = x.pointee.endpoint {
                noteTried(x, slot: endpoint.pointee.slot)
            }
            dropUpstream(x)
            resend(x, isFresh: true)
        case .retry(let wait): retry(x, after: wait)
        case .overBudget: failOverBudget(x)
        case .deadline: failWait(x)
        case .notReplayable:
            count(.unreplayable)
            fail(x, failure)
        case .giveUp: fail(x, failure)
        }
    }

    /// A response that cannot be read. True when the request goes on nevertheless.
    mutating func retriesUnreadable(_ x: Exchange) -> Bool {
        noteFailure(x)
        switch decide(x, .reset) {
        case .retry(let wait): retry(x, after: wait)
        case .overBudget: failOverBudget(x)
        case .deadline: failWait(x)
        case .notReplayable:
            count(.unreplayable)
            return false
        case .move, .giveUp: return false
        }
        return true
    }

    /// A final response whose status the route may retry. True when it is not to be passed on. `u` is the connection that it
    /// came over when that speaks HTTP/1, and `behind` what has been received behind its head.
    mutating func retries(
        _ x: Exchange, _ head: ResponseHead, over u: Upstream? = nil, behind: UnsafeRawBufferPointer = .nothing
    ) -> Bool {
        guard let rule = x.pointee.rule, rule.pointee.hasRetry, rule.pointee.retry.lists(head.status) else {
            return false
        }
        let decision = decide(x, .status(head.status))
        switch decision {
        case .retry, .overBudget, .deadline: break
        case .notReplayable:
            count(.unreplayable)
            return false
        case .move, .giveUp: return false
        }
        noteAnswer(x, status: head.status)
        if let u { throwAway(u, x, head, behind) }
        switch decision {
        case .retry(let wait): retry(x, after: wait)
        case .overBudget: failOverBudget(x)
        default: failWait(x)
        }
        return true
    }

    private mutating func decide(_ x: Exchange, _ failure: RetryPolicy.Failure) -> RetryPolicy.Decision {
        let policy = x.pointee.rule?.pointee.retry ?? RetryPolicy()
        let budget = x.pointee.reference.flatMap { $0.pointee.budgets.map { $0 + index } }
        let deadline = x.pointee.requestDeadline
        let request = RetryPolicy.Request(
            retries: Int(x.pointee.retries), moves: Int(x.pointee.moves), isIdempotent: x.pointee.isIdempotent,
            isReplayable: x.pointee.isReplayable, isHeadSent: x.pointee.isHeadSent, hasOtherEndpoint: false,
            timeLeft: deadline == TimerWheel.never ? deadline : deadline > now ? deadline &- now : 0)
        return policy.decide(
            failure, request, moveLimit: Int(settings.connectAttempts), budget: budget, now: now, random: &random)
    }

    private mutating func retry(_ x: Exchange, after wait: UInt64) {
        count(.retries)
        x.pointee.retries &+= 1
        x.pointee.connectFailures = 0
        if let endpoint = x.pointee.endpoint { noteTried(x, slot: endpoint.pointee.slot) }
        dropUpstream(x)
        // Always by the timer, however short: attempts that fail at once must not nest.
        x.pointee.phase = .waiting
        x.pointee.attemptDeadline = TimerWheel.never
        x.pointee.wakeTime = now &+ wait
        arm(x)
    }

    private mutating func fail(_ x: Exchange, _ failure: RetryPolicy.Failure) {
        // Where the route's retries were in vain the backend is out of service (HTTPRouteRetryConnectionError).
        let status: UInt16? = x.pointee.retries > 0 ? 503 : nil
        switch failure {
        case .timeout:
            fail(x, .backendRequestTimeout) { $0.append("the backend took longer than its route allows") }
        case .refused:
            fail(x, .upstreamReset, status: status) { $0.append("the backend refused the request") }
        case .connect: failConnect(x)
        case .stale, .reset, .status:
            fail(x, .upstreamReset, status: status) {
                $0.append("the backend closed the connection before it answered")
            }
        }
    }

    private mutating func failConnect(_ x: Exchange) {
        let tries = x.pointee.connectFailures
        let backend = x.pointee.reference?.pointee.backend
        fail(x, tries == 0 ? .noReadyEndpoint : .connectFailed) { writer in
            writer.append(tries == 0 ? "no ready endpoint of " : "no endpoint could be connected of ")
            guard let backend else { return }
            writer.append(backend.service)
            writer.append(byte: 0x3a)
            writer.append(decimal: UInt64(backend.port))
        }
    }

    private mutating func failOverBudget(_ x: Exchange) {
        fail(x, .retryBudgetExhausted) { $0.append("the backend's retry budget is spent") }
    }

    /// The wait for the next attempt would be longer than the request may take.
    private mutating func failWait(_ x: Exchange) {
        dropUpstream(x)
        failDeadline(x)
    }

    mutating func failDeadline(_ x: Exchange) {
        if x.pointee.isDeadlineOfClient {
            fail(x, .grpcTimeout) { $0.append("the request took longer than its client allows") }
        } else {
            if x.pointee.answerer != .none && !x.pointee.isHeadSent { noteFailure(x, .timeout) }
            fail(x, .requestTimeout) { $0.append("the request took longer than its route allows") }
        }
    }

    // MARK: What endpoints are worth

    private mutating func noteFailure(_ x: Exchange) {
        guard let endpoint = x.pointee.endpoint else { return }
        if endpoints.noteFailure(slot: endpoint.pointee.slot, identity: endpoint.pointee.identity, now: now) {
            count(.ejections)
        }
    }

    /// An attempt has failed, which may be the endpoint's fault: one that ends kept connections or takes no more requests
    /// does as it may, and the client may be why a request takes long. Failures to connect are noted where they happen.
    private mutating func noteFailure(_ x: Exchange, _ failure: RetryPolicy.Failure) {
        switch failure {
        case .reset: noteFailure(x)
        case .timeout: if x.pointee.isRequestComplete { noteFailure(x) }
        case .connect, .refused, .stale, .status: break
        }
    }

    /// Whether a gRPC response that is a head and nothing else says UNAVAILABLE.
    func saysUnavailable(_ bytes: UnsafeRawBufferPointer, _ fieldCount: Int) -> Bool {
        for index in 0..<fieldCount where fields[index].name.count == 11 && fields[index].value.count == 2 {
            if FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: bytes[fields[index].name]), "grpc-status") {
                return FieldEdits.isSame(UnsafeRawBufferPointer(rebasing: bytes[fields[index].value]), "14")
            }
        }
        return false
    }

    /// An endpoint has answered.
    @inline(__always)
    mutating func noteAnswer(_ x: Exchange, status: UInt16) {
        guard let endpoint = x.pointee.endpoint else { return }
        if EndpointStates.isFailure(status: status) {
            noteFailure(x)
        } else {
            endpoints.noteSuccess(slot: endpoint.pointee.slot, identity: endpoint.pointee.identity)
        }
    }

    /// Sends the request once more, from `replay`.
    mutating func resend(_ x: Exchange, isFresh: Bool = false) {
        guard let reference = x.pointee.reference else {
            return fail(x, .upstreamReset) { $0.append("the request's route is gone") }
        }
        x.pointee.phase = .sent
        x.pointee.isOnReused = false
        beginAttempt(x)
        if speaksHTTP2(x, reference) {
            resendHTTP2(x)
        } else {
            attempt(x, head: x.pointee.replay.bytes, body: .nothing, isFresh: isFresh)
        }
        guard x.pointee.phase == .sent, x.pointee.answerer != .none else { return }
        // More than that comes together only while a request waits.
        if x.pointee.replay.count > Self.replayLimit { forgetReplay(x) }
        if upstreamHasRoom(x) { pullRequest(x) }
    }

    // MARK: Content that comes while nobody has the request

    /// Content that came before the next attempt: the client was given leave to send it, so it is kept whatever its length.
    mutating func keepContent(_ x: Exchange, _ bytes: UnsafeRawBufferPointer, isEnd: Bool) {
        guard x.pointee.isReplayable else { return }
        guard x.pointee.phase == .waiting else { return keepForReplay(x, bytes) }
        guard x.pointee.chunksRequest else { return x.pointee.replay.append(bytes, &buffers) }
        var writer = HeadWriter(x.pointee.replay.reserve(bytes.count &+ 32, &buffers))
        writer.chunk(of: bytes)
        if isEnd {
            writer.lastChunk()
            writer.endOfHead()
        }
        x.pointee.replay.commit(writer.count)
    }

    /// A request that waits for its next attempt cannot be sent again after all.
    mutating func failWaiting(_ x: Exchange) {
        count(.unreplayable)
        fail(x, .reset)
    }
}
