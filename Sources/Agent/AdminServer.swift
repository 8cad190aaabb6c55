import FlyingFox
import FlyingSocks
import Foundation
import Glibc
import Inspection
import Logging
import Model

/// An HTTP server that listens already: what it cannot bind is a failure of the start.
struct ListeningServer {
    private let task: Task<Void, any Error>

    /// `name` is the flag that says where it listens.
    init(_ server: HTTPServer, name: String, log: Logger) async throws(StartFailure) {
        let task = Task { try await server.run() }
        do {
            try await firstOf {
                try await task.value
            } _: {
                try await server.waitUntilListening()
            }
        } catch {
            task.cancel()
            throw StartFailure("\(name): \(error.plainText)")
        }
        self.task = task
        Task {
            do {
                try await task.value
            } catch {
                if !task.isCancelled { log.error("\(name): no longer served: \(error.plainText)") }
            }
        }
    }

    func stop() { task.cancel() }
}

/// The admin socket: what `weir status` and its like ask. Only the agent's own user reaches it, by the socket's mode.
struct AdminServer {
    let state: String
    let control: ControlLoop

    func listen(log: Logger) async throws -> ListeningServer {
        let path = AdminClient.socketPath(state: state)
        // The room in sockaddr_un(7), with the final NUL.
        guard path.utf8.count < 108 else {
            throw StartFailure("--state \(state): the path of its socket is longer than 107 bytes")
        }
        // A socket file of a run that was killed; the state lock says that no other agent owns it.
        unlink(path)
        let server = HTTPServer(address: .unix(path: path), timeout: 3600, logger: .disabled)
        await answer(server, "GET /status") { await control.ask { $0.status } }
        await answer(server, "GET /pods") { await control.ask { $0.podViews } }
        await answer(server, "GET /services") { await control.ask { ServiceView.all($0.snapshot) } }
        await answer(server, "GET /endpoints") { await control.ask { EndpointView.all($0.snapshot) } }
        await answer(server, "GET /routes") { await control.ask { $0.routes } }
        await server.appendRoute("POST /explain") { request in
            let question = try await JSONDecoder().decode(ExplainRequest.self, from: request.bodyData)
            let answer = await control.ask { pipeline in Result { try pipeline.explain(question) } }
            return try Self.reply(answer, failure: .badRequest)
        }
        await server.appendRoute("POST /wait") { request in
            let question = try await JSONDecoder().decode(WaitRequest.self, from: request.bodyData)
            let deadline = ContinuousClock.now + .milliseconds(question.milliseconds)
            while true {
                let answer = await control.ask { pipeline in Result { try pipeline.settle() } }
                if case .failure = answer, ContinuousClock.now < deadline {
                    // A writer that has yet to close its file, or a worker that is late: both end without a notice here.
                    try await Task.sleep(for: .milliseconds(5))
                } else {
                    return try Self.reply(answer, failure: .serviceUnavailable)
                }
            }
        }
        let before = umask(0o177)
        defer { umask(before) }
        return try await ListeningServer(server, name: "--state \(state)", log: log)
    }

    private func answer<Body: Encodable & SendableMetatype>(
        _ server: HTTPServer, _ route: HTTPRoute, _ body: @escaping @Sendable () async -> Body
    ) async {
        await server.appendRoute(route) { _ in
            let body = try encoder().encode(await body())
            return HTTPResponse(statusCode: .ok, headers: [.contentType: "application/json"], body: body)
        }
    }

    private static func reply(
        _ answer: Result<some Encodable, any Error>, failure: HTTPStatusCode
    ) throws -> HTTPResponse {
        switch answer {
        case .success(let value):
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/json"], body: try encoder().encode(value))
        case .failure(let error):
            return HTTPResponse(statusCode: failure, body: Data("\(error)".utf8))
        }
    }
}

/// Keys in a stable order, so that two answers can be compared.
private func encoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
}

/// Metrics and health over HTTP, for Prometheus and the kubelet.
struct MetricsServer {
    let address: SocketAddress
    let control: ControlLoop

    func listen(log: Logger) async throws -> ListeningServer {
        let server: HTTPServer =
            if address.address.isIPv4 {
                HTTPServer(address: try .inet(ip4: "\(address.address)", port: address.port), logger: .disabled)
            } else {
                HTTPServer(address: try .inet6(ip6: "\(address.address)", port: address.port), logger: .disabled)
            }
        await server.appendRoute("GET /metrics") { _ in
            let text = await control.ask { $0.metrics }
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: MetricsText.contentType], body: Data(text.utf8))
        }
        await server.appendRoute("GET /healthz") { _ in
            Self.verdict(await control.ask { $0.laggard })
        }
        await server.appendRoute("GET /readyz") { _ in
            Self.verdict(await control.ask { $0.ready ? nil : $0.isDraining ? "draining" : "not ready" })
        }
        return try await ListeningServer(server, name: "--metrics-address \(address)", log: log)
    }

    /// 200, or 503 with what is wrong.
    private static func verdict(_ problem: String?) -> HTTPResponse {
        HTTPResponse(
            statusCode: problem == nil ? .ok : .serviceUnavailable, headers: [.contentType: "text/plain"],
            body: Data("\(problem ?? "ok")\n".utf8))
    }
}
