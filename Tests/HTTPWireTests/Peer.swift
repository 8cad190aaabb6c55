import Foundation
import Glibc
import HTTPWire
import Synchronization

/// A real proxy, run as a child between a client and an upstream that writes down what arrives. All over Unix sockets in a
/// folder of its own, so that nothing collides.
final class Peer: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case nginx
        case haproxy
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let kind: Kind
    private let folder: String
    private let child: pid_t
    private let upstream: Upstream

    init(_ kind: Kind) throws {
        self.kind = kind
        var template = Array("/tmp/weir-wire-XXXXXX".utf8CString)
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
            throw Failure(description: "mkdtemp: errno \(errno)")
        }
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.folder = folder
        upstream = try Upstream("\(folder)/upstream")
        let arguments: [String]
        switch kind {
        case .nginx:
            try Data(Self.nginx(folder).utf8).write(to: URL(fileURLWithPath: "\(folder)/conf"))
            arguments = ["/usr/sbin/nginx", "-c", "\(folder)/conf", "-e", "\(folder)/error", "-p", folder]
        case .haproxy:
            try Data(Self.haproxy(folder).utf8).write(to: URL(fileURLWithPath: "\(folder)/conf"))
            arguments = ["/usr/sbin/haproxy", "-db", "-f", "\(folder)/conf"]
        }
        child = try Self.spawn(arguments, output: "\(folder)/output")
        let deadline = ContinuousClock.now + .seconds(20)
        while true {
            if let probe = try? connectUnix("\(folder)/front") {
                close(probe)
                break
            }
            var status: Int32 = 0
            let isGone = waitpid(child, &status, WNOHANG) == child
            if isGone || ContinuousClock.now > deadline {
                let output = (try? String(contentsOfFile: "\(folder)/output", encoding: .utf8)) ?? ""
                throw Failure(description: "\(kind) did not start (is it installed?): \(output)")
            }
            usleep(5000)
        }
    }

    deinit {
        kill(child, SIGTERM)
        var status: Int32 = 0
        waitpid(child, &status, 0)
        upstream.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// The requests that reach the upstream when one client sends `stream` and then its end.
    func cut(_ stream: [UInt8]) throws -> [Cut.Request] {
        upstream.clear()
        let socket = try connectUnix("\(folder)/front")
        defer { close(socket) }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        // A peer that refuses early closes: then not all of the stream can be sent, which is fine.
        _ = stream.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        shutdown(socket, Int32(SHUT_WR))
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = buffer.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
            if count == 0 || (count < 0 && errno == ECONNRESET) { break }
            if count < 0 { throw Failure(description: "\(kind) kept the connection open: errno \(errno)") }
        }
        return upstream.requests
    }

    private static func nginx(_ folder: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(folder)/t-\($0);"
        }
        return """
            daemon off;
            worker_processes 1;
            pid \(folder)/pid;
            user root;
            events { worker_connections 64; }
            http {
                access_log off;
                \(temporary.joined(separator: "\n    "))
                large_client_header_buffers 8 64k;
                lingering_close off;
                upstream recorder { server unix:\(folder)/upstream; }
                server {
                    listen unix:\(folder)/front;
                    location / {
                        proxy_pass http://recorder;
                        proxy_http_version 1.1;
                        proxy_ignore_client_abort on;
                    }
                }
            }
            """
    }

    private static func haproxy(_ folder: String) -> String {
        """
        global
            maxconn 64
        defaults
            mode http
            timeout connect 5s
            timeout client 5s
            timeout server 5s
            retries 0
            option http-server-close
        frontend front
            bind unix@\(folder)/front
            default_backend recorder
        backend recorder
            server upstream unix@\(folder)/upstream

        """
    }

    private static func spawn(_ arguments: [String], output: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { vector.forEach { free($0) } }
        var child: pid_t = 0
        let error = posix_spawn(&child, arguments[0], &actions, nil, &vector, environ)
        guard error == 0 else { throw Failure(description: "\(arguments[0]): errno \(error)") }
        return child
    }
}

/// Takes connections, writes down each whole request, and answers it with an empty 200.
///
/// Reads requests in the most naive way: what proxies send is well-formed, and the reader must not share the codec's
/// mistakes.
private final class Upstream: Sendable {
    private let listener: Int32
    private let recorded = Mutex<[Cut.Request]>([])

    var requests: [Cut.Request] { recorded.withLock { $0 } }
    func clear() { recorded.withLock { $0 = [] } }
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    init(_ path: String) throws {
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let error = withUnixAddress(path) { bind(listener, $0, $1) }
        guard error == 0, listen(listener, 64) == 0 else {
            throw Peer.Failure(description: "listen on \(path): errno \(errno)")
        }
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0 { break }
                Thread.detachNewThread { [self] in serve(connection) }
            }
            close(listener)
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var buffer: [UInt8] = []

        func read() -> Bool {
            var piece = [UInt8](repeating: 0, count: 65536)
            let count = piece.withUnsafeMutableBytes { recv(connection, $0.baseAddress, $0.count, 0) }
            if count <= 0 { return false }
            buffer += piece[..<count]
            return true
        }

        func take(_ count: Int) -> [UInt8]? {
            while buffer.count < count {
                if !read() { return nil }
            }
            defer { buffer.removeFirst(count) }
            return Array(buffer[..<count])
        }

        func line() -> String? {
            while true {
                if let end = buffer.firstIndex(of: 10) {
                    let line = text(buffer[..<end].filter { $0 != 13 })
                    buffer.removeFirst(end + 1)
                    return line
                }
                if !read() { return nil }
            }
        }

        while let start = line() {
            let words = start.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3 else { return }
            var length = 0
            var isChunked = false
            while let field = line(), !field.isEmpty {
                let lowered = field.lowercased()
                if lowered.hasPrefix("content-length:") {
                    length = Int(lowered.dropFirst(15).trimmingCharacters(in: .whitespaces)) ?? 0
                } else if lowered.hasPrefix("transfer-encoding:") {
                    isChunked = true
                }
            }
            var body: [UInt8] = []
            while isChunked {
                guard let size = line().flatMap({ Int($0, radix: 16) }) else { return }
                if size == 0 {
                    while let trailer = line(), !trailer.isEmpty {}
                    break
                }
                guard let piece = take(size), take(2) != nil else { return }
                body += piece
            }
            if !isChunked {
                guard let whole = take(length) else { return }
                body = whole
            }
            let request = Cut.Request(method: String(words[0]), target: String(words[1]), body: body)
            recorded.withLock { $0.append(request) }
            let answer = bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            _ = answer.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        }
    }
}

private func connectUnix(_ path: String) throws -> Int32 {
    let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard withUnixAddress(path, { connect(connection, $0, $1) }) == 0 else {
        let error = errno
        close(connection)
        throw Peer.Failure(description: "connect to \(path): errno \(error)")
    }
    return connection
}

private func withUnixAddress<Result>(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
}
