import Foundation
import Glibc
import Synchronization

/// An ext_authz v3 server: grpcio, with messages encoded by hand. What it answers, the request's `x-verdict` says.
final class AuthServer: @unchecked Sendable {
    let port: UInt16
    private let process = Process()
    private let lines: Lines
    private let seen = Seen()
    /// What it was asked: the parts of each request by name, its headers as `header:NAME`.
    var requests: [[String: String]] { seen.requests.withLock { $0 } }

    private final class Seen: Sendable {
        let requests = Mutex<[[String: String]]>([])
    }

    private static let program = """
        import json, sys, time
        from concurrent import futures
        import grpc

        def varint(value):
            out = b""
            while value >= 0x80:
                out += bytes([value & 0x7f | 0x80])
                value >>= 7
            return out + bytes([value])

        def part(number, content):
            if isinstance(content, int):
                return varint(number << 3) + varint(content)
            if isinstance(content, str):
                content = content.encode()
            return varint(number << 3 | 2) + varint(len(content)) + content

        def parts(message):
            position = 0
            def number():
                nonlocal position
                value = shift = 0
                while True:
                    byte = message[position]
                    position += 1
                    value |= (byte & 0x7f) << shift
                    shift += 7
                    if byte < 0x80:
                        return value
            while position < len(message):
                key = number()
                if key & 7 == 0:
                    yield key >> 3, number()
                else:
                    assert key & 7 == 2
                    count = number()
                    yield key >> 3, message[position:position + count]
                    position += count

        def one(message, *path):
            for number in path:
                message = next((value for field, value in parts(message) if field == number), b"")
            return message

        def option(key, value, append=None):
            header = part(1, part(1, key) + part(2, value))
            return header if append is None else header + part(2, part(1, append))

        def answer(verdict):
            if verdict == "allow":
                ok = part(2, option("x-user", "alice")) + part(2, option("x-list", "two", 1)) + part(5, "x-secret")
                ok += part(6, option("x-checked", "yes")) + part(6, option("x-server", "replaced", 0))
                return part(1, part(1, 0)) + part(3, ok)
            if verdict == "deny":
                denied = part(1, part(1, 401)) + part(2, option("www-authenticate", "Basic")) + part(3, "no entry")
                return part(1, part(1, 16)) + part(2, denied)
            if verdict == "deny-plainly":
                return part(1, part(1, 7))
            if verdict == "query":
                return part(1, part(1, 0)) + part(3, part(7, part(1, "a") + part(2, "b")))
            if verdict == "long":
                return part(1, part(1, 0)) + part(9, b"x" * 100000)
            return bytes([0xff] * 7)

        def check(message, context):
            http = one(message, 1, 4, 2)
            seen = {"source": one(message, 1, 1, 1, 1, 2).decode(), "body": one(http, 11).decode(),
                "raw": one(http, 12).hex(), "size": str(one(http, 9) or 0), "authority": context.host if hasattr(context, "host") else ""}
            for name, number in (("method", 2), ("path", 4), ("host", 5), ("scheme", 6), ("protocol", 10)):
                seen[name] = one(http, number).decode()
            for field, value in parts(http):
                if field == 3:
                    seen["header:" + one(value, 1).decode()] = one(value, 2).decode()
            print(json.dumps(seen), flush=True)
            verdict = seen.get("header:x-verdict", "")
            if verdict == "abort":
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            if verdict == "slow":
                time.sleep(1)
                verdict = "allow"
            return answer(verdict)

        handler = grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {
            "Check": grpc.unary_unary_rpc_method_handler(check, lambda b: b, lambda b: b)})
        server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[handler])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        print(port, flush=True)
        sys.stdin.read()
        """

    init() throws {
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = ["-c", Self.program]
        let output = Pipe()
        process.standardInput = Pipe()
        process.standardOutput = output
        try process.run()
        lines = Lines(output.fileHandleForReading)
        guard let line = lines.next(), let port = UInt16(line) else {
            process.terminate()
            throw Wire.Failure(description: "the authorization server did not start")
        }
        self.port = port
        Foundation.Thread.detachNewThread { [lines, seen] in
            while let line = lines.next() {
                guard let one = try? JSONDecoder().decode([String: String].self, from: Data(line.utf8)) else {
                    continue
                }
                seen.requests.withLock { $0.append(one) }
            }
        }
    }

    /// The thread that reads ends with the server.
    deinit { process.terminate() }
}

/// Lines of a pipe, as they come.
private final class Lines: @unchecked Sendable {
    private let file: FileHandle
    private var rest: [UInt8] = []

    init(_ file: FileHandle) { self.file = file }

    /// nil at the end.
    func next() -> String? {
        while true {
            if let end = rest.firstIndex(of: 0x0a) {
                defer { rest.removeFirst(end + 1) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            var room = [UInt8](repeating: 0, count: 65536)
            let count = Glibc.read(file.fileDescriptor, &room, room.count)
            guard count > 0 else { return nil }
            rest += room[..<count]
        }
    }
}
