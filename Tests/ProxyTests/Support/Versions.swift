import Foundation
import HTTPWire

/// The two versions of HTTP on either side.
struct Pair: CustomStringConvertible, Sendable {
    let client: HTTPVersion
    let server: HTTPVersion

    static let all = [HTTPVersion.http11, .http2].flatMap { client in
        [HTTPVersion.http11, .http2].map { Pair(client: client, server: $0) }
    }
    /// Those with HTTP/2 in them.
    static let new = all.filter { $0.client == .http2 || $0.server == .http2 }

    var description: String { "\(client) to \(server)" }
}

/// What a server answers, whatever the version.
struct Reply: Sendable {
    var interim: [Int] = []
    var status = 200
    var fields: [HTTP2Peer.Field] = []
    var body: [UInt8] = []
    /// Says the body's length in the head.
    var saysLength = true
    var trailers: [HTTP2Peer.Field] = []

    init(_ text: String = "ok") { body = Array(text.utf8) }

    private var allFields: [HTTP2Peer.Field] {
        fields + (saysLength && status != 204 && status != 304 ? [("content-length", "\(body.count)")] : [])
    }

    func send(_ wire: Wire, toHEAD: Bool) throws {
        var text = interim.map { "HTTP/1.1 \($0) Interim\r\nx-interim: \($0)\r\n\r\n" }.joined()
        text += "HTTP/1.1 \(status) Status\r\n" + Wire.lines(allFields)
        let isChunked = !saysLength && status != 204 && status != 304
        text += isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n"
        try wire.send(text)
        if toHEAD { return }
        try isChunked ? wire.sendChunked(body, trailers) : wire.send(body)
    }

    func send(_ stream: PeerStream, toHEAD: Bool) throws {
        for status in interim { stream.respond(status, [("x-interim", "\(status)")]) }
        let isEmpty = toHEAD || body.isEmpty && trailers.isEmpty
        stream.respond(status, allFields, isEnd: isEmpty)
        if !isEmpty { try stream.send(body, isEnd: true, trailers: trailers) }
    }
}

/// A server that answers whole requests.
final class VersionedServer: Sendable {
    private let old: ScriptedServer?
    private let new: HTTP2Server?

    init(_ version: HTTPVersion, _ answer: @escaping @Sendable (Message) throws -> Reply) throws {
        if version == .http2 {
            old = nil
            new = try HTTP2Server { stream in
                let request = try stream.message()
                try answer(request).send(stream, toHEAD: request.start.hasPrefix("HEAD "))
            }
        } else {
            new = nil
            old = try ScriptedServer { wire, _ in
                while let request = try wire.receiveRequest() {
                    try answer(request).send(wire, toHEAD: request.start.hasPrefix("HEAD "))
                }
            }
        }
    }

    var port: UInt16 { old?.port ?? new!.port }
    var connections: Int { old?.connections ?? new!.connections }
}

/// A client that asks one thing after the other over one connection.
final class VersionedClient {
    private let old: Wire?
    private let new: HTTP2Peer?
    private let mesh: Mesh

    init(_ version: HTTPVersion, _ mesh: Mesh) throws {
        self.mesh = mesh
        old = version == .http2 ? nil : try mesh.connect()
        new = version == .http2 ? try HTTP2Peer.connect(mesh) : nil
    }

    /// The response, and the interim ones before it.
    func ask(
        _ method: String = "GET", _ path: String = "/", _ fields: [HTTP2Peer.Field] = [], body: [UInt8]? = nil,
        saysLength: Bool = true, trailers: [HTTP2Peer.Field] = []
    ) throws -> (response: Message, interim: [Message]) {
        var fields = fields
        if let body, saysLength { fields.append(("content-length", "\(body.count)")) }
        var interim: [Message] = []
        if let new {
            let isOpen = body != nil && !saysLength
            let stream = try new.request(
                method, path, fields, body: isOpen ? [] : body ?? [], trailers: isOpen ? [] : trailers, isEnd: !isOpen)
            if isOpen { try stream.send(body ?? [], isEnd: true, trailers: trailers) }
            let response = try stream.message()
            while let one = try? stream.takeInterim() { interim.append(one) }
            return (response, interim)
        }
        let wire = old!
        let isChunked = body != nil && !saysLength
        try wire.send(
            "\(method) \(path) HTTP/1.1\r\nHost: e\r\n" + Wire.lines(fields)
                + (isChunked ? "Transfer-Encoding: chunked\r\n" : "") + "\r\n")
        if let body { try isChunked ? wire.sendChunked(body, trailers) : wire.send(body) }
        while true {
            let response = try wire.receiveResponse(toHEAD: method == "HEAD")
            if response.status >= 200 { return (response, interim) }
            interim.append(response)
        }
    }
}

extension Wire {
    static func lines(_ fields: [HTTP2Peer.Field]) -> String { fields.map { "\($0.name): \($0.value)\r\n" }.joined() }

    /// A body in a few chunks.
    func sendChunked(_ body: [UInt8], _ trailers: [HTTP2Peer.Field]) throws {
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(min(rest.count, 50_000))
            try send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [13, 10])
            rest = rest.dropFirst(piece.count)
        }
        try send("0\r\n" + Self.lines(trailers) + "\r\n")
    }
}
