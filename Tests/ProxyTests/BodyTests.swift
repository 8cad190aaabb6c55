import Foundation
import Model
import Proxy
import Testing

@Suite struct BodyTests {
    @Test func chunkedRequestAndResponseWithTrailers() throws {
        let server = try ScriptedServer { wire, _ in
            let request = try #require(try wire.receiveRequest())
            #expect(request["transfer-encoding"] == "chunked")
            #expect(request.text == "hello world")
            #expect(request.trailers == "X-Sum: 1\r\n")
            try wire.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n5\r\nabcde\r\n0\r\nX-End: yes\r\n\r\n"
            )
            #expect(try wire.receiveRequest() != nil)
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        let response = try client.exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"
        )
        #expect(response.text == "abcde")
        #expect(response.trailers == "X-End: yes\r\n")
        #expect(try client.get().status == 200)
        #expect(server.connections == 1)
    }

    @Test func trailersThatFrameOrRouteAreDropped() throws {
        let server = try ScriptedServer { wire, _ in
            let request = try #require(try wire.receiveRequest())
            #expect(request.trailers == "X-Sum: 1\r\nX-Last: 2\r\n")
            try wire.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\nX-End: yes\r\n\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let response = try mesh.connect().exchange(
            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nX-Last: 2\r\n\r\n"
        )
        #expect(response.trailers == "X-End: yes\r\n")
    }

    @Test func responseUntilClose() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 200 OK\r\n\r\nall of it")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        let response = try client.get()
        #expect(response["connection"] == "close")
        #expect(response.text == "all of it")
        #expect(try client.isEnded())
    }

    @Test(arguments: [("HEAD", "200 OK"), ("GET", "204 No Content"), ("GET", "304 Not Modified")])
    func responsesWithoutContent(method: String, status: String) throws {
        let server = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                if request.start.contains("/last") {
                    try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                } else {
                    let length = status.hasPrefix("204") ? "" : "Content-Length: 1000\r\n"
                    try wire.send("HTTP/1.1 \(status)\r\n\(length)Etag: x\r\n\r\n")
                }
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        let response = try client.exchange("\(method) / HTTP/1.1\r\nHost: e\r\n\r\n")
        #expect(response.start == "HTTP/1.1 \(status)")
        #expect(response["content-length"] == (status.hasPrefix("204") ? nil : "1000"))
        #expect(try client.get("/last").text == "ok")
        #expect(server.connections == 1)
    }

    @Test func oldClientGetsNoChunks() throws {
        let server = try ScriptedServer { wire, _ in
            while let request = try wire.receiveRequest() {
                #expect(request.start.hasSuffix("HTTP/1.1"))
                try wire.send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n"
                )
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let all = String(decoding: try client.receiveToEnd(), as: UTF8.self)
        #expect(all.contains("Connection: close\r\n"))
        #expect(!all.lowercased().contains("transfer-encoding"))
        #expect(all.hasSuffix("\r\n\r\nhello world"))
    }

    @Test func oldClientMayKeepItsConnection() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let client = try mesh.connect()
        for _ in 0..<2 {
            let response = try client.exchange("GET / HTTP/1.0\r\nHost: e\r\nConnection: keep-alive\r\n\r\n")
            #expect(response["connection"] == "keep-alive")
        }
        let last = try client.exchange("GET / HTTP/1.0\r\n\r\n")
        #expect(last["connection"] == "close")
        #expect(try client.isEnded())
    }

    @Test func oldServer() throws {
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try wire.isEnded())
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        for _ in 0..<2 {
            let response = try client.get()
            #expect(response.start == "HTTP/1.1 200 OK")
            #expect(response.text == "ok")
        }
        #expect(server.connections == 2)
    }

    /// 100 MB each way at the same time, through one connection, every byte checked.
    @Test func bigBodiesBothWays() throws {
        let size = 100_000_000
        let server = try ScriptedServer { wire, _ in
            guard let head = try wire.receive(through: "\r\n\r\n") else { return }
            #expect(head.contains("Content-Length: \(size)"))
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            var left = size
            while left > 0 {
                let bytes = try wire.receive(min(left, 1 << 18))
                guard !bytes.isEmpty else { return }
                try wire.send(bytes)
                left -= bytes.count
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(size)\r\n\r\n")
        Thread.detachNewThread {
            let sent = Stream()
            while sent.count < size {
                guard (try? client.send(sent.next(min(size - sent.count, 200_000)))) != nil else { return }
            }
        }
        let head = try #require(try client.receive(through: "\r\n\r\n"))
        #expect(head.hasPrefix("HTTP/1.1 200"))
        let received = Stream()
        while received.count < size {
            let bytes = try client.receive(1 << 18)
            guard !bytes.isEmpty, received.check(bytes) else { break }
        }
        #expect(received.count == size)
        mesh.expect { $0.bytesFromClients >= UInt64(size) && $0.bytesToClients >= UInt64(size) }
    }

    /// A client that stops reading stops the server; the proxy holds no more than a buffer's worth.
    @Test func stoppedReaderHoldsTheServer() throws {
        let sent = Stream()
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receiveRequest()
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while true { try wire.send(sent.next(1 << 16)) }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect(receiveBuffer: 65536)
        try client.send("GET / HTTP/1.1\r\nHost: e\r\n\r\n")
        _ = try client.receive(through: "\r\n\r\n")
        // Until the sockets are full and nothing moves any more.
        var last = -1
        while sent.count != last {
            last = sent.count
            usleep(300_000)
        }
        #expect(sent.count < 32 << 20)
        #expect(mesh.counters().bufferedBytes <= 256 << 10)
        // And it goes on.
        var read = 0
        while read < 64 << 20 { read += try client.receive(1 << 18).count }
        #expect(read >= 64 << 20)
    }

    /// The same for a server that does not read the request.
    @Test func stoppedServerHoldsTheClient() throws {
        let gate = DispatchSemaphore(value: 0)
        let server = try ScriptedServer { wire, _ in
            _ = try wire.receive(through: "\r\n\r\n")
            gate.wait()
            var left = 64 << 20
            while left > 0 { left -= try wire.receive(1 << 18).count }
            try wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        try client.send("POST / HTTP/1.1\r\nHost: e\r\nContent-Length: \(64 << 20)\r\n\r\n")
        let sent = Stream()
        Thread.detachNewThread {
            while sent.count < 64 << 20, (try? client.send(sent.next(1 << 16))) != nil {}
        }
        var last = -1
        while sent.count != last || last == 0 {
            last = sent.count
            usleep(300_000)
        }
        #expect(sent.count < 32 << 20)
        #expect(mesh.counters().bufferedBytes <= 256 << 10)
        gate.signal()
        #expect(try client.receiveResponse().status == 200)
    }

    /// Whatever the cuts, the same bytes mean the same.
    @Test func anySplitOfTheBytes() throws {
        let echo = try ScriptedServer.echo()
        let mesh = try Mesh(backends: [echo.port])
        let requests =
            "\r\nGET /one HTTP/1.1\r\nHost: e\r\nX-A: b\r\n\r\nPOST /two HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello"
            + "POST /three HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
            + "GET /four HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n"
        let bytes = Array(requests.utf8)
        var random = SplitMix(seed: 42)
        for round in 0..<60 {
            let client = try mesh.connect()
            var offset = 0
            while offset < bytes.count {
                let count = round == 0 ? 1 : min(Int(random.next() % 40) + 1, bytes.count - offset)
                try client.send(bytes[offset..<offset + count])
                offset += count
                if random.next() % 4 == 0 { usleep(200) }
            }
            for path in ["/one", "/two", "/three", "/four"] {
                let response = try client.receiveResponse()
                #expect(response.text.contains(" \(path) HTTP/1.1\n"))
                if path == "/two" { #expect(response.text.hasSuffix("hello")) }
                if path == "/three" { #expect(response.text.hasSuffix("abc")) }
            }
            #expect(try client.isEnded())
        }
    }

    @Test func anySplitOfTheResponse() throws {
        let response = Array(
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"
                .utf8)
        let server = try ScriptedServer { wire, number in
            var random = SplitMix(seed: UInt64(number))
            while try wire.receiveRequest() != nil {
                var offset = 0
                while offset < response.count {
                    let count = min(Int(random.next() % 20) + 1, response.count - offset)
                    try wire.send(response[offset..<offset + count])
                    offset += count
                    usleep(100)
                }
            }
        }
        let mesh = try Mesh(backends: [server.port])
        let client = try mesh.connect()
        for _ in 0..<40 {
            #expect(try client.get().status == 103)
            let final = try client.receiveResponse()
            #expect(final.text == "abcde")
            #expect(final.trailers == "X-T: 1\r\n")
        }
        #expect(server.connections == 1)
    }
}
