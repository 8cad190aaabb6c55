import Foundation
import Glibc
import Logging

/// Log lines on standard error: time in UTC, level, message, then what belongs to it as `key=value`.
struct LogLines: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        var line = "\(time) \(event.level) \(Self.oneLine("\(event.message)"))"
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.oneLine("\(value)"))" }
        line += "\n"
        // One write(2), so that lines of several threads do not mix.
        _ = line.withUTF8 { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// A message may quote a file; what it quotes must not look like a line of its own.
    private static func oneLine(_ text: String) -> String {
        text.unicodeScalars.contains { $0.value < 32 }
            ? String(text.map { $0.unicodeScalars.allSatisfy { $0.value < 32 } ? " " : $0 }) : text
    }
}
