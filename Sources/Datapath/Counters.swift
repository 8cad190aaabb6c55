import CDatapath

/// What the programs counted since the pins were made, over all pods.
package struct Counters: Equatable, Sendable {
    /// Connects sent to the proxy.
    package var redirected: UInt64
    /// Connects and datagram sockets given an endpoint in the kernel.
    package var balanced: UInt64
    /// Calls refused because the service has no endpoint.
    package var refusedNoEndpoint: UInt64
    /// Connects let pass, by reason: made by the agent itself; from a socket bound to a device; no listener (the agent
    /// is gone); heartbeat too old (the agent hangs); endpoints swapped three times meanwhile.
    package var passedAgent: UInt64
    package var passedBoundDevice: UInt64
    package var passedNoListener: UInt64
    package var passedStale: UInt64
    package var passedSwapped: UInt64
    /// Connects whose original address could not be kept, so getpeername shows the endpoint.
    package var reverseFull: UInt64
    /// Redirected connections that reached the pod's listener; that found none; that could not be given to it.
    package var steered: UInt64
    package var steerNoListener: UInt64
    package var steerFailed: UInt64

    init(_ value: (weir_counter) -> UInt64) {
        redirected = value(WEIR_REDIRECTED)
        balanced = value(WEIR_BALANCED)
        refusedNoEndpoint = value(WEIR_REFUSED_NO_ENDPOINT)
        passedAgent = value(WEIR_PASSED_AGENT)
        passedBoundDevice = value(WEIR_PASSED_BOUND_DEVICE)
        passedNoListener = value(WEIR_PASSED_NO_LISTENER)
        passedStale = value(WEIR_PASSED_STALE)
        passedSwapped = value(WEIR_PASSED_SWAPPED)
        reverseFull = value(WEIR_REVERSE_FULL)
        steered = value(WEIR_STEERED)
        steerNoListener = value(WEIR_STEER_NO_LISTENER)
        steerFailed = value(WEIR_STEER_FAILED)
    }

    /// By reason, as metrics and `weir status` name them.
    package var all: [(name: String, value: UInt64)] {
        [
            ("redirected", redirected), ("balanced", balanced), ("refused_no_endpoint", refusedNoEndpoint),
            ("passed_agent", passedAgent), ("passed_bound_device", passedBoundDevice),
            ("passed_no_listener", passedNoListener), ("passed_stale", passedStale),
            ("passed_swapped", passedSwapped), ("reverse_full", reverseFull), ("steered", steered),
            ("steer_no_listener", steerNoListener), ("steer_failed", steerFailed),
        ]
    }
}
