import Glibc
import Synchronization

/// An endless stream of bytes without a short period, to be sent and checked by offset; counts what went by.
final class Stream: Sendable {
    private static let period = 1_000_003
    /// The pattern twice over, so that a block may begin anywhere in it.
    private static let doubled: [UInt8] = {
        var random = SplitMix(seed: 7)
        let once = (0..<period).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return once + once
    }()

    private let position = Mutex(0)

    var count: Int { position.withLock { $0 } }

    /// The next `count` bytes (at most a million).
    func next(_ count: Int) -> [UInt8] {
        position.withLock { position in
            let start = position % Self.period
            position += count
            return Array(Self.doubled[start..<start + count])
        }
    }

    /// Whether `bytes` are the next ones.
    func check(_ bytes: [UInt8]) -> Bool {
        position.withLock { position in
            var checked = 0
            while checked < bytes.count {
                let start = position % Self.period
                let count = min(bytes.count - checked, Self.period)
                let isSame = bytes.withUnsafeBytes { bytes in
                    Self.doubled.withUnsafeBytes {
                        memcmp($0.baseAddress! + start, bytes.baseAddress! + checked, count) == 0
                    }
                }
                guard isSame else { return false }
                position += count
                checked += count
            }
            return true
        }
    }
}

/// Random numbers that are the same in every run.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
