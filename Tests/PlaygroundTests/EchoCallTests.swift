import Foundation
import Playground
import Testing

/// gRPC by grpcio, and by hand where grpcio keeps the rules.
@Suite struct EchoCallTests {
    private static let service = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/"

    private struct Wish: Encodable {
        var path: String
        var metadata: [[String]] = []
        var size = 0
        var compression = false
        var timeout = 20.0

        init(
            _ method: String = "Echo", _ metadata: KeyValuePairs<String, String> = [:], size: Int = 0,
            compression: Bool = false
        ) {
            path = method.hasPrefix("/") ? method : EchoCallTests.service + method
            self.metadata = metadata.map { [$0, $1] }
            self.size = size
            self.compression = compression
        }
    }

    private struct Answer: Decodable {
        struct Echo: Decodable {
            var method: String
            var headers: [[String]]
            var authority: String
            var context: [String]
        }

        var code: String
        var details: String
        var initial: [[String]]
        var trailing: [[String]]
        var length: Int
        var echo: Echo?
    }

    private let port: UInt16

    init() throws {
        var configuration = EchoServer.Configuration(ports: [0], pod: "web-v1", namespace: "shop")
        configuration.ingress = "none"
        configuration.service = "web"
        let server = try EchoServer(configuration)
        try server.start()
        port = server.ports[0]
    }

    private func call(_ wishes: Wish...) throws -> [Answer] {
        try EchoPrograms.run("grpc_client", ["\(port)"], wishes)
    }

    /// A call of Echo whose content is written by hand.
    private func raw(_ content: [UInt8], _ fields: [[String]] = []) throws -> HTTP2Answers.Stream {
        let wish = HTTP2Wish(
            Self.service + "Echo", method: "POST",
            [["content-type", "application/grpc"], ["te", "trailers"]] + fields,
            body: content)
        return try EchoPrograms.run("http2_client", ["\(port)"], [wish], as: HTTP2Answers.self).streams[0]
    }

    @Test(arguments: ["Echo", "EchoTwo"]) func tellsTheCall(_ method: String) throws {
        let answer = try call(Wish(method, ["x-a": "1", "x-b-bin": "raw", "x-a": "2"]))[0]
        #expect(answer.code == "OK" && answer.details == "")
        let echo = try #require(answer.echo)
        #expect(echo.method == Self.service + method)
        #expect(echo.authority == "127.0.0.1:\(port)")
        #expect(echo.context == ["shop", "none", "web", "web-v1"])
        #expect(echo.headers.first == [":authority", "127.0.0.1:\(port)"])
        #expect(echo.headers.filter { $0[0] == "x-a" } == [["x-a", "1"], ["x-a", "2"]])
        // Base64, as on the wire.
        #expect(echo.headers.contains(["x-b-bin", "cmF3"]))
        #expect(echo.headers.contains(["content-type", "application/grpc"]))
        #expect(answer.initial.contains(["x-echo-pod", "web-v1"]))
    }

    /// Upstream declares EchoThree and does not implement it.
    @Test func unknownMethods() throws {
        let answers = try call(Wish("EchoThree"), Wish("echo"), Wish("/other.Service/Echo"), Wish("/a/b/c"), Wish())
        #expect(answers.map(\.code) == Array(repeating: "UNIMPLEMENTED", count: 4) + ["OK"])
        #expect(answers[1].details.contains("unknown method echo"))
        #expect(answers[2].details == "unknown service other.Service")
    }

    @Test func metadataSteers() throws {
        let answers = try call(
            Wish("Echo", ["x-echo-grpc-status": "9", "x-echo-grpc-message": "50% \"x\" done"]),
            Wish("Echo", ["x-echo-header": "x-a: 1", "x-echo-trailer": "x-b: 2", "x-echo-delay": "50ms"]),
            Wish("Echo", ["x-echo-status": "503"]), Wish("Echo", ["x-echo-close": "reset", "x-echo-error": "8"]),
            Wish("Echo", ["x-echo-delay": "never"]), Wish("Echo", ["x-echo-close": "half"]))
        #expect(answers.map(\.code).prefix(3) == ["FAILED_PRECONDITION", "OK", "UNAVAILABLE"])
        #expect(answers[0].details == "50% \"x\" done")
        #expect(answers[1].initial.contains(["x-a", "1"]) && answers[1].trailing.contains(["x-b", "2"]))
        #expect(answers.map(\.code).suffix(3) == ["CANCELLED", "INVALID_ARGUMENT", "CANCELLED"])
        #expect(answers[4].details == "delay: never is not a duration of at most an hour")
    }

    @Test func failsSoManyTimes() throws {
        let failing = Wish("Echo", ["x-echo-uuid": "k", "x-echo-succeedafter": "2", "x-echo-grpc-status": "14"])
        let answers = try call(failing, failing, failing)
        #expect(answers.map(\.code) == ["UNAVAILABLE", "UNAVAILABLE", "OK"])
    }

    /// Its deadline is the client's own: the server does not keep it.
    @Test func deadline() throws {
        var wish = Wish("Echo", ["x-echo-delay": "10s"])
        wish.timeout = 0.2
        #expect(try call(wish, Wish()).map(\.code) == ["DEADLINE_EXCEEDED", "OK"])
    }

    @Test func largeMessages() throws {
        let answers = try call(
            Wish("Echo", size: 16 << 20), Wish("Echo", ["x-echo-size": "16m"]), Wish("Echo", size: 32 << 20), Wish())
        #expect(answers.map(\.code) == ["OK", "OK", "RESOURCE_EXHAUSTED", "OK"])
        #expect(answers[1].length > 16 << 20 && answers[1].echo?.context.last == "web-v1")
    }

    @Test func compressionIsRefused() throws {
        let answers = try call(Wish("Echo", size: 100_000, compression: true), Wish())
        #expect(answers.map(\.code) == ["UNIMPLEMENTED", "OK"])
        #expect(answers[0].details == "messages compressed with gzip are not taken")
    }

    @Test func contentThatIsNoMessage() throws {
        for content: [UInt8] in [
            [], [0, 0, 0], [0, 0, 0, 0, 2, 1], [1, 0, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let answer = try raw(content)
            #expect(answer.header(":status") == "200" && answer.header("grpc-status") == "13", "\(content)")
            #expect(answer.header("grpc-message")?.isEmpty == false)
        }
        let answer = try raw([0, 0, 0, 0, 0])
        #expect(answer.header("content-type") == "application/grpc")
        #expect(answer.trailers == [["grpc-status", "0"]])
        #expect(answer.bytes[0] == 0 && answer.bytes.count > 5)
        #expect(answer.bytes[1..<5].reduce(0) { $0 << 8 | Int($1) } == answer.bytes.count - 5)
    }

    @Test func mediaTypes() throws {
        for (type, status) in [
            ("application/grpc+proto", "200"), ("application/grpc;x=y", "200"), ("application/grpc+json", "415"),
            ("application/grpc-web", "415"), ("application/json", "200"),
        ] {
            let wish = HTTP2Wish(
                Self.service + "Echo", method: "POST", [["content-type", type]], body: [0, 0, 0, 0, 0])
            let answer = try EchoPrograms.run("http2_client", ["\(port)"], [wish], as: HTTP2Answers.self).streams[0]
            #expect(answer.header(":status") == status, "\(type)")
            #expect(answer.trailers.isEmpty == (type == "application/json" || status == "415"), "\(type)")
        }
    }
}
