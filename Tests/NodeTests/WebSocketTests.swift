import Foundation
import Testing
import TestSupport

extension NodeTests {
    /// The Python package websockets on both sides; over HTTP/2 by RFC 8441. What is asserted of a conversation is in
    /// `Programs/websockets_client.py`.
    @Suite("WebSocket", .serialized)
    struct WebSocket {
        private let node = SharedNode.node

        private static let port: UInt16 = 3080

        struct Conversation: Sendable, CustomTestStringConvertible {
            var way: Way
            var client: HTTPVersion
            var server: HTTPVersion
            var appProtocol: String?

            var testDescription: String {
                "\(client.rawValue) to \(server.rawValue), \(appProtocol ?? "no appProtocol"), \(way.rawValue)"
            }

            static let all: [Conversation] =
                HTTPVersion.allCases.map { Conversation(way: .plain, client: $0, server: $0) }
                + HTTPVersion.allCases.flatMap { client in
                    [
                        Conversation(way: .route, client: client, server: .http1),
                        Conversation(way: .route, client: client, server: .http1, appProtocol: "kubernetes.io/ws"),
                        Conversation(way: .route, client: client, server: .http2, appProtocol: "kubernetes.io/h2c"),
                    ]
                }
        }

        private struct Report: Decodable {
            var headers: [String: String]
        }

        @Test("websockets", arguments: Conversation.all) func talk(_ conversation: Conversation) async throws {
            let server = conversation.server == .http1 ? "websockets_server" : "websockets_http2_server"
            let service = PeerService(port: Self.port, appProtocol: conversation.appProtocol)
            try await node.serving(service, conversation.way, Node.program(server, "\(Self.port)")) {
                let output = try await node.exec(
                    Base.v1,
                    Node.program("websockets_client") + (conversation.client == .http2 ? ["--http2"] : [])
                        + [PeerService.clusterIP, "\(Self.port)", service.address],
                    timeout: .seconds(150))
                let report = try JSONDecoder().decode(Report.self, from: Data(output.utf8))
                #expect(report.headers["x-pod"] == "echo-v2")
                #expect(report.headers["x-saw"] == (conversation.way == .route ? "weir" : ""))
            }
        }

        @Test("What is no handshake gets the server's own answer", arguments: HTTPVersion.allCases)
        func noHandshake(_ client: HTTPVersion) async throws {
            let service = PeerService(port: Self.port, appProtocol: "kubernetes.io/ws")
            try await node.serving(service, .route, Node.program("websockets_server", "\(Self.port)")) {
                var request = ClientRequest(PeerService.clusterIP, port: Self.port, target: "/ws")
                request.how = client.how
                let answer = try await node.request(request, from: Base.v1)
                #expect(answer.status == 426, "\(answer.summary)")
                #expect(answer.header("x-through") == "weir")
            }
        }
    }
}
