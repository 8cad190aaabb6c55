package enum Filter: Sendable {
    case requestHeaderModifier(HeaderModifier)
    case responseHeaderModifier(HeaderModifier)
    case urlRewrite(URLRewrite)
    case requestMirror(RequestMirror)
    case cors(CORSPolicy)
    case externalAuth(ExternalAuth)
}

/// HTTPHeaderFilter: `set` overwrites or creates, `add` appends, `remove` deletes. Names compare without case and
/// occur once across the three lists.
package struct HeaderModifier: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        package let name: [UInt8]
        package let value: [UInt8]

        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }
    package let set: [Field]
    package let add: [Field]
    package let remove: [[UInt8]]

    package init(set: [Field], add: [Field], remove: [[UInt8]]) {
        self.set = set
        self.add = add
        self.remove = remove
    }
}

/// Header modifiers that run one after the other, reduced to what one pass over a message does: lines with a name in
/// `dropped` go, and `added` come behind the others. A modifier that sets or removes a name undoes what earlier ones
/// gave it; one that adds puts a line behind, which is the same field with the values joined (RFC 9110 section 5.3).
package struct HeaderEdits: Hashable, Sendable {
    /// In lower case, no duplicates.
    package private(set) var dropped: [[UInt8]] = []
    package private(set) var added: [HeaderModifier.Field] = []

    package init(_ modifiers: some Sequence<HeaderModifier>) {
        for modifier in modifiers {
            for name in modifier.remove { drop(name) }
            for field in modifier.set {
                drop(field.name)
                added.append(field)
            }
            added += modifier.add
        }
    }

    private mutating func drop(_ name: [UInt8]) {
        let lowercased = asciiLowercased(name)
        added.removeAll { asciiLowercased($0.name) == lowercased }
        if !dropped.contains(lowercased) { dropped.append(lowercased) }
    }
}

extension [Filter] {
    /// What the request modifiers among them do, in their order.
    package var requestEdits: HeaderEdits {
        HeaderEdits(lazy.compactMap { if case .requestHeaderModifier(let modifier) = $0 { modifier } else { nil } })
    }

    /// What the response modifiers among them do, in their order.
    package var responseEdits: HeaderEdits {
        HeaderEdits(lazy.compactMap { if case .responseHeaderModifier(let modifier) = $0 { modifier } else { nil } })
    }

    /// The CORS filter among them; a list has one at most.
    package var cors: CORSPolicy? {
        for case .cors(let policy) in self { return policy }
        return nil
    }

    package var urlRewrites: [URLRewrite] {
        compactMap { if case .urlRewrite(let rewrite) = $0 { rewrite } else { nil } }
    }
}
