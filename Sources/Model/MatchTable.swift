import HTTPWire
import RegularExpressions

/// The matches of a `RouteTable` as flat tables over one run of bytes, in order of precedence.
///
/// Deciding about a match is `failure(of:…)` alone, for requests as for explanations; the path indices only spare the
/// rows whose path cannot match.
final class MatchTable: Sendable {
    /// One match of one rule.
    struct Row: BitwiseCopyable {
        var path: Precedence.PathRank
        var hasMethod: Bool
        /// In `bytes`; a prefix without its trailing slash.
        var pathText: ByteRange
        /// In `expressions`; for a path of that type only.
        var expression: UInt32
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
    private let exact: PathIndex
    private let prefixes: PathIndex
    private let expressionRows: Range<Int>

    /// `matches` in order of precedence, each with its rule's index.
    init(_ matches: [(match: RouteMatch, rule: Int)]) {
        var builder = Builder()
        rows = matches.map { builder.row($0.match, rule: $0.rule) }
        conditions = builder.conditions
        bytes = builder.bytes
        expressions = builder.expressions
        headerNames = builder.headerNames
        queryNames = builder.queryNames
        hostName = builder.headerIndices[Array("host".utf8)] ?? -1
        exact = PathIndex(rows, of: .exact, bytes)
        prefixes = PathIndex(rows, of: .prefix, bytes)
        let first = rows.firstIndex { $0.path != .exact } ?? rows.count
        let last = rows.firstIndex { $0.path == .prefix } ?? rows.count
        expressionRows = first..<max(first, last)
    }

    /// The first row all of whose conditions hold.
    func firstMatch(_ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>) -> Int? {
        var words = FoundWords(repeating: 0)
        var found = words.mutableSpan
        let same = exact.whole(head, request.path, bytes)
        if same >= 0 {
            for position in exact.rows(of: same) {
                let row = exact.row(at: position)
                if failure(of: row, head, request, fields, &found) == .none { return row }
            }
        }
        for row in expressionRows where failure(of: row, head, request, fields, &found) == .none { return row }
        var bucket = prefixes.longest(head, request.path, bytes)
        while bucket >= 0 {
            for position in prefixes.rows(of: bucket) {
                let row = prefixes.row(at: position)
                if failure(of: row, head, request, fields, &found) == .none { return row }
            }
            bucket = prefixes.parent(of: bucket)
        }
        return nil
    }

    /// The first condition of the row that does not hold. `found` belongs to this request and this table.
    func failure(
        of index: Int, _ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>, _ found: inout Found
    ) -> Failure {
        let row = rows[index]
        if !pathHolds(row, head, request.path) { return .path }
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

    private func pathHolds(_ row: Row, _ head: Span<UInt8>, _ path: ByteRange) -> Bool {
        switch row.path {
        case .exact: return equal(head, path, row.pathText)
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

    // MARK: Building

    private struct Builder {
        var bytes: [UInt8] = []
        var conditions: [Condition] = []
        var expressions: [RegularExpression] = []
        var headerNames: [ByteRange] = []
        var queryNames: [ByteRange] = []
        var headerIndices: [[UInt8]: Int] = [:]
        private var queryIndices: [[UInt8]: Int] = [:]
        private var texts: [[UInt8]: ByteRange] = [:]

        mutating func row(_ match: RouteMatch, rule: Int) -> Row {
            var row = Row(
                path: .exact, hasMethod: match.method != nil, pathText: .empty, expression: 0, method: .empty,
                firstCondition: UInt32(conditions.count), headers: UInt16(match.headers.count),
                queryParams: UInt16(match.queryParams.count), rule: UInt32(rule))
            switch match.path {
            case .exact(let value): row.pathText = text(value)
            case .prefix(let value):
                row.path = .prefix
                row.pathText = text(withoutTrailingSlash(value))
            case .regularExpression(let expression):
                row.path = .regularExpression
                row.expression = add(expression)
            }
            if let method = match.method { row.method = text(method) }
            for header in match.headers {
                let name = asciiLowercased(header.name)
                let index = headerIndices[name] ?? headerNames.count
                if index == headerNames.count {
                    headerIndices[name] = index
                    headerNames.append(text(name))
                }
                add(index, header.value)
            }
            for query in match.queryParams {
                let index = queryIndices[query.name] ?? queryNames.count
                if index == queryNames.count {
                    queryIndices[query.name] = index
                    queryNames.append(text(query.name))
                }
                add(index, query.value)
            }
            return row
        }

        private mutating func add(_ name: Int, _ value: RouteMatch.Value) {
            switch value {
            case .exact(let wanted):
                conditions.append(
                    Condition(name: UInt32(name), value: text(wanted), expression: Condition.noExpression))
            case .regularExpression(let expression):
                conditions.append(Condition(name: UInt32(name), value: .empty, expression: add(expression)))
            }
        }

        private mutating func add(_ expression: RegularExpression) -> UInt32 {
            expressions.append(expression)
            return UInt32(expressions.count - 1)
        }

        private mutating func text(_ value: [UInt8]) -> ByteRange {
            if let known = texts[value] { return known }
            let range = ByteRange(bytes.count..<bytes.count + value.count)
            bytes += value
            texts[value] = range
            return range
        }
    }
}

extension ByteRange {
    init(_ range: Range<Int>) {
        self.init(start: UInt32(range.lowerBound), count: UInt32(range.count))
    }

    var bounds: Range<Int> { Int(start)..<Int(start) + Int(count) }
}
