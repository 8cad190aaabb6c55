import CLinux

/// Monotonic time in nanoseconds, the only time the loop knows.
package enum Clock {
    package static func now() -> UInt64 { clinux_monotonic_nanoseconds() }
}
