package enum Filter: Sendable {
    case requestHeaderModifier(HeaderModifier)
    case responseHeaderModifier(HeaderModifier)
    case urlRewrite(URLRewrite)
}

/// HTTPHeaderFilter: `set` overwrites or creates, `add` appends, `remove` deletes. Names compare without case and
/// occur once across the three lists.
package struct HeaderModifier: Sendable {
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

package enum PathModifier: Hashable, Sendable {
    case replaceFullPath([UInt8])
    /// `match` is the rule's one PathPrefix value.
    case replacePrefixMatch(match: [UInt8], replacement: [UInt8])
}

package struct URLRewrite: Hashable, Sendable {
    package let hostname: [UInt8]?
    package let path: PathModifier?

    package init(hostname: [UInt8]?, path: PathModifier?) {
        self.hostname = hostname
        self.path = path
    }
}

package struct Redirect: Hashable, Sendable {
    package let scheme: [UInt8]?
    package let hostname: [UInt8]?
    package let port: UInt16?
    package let path: PathModifier?
    package let status: UInt16

    package init(scheme: [UInt8]?, hostname: [UInt8]?, port: UInt16?, path: PathModifier?, status: UInt16) {
        self.scheme = scheme
        self.hostname = hostname
        self.port = port
        self.path = path
        self.status = status
    }
}
