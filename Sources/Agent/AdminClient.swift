import FlyingFox
import FlyingSocks
import Foundation
import Glibc
package import Inspection

/// Asks a running agent over its admin socket. Replies are the JSON of `Inspection`'s values.
package struct AdminClient: Sendable {
    /// The state folder of the agent.
    package let state: String

    package init(state: String) {
        self.state = state
    }

    package static func socketPath(state: String) -> String { state + "/weir.sock" }

    package enum Failure: Error, CustomStringConvertible {
        case noAgent(path: String, cause: String)
        case noAnswer(path: String, after: Duration)
        case refused(status: Int, message: String)

        package var description: String {
            switch self {
            case .noAgent(let path, let cause): "no agent answers at \(path): \(cause)"
            case .noAnswer(let path, let after): "the agent at \(path) does not answer within \(after)"
            case .refused(_, let message): message
            }
        }
    }

    /// What an answer may take beyond the time that the agent was given.
    private static let grace = Duration.seconds(1)

    /// How long an agent may take to answer what it has at hand.
    package static let patience = Duration.seconds(10)

    package func get<Reply: Decodable>(_ path: String, as type: Reply.Type = Reply.self) async throws -> Reply {
        try await decode(send(.GET, path, body: Data(), within: Self.patience))
    }

    package func post<Reply: Decodable>(
        _ path: String, _ body: some Encodable, as type: Reply.Type = Reply.self
    ) async throws -> Reply {
        try await decode(send(.POST, path, body: JSONEncoder().encode(body), within: Self.patience))
    }

    /// Returns once everything in the folder up to now is in force. Waits for an agent that does not listen yet too.
    /// After `timeout`, throws what stands in the way.
    package func wait(timeout: Duration) async throws -> WaitReply {
        let deadline = ContinuousClock.now + timeout
        while true {
            let left = max(.zero, ContinuousClock.now.duration(to: deadline))
            do {
                let question = try JSONEncoder().encode(WaitRequest(milliseconds: left.wholeMilliseconds))
                // The agent says itself what it waits for; one that says nothing hangs.
                return try await decode(send(.POST, "/wait", body: question, within: left + Self.grace))
            } catch let failure as Failure {
                switch failure {
                case .noAgent where ContinuousClock.now < deadline: try await Task.sleep(for: .milliseconds(20))
                case .noAnswer(let path, _): throw Failure.noAnswer(path: path, after: timeout)
                case .noAgent, .refused: throw failure
                }
            }
        }
    }

    private func decode<Reply: Decodable>(_ data: Data) throws -> Reply {
        try JSONDecoder().decode(Reply.self, from: data)
    }

    private func send(
        _ method: HTTPMethod, _ path: String, body: Data, within limit: Duration
    ) async throws -> Data {
        let socket = Self.socketPath(state: state)
        let request = HTTPRequest(
            method: method, version: .http11, path: path, query: [],
            headers: [.host: "weir", .contentType: "application/json"], body: body)
        return try await firstOf {
            do {
                var client = HTTPClient()
                let response = try await client.sendHTTPRequest(request, to: .unix(path: socket))
                let data = try await response.bodyData
                if response.statusCode == .ok { return data }
                let message = String(decoding: data, as: UTF8.self)
                throw Failure.refused(status: response.statusCode.code, message: message)
            } catch let failure as Failure {
                throw failure
            } catch {
                throw Failure.noAgent(path: socket, cause: error.plainText)
            }
        } _: {
            try await Task.sleep(for: limit)
            throw Failure.noAnswer(path: socket, after: limit)
        }
    }
}

extension Error {
    /// A socket's failure in the system's own words.
    var plainText: String {
        switch self as? SocketError {
        case .failed(_, let code, _): String(cString: strerror(code))
        case .disconnected: "it hung up"
        default: "\(self)"
        }
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
