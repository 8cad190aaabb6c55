import Foundation
import Glibc
import TestSupport

/// What `Programs/load.py` wrote down.
struct LoadLog: Sendable {
    struct Record: Sendable {
        /// CLOCK_MONOTONIC in ns, before the request was sent (before connect with --fresh).
        var begin: UInt64
        /// After the answer had come in whole.
        var end: UInt64
        /// 0: no answer.
        var status: UInt16
        var mark: UInt16
    }

    let records: [Record]
    let marks: [String]

    init(_ file: String) throws {
        let data = try Data(contentsOf: URL(filePath: file))
        marks = try JSONDecoder().decode([String].self, from: Data(contentsOf: URL(filePath: file + ".marks")))
        records = data.withUnsafeBytes { bytes in
            (0..<bytes.count / 20).map { index in
                let at = index * 20
                return Record(
                    begin: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                    end: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self),
                    status: bytes.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self),
                    mark: bytes.loadUnaligned(fromByteOffset: at + 18, as: UInt16.self))
            }
        }
    }

    func mark(_ record: Record) -> String { marks[Int(record.mark)] }

    /// Counts by status and mark.
    var summary: String {
        let counts = Dictionary(records.map { ("\($0.status) \(mark($0))", 1) }, uniquingKeysWith: +)
        return counts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
    }
}

extension Node {
    /// Starts `Programs/load.py` in a pod; returns once it has made its first request.
    func load(
        _ pod: String, _ file: String, service: String = "echo", connections: Int, _ more: [String] = []
    ) async throws -> ChildProcess {
        let process = try start(
            pod,
            [
                Self.python, Self.programs + "/load.py", file, Base.clusterIP(service), "80", "\(connections)",
            ] + more)
        let started = await eventually(within: .seconds(20)) {
            process.output.contains("started") || !process.isRunning
        }
        guard started, process.isRunning else {
            process.signal(SIGKILL)
            throw ChildProcess.Failure("load.py does not start: \(process.errorOutput)")
        }
        return process
    }
}

/// The value below which `share` of the sorted values lie.
func percentile(_ share: Double, of values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return .nan }
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
}
