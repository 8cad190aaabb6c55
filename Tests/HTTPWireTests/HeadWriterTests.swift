import HTTPWire
import Testing

@Suite struct HeadWriterTests {
    /// What `body` writes into `capacity` bytes, or nil when it overflowed.
    private func written(_ capacity: Int = 4096, _ body: (inout HeadWriter) -> Void) -> String? {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + 8, alignment: 8)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0xee)
        var writer = HeadWriter(UnsafeMutableRawBufferPointer(rebasing: buffer[..<capacity]))
        body(&writer)
        #expect(buffer[capacity...].allSatisfy { $0 == 0xee })
        #expect(writer.count + writer.remaining == capacity)
        return writer.overflowed ? nil : text(buffer[..<writer.count])
    }

    @Test("heads")
    func heads() {
        let request = written { writer in
            bytes("GET").withUnsafeBytes { method in
                bytes("/a?b").withUnsafeBytes { writer.requestLine(method: method, target: $0) }
            }
            writer.field("Host", "a")
            writer.field("Content-Length", decimal: 0)
            writer.endOfHead()
        }
        #expect(request == "GET /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        let response = written { writer in
            writer.statusLine(404)
            bytes("x y").withUnsafeBytes { writer.field("A", $0) }
            writer.field("L", decimal: .max)
            writer.endOfHead()
        }
        #expect(response == "HTTP/1.1 404 Not Found\r\nA: x y\r\nL: 18446744073709551615\r\n\r\n")
        #expect(written { $0.statusLine(299) } == "HTTP/1.1 299 \r\n")
    }

    @Test("chunks")
    func chunks() {
        let body = written { writer in
            writer.chunk(size: 0x1f)
            writer.append(bytes(String(repeating: "x", count: 31)).span)
            writer.endOfChunk()
            writer.lastChunk()
            writer.field("T", "u")
            writer.endOfHead()
        }
        #expect(body == "1f\r\n\(String(repeating: "x", count: 31))\r\n0\r\nT: u\r\n\r\n")
        #expect(written { $0.chunk(size: .max) } == "ffffffffffffffff\r\n")
        #expect(written { $0.chunk(size: 16) } == "10\r\n")
    }

    @Test("what does not fit is told, and nothing is written behind the buffer")
    func overflow() {
        for capacity in 0...24 {
            let line = written(capacity) { $0.field("Name", "value") }
            #expect(line == (capacity >= 13 ? "Name: value\r\n" : nil))
            let number = written(capacity) { $0.append(decimal: 1_234_567) }
            #expect(number == (capacity >= 7 ? "1234567" : nil))
            // Sticky: what comes later is not written even if it would fit.
            let later = written(capacity) { writer in
                writer.field("Name", "value")
                writer.append(byte: 33)
            }
            #expect(later == (capacity >= 14 ? "Name: value\r\n!" : nil))
        }
    }

    @Test("a head that passed, written again, passes and says the same", arguments: goodRequests)
    func rewritten(_ good: GoodRequest) throws {
        let message = bytes(good.head)
        guard case .request(let head, let fields) = try parseRequest(message) else {
            Issue.record("refused")
            return
        }
        let again = withFields { ranges in
            message.withUnsafeBytes { bytes in
                var parser = RequestHeadParser()
                _ = parser.parse(bytes, fields: ranges)
                return written { writer in
                    writer.requestLine(method: bytes[head.ranges.method], target: bytes[head.target])
                    for field in ranges.prefix(head.fieldCount) { writer.field(field, of: bytes) }
                    writer.endOfHead()
                }
            }
        }
        guard let again, head.version == .http11 else { return }
        guard case .request(let second, let secondFields) = try parseRequest(bytes(again)) else {
            Issue.record("refused when written again: \(again)")
            return
        }
        #expect(show(second, bytes(again)) == good.seen)
        #expect(secondFields == fields)
    }
}
