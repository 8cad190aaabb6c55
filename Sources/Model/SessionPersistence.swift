/// Session persistence (GEP-1619): requests of one session go to one endpoint while it lives.
package struct SessionPersistence: Hashable, Sendable {
    package enum Carrier: Hashable, Sendable {
        /// A cookie. `path` is its Path attribute; permanent ones carry Max-Age (`absoluteTimeout`, then at least 1 s)
        /// and outlive the browser.
        case cookie(name: [UInt8], path: [UInt8], isPermanent: Bool)
        /// A field in requests and responses; its name is in lower case.
        case header(name: [UInt8])
    }
    package let carrier: Carrier
    /// Nanoseconds from the session's first request; nil: no limit.
    package let absoluteTimeout: UInt64?
    /// Nanoseconds from the session's last request; nil: no limit.
    package let idleTimeout: UInt64?

    package init(carrier: Carrier, absoluteTimeout: UInt64?, idleTimeout: UInt64?) {
        self.carrier = carrier
        self.absoluteTimeout = absoluteTimeout
        self.idleTimeout = idleTimeout
    }
}
