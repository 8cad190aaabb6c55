import HTTPWire

/// `ProxyConfiguration` as the loop reads it: nanoseconds and plain numbers.
struct WorkerSettings: BitwiseCopyable {
    let head: HeadLimits
    let http2: HTTP2Limits
    let sessionKey: SessionKey
    let headTimeout: UInt64
    let idleTimeout: UInt64
    let connectTimeout: UInt64
    let connectAttempts: UInt8
    let connectionsPerPod: Int
    let idleUpstreams: Int
    let upstreamIdleTimeout: UInt64
    let ejectionTime: UInt64
    let lingerTimeout: UInt64
    let discardLimit: Int

    init(_ configuration: ProxyConfiguration) {
        head = configuration.head
        http2 = configuration.http2
        sessionKey = configuration.sessionKey
        headTimeout = configuration.headTimeout.nanoseconds
        idleTimeout = configuration.idleTimeout.nanoseconds
        connectTimeout = configuration.connectTimeout.nanoseconds
        connectAttempts = UInt8(min(max(configuration.connectAttempts, 1), 8))
        connectionsPerPod = configuration.connectionsPerPod
        idleUpstreams = max(configuration.idleUpstreams, 0)
        upstreamIdleTimeout = configuration.upstreamIdleTimeout.nanoseconds
        ejectionTime = min(configuration.ejectionTime.nanoseconds, 1 << 50)
        lingerTimeout = configuration.lingerTimeout.nanoseconds
        discardLimit = configuration.discardLimit
    }
}
