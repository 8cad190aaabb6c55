/// The tickets by which a worker's requests fall to weighted backendRefs: the additive recurrence of the golden ratio, whose
/// runs of any length are spread evenly. N requests meet each share within a few requests, where independent random tickets
/// would stray by the square root of N; requests that take turns are spread evenly too, as any multiple of the step is
/// irrational.
struct TicketSequence: BitwiseCopyable {
    /// A fraction of 2^64.
    private var position: UInt64

    /// Workers begin at different places.
    init(seed: UInt64) {
        position = seed
    }

    /// 0..<bound.
    @inline(__always)
    mutating func next(below bound: UInt64) -> UInt64 {
        position &+= 0x9e37_79b9_7f4a_7c15
        return position.multipliedFullWidth(by: bound).high
    }
}
