package import RegularExpressions

/// One entry of a rule's `matches`, as written: all its conditions must hold. The input of a `RouteTable`.
package struct RouteMatch: Sendable {
    package enum Path: Sendable {
        case exact([UInt8])
        /// By path elements; a trailing slash in the value counts for nothing.
        case prefix([UInt8])
        /// Must match the whole path.
        case regularExpression(RegularExpression)
        /// GRPCMethodMatch of type Exact: the parts of a path `/service/method` that are given; none given is every
        /// path.
        case grpcMethod(service: [UInt8]?, method: [UInt8]?)
        /// GRPCMethodMatch of type RegularExpression, each of a whole part.
        case grpcMethodExpressions(service: RegularExpression?, method: RegularExpression?)
    }

    package enum Value: Sendable {
        case exact([UInt8])
        /// Must match the whole value.
        case regularExpression(RegularExpression)
    }

    package struct Named: Sendable {
        package let name: [UInt8]
        package let value: Value

        package init(name: [UInt8], value: Value) {
            self.name = name
            self.value = value
        }
    }

    package let path: Path
    package let method: [UInt8]?
    /// Of entries whose names are equal without case, only the first counts.
    package let headers: [Named]
    /// Of entries with equal names, only the first counts.
    package let queryParams: [Named]

    package init(path: Path, method: [UInt8]?, headers: [Named], queryParams: [Named]) {
        self.path = path
        self.method = method
        self.headers = Self.firsts(headers) { asciiLowercased($0) }
        self.queryParams = Self.firsts(queryParams) { $0 }
    }

    /// What a rule without matches has.
    package static let everything = RouteMatch(path: .prefix([0x2f]), method: nil, headers: [], queryParams: [])

    private static func firsts(_ all: [Named], key: ([UInt8]) -> [UInt8]) -> [Named] {
        var seen: Set<[UInt8]> = []
        return all.filter { seen.insert(key($0.name)).inserted }
    }
}

/// A rule with its matches and what breaks ties between equal matches of two routes.
package struct RouteTableEntry: Sendable {
    package let rule: Rule
    /// Empty stands for PathPrefix `/`, which every path matches, a gRPC method's too.
    package let matches: [RouteMatch]
    /// RFC 3339 in UTC, whole seconds, so that text order is time order; nil counts as youngest.
    package let creationTimestamp: String?

    package init(rule: Rule, matches: [RouteMatch], creationTimestamp: String?) {
        self.rule = rule
        self.matches = matches
        self.creationTimestamp = creationTimestamp
    }
}

/// `name` with ASCII letters in lower case: the form in which field names are compared (RFC 9110 section 5.1).
func asciiLowercased(_ name: [UInt8]) -> [UInt8] {
    name.map(asciiLowercased)
}

@inline(__always)
func asciiLowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
}

/// A PathPrefix value as it is compared and counted: without its trailing slash, so that `/` is empty.
func withoutTrailingSlash(_ path: [UInt8]) -> [UInt8] {
    path.last == 0x2f ? path.dropLast() : path
}
