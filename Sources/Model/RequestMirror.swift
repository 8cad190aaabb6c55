/// HTTPRequestMirrorFilter: a share of the requests is also sent elsewhere, and the answer thrown away.
package struct RequestMirror: Sendable {
    /// As written in the route.
    package let service: ObjectName
    package let port: UInt16?
    /// An invalid one mirrors nothing and hurts nobody.
    package let target: WeightedBackend.Target
    /// `numerator` of `denominator` requests; 0 mirrors none. At most the denominator, which is at least 1.
    package let numerator: UInt64
    package let denominator: UInt64

    package init(
        service: ObjectName, port: UInt16?, target: WeightedBackend.Target, numerator: UInt64, denominator: UInt64
    ) {
        self.service = service
        self.port = port
        self.target = target
        self.numerator = numerator
        self.denominator = denominator
    }
}
