import Foundation
import Inspection
import Manifests

/// The version of the program.
package let version = "0.1.0"

/// RFC 3339 in UTC with whole seconds, as the API writes times.
func timestamp(_ date: Date) -> String {
    date.formatted(.iso8601)
}

func seconds(since start: ContinuousClock.Instant) -> Double {
    let took = (ContinuousClock.now - start).components
    return Double(took.seconds) + Double(took.attoseconds) / 1e18
}

extension Manifests.Finding {
    var inspected: Inspection.Finding {
        Inspection.Finding(file: file, line: line, object: object, field: field, message: message)
    }

    var text: String { inspected.text }
}
