import HTTPWire
import RegularExpressions

/// The matches of a `RouteTable` as flat tables over one run of bytes, in order of precedence.
///
/// Deciding about a match is `failure(of:…)` alone, for requests as for explanations; the path indices only spare the
/// rows whose path cannot match.
///
/// The table of GRPCRoutes takes gRPC requests alone, which are told by their Content-Type (gRPC over HTTP2, "Requests").
final class MatchTable: Sendable {
    /// What a row asks of the path.
    enum PathForm: BitwiseCopyable {
        case exact
        case regularExpression
        case prefix
        /// The service of a gRPC path is `pathText`, its method any.
        case service
        /// The service matches `expression`, and the method `methodExpression` if there is one.
        case serviceExpression
        /// The method of a gRPC path is `pathText`, its service any.
        case method
        /// The method matches `methodExpression`.
        case methodExpression
    }

    /// One match of one rule.
    struct Row: BitwiseCopyable {
        var path: PathForm
        var hasMethod: Bool
        /// In `bytes`; a prefix without its trailing slash.
        var pathText: ByteRange
        /// In `expressions`, or `Condition.noExpression`.
        var expression: UInt32
        var methodExpression: UInt32
        /// The HTTP method.
        var method: ByteRange
        /// In `conditions`: `headers` of them, then `queryParams` of them.
        var firstCondition: UInt32
        var headers: UInt16
        var queryParams: UInt16
        /// In `RouteTable.rules`.
        var rule: UInt32
    }

    /// A header or a query parameter and what its value must be.
    struct Condition: BitwiseCopyable {
        static let noExpression = UInt32.max

        /// In `headerNames` or `queryNames`.
        var name: UInt32
        var value: ByteRange
        /// In `expressions`, or `noExpression` when the value must equal `value`.
        var expression: UInt32
    }

    /// What a match asks for first that a request does not have.
    enum Failure: BitwiseCopyable, Hashable {
        case none
        /// It is no gRPC request, and the table takes no other.
        case contentType
        case path
        case method
        /// Index in `conditions`.
        case header(Int)
        case queryParam(Int)
    }

    let rows: [Row]
    let conditions: [Condition]
    let bytes: [UInt8]
    let expressions: [RegularExpression]
    /// In lower case.
    let headerNames: [ByteRange]
    let queryNames: [ByteRange]
    /// Index in `headerNames` of `host`, which is the request's authority; -1 when no match asks for it.
    let hostName: Int
    let isGRPC: Bool
    /// Index in `headerNames` of `content-type`; of no meaning when not `isGRPC`.
    let contentType: Int
    /// `application/grpc`, in `bytes`.
    let grpcContentType: ByteRange
    private let exact: PathIndex
    private let services: PathIndex
    private let methods: PathIndex
    private let prefixes: PathIndex
    private let expressionRows: Range<Int>
    private let serviceExpressionRows: Range<Int>
    private let methodExpressionRows: Range<Int>

    /// `matches` in order of precedence, each with its rule's index.
    init(_ matches: [(match: RouteMatch, rule: Int)], isGRPC: Bool) {
        var builder = Builder()
        self.isGRPC = isGRPC
        contentType = isGRPC ? builder.headerName(Array("content-type".utf8)) : -1
        grpcContentType = isGRPC ? builder.text(Array("application/grpc".utf8)) : .empty
        rows = matches.map { builder.row($0.match, rule: $0.rule) }
        conditions = builder.conditions
        bytes = builder.bytes
        expressions = builder.expressions
        headerNames = builder.headerNames
        queryNames = builder.queryNames
        hostName = builder.headerIndices[Array("host".utf8)] ?? -1
        exact = PathIndex(rows, of: .exact, bytes)
        services = PathIndex(rows, of: .service, bytes)
        methods = PathIndex(rows, of: .method, bytes)
        prefixes = PathIndex(rows, of: .prefix, bytes)
        expressionRows = Self.range(of: .regularExpression, in: rows)
        serviceExpressionRows = Self.range(of: .serviceExpression, in: rows)
        methodExpressionRows = Self.range(of: .methodExpression, in: rows)
    }

    /// Precedence keeps rows of these forms together.
    private static func range(of form: PathForm, in rows: [Row]) -> Range<Int> {
        guard let first = rows.firstIndex(where: { $0.path == form }) else { return 0..<0 }
        return first..<first + rows[first...].prefix { $0.path == form }.count
    }

    /// The first row all of whose conditions hold.
    func firstMatch(_ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>) -> Int? {
        var words = FoundWords(repeating: 0)
        var found = words.mutableSpan
        let parts = isGRPC ? GRPCPath(head, request.path) : .unread
        let same = exact.whole(head, request.path, bytes)
        if same >= 0 {
            for position in exact.rows(of: same) {
                let row = exact.row(at: position)
                if failure(of: row, head, request, parts, fields, &found) == .none { return row }
            }
        }
        if isGRPC, let row = firstByPart(head, request, parts, fields, &found) { return row }
        for row in expressionRows where failure(of: row, head, request, parts, fields, &found) == .none { return row }
        var bucket = prefixes.longest(head, request.path, bytes)
        while bucket >= 0 {
            for position in prefixes.rows(of: bucket) {
                let row = prefixes.row(at: position)
                if failure(of: row, head, request, parts, fields, &found) == .none { return row }
            }
            bucket = prefixes.parent(of: bucket)
        }
        return nil
    }

    /// `firstMatch` among the rows that ask for one part of a gRPC path, or for a regular expression of one.
    private func firstByPart(
        _ head: Span<UInt8>, _ request: RequestRanges, _ parts: GRPCPath, _ fields: Span<FieldRange>,
        _ found: inout Found
    ) -> Int? {
        guard parts.isWhole else { return nil }
        let service = services.whole(head, parts.service, bytes)
        if service >= 0 {
            for position in services.rows(of: service) {
                let row = services.row(at: position)
                if failure(of: row, head, request, parts, fields, &found) == .none { return row }
            }
        }
        for row in serviceExpressionRows
        where failure(of: row, head, request, parts, fields, &found) == .none { return row }
        let method = methods.whole(head, parts.method, bytes)
        if method >= 0 {
            for position in methods.rows(of: method) {
                let row = methods.row(at: position)
                if failure(of: row, head, request, parts, fields, &found) == .none { return row }
            }
        }
        for row in methodExpressionRows
        where failure(of: row, head, request, parts, fields, &found) == .none { return row }
        return nil
    }

    /// The first condition of the row that does not hold. `parts` are of the request's path, read when the table is of
    /// gRPC; `found` belongs to this request and this table.
    func failure(
        of index: Int, _ head: Span<UInt8>, _ request: RequestRanges, _ parts: GRPCPath, _ fields: Span<FieldRange>,
        _ found: inout Found
    ) -> Failure {
        let row = rows[index]
        if isGRPC, !isGRPCRequest(head, request, fields, &found) { return .contentType }
        if !pathHolds(row, head, request.path, parts) { return .path }
        if row.hasMethod, !equal(head, request.method, row.method) { return .method }
        var next = Int(row.firstCondition)
        for _ in 0..<row.headers {
            let condition = conditions[next]
            let value = headerValue(Int(condition.name), head, request, fields, &found)
            if value.isVerbatim, condition.expression == Condition.noExpression {
                if !equal(head, value.range, condition.value) { return .header(next) }
            } else if !value.isPresent || !holds(condition, value, head, fields) {
                return .header(next)
            }
            next += 1
        }
        for _ in 0..<row.queryParams {
            let value = queryValue(Int(conditions[next].name), head, request, &found)
            if !value.isPresent || !holds(conditions[next], value, head, fields) { return .queryParam(next) }
            next += 1
        }
        return .none
    }

    /// Whether the Content-Type is `application/grpc`, alone or with a suffix `+proto` or parameters behind it.
    /// `application/grpc-web` is another protocol.
    private func isGRPCRequest(
        _ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>, _ found: inout Found
    ) -> Bool {
        let value = headerValue(contentType, head, request, fields, &found)
        let count = grpcContentType.count
        guard value.isVerbatim, value.range.count >= count else { return false }
        let start = Int(value.range.start)
        for offset in 0..<Int(count)
        where asciiLowercased(head[start + offset]) != bytes[Int(grpcContentType.start) + offset] {
            return false
        }
        guard value.range.count > count else { return true }
        switch head[start + Int(count)] {
        case UInt8(ascii: "+"), UInt8(ascii: ";"), UInt8(ascii: " "), UInt8(ascii: "\t"): return true
        default: return false
        }
    }

    private func pathHolds(_ row: Row, _ head: Span<UInt8>, _ path: ByteRange, _ parts: GRPCPath) -> Bool {
        switch row.path {
        case .exact: return equal(head, path, row.pathText)
        case .service: return parts.isWhole && equal(head, parts.service, row.pathText)
        case .method: return parts.isWhole && equal(head, parts.method, row.pathText)
        case .serviceExpression, .methodExpression:
            return parts.isWhole && matches(row.expression, head, parts.service)
                && matches(row.methodExpression, head, parts.method)
        case .regularExpression:
            return expressions[Int(row.expression)].matchesWhole(head.extracting(path.bounds))
        case .prefix:
            let count = row.pathText.count
            // `/` matches every request, `OPTIONS *` too.
            if count == 0 { return true }
            guard path.count >= count, path.count == count || head[Int(path.start + count)] == 0x2f else {
                return false
            }
            return equal(head, ByteRange(start: path.start, count: count), row.pathText)
        }
    }

    private func matches(_ expression: UInt32, _ head: Span<UInt8>, _ part: ByteRange) -> Bool {
        expression == Condition.noExpression || expressions[Int(expression)].matchesWhole(head.extracting(part.bounds))
    }

    private func holds(
        _ condition: Condition, _ value: RequestValue, _ head: Span<UInt8>, _ fields: Span<FieldRange>
    ) -> Bool {
        var value = value
        if condition.expression == Condition.noExpression {
            for position in condition.value.bounds {
                guard let byte = value.next(head, fields), byte == bytes[position] else { return false }
            }
            return value.next(head, fields) == nil
        }
        var run = RegularExpression.Run()
        while let byte = value.next(head, fields) {
            expressions[Int(condition.expression)].feed(byte, &run)
            if run.isDead { return false }
        }
        return expressions[Int(condition.expression)].accepts(run)
    }

    @inline(__always)
    private func equal(_ head: Span<UInt8>, _ range: ByteRange, _ own: ByteRange) -> Bool {
        guard range.count == own.count else { return false }
        for offset in 0..<Int(own.count) where head[Int(range.start) + offset] != bytes[Int(own.start) + offset] {
            return false
        }
        return true
    }

    // MARK: Values of the request

    @inline(__always)
    func headerValue(
        _ name: Int, _ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>, _ found: inout Found
    ) -> RequestValue {
        if name == hostName {
            return request.authority.count == 0 ? .absent : RequestValue(verbatim: request.authority)
        }
        guard let place = FoundPlace.header(name) else { return find(headerNames[name], head, fields) }
        if let known = RequestValue(word: found[place]) { return known }
        let value = find(headerNames[name], head, fields)
        found[place] = value.word
        return value
    }

    private func find(_ name: ByteRange, _ head: Span<UInt8>, _ fields: Span<FieldRange>) -> RequestValue {
        var value = RequestValue.absent
        for index in fields.indices where isName(name, head, fields[index].name) {
            if value.isPresent { return value.joined(from: index) }
            value = RequestValue(verbatim: fields[index].value)
        }
        return value
    }

    private func isName(_ text: ByteRange, _ head: Span<UInt8>, _ name: ByteRange) -> Bool {
        guard text.count == name.count else { return false }
        for offset in 0..<Int(text.count)
        where asciiLowercased(head[Int(name.start) + offset]) != bytes[Int(text.start) + offset] {
            return false
        }
        return true
    }

    /// The value of the first parameter with that name.
    func queryValue(
        _ name: Int, _ head: Span<UInt8>, _ request: RequestRanges, _ found: inout Found
    ) -> RequestValue {
        guard let place = FoundPlace.query(name) else { return find(queryNames[name], head, request) }
        if let known = RequestValue(word: found[place]) { return known }
        let value = find(queryNames[name], head, request)
        found[place] = value.word
        return value
    }

    private func find(_ text: ByteRange, _ head: Span<UInt8>, _ request: RequestRanges) -> RequestValue {
        var position = Int(request.query.start)
        let end = request.query.bounds.upperBound
        while request.hasQuery, position < end {
            var stop = position
            while stop < end, head[stop] != 0x26 { stop += 1 }
            var equals = position
            while equals < stop, head[equals] != 0x3d { equals += 1 }
            if isQueryName(text, head, position..<equals) {
                return RequestValue(encoded: ByteRange(min(equals + 1, stop)..<stop))
            }
            position = stop + 1
        }
        return .absent
    }

    private func isQueryName(_ text: ByteRange, _ head: Span<UInt8>, _ encoded: Range<Int>) -> Bool {
        var name = RequestValue(encoded: ByteRange(encoded))
        for position in text.bounds {
            guard let byte = name.nextByte(head), byte == bytes[position] else { return false }
        }
        return name.nextByte(head) == nil
    }
}

extension ByteRange {
    init(_ range: Range<Int>) {
        self.init(start: UInt32(range.lowerBound), count: UInt32(range.count))
    }

    var bounds: Range<Int> { Int(start)..<Int(start) + Int(count) }
}
