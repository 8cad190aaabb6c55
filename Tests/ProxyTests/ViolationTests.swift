import CLinux
import Foundation
import Glibc
import HTTP2Rows
import HTTPWire
import Model
import Proxy
import Testing

/// What RFC 9113 forbids, and floods, sent over a socket to a proxy that serves others meanwhile.
@Suite struct ViolationTests {
    /// An endpoint, and a client whose requests must go on.
    private final class Bystander {
        let server: HTTP2Server
        let mesh: Mesh
        let client: HTTP2Peer

        init(timeout: Double? = nil) throws {
            // Endpoints wait while the path says so.
            server = try HTTP2Server { stream in
                let start = try stream.receiveHead().start
                if start.contains("/answer") { stream.respond(200, isEnd: true) }
                if start.contains("/big") {
                    stream.respond(200)
                    try stream.send([UInt8](repeating: 1, count: 10_000))
                }
            }
            mesh = try Mesh(.http2, [server.port], timeout: timeout)
            client = try HTTP2Peer.connect(mesh)
            try check()
        }

        func check() throws { #expect(try client.ask("GET", "/answer").status == 200) }
    }

    /// Frames until the connection ends, or until a PING that is sent behind `bytes` is answered.
    private static func verdict(_ wire: Wire, _ bytes: [UInt8], isWhole: Bool = true) throws -> [Frame] {
        // The sender's half must not block on a peer that has given up.
        Thread.detachNewThread {
            try? wire.send(bytes)
            if isWhole { try? wire.send(Frame(.ping, 0, Array("the end!".utf8)).bytes) }
        }
        var frames: [Frame] = []
        while true {
            guard let head = try? wire.receive(exactly: 9) else { return frames }
            let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let payload = try wire.receive(exactly: count)
            let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let frame = Frame(type: head[3], head[4], stream, payload)
            frames.append(frame)
            if frame.type == Frame.Kind.ping.rawValue, frame.has(Frame.ack), payload == Array("the end!".utf8) {
                return frames
            }
        }
    }

    private static func code(_ frames: [Frame], _ kind: Frame.Kind, _ stream: UInt32? = nil) -> Row.Code? {
        frames.last { $0.type == kind.rawValue && (stream == nil || $0.stream == stream) }
            .flatMap { $0.number }.flatMap { Row.Code(rawValue: $0) }
    }

    /// Rows for a server, whose application does nothing: the proxy's endpoint does not answer. Those with an application
    /// that acts depend on when it does, which over sockets cannot be told.
    @Test func rowsForServers() throws {
        let bystander = try Bystander()
        var count = 0
        // The proxy passes content on, which gives credit, and opens no tunnel for plain CONNECT.
        let others: Set = ["DATA above the stream's window", "HEADERS in a tunnel"]
        // What does not begin with the preface is HTTP/1 here.
        for row in Row.all
        where row.role == .server && row.application == .waits && row.bytes.starts(with: preface)
            && !others.contains(row.what)
        {
            let wire = try bystander.mesh.connect()
            // A row that breaks off within a frame or a block has no place for a PING.
            let frames: [Frame]
            switch row.expected {
            case .connection(let expected):
                frames = try Self.verdict(wire, row.bytes, isWhole: false)
                #expect(Self.code(frames, .goAway) == expected, "\(row): \(frames)")
            case .stream(let stream, let expected):
                frames = try Self.verdict(wire, row.bytes)
                #expect(Self.code(frames, .resetStream, stream) == expected, "\(row): \(frames)")
            case .accepted, .messages:
                frames = try Self.verdict(wire, row.bytes)
                #expect(Self.code(frames, .goAway) == nil, "\(row): \(frames)")
            case .answered(let frame):
                frames = try Self.verdict(wire, row.bytes)
                #expect(frames.contains(frame), "\(row): \(frames)")
            }
            wire.close()
            count += 1
        }
        #expect(count > 60)
        try bystander.check()
        bystander.mesh.expect { $0.clientSessionsOpen == 1 && $0.clientsOpen == 0 }
        // What they asked for is cancelled, and nothing kept.
        bystander.mesh.expect { $0.bufferedBytes == 0 }
        let deadline = Date(timeIntervalSinceNow: 5)
        while bystander.server.peers.contains(where: { $0.openStreams > 0 }), Date() < deadline { usleep(5000) }
        #expect(!bystander.server.peers.contains { $0.openStreams > 0 })
    }

    /// Rows for a client: the proxy's endpoint breaks the rules, its client is answered 502 or cut off, or gets what is
    /// allowed.
    @Test func rowsForClients() throws {
        for row in Row.all where row.role == .client && row.application == .waits && row.requests == ["GET"] {
            let server = try ScriptedServer { wire, _ in
                _ = try wire.receive(exactly: 24)
                // Its first frame with a head, at the latest with the second read.
                var seen: [UInt8] = []
                while !seen.contains(1) {
                    let head = try wire.receive(exactly: 9)
                    _ = try wire.receive(exactly: Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2]))
                    seen = [head[3]]
                }
                try wire.send(row.bytes)
                // Its GOAWAY or RST_STREAM, or nothing for a while.
                _ = try? wire.receiveToEnd()
            }
            let mesh = try Mesh(.http2, [server.port], timeout: 0.5)
            let client = try mesh.connect()
            try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
            switch row.expected {
            case .connection, .stream:
                // What comes behind a whole response spoils nothing; after a final head only a cut can tell.
                if let response = try? client.receiveResponse(), !row.what.hasSuffix("behind the end") {
                    #expect(response.status >= 500 || response.status < 200, "\(row): \(response)")
                }
            case .messages(1):
                var response = try client.receiveResponse()
                while response.status < 200 { response = try client.receiveResponse() }
                #expect(response["x-weir-reason"] == nil, "\(row): \(response)")
            case .messages, .accepted, .answered: _ = try? client.receiveResponse()
            }
            client.close()
            mesh.expect { $0.clientsOpen == 0 && $0.bufferedBytes == 0 }
        }
    }

    // MARK: Floods

    private static func get(_ number: Int, _ more: Fields = [], end: Bool = true) -> [UInt8] {
        headers(UInt32(2 * number + 1), request("GET", more), end: end)
    }

    /// The bytes of a flood that is sure to overdraw its budget.
    private static func flood(_ flood: HTTP2Flood) -> [UInt8] {
        func times(_ count: Int, _ frames: (Int) -> [UInt8]) -> [UInt8] { (0..<count).flatMap(frames) }
        let body: [UInt8]
        switch flood {
        case .rapidReset:
            body = times(3000) { get($0) + Frame(.resetStream, UInt32(2 * $0 + 1), big(8)).bytes }
        case .resetByUs: body = times(3000) { get($0, [("connection", "close")]) }
        case .continuation:
            body =
                Frame(.headers, 1, 1, []).bytes + times(30) { _ in Frame(.continuation, 0, 1, [0, 0]).bytes }
        case .settings: body = times(2000) { _ in HTTP2Rows.settings() }
        case .ping: body = times(5000) { _ in Frame(.ping, 0, [0, 1, 2, 3, 4, 5, 6, 7]).bytes }
        case .emptyData: body = get(0, end: false) + times(2000) { _ in data(1, 0) }
        case .tinyWindow:
            // A window of nothing; see `openByteByByte`.
            return preface + HTTP2Rows.settings([(4, 0)])
                + headers(1, [(":method", "GET"), (":scheme", "http"), (":path", "/big"), (":authority", "e")])
        case .emptyField: body = times(500) { get($0, [("", "")]) }
        case .headerBomb:
            let long = String(repeating: "v", count: 3900)
            let first = Frame(.headers, 5, 1, block(request()) + indexed("x", long)).bytes
            let references = [UInt8](repeating: 0xbe, count: 16_000)
            body = first + times(150) { Frame(.headers, 5, UInt32(2 * $0 + 3), block(request()) + references).bytes }
        case .windowUpdate: body = times(5000) { _ in Frame(.windowUpdate, 0, big(1)).bytes }
        case .priority: body = times(3000) { Frame(.priority, UInt32(2 * ($0 % 1000) + 1), big(0) + [1]).bytes }
        }
        return preface + HTTP2Rows.settings() + body
    }

    /// One byte of credit for each byte of content.
    private static func openByteByByte(_ wire: Wire) throws {
        try wire.send(flood(.tinyWindow))
        for _ in 0..<2000 {
            guard (try? wire.send(Frame(.windowUpdate, 1, big(1)).bytes)) != nil else { return }
            while true {
                let head = try wire.receive(exactly: 9)
                let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
                let payload = try wire.receive(exactly: count)
                if head[3] == Frame.Kind.data.rawValue { break }
                if head[3] == Frame.Kind.goAway.rawValue {
                    #expect(payload[4..<8].elementsEqual(big(Row.Code.enhanceYourCalm.rawValue)))
                    return
                }
            }
        }
    }

    @Test(arguments: HTTP2Flood.allCases) func floods(_ flood: HTTP2Flood) throws {
        let bystander = try Bystander()
        let wire = try bystander.mesh.connect()
        if flood == .tinyWindow {
            try Self.openByteByByte(wire)
        } else {
            let frames = try Self.verdict(wire, Self.flood(flood), isWhole: false)
            #expect(Self.code(frames, .goAway) == .enhanceYourCalm, "\(frames.suffix(3))")
        }
        bystander.mesh.expect { counters in
            counters.floods.allSatisfy { $0.count == ($0.flood == flood ? 1 : 0) }
        }
        wire.close()
        for _ in 0..<20 { try bystander.check() }
        bystander.mesh.expect { $0.clientSessionsOpen == 1 && $0.bufferedBytes == 0 }
    }
}
