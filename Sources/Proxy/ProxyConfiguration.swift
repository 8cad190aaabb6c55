package import HTTPWire

/// Everything that can be set about the proxy; fixed once it has started.
package struct ProxyConfiguration: Sendable {
    /// Threads, each with a loop of its own, 1...64.
    package var workers = 1
    /// Size of a request's head: 64 KiB with its final CRLF (431), its target 16 KiB (414), 200 field lines (431). A
    /// response's head has the same limits (502).
    package var head = HeadLimits()
    /// Of each HTTP/2 connection, on either side.
    package var http2 = HTTP2Limits()
    /// From a request's first byte to the last of its head, else 408.
    package var headTimeout = Duration.seconds(10)
    /// How long a client may keep a connection without sending a request, and how long it may stop sending or reading in
    /// the middle of one.
    package var idleTimeout = Duration.seconds(300)
    /// One attempt to connect to an endpoint.
    package var connectTimeout = Duration.seconds(5)
    /// Endpoints tried for one request before 503, 1...8. Each is tried once.
    package var connectAttempts = 4
    /// Clients' connections of one pod, over all workers; more are answered 503 and closed.
    package var connectionsPerPod = 10_000
    /// Idle connections kept per worker, pod and endpoint; the oldest is closed for one more.
    package var idleUpstreams = 128
    /// How long an idle upstream connection is kept.
    package var upstreamIdleTimeout = Duration.seconds(60)
    /// How long an endpoint is left out for the first time after five failures in a row; each time as much longer again, up
    /// to ten times that. At most 13 days.
    package var ejectionTime = Duration.seconds(30)
    /// After an answer that ends the connection before its request was read: how long what still comes is read and thrown
    /// away, so that a reset does not destroy the answer (RFC 9112 section 9.6).
    package var lingerTimeout = Duration.seconds(2)
    /// Bytes of a body nobody wants that are read to keep the connection; with more to come it is closed.
    package var discardLimit = 1 << 20
    /// What tokens of sessions are signed with. Sessions go on across restarts and nodes that have the same.
    package var sessionKey = SessionKey.random()
    /// Where the access log goes, one JSON object a line; nil turns it off. Stays the caller's to close.
    package var accessLog: Int32?

    package init() {}
}

extension Duration {
    /// Whole nanoseconds, at least 0, at most 2^62.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return UInt64(min(seconds, 4_000_000_000)) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
