import Foundation
import Model
import Proxy
import Testing

@Suite struct MessageTests {
    @Test func interimResponsesGoThrough() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            #expect(try wire.receive(exactly: 5) == Array("hello".utf8))
            try wire.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try client.receiveResponse().status == 100)
        try client.send("hello")
        let hints = try client.receiveResponse()
        #expect(hints.status == 103)
        #expect(hints["link"] == "</a>")
        #expect(hints["date"] == nil)
        #expect(try client.receiveResponse().text == "ok")
    }

    @Test func expectationGoesEndToEnd() throws {
        let server = try ScriptedServer { wire, _ in
            let head = try wire.receive(through: "\r\n\r\n")
            #expect(head?.contains("Expect: 100-continue\r\n") == true)
            try wire.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
            // The request is not whole: the connection is given up, not used again.
            #expect((try? wire.isEnded()) ?? true)
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        let response = try client.receiveResponse()
        #expect(response.status == 417)
        #expect(response["connection"] == "close")
        #expect(try client.isEnded())
    }

    @Test func oldClientGetsNoInterimResponse() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        let mesh = try Mesh(backends: [server.port])
        #expect(try mesh.connect().exchange("GET / HTTP/1.0\r\n\r\n").status == 200)
    }

    @Test func upgradeBecomesATunnel() throws {
        let server = try ScriptedServer { wire, _ in
            let request = try #require(try wire.receive(through: "\r\n\r\n"))
            #expect(request.contains("Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            try wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nfirst")
            #expect(try wire.receive(exactly: 9) == Array("earlylate".utf8))
            // The client closes its direction; ours goes on.
            #expect(try wire.isEnded())
            try wire.send("after")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly")
        let response = try client.receiveResponse()
        #expect(response.status == 101)
        #expect(response["upgrade"] == "websocket")
        #expect(response["connection"] == "Upgrade")
        #expect(try client.receive(exactly: 5) == Array("first".utf8))
        mesh.expect { $0.tunnelsOpen == 1 }
        try client.send("late")
        client.finishSending()
        #expect(try client.receiveToEnd() == Array("after".utf8))
        mesh.expect { $0.tunnelsOpen == 0 && $0.clientsOpen == 0 && $0.upstreamsOpen == 0 }
    }

    @Test func tunnelEndsFromTheServer() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            wire.finishSending()
            #expect(try wire.receiveToEnd() == Array("answer".utf8))
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        #expect(try client.receiveResponse().status == 101)
        #expect(try client.isEnded())
        try client.send("answer")
        client.finishSending()
        mesh.expect { $0.tunnelsOpen == 0 && $0.clientsOpen == 0 }
    }

    @Test func bigTunnel() throws {
        let size = 20_000_000
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            while true {
                let bytes = try wire.receive(1 << 18)
                if bytes.isEmpty { return }
                try wire.send(bytes)
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        _ = try client.receiveResponse()
        Thread.detachNewThread {
            let sent = Stream()
            while sent.count < size { try? client.send(sent.next(100_000)) }
            client.finishSending()
        }
        let received = Stream()
        while true {
            let bytes = try client.receive(1 << 18)
            if bytes.isEmpty { break }
            guard received.check(bytes) else { break }
        }
        #expect(received.count == size)
    }

    @Test func unaskedUpgradeIsRefused() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let response = try mesh.connect().get()
        #expect(response.status == 502)
        #expect(response["x-weir-reason"] == "upstream-invalid")
    }

    @Test func pipelinedRequestsAreServedInOrder() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(rules: [
            rule(0, [prefix("/e")], .forward(Backends([weighted("echo", [echo.port])])))
        ])
        let client = try mesh.connect()
        var requests = ""
        for number in 0..<50 {
            requests +=
                number % 3 == 0
                ? "GET /none/\(number) HTTP/1.1\r\nHost: e\r\n\r\n"
                : number % 3 == 1
                    ? "GET /e/\(number) HTTP/1.1\r\nHost: e\r\n\r\n"
                    : "POST /e/\(number) HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\nabc"
        }
        try client.send(requests)
        for number in 0..<50 {
            let response = try client.receiveResponse()
            if number % 3 == 0 {
                #expect(response.status == 404)
            } else {
                #expect(response.text.contains(" /e/\(number) HTTP/1.1\n"))
            }
        }
    }

    @Test func clientMayCloseItsSideAfterTheRequest() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            usleep(100_000)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        client.finishSending()
        #expect(try client.receiveResponse().text == "ok")
        #expect(try client.isEnded())
        mesh.expect { $0.clientsOpen == 0 }
    }

    /// The whole request and what follows are sent at once, with the end of the stream right behind.
    @Test func clientMayCloseItsSideAfterPipelining() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        try client.send("GET /1 HTTP/1.1\r\nHost: e\r\n\r\nGET /2 HTTP/1.1\r\nHost: e\r\n\r\n")
        client.finishSending()
        #expect(try client.receiveResponse().text.contains(" /1 "))
        #expect(try client.receiveResponse().text.contains(" /2 "))
        #expect(try client.isEnded())
    }

    @Test func responseBeforeTheRequestIsOver() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            usleep(50_000)
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 50000000\r\n\r\n")
        Thread.detachNewThread {
            let block = [UInt8](repeating: 0x61, count: 1 << 16)
            while (try? client.send(block)) != nil {}
        }
        let response = try client.receiveResponse()
        #expect(response.status == 413)
        #expect(response.text == "big")
        #expect(response["connection"] == "close")
        mesh.expect { $0.clientsOpen == 0 && $0.upstreamsOpen == 0 }
    }

    /// A server that answers as it reads: both bodies are under way at once.
    @Test func responseWhileTheRequestGoesOn() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            try wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<3 {
                let byte = try wire.receive(exactly: 1)
                try wire.send("1\r\n\(String(decoding: byte, as: UTF8.self))\r\n")
            }
            try wire.send("0\r\n\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 3\r\n\r\n")
        _ = try client.receive(through: "\r\n\r\n")
        for letter in ["a", "b", "c"] {
            try client.send(letter)
            #expect(try client.receive(through: "\(letter)\r\n") == "1\r\n\(letter)\r\n")
        }
        #expect(try client.receiveToEnd() == Array("0\r\n\r\n".utf8))
    }

    @Test func absoluteFormAndAsterisk() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        let absolute = try client.exchange(
            "GET http://real.example:81/p?q HTTP/1.1\r\nX: 1\r\nHost: other\r\nY: 2\r\n\r\n")
        #expect(absolute.text.hasPrefix("echo\nGET /p?q HTTP/1.1\nHost: real.example:81\nX: 1\nY: 2\n"))
        #expect(!absolute.text.contains("other"))
        let empty = try client.exchange("GET http://real.example HTTP/1.1\r\nHost: real.example\r\n\r\n")
        #expect(empty.text.hasPrefix("echo\nGET / HTTP/1.1\nHost: real.example\n"))
        let asterisk = try client.exchange("OPTIONS * HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(asterisk.text.hasPrefix("echo\nOPTIONS * HTTP/1.1\n"))
        let both = try client.exchange("OPTIONS http://real.example HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(both.text.hasPrefix("echo\nOPTIONS * HTTP/1.1\nHost: real.example\n"))
    }

    @Test func fieldsForThisHopStayHere() throws {
        let server = try ScriptedServer { wire, _ in
            let request = try #require(try wire.receiveRequest())
            #expect(request.fields.map(\.name) == ["Host", "X-Kept", "X-Also"])
            try wire.send(
                "HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\nX-Kept: 1\r\nContent-Length: 0\r\nProxy-Connection: x\r\n\r\n"
            )
        }
        let mesh = try Mesh(backends: [server.port])
        let response = try mesh.connect().exchange(
            "GET / HTTP/1.1\r\nHost: e\r\nConnection: keep-alive, X-Drop\r\nX-Kept: 1\r\nX-Drop: 1\r\nKeep-Alive: 300\r\nTE: gzip\r\nProxy-Connection: keep-alive\r\nX-Also: 2\r\n\r\n"
        )
        #expect(response.fields.map { $0.name.lowercased() }.sorted() == ["content-length", "date", "x-kept"])
    }

    @Test func nothingIsSaidOfTheHop() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let response = try mesh.connect().get()
        #expect(response.text == "echo\nGET / HTTP/1.1\nHost: echo\n\n")
        #expect(response["via"] == nil)
        #expect(response["server"] == nil)
    }

    @Test func repeatedEqualLengthsBecomeOne() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let response = try mesh.connect().exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi")
        // Either refused, or said once.
        if response.status == 200 {
            #expect(response.text.components(separatedBy: "Content-Length").count == 2)
        } else {
            #expect(response.status == 400)
        }
    }

    /// Room for a head is taken by powers of two: each length of the target meets another slack.
    @Test(arguments: [false, true]) func longTargetsAndHostsOverHTTP2(_ rewrites: Bool) throws {
        let target = try Recorder("backend", overHTTP2: true)
        let rewrite = URLRewrite(
            hostname: Array(String(repeating: "h", count: 250).utf8),
            path: .replacePrefixMatch(
                match: Array("/".utf8), replacement: Array("/\(String(repeating: "n", count: 1000))".utf8)))
        let mesh = try Mesh(
            rules: forward(
                weighted("backend", target.port, http2: true), filters: rewrites ? [.urlRewrite(rewrite)] : []))
        let client = try mesh.connect()
        for length in Array(stride(from: 1, through: 4200, by: 57)) + [8000, 12_000, 14_000] {
            let path = "/" + String(repeating: "p", count: length)
            #expect(try client.get(path, "X-Host: \(String(repeating: "x", count: length % 700))").status == 200)
            #expect(target.requests.last?.start.hasSuffix("\(path.dropFirst()) HTTP/1.1") == true)
        }
    }
}
