package import Model
import Synchronization

/// A counter that one worker writes and anyone reads: plain loads and stores, never torn.
typealias Cell = Atomic<UInt64>

extension UnsafeMutablePointer where Pointee == Cell {
    @inline(__always)
    func add(_ amount: UInt64) {
        pointee.store(pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}

/// What a series of requests has in common. Bounded by the routes: nothing of a request is in it.
package struct RequestLabels: Hashable, Sendable {
    /// The dialled Service and port.
    package let parent: ObjectName
    package let parentPort: UInt16
    /// nil where no rule took the request: forwarded plainly, or not matched.
    package let route: RouteReference?
    package let rule: Int?
    package let ruleName: String?
    /// nil where no backendRef was chosen.
    package let backend: ObjectName?
    package let backendPort: UInt16?
}

/// Durations of the requests of one series and status class.
package struct DurationHistogram: Sendable {
    /// Upper bounds in seconds, inclusive; one more bucket takes what is longer.
    package static let bounds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Not cumulative; one more than `bounds`.
    package internal(set) var buckets = [UInt64](repeating: 0, count: 15)
    /// In seconds.
    package internal(set) var sum = 0.0
    package var count: UInt64 { buckets.reduce(0, &+) }
}

/// The counters of one series: for each worker and status class 15 buckets and a sum of nanoseconds. The first word of a
/// worker's part is the series' identity: memory of a series long gone is given to another, and a request that outlived
/// its series must not be counted for the new one.
final class Series: @unchecked Sendable {
    static let classes = 5
    private static let wordsPerClass = 16
    /// Whole cache lines, so that workers do not share one.
    static let stride = (1 + classes * wordsPerClass + 15) / 16 * 16

    private(set) var labels: RequestLabels
    private(set) var identity: UInt64
    let cells: UnsafeMutablePointer<Cell>
    private let workers: Int
    /// The planner's clock when the labels were last in a plan; for the planner alone.
    var lastPlanned: UInt64 = 0

    init(labels: RequestLabels, identity: UInt64, workers: Int) {
        self.labels = labels
        self.identity = identity
        self.workers = workers
        cells = .allocate(capacity: workers * Self.stride)
        for index in 0..<workers * Self.stride { (cells + index).initialize(to: Cell(0)) }
        for worker in 0..<workers { cells[worker * Self.stride].store(identity, ordering: .relaxed) }
    }

    deinit {
        cells.deinitialize(count: workers * Self.stride)
        cells.deallocate()
    }

    func recycle(labels: RequestLabels, identity: UInt64) {
        self.labels = labels
        self.identity = identity
        for worker in 0..<workers {
            let part = cells + worker * Self.stride
            part[0].store(identity, ordering: .relaxed)
            for index in 1..<Self.stride { part[index].store(0, ordering: .relaxed) }
        }
    }

    /// Counts one request in one worker's part.
    static func record(_ part: UnsafeMutablePointer<Cell>, status: UInt16, nanoseconds: UInt64) {
        let classIndex = min(max(Int(status) / 100, 1), 5) - 1
        let row = part + 1 + classIndex * wordsPerClass
        (row + bucket(nanoseconds)).add(1)
        (row + 15).add(nanoseconds)
    }

    private static func bucket(_ nanoseconds: UInt64) -> Int {
        let microseconds = (nanoseconds &+ 999) / 1000
        if microseconds <= 5000 {
            return microseconds <= 1000 ? (microseconds <= 500 ? 0 : 1) : (microseconds <= 2500 ? 2 : 3)
        }
        if microseconds <= 100_000 {
            return microseconds <= 25_000
                ? (microseconds <= 10_000 ? 4 : 5) : (microseconds <= 50_000 ? 6 : 7)
        }
        if microseconds <= 1_000_000 {
            return microseconds <= 250_000 ? 8 : (microseconds <= 500_000 ? 9 : 10)
        }
        return microseconds <= 2_500_000 ? 11 : microseconds <= 5_000_000 ? 12 : microseconds <= 10_000_000 ? 13 : 14
    }

    /// By status class, 1xx first, summed over the workers.
    func read() -> [DurationHistogram] {
        (0..<Self.classes).map { classIndex in
            var histogram = DurationHistogram()
            for worker in 0..<workers {
                let row = cells + worker * Self.stride + 1 + classIndex * Self.wordsPerClass
                for index in 0..<15 { histogram.buckets[index] &+= row[index].load(ordering: .relaxed) }
                histogram.sum += Double(row[15].load(ordering: .relaxed)) / 1e9
            }
            return histogram
        }
    }
}

extension RequestLabels: Comparable {
    /// For a stable order in expositions.
    package static func < (a: Self, b: Self) -> Bool {
        func key(_ labels: Self) -> (ObjectName, UInt16, String, Int, String) {
            (
                labels.parent, labels.parentPort, labels.route.map { "\($0.kind.rawValue) \($0.name)" } ?? "",
                labels.rule ?? -1, labels.backend.map { "\($0):\(labels.backendPort ?? 0)" } ?? ""
            )
        }
        return key(a) < key(b)
    }
}
