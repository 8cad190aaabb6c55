import Synchronization

/// What the echo server's connections know together: the requests that came, and how often each key was asked for. Both
/// forget their oldest entries.
final class EchoMemory: Sendable {
    private struct State {
        /// In the order of their coming, from `first` on; nil before that.
        var seen: [EchoAnswer?] = []
        var first = 0
        /// Of `seen`.
        var bytes = 0
        var attempts: [String: UInt64] = [:]
        /// The keys of `attempts` as they came, from `firstKey` on.
        var keys: [String] = []
        var firstKey = 0
    }

    private let state = Mutex(State())

    /// Requests, and keys, that are remembered.
    static let capacity = 10_000
    /// Bytes of the requests' heads that are remembered.
    private static let byteLimit = 32 << 20

    func remember(_ request: EchoAnswer) {
        state.withLock { state in
            state.seen.append(request)
            state.bytes += request.size
            while state.seen.count - state.first > Self.capacity || state.bytes > Self.byteLimit {
                state.bytes -= state.seen[state.first]?.size ?? 0
                state.seen[state.first] = nil
                state.first += 1
            }
            if state.first > Self.capacity {
                state.seen.removeFirst(state.first)
                state.first = 0
            }
        }
    }

    /// The requests whose path, query included, begins with `prefix`, the oldest first.
    func seen(prefix: String) -> [EchoAnswer] {
        state.withLock { $0.seen.compactMap(\.self) }.filter { $0.path.hasPrefix(prefix) }
    }

    /// Counts a request with `key`.
    /// - Returns: how many there were, this one included.
    func attempt(of key: String) -> UInt64 {
        state.withLock { state in
            if let count = state.attempts[key] {
                state.attempts[key] = count + 1
                return count + 1
            }
            if state.attempts.count == Self.capacity {
                state.attempts[state.keys[state.firstKey]] = nil
                state.firstKey += 1
            }
            if state.firstKey == Self.capacity {
                state.keys.removeFirst(state.firstKey)
                state.firstKey = 0
            }
            state.keys.append(key)
            state.attempts[key] = 1
            return 1
        }
    }
}

extension EchoAnswer {
    fileprivate var size: Int {
        headers.reduce(path.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
    }
}
