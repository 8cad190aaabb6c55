import CLinux
import Glibc
import HTTPWire
import Model
import Reactor
import Synchronization

extension Worker {
    /// Counts the exchange at hand, once, and writes its log line.
    mutating func record(_ x: Exchange) {
        if let part = x.pointee.series {
            x.pointee.series = nil
            if part.pointee.load(ordering: .relaxed) == x.pointee.seriesIdentity {
                Series.record(part, status: x.pointee.status, nanoseconds: now &- x.pointee.started)
            }
        }
        logExchange(x)
    }

    /// Ends the exchange's log line, when there is one. A status of 0 says that the client got no response.
    mutating func logExchange(_ x: Exchange) {
        guard !x.pointee.log.isVacant else { return }
        var writer = HeadWriter(out)
        writer.append(x.pointee.log.bytes)
        writer.append(",\"status\":")
        writer.append(decimal: UInt64(x.pointee.status))
        if x.pointee.reason != ExchangeState.noReason {
            writer.append(",\"reason\":\"")
            writer.append(string: Reason.all[Int(x.pointee.reason)].rawValue)
            writer.append("\"")
        }
        writer.append(",\"micros\":")
        writer.append(decimal: (now &- x.pointee.started) / 1000)
        writer.append(",\"bytesIn\":")
        writer.append(decimal: x.pointee.bytesIn)
        writer.append(",\"bytesOut\":")
        writer.append(decimal: x.pointee.bytesOut)
        writer.append("}\n")
        log.append(UnsafeRawBufferPointer(rebasing: out[..<writer.count]))
        x.pointee.log.clear(&buffers)
    }

    /// Begins the log line with what is known of the request. Uses `out`.
    mutating func beginLog(
        _ x: Exchange, _ dialled: UnsafeMutablePointer<Dialled>, _ bytes: UnsafeRawBufferPointer, _ head: RequestHead
    ) {
        var writer = HeadWriter(out)
        writer.append("{\"time\":")
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        writer.append(decimal: UInt64(time.tv_sec))
        writer.append(byte: 0x2e)
        let millis = UInt64(time.tv_nsec) / 1_000_000
        if millis < 100 { writer.append(byte: 0x30) }
        if millis < 10 { writer.append(byte: 0x30) }
        writer.append(decimal: millis)
        if let origin = origins[Int(x.pointee.origin)], let pod = origin.name {
            writer.append(",\"pod\":\"")
            writer.append(string: pod.namespace)
            writer.append("/")
            writer.append(string: pod.name)
            writer.append("\"")
        }
        if let port = dialled.pointee.plannedPort, dialled.pointee.planSerial == serial {
            writer.append(",\"service\":\"")
            writer.append(port.pointee.title)
            writer.append("\"")
        }
        writer.append(",\"method\":\"")
        writer.appendEscaped(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.method]))
        writer.append("\",\"host\":\"")
        writer.appendEscaped(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.authority]))
        writer.append("\",\"path\":\"")
        writer.appendEscaped(UnsafeRawBufferPointer(rebasing: bytes[head.ranges.path]))
        writer.append("\"")
        x.pointee.log.append(UnsafeRawBufferPointer(rebasing: out[..<writer.count]), &buffers)
    }

    mutating func logRule(_ x: Exchange, _ rule: UnsafePointer<PlannedRule>) {
        var writer = HeadWriter(out)
        rule.pointee.rule._withUnsafeGuaranteedRef { rule in
            writer.append(",\"route\":\"")
            writer.append(string: rule.route.name.namespace)
            writer.append("/")
            writer.append(string: rule.route.name.name)
            writer.append("\",\"rule\":")
            writer.append(decimal: UInt64(rule.index))
        }
        x.pointee.log.append(UnsafeRawBufferPointer(rebasing: out[..<writer.count]), &buffers)
    }
}

extension HeadWriter {
    /// The inside of a JSON string. A head holds no control bytes; bytes above ASCII are written as Latin-1 escapes, since
    /// they need not be UTF-8.
    mutating func appendEscaped(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            switch byte {
            case 0x22, 0x5c:
                append(byte: 0x5c)
                append(byte: byte)
            case 0x20..<0x7f: append(byte: byte)
            default:
                append("\\u00")
                if byte < 0x10 { append(byte: 0x30) }
                append(hexadecimal: UInt64(byte))
            }
        }
    }
}
