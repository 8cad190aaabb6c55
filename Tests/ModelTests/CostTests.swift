import Glibc
import HTTPWire
import Model
import Testing

/// What a match costs must hang on the request and on the rows that its path leads to, not on the size of the table.
@Suite(.serialized) struct CostTests {
    /// Nanoseconds of this thread on a processor: what other programs take is not in it.
    private func processorTime() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Nanoseconds of one match: the least of several runs.
    private func cost(_ table: RouteTable, _ request: Request, expecting rule: String?) -> Double {
        let (head, ranges, fields) = request.parts()
        #expect(table.rule(request) == rule)
        let rounds = 1_000
        let best = (0..<5).map { _ in
            let start = processorTime()
            var sum = 0
            for _ in 0..<rounds { sum &+= table.match(head.span, ranges, fields.span) ?? -1 }
            #expect(sum != .min)
            return processorTime() - start
        }.min()!
        return Double(best) / Double(rounds)
    }

    private let headers = [
        ("User-Agent", "curl/8.0"), ("Accept", "*/*"), ("X-Request-Id", "0123456789"), ("Version", "999"),
        ("Content-Type", "text/plain"),
    ]

    @Test func thousandRows() throws {
        func exact(_ count: Int) throws -> RouteTable {
            table(try (0..<count).map { ("\($0)", [try match(exact: "/service/path-\($0)")]) })
        }
        func prefix(_ count: Int) throws -> RouteTable {
            table(try (0..<count).map { ("\($0)", [try match(prefix: "/service/path-\($0)")]) })
        }
        let request = Request("/service/path-9", headers: headers)
        let deep = Request("/service/path-9/x/y/z", headers: headers)
        func service(_ count: Int) throws -> RouteTable {
            table(try (0..<count).map { ("\($0)", [try grpcMatch("path-\($0)")]) }, kind: .grpc)
        }
        func method(_ count: Int) throws -> RouteTable {
            table(try (0..<count).map { ("\($0)", [try grpcMatch(nil, "Path\($0)")]) }, kind: .grpc)
        }
        let byService = Request.grpc("/path-9/Get", headers: Array(headers.dropLast()))
        let byMethod = Request.grpc("/service/Path9", headers: Array(headers.dropLast()))
        for (name, few, many) in [
            (
                "gRPC service", cost(try service(10), byService, expecting: "9"),
                cost(try service(1_000), byService, expecting: "9")
            ),
            (
                "gRPC method", cost(try method(10), byMethod, expecting: "9"),
                cost(try method(1_000), byMethod, expecting: "9")
            ),
            ("exact", cost(try exact(10), request, expecting: "9"), cost(try exact(1_000), request, expecting: "9")),
            ("prefix", cost(try prefix(10), deep, expecting: "9"), cost(try prefix(1_000), deep, expecting: "9")),
        ] {
            print("match by \(name): \(Int(few)) ns with 10 rows, \(Int(many)) ns with 1,000")
            #expect(many < few * 5 + 200)
        }
        // One path for all, so that every row must be asked: a linear cost, and a small one for each row.
        let sameHeader = table(try (0..<1_000).map { ("\($0)", [try match(headers: [("version", "\($0)")])]) })
        let each = cost(sameHeader, request, expecting: "999") / 1_000
        print("match by one header of 1,000 values: \(Int(each * 1_000)) ns")
        let one = cost(table([("999", [try match(headers: [("version", "999")])])]), request, expecting: "999")
        #expect(each < one)
    }

    @Test func longPathsCostInProportion() throws {
        let table = table(try (0..<500).map { ("\($0)", [try match(prefix: String(repeating: "/a", count: $0 + 1))]) })
        let short = cost(table, Request(String(repeating: "/b", count: 500)), expecting: nil)
        let long = cost(table, Request(String(repeating: "/b", count: 4_000)), expecting: nil)
        // No prefix is longer than 1,000 bytes, so the rest of the path is not even read.
        #expect(long < short * 4 + 1_000)
    }
}
