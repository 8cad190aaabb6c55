import CLinux
import Foundation
import Testing

/// One end of a TCP connection, blocking, with a deadline on every wait so that a broken test fails instead of hanging.
final class Wire: @unchecked Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var fd: Int32
    private var pending: [UInt8] = []

    init(fd: Int32, timeout: Int = 10) {
        self.fd = fd
        var time = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        _ = clinux_set_option(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Connects to a port of 127.0.0.1.
    convenience init(port: UInt16, timeout: Int = 10, receiveBuffer: Int32? = nil) throws {
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if let receiveBuffer { _ = clinux_set_option(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        var address = clinux_address(high: 0, low: 0xffff_7f00_0001, port: port)
        let result = clinux_connect(fd, &address)
        guard result == 0 else {
            Glibc.close(fd)
            throw Failure(description: "connect to \(port): \(String(cString: strerror(-result)))")
        }
        self.init(fd: fd, timeout: timeout)
    }

    deinit { close() }

    func close() {
        if fd >= 0 { Glibc.close(fd) }
        fd = -1
    }

    func reset() {
        _ = clinux_set_reset_on_close(fd)
        close()
    }

    func finishSending() { shutdown(fd, Int32(SHUT_WR)) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: some Sequence<UInt8>) throws { try send(Array(bytes)) }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { clinux_send(fd, $0.baseAddress! + offset, $0.count - offset) }
            guard count > 0 else { throw Failure(description: "send: \(String(cString: strerror(Int32(-count))))") }
            offset += count
        }
    }

    /// Some bytes; empty at the end of the stream.
    func receive(_ limit: Int = 65536) throws -> [UInt8] {
        if !pending.isEmpty {
            let taken = Array(pending.prefix(limit))
            pending.removeFirst(taken.count)
            return taken
        }
        return try receiveMore(limit)
    }

    private func receiveMore(_ limit: Int = 65536) throws -> [UInt8] {
        while true {
            var count = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
                count = clinux_recv(fd, buffer.baseAddress, limit, 0)
                initialized = max(count, 0)
            }
            if count == -Int(EINTR) { continue }
            guard count >= 0 else {
                throw Failure(description: "recv: \(String(cString: strerror(Int32(-count))))")
            }
            return bytes
        }
    }

    /// The bytes up to and including `end`; nil when the stream ends before the first of them.
    func receive(through end: String) throws -> String? {
        let mark = Array(end.utf8)
        while true {
            if let range = find(mark, in: pending) {
                let taken = pending[..<range]
                pending.removeFirst(range)
                return String(decoding: taken, as: UTF8.self)
            }
            let more = try receiveMore()
            if more.isEmpty {
                if pending.isEmpty { return nil }
                throw Failure(description: "ended within: \(String(decoding: pending, as: UTF8.self))")
            }
            pending += more
        }
    }

    func receive(exactly count: Int) throws -> [UInt8] {
        while pending.count < count {
            let more = try receiveMore()
            guard !more.isEmpty else { throw Failure(description: "ended after \(pending.count) of \(count) bytes") }
            pending += more
        }
        let taken = Array(pending.prefix(count))
        pending.removeFirst(count)
        return taken
    }

    func receiveToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let more = try receive()
            if more.isEmpty { return all }
            all += more
        }
    }

    /// True when the peer closes in order with nothing more to read.
    func isEnded() throws -> Bool { try receive().isEmpty }

    private func find(_ mark: [UInt8], in bytes: [UInt8]) -> Int? {
        guard bytes.count >= mark.count else { return nil }
        for start in 0...(bytes.count - mark.count) where bytes[start] == mark[0] {
            if bytes[start..<start + mark.count].elementsEqual(mark) { return start + mark.count }
        }
        return nil
    }
}

/// A message as a peer sees it.
struct Message: CustomStringConvertible {
    var start = ""
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var trailers = ""

    var status: Int { Int(start.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }
    var description: String {
        start + " " + fields.map { "\($0.name): \($0.value)" }.joined(separator: "; ") + " | " + text
    }

    /// The values of a field, joined.
    subscript(_ name: String) -> String? {
        let values = fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ", ")
    }

    init(head: String) {
        var lines = head.components(separatedBy: "\r\n")
        start = lines.removeFirst()
        for line in lines where !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            fields.append((String(parts[0]), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""))
        }
    }
}

extension Wire {
    /// A whole request with its body; nil when the client has no more.
    func receiveRequest() throws -> Message? {
        guard let head = try receive(through: "\r\n\r\n") else { return nil }
        var message = Message(head: head)
        try readBody(&message, untilClose: false)
        return message
    }

    func receiveResponse(toHEAD: Bool = false) throws -> Message {
        guard let head = try receive(through: "\r\n\r\n") else { throw Failure(description: "no response") }
        var message = Message(head: head)
        if toHEAD || message.status < 200 || message.status == 204 || message.status == 304 { return message }
        try readBody(&message, untilClose: true)
        return message
    }

    private func readBody(_ message: inout Message, untilClose: Bool) throws {
        if message["transfer-encoding"] == "chunked" {
            while true {
                let line = try receive(through: "\r\n") ?? ""
                let size =
                    Int(
                        line.split(separator: ";").first?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "",
                        radix: 16) ?? 0
                if size == 0 { break }
                message.body += try receive(exactly: size)
                _ = try receive(exactly: 2)
            }
            while let line = try receive(through: "\r\n"), line != "\r\n" { message.trailers += line }
        } else if let length = message["content-length"] {
            message.body = try receive(exactly: Int(length) ?? 0)
        } else if untilClose {
            message.body = try receiveToEnd()
        }
    }

    /// Sends a request and reads its response.
    func exchange(_ request: String) throws -> Message {
        try send(request)
        return try receiveResponse(toHEAD: request.hasPrefix("HEAD "))
    }

    func get(_ path: String = "/", _ fields: String...) throws -> Message {
        try exchange("GET \(path) HTTP/1.1\r\nHost: echo\r\n\(fields.map { $0 + "\r\n" }.joined())\r\n")
    }
}
