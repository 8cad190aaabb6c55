/// What HTTPRoutes and GRPCRoutes have in common: a header's or a query parameter's condition.
package struct NamedValueMatch: Codable, Hashable, Sendable {
    /// Exact or RegularExpression.
    package var type: String
    package var name: String
    package var value: String

    package init(type: String = "Exact", name: String, value: String) {
        self.type = type
        self.name = name
        self.value = value
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        type = try fields.decodeIfPresent(String.self, forKey: .type) ?? "Exact"
        name = try fields.decode(String.self, forKey: .name)
        value = try fields.decode(String.self, forKey: .value)
    }
}

/// A weighted backend with filters of its own.
package struct FilteredBackendRef<Filter: Codable & Hashable & Sendable>: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String
    /// Absent means the route's own.
    package var namespace: String?
    /// Required for a Service.
    package var port: Int?
    /// 0...1000000.
    package var weight: Int
    package var filters: [Filter]?

    package init(
        group: String = "", kind: String = "Service", name: String, namespace: String? = nil, port: Int? = nil,
        weight: Int = 1, filters: [Filter]? = nil
    ) {
        self.group = group
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.port = port
        self.weight = weight
        self.filters = filters
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        group = try fields.decodeIfPresent(String.self, forKey: .group) ?? ""
        kind = try fields.decodeIfPresent(String.self, forKey: .kind) ?? "Service"
        name = try fields.decode(String.self, forKey: .name)
        namespace = try fields.decodeIfPresent(String.self, forKey: .namespace)
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
        weight = try fields.decodeIfPresent(Int.self, forKey: .weight) ?? 1
        filters = try fields.decodeIfPresent([Filter].self, forKey: .filters)
    }
}
