import Foundation
import TestSupport

/// One request that `Programs/client.py` makes inside a pod.
struct ClientRequest: Encodable, Sendable {
    var address: String
    var port: UInt16 = 80
    /// 4 or 6; nil lets the app choose.
    var family: Int?
    var how = "plain"
    var method = "GET"
    var target = "/"
    var headers: [[String]] = []
    var body = ""
    var count = 1
    var reuse = false
    var timeout = 20.0

    /// A request whose Host field names what it dials.
    init(_ address: String, port: UInt16 = 80, target: String = "/", host: String? = nil) {
        self.address = address
        self.port = port
        self.target = target
        let authority = host ?? (address.contains(":") ? "[\(address)]" : address) + (port == 80 ? "" : ":\(port)")
        headers = [["Host", authority]]
    }

    func by(_ version: HTTPVersion) -> Self {
        var request = self
        request.how = version.how
        return request
    }
}

/// What the client saw.
struct ClientAnswer: Decodable, Sendable {
    var status: Int?
    var headers: [[String]]?
    /// By HTTP/2 only.
    var trailers: [[String]]?
    var body: String?
    /// getpeername of the client's socket.
    var peer: String?
    var local: String?
    /// The requests that the connection had served before.
    var connection: Int?
    var seconds: Double
    var error: String?

    /// A field of the answer; repeated lines are joined by a comma.
    func header(_ name: String) -> String? {
        Self.value(headers, name)
    }

    /// The same of the trailers.
    func trailer(_ name: String) -> String? {
        Self.value(trailers, name)
    }

    private static func value(_ fields: [[String]]?, _ name: String) -> String? {
        let values = (fields ?? []).filter { $0[0].lowercased() == name.lowercased() }.map { $0[1] }
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    /// The request as the backend saw it; nil when Weir answered.
    var echo: Echo? {
        body.flatMap { try? JSONDecoder().decode(Echo.self, from: Data($0.utf8)) }
    }

    var summary: String {
        if let error { return error }
        let reason = header("x-weir-reason").map { " (\($0))" } ?? ""
        return "\(status ?? 0)\(reason) from \(echo?.pod ?? body?.prefix(200).description ?? "")"
    }
}

/// What `weir echo` tells of a request.
struct Echo: Decodable, Sendable {
    struct Field: Decodable, Sendable {
        var name: String
        var value: String
    }

    var pod: String
    var namespace: String
    var method: String
    var path: String
    var host: String
    var headers: [Field]
    var bodyLength: Int
    var `protocol`: String
    var client: String
    var server: String

    /// As the upstream suite compares it: values of repeated lines joined by a bare comma.
    func header(_ name: String) -> String? {
        let values = headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }
}

extension Node {
    static let python = "/usr/bin/python3"

    /// Makes requests inside a pod, one process for all of them.
    func requests(
        _ requests: [ClientRequest], from pod: String, concurrency: Int = 1
    ) async throws -> [ClientAnswer] {
        struct Work: Encodable {
            var concurrency: Int
            var requests: [ClientRequest]
        }
        let work = try JSONEncoder().encode(Work(concurrency: concurrency, requests: requests))
        let text = try await exec(
            pod, [Self.python, Self.programs + "/client.py"], input: String(decoding: work, as: UTF8.self),
            timeout: .seconds(120))
        return try JSONDecoder().decode([ClientAnswer].self, from: Data(text.utf8))
    }

    func request(_ request: ClientRequest, from pod: String) async throws -> ClientAnswer {
        try await requests([request], from: pod)[0]
    }
}
