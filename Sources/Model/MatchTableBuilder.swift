import HTTPWire
import RegularExpressions

extension MatchTable {
    /// Lays out texts, names and expressions, each text once.
    struct Builder {
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
                path: .exact, hasMethod: match.method != nil, pathText: .empty, expression: Condition.noExpression,
                methodExpression: Condition.noExpression, method: .empty,
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
            case .grpcMethod(let service?, let method?): row.pathText = text([0x2f] + service + [0x2f] + method)
            case .grpcMethod(let service?, nil):
                row.path = .service
                row.pathText = text(service)
            case .grpcMethod(nil, let method?):
                row.path = .method
                row.pathText = text(method)
            case .grpcMethod(nil, nil), .grpcMethodExpressions(nil, nil): row.path = .prefix
            case .grpcMethodExpressions(let service, let method):
                row.path = service == nil ? .methodExpression : .serviceExpression
                if let service { row.expression = add(service) }
                if let method { row.methodExpression = add(method) }
            }
            if let method = match.method { row.method = text(method) }
            for header in match.headers {
                add(headerName(asciiLowercased(header.name)), header.value)
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

        /// The index in `headerNames` of a name in lower case.
        mutating func headerName(_ name: [UInt8]) -> Int {
            if let known = headerIndices[name] { return known }
            headerIndices[name] = headerNames.count
            headerNames.append(text(name))
            return headerNames.count - 1
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

        mutating func text(_ value: [UInt8]) -> ByteRange {
            if let known = texts[value] { return known }
            let range = ByteRange(bytes.count..<bytes.count + value.count)
            bytes += value
            texts[value] = range
            return range
        }
    }
}
