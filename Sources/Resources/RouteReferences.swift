/// A route's parent. A Service needs an explicit empty group: the default is a Gateway (GEP-1294).
package struct ParentReference: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    /// Absent means the route's own.
    package var namespace: String?
    package var name: String
    /// The name of a Service port.
    package var sectionName: String?
    /// 1...65535.
    package var port: Int?

    package init(
        group: String = "gateway.networking.k8s.io", kind: String = "Gateway", namespace: String? = nil,
        name: String, sectionName: String? = nil, port: Int? = nil
    ) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.sectionName = sectionName
        self.port = port
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        group = try fields.decodeIfPresent(String.self, forKey: .group) ?? "gateway.networking.k8s.io"
        kind = try fields.decodeIfPresent(String.self, forKey: .kind) ?? "Gateway"
        namespace = try fields.decodeIfPresent(String.self, forKey: .namespace)
        name = try fields.decode(String.self, forKey: .name)
        sectionName = try fields.decodeIfPresent(String.self, forKey: .sectionName)
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
    }
}

/// A backend without weight: mirrors and authorization services.
package struct BackendObjectReference: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String
    /// Absent means the route's own.
    package var namespace: String?
    /// Required for a Service. 1...65535.
    package var port: Int?

    package init(
        group: String = "", kind: String = "Service", name: String, namespace: String? = nil, port: Int? = nil
    ) {
        self.group = group
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.port = port
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        group = try fields.decodeIfPresent(String.self, forKey: .group) ?? ""
        kind = try fields.decodeIfPresent(String.self, forKey: .kind) ?? "Service"
        name = try fields.decode(String.self, forKey: .name)
        namespace = try fields.decodeIfPresent(String.self, forKey: .namespace)
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
    }
}

/// A weighted backend of a TLS, TCP or UDP route.
package struct BackendRef: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String
    package var namespace: String?
    package var port: Int?
    /// 0...1000000; the share is weight / sum of the rule's weights.
    package var weight: Int

    package init(
        group: String = "", kind: String = "Service", name: String, namespace: String? = nil, port: Int? = nil,
        weight: Int = 1
    ) {
        self.group = group
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.port = port
        self.weight = weight
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        group = try fields.decodeIfPresent(String.self, forKey: .group) ?? ""
        kind = try fields.decodeIfPresent(String.self, forKey: .kind) ?? "Service"
        name = try fields.decode(String.self, forKey: .name)
        namespace = try fields.decodeIfPresent(String.self, forKey: .namespace)
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
        weight = try fields.decodeIfPresent(Int.self, forKey: .weight) ?? 1
    }
}

/// An object in the referrer's namespace.
package struct LocalObjectReference: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String

    package init(group: String, kind: String, name: String) {
        self.group = group
        self.kind = kind
        self.name = name
    }
}

package struct HeaderModifier: Codable, Hashable, Sendable {
    /// Overwrites.
    package var set: [HTTPHeader]?
    /// Appends to what is there.
    package var add: [HTTPHeader]?
    package var remove: [String]?

    package init(set: [HTTPHeader]? = nil, add: [HTTPHeader]? = nil, remove: [String]? = nil) {
        self.set = set
        self.add = add
        self.remove = remove
    }
}

package struct HTTPHeader: Codable, Hashable, Sendable {
    /// Case-insensitive.
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

package struct RequestMirror: Codable, Hashable, Sendable {
    package var backendRef: BackendObjectReference
    /// 0...100; not together with `fraction`. Both absent: every request.
    package var percent: Int?
    package var fraction: Fraction?

    package init(backendRef: BackendObjectReference, percent: Int? = nil, fraction: Fraction? = nil) {
        self.backendRef = backendRef
        self.percent = percent
        self.fraction = fraction
    }
}

/// 0 <= numerator <= denominator.
package struct Fraction: Codable, Hashable, Sendable {
    package var numerator: Int
    package var denominator: Int

    package init(numerator: Int, denominator: Int = 100) {
        self.numerator = numerator
        self.denominator = denominator
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        numerator = try fields.decode(Int.self, forKey: .numerator)
        denominator = try fields.decodeIfPresent(Int.self, forKey: .denominator) ?? 100
    }
}
