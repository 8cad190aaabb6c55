package import HTTPWire
import RegularExpressions

/// Why a request meets the rule that it meets: every match of a `RouteTable` in order of precedence, with the first
/// condition that the request fails.
package struct Explanation: Hashable, Sendable {
    package struct Failure: Hashable, Sendable {
        package enum Condition: Hashable, Sendable, CustomStringConvertible {
            /// The request is none of gRPC.
            case contentType
            case path
            /// `/service/method`.
            case grpcPath
            case method
            /// The name as in the route, in lower case.
            case header(String)
            case queryParam(String)

            package var description: String {
                switch self {
                case .contentType: "header content-type"
                case .path: "path"
                case .grpcPath: "gRPC path"
                case .method: "method"
                case .header(let name): "header \(name)"
                case .queryParam(let name): "query parameter \(name)"
                }
            }
        }

        package let condition: Condition
        /// What the route asks for: `= /one`, `begins with /v2`, `matches v[0-9]+`.
        package let wanted: String
        /// What the request has, in the form in which it is matched; nil when it has none.
        package let seen: String?
    }

    package struct Tried: Hashable, Sendable {
        /// Index in `RouteTable.rules`.
        package let rule: Int
        /// 0-based position in the rule's matches.
        package let match: Int
        package let precedence: Precedence
        /// All conditions in words.
        package let conditions: String
        /// nil when the request meets them all.
        package let failure: Failure?
    }

    /// In order of precedence.
    package let tried: [Tried]
    /// Index in `tried` of the first that matched; its rule is what `RouteTable.match` gives.
    package let winner: Int?
    /// Index in `tried` of the next that matched and belongs to another rule.
    package let runnerUp: Int?
    /// By what the winner comes before the runner-up.
    package let decidedBy: Precedence.Step?
}

extension RouteTable {
    /// `match`, with reasons. Asks every row by the code that `match` asks it by.
    package func explain(
        _ head: Span<UInt8>, _ request: RequestRanges, _ fields: Span<FieldRange>
    ) -> Explanation {
        var words = FoundWords(repeating: 0)
        var found = words.mutableSpan
        let parts = table.isGRPC ? GRPCPath(head, request.path) : .unread
        var tried: [Explanation.Tried] = []
        for (index, row) in table.rows.enumerated() {
            let failure = table.failure(of: index, head, request, parts, fields, &found)
            tried.append(
                Explanation.Tried(
                    rule: Int(row.rule), match: precedences[index].match, precedence: precedences[index],
                    conditions: table.words(of: row),
                    failure: explained(failure, row, head, request, fields, &found)))
        }
        let winner = tried.firstIndex { $0.failure == nil }
        let runnerUp = winner.flatMap { winner in
            tried.indices.first { $0 > winner && tried[$0].failure == nil && tried[$0].rule != tried[winner].rule }
        }
        var step: Precedence.Step?
        if let winner, let runnerUp {
            step = tried[winner].precedence.decision(over: tried[runnerUp].precedence)?.step
        }
        return Explanation(tried: tried, winner: winner, runnerUp: runnerUp, decidedBy: step)
    }

    private func explained(
        _ failure: MatchTable.Failure, _ row: MatchTable.Row, _ head: Span<UInt8>, _ request: RequestRanges,
        _ fields: Span<FieldRange>, _ found: inout Found
    ) -> Explanation.Failure? {
        func text(_ value: RequestValue) -> String? {
            guard value.isPresent else { return nil }
            var value = value
            var bytes: [UInt8] = []
            while let byte = value.next(head, fields) { bytes.append(byte) }
            return String(decoding: bytes, as: UTF8.self)
        }
        switch failure {
        case .none: return nil
        case .contentType:
            return Explanation.Failure(
                condition: .contentType, wanted: "= \(table.text(table.grpcContentType))",
                seen: text(table.headerValue(table.contentType, head, request, fields, &found)))
        case .path:
            return Explanation.Failure(
                condition: table.isGRPC ? .grpcPath : .path, wanted: table.wantedPath(of: row),
                seen: text(RequestValue(verbatim: request.path)))
        case .method:
            return Explanation.Failure(
                condition: .method, wanted: "= \(table.text(row.method))",
                seen: text(RequestValue(verbatim: request.method)))
        case .header(let index):
            let condition = table.conditions[index]
            let name = Int(condition.name)
            return Explanation.Failure(
                condition: .header(table.text(table.headerNames[name])), wanted: table.wanted(condition),
                seen: text(table.headerValue(name, head, request, fields, &found)))
        case .queryParam(let index):
            let condition = table.conditions[index]
            let name = Int(condition.name)
            return Explanation.Failure(
                condition: .queryParam(table.text(table.queryNames[name])), wanted: table.wanted(condition),
                seen: text(table.queryValue(name, head, request, &found)))
        }
    }
}

extension MatchTable {
    fileprivate func text(_ range: ByteRange) -> String {
        String(decoding: bytes[range.bounds], as: UTF8.self)
    }

    fileprivate func wantedPath(of row: Row) -> String {
        func pattern(_ expression: UInt32) -> String { "matches \(expressions[Int(expression)].pattern)" }
        switch row.path {
        case .exact: return "\(isGRPC ? "method " : "")= \(text(row.pathText))"
        case .prefix where isGRPC: return "any method"
        case .prefix: return "begins with \(row.pathText.isEmpty ? "/" : text(row.pathText))"
        case .regularExpression: return pattern(row.expression)
        case .service: return "service = \(text(row.pathText))"
        case .method: return "method = \(text(row.pathText))"
        case .serviceExpression where row.methodExpression == Condition.noExpression:
            return "service \(pattern(row.expression))"
        case .serviceExpression:
            return "service \(pattern(row.expression)) and method \(pattern(row.methodExpression))"
        case .methodExpression: return "method \(pattern(row.methodExpression))"
        }
    }

    fileprivate func wanted(_ condition: Condition) -> String {
        condition.expression == Condition.noExpression
            ? "= \(text(condition.value))" : "matches \(expressions[Int(condition.expression)].pattern)"
    }

    /// All conditions of a row: `path begins with /v2, method = GET, header version = two`, or
    /// `gRPC method = /shop.Cart/Add, header version = two`.
    fileprivate func words(of row: Row) -> String {
        var parts = ["\(isGRPC ? "gRPC" : "path") \(wantedPath(of: row))"]
        if row.hasMethod { parts.append("method = \(text(row.method))") }
        let first = Int(row.firstCondition)
        for condition in conditions[first..<first + Int(row.headers)] {
            parts.append("header \(text(headerNames[Int(condition.name)])) \(wanted(condition))")
        }
        let queries = first + Int(row.headers)
        for condition in conditions[queries..<queries + Int(row.queryParams)] {
            parts.append("query parameter \(text(queryNames[Int(condition.name)])) \(wanted(condition))")
        }
        return parts.joined(separator: ", ")
    }
}

extension RouteTable {
    /// The table's matches in order of precedence, in words, with the index of each one's rule.
    package var matchesInOrder: [(rule: Int, conditions: String)] {
        table.rows.map { (Int($0.rule), table.words(of: $0)) }
    }
}
