import Testing
import TestSupport

/// A request from a pod, and what must come of it: what the upstream suite compares, and path, host, method, the
/// untouched headers and the client's address besides.
struct Exchange: Sendable {
    /// `namespace/name` of the client's pod.
    var from = Base.v1
    /// What the client dials: a Service's name, or an address.
    var service = "echo"
    var port: UInt16 = 80
    var method = "GET"
    var path: String
    /// The Host field when it is not the dialled name.
    var host: String?
    var headers: [(String, String)] = []
    /// Answer fields that the backend is asked to send.
    var backendSends: [(String, String)] = []

    var status = 200
    /// `namespace/name` of the pod that answers; nil when Weir itself does.
    var backend: String?
    /// What the backend sees, where it differs from what was sent.
    var seenPath: String?
    var seenHost: String?
    /// Header fields that the backend sees; those sent and not named here are to arrive as sent.
    var seen: [String: String] = [:]
    var notSeen: [String] = []
    var answered: [String: String] = [:]
    var notAnswered: [String] = []
    var location: String?
    /// `x-weir-reason`.
    var reason: String?

    /// A request that a backend answers.
    init(
        _ path: String, _ headers: KeyValuePairs<String, String> = [:], method: String = "GET",
        service: String = "echo", port: UInt16 = 80, host: String? = nil, from: String = Base.v1,
        to backend: String, path seenPath: String? = nil, seenHost: String? = nil, seen: [String: String] = [:],
        notSeen: [String] = [], backendSends: KeyValuePairs<String, String> = [:], answered: [String: String] = [:],
        notAnswered: [String] = []
    ) {
        self.path = path
        self.headers = headers.map { ($0, $1) }
        self.method = method
        self.service = service
        self.port = port
        self.host = host
        self.from = from
        self.backend = backend
        self.seenPath = seenPath
        self.seenHost = seenHost
        self.seen = seen
        self.notSeen = notSeen
        self.backendSends = backendSends.map { ($0, $1) }
        self.answered = answered
        self.notAnswered = notAnswered
    }

    /// A request that Weir answers itself.
    init(
        _ path: String, _ headers: KeyValuePairs<String, String> = [:], method: String = "GET",
        service: String = "echo", port: UInt16 = 80, host: String? = nil, from: String = Base.v1,
        status: Int, reason: String, location: String? = nil
    ) {
        self.path = path
        self.headers = headers.map { ($0, $1) }
        self.method = method
        self.service = service
        self.port = port
        self.host = host
        self.from = from
        self.status = status
        self.reason = reason
        self.location = location
    }

    static func notFound(_ path: String, _ headers: KeyValuePairs<String, String> = [:], method: String = "GET") -> Self
    {
        Self(path, headers, method: method, status: 404, reason: "no-route-matched")
    }

    static func redirect(_ path: String, _ status: Int, _ location: String, port: UInt16 = 80) -> Self {
        Self(path, port: port, status: status, reason: "redirect", location: location)
    }

    var request: ClientRequest {
        var request = ClientRequest(service, port: port, target: path, host: host)
        request.method = method
        request.headers += headers.map { [$0.0, $0.1] }
        request.headers += backendSends.map { ["X-Echo-Header", "\($0.0): \($0.1)"] }
        request.reuse = true
        return request
    }

    /// What is wrong with the answer, one line each.
    func faults(in answer: ClientAnswer) -> [String] {
        if let error = answer.error { return [error] }
        var faults: [String] = []
        func compare(_ what: String, _ seen: String?, _ wanted: String?) {
            if seen != wanted { faults.append("\(what) is \(seen ?? "absent"), not \(wanted ?? "absent")") }
        }
        compare("status", answer.status.map(String.init), String(status))
        compare("x-weir-reason", answer.header("x-weir-reason"), reason)
        compare("Location", answer.header("location"), location)
        for (name, value) in answered { compare("answer's \(name)", answer.header(name), value) }
        for name in notAnswered { compare("answer's \(name)", answer.header(name), nil) }
        guard let backend else {
            compare("server", answer.header("server"), "weir")
            if answer.echo != nil { faults.append("a backend was asked: \(answer.summary)") }
            return faults
        }
        guard method != "HEAD" else { return faults }
        guard let echo = answer.echo else { return faults + ["no backend answered: \(answer.summary)"] }
        compare("backend", "\(echo.namespace)/\(echo.pod)", backend)
        compare("method", echo.method, method)
        compare("path", echo.path, seenPath ?? path)
        compare("host", echo.host, seenHost ?? request.headers[0][1])
        let named = Set((Array(seen.keys) + notSeen).map { $0.lowercased() })
        for (name, value) in headers where !named.contains(name.lowercased()) {
            compare("header \(name)", echo.header(name), value)
        }
        for (name, value) in seen { compare("header \(name)", echo.header(name), value) }
        for name in notSeen { compare("header \(name)", echo.header(name), nil) }
        let source = echo.client[..<(echo.client.lastIndex(of: ":") ?? echo.client.endIndex)]
        let clients = [Base.address(from), "[\(Base.address(from, family: 6))]", "[::ffff:\(Base.address(from))]"]
        if !clients.contains(String(source)) { faults.append("the backend saw the client \(echo.client)") }
        return faults
    }
}

extension Node {
    /// Makes the exchanges, those of one client in one process, and records what is wrong.
    /// - Parameter versions: what the clients speak; each exchange is made by each.
    func check(
        _ exchanges: [Exchange], by versions: [HTTPVersion] = [.http1],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var byClient: [(String, [Exchange])] = []
        for exchange in exchanges {
            if let index = byClient.firstIndex(where: { $0.0 == exchange.from }) {
                byClient[index].1.append(exchange)
            } else {
                byClient.append((exchange.from, [exchange]))
            }
        }
        for (client, list) in byClient {
            for version in versions {
                let answers = try await requests(list.map { $0.request.by(version) }, from: client)
                for (exchange, answer) in zip(list, answers) {
                    for fault in exchange.faults(in: answer) {
                        Issue.record(
                            "\(version.rawValue) \(exchange.method) http://\(exchange.service):\(exchange.port)\(exchange.path) \(exchange.headers) from \(client): \(fault)",
                            sourceLocation: sourceLocation)
                    }
                }
            }
        }
    }
}
