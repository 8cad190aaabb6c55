/// HTTPCORSFilter (GEP-1767, Fetch standard): which other origins may read the answers.
package struct CORSPolicy: Hashable, Sendable {
    /// `*`, or `scheme://host[:port]` where the host may be `*` or begin with `*.`, and the `*` stands for one or more
    /// labels. Scheme and host in lower case; no port that the scheme implies, as in a request's Origin (Fetch,
    /// "origin serialization").
    package let allowedOrigins: [[UInt8]]
    package let allowsCredentials: Bool
    /// As written; `*` alone means every one. Methods keep their case, header names compare without.
    package let allowedMethods: [[UInt8]]
    package let allowedHeaders: [[UInt8]]
    package let exposedHeaders: [[UInt8]]
    /// Seconds, at least 1.
    package let maximumAge: UInt32

    package init(
        allowedOrigins: [[UInt8]], allowsCredentials: Bool, allowedMethods: [[UInt8]], allowedHeaders: [[UInt8]],
        exposedHeaders: [[UInt8]], maximumAge: UInt32
    ) {
        self.allowedOrigins = allowedOrigins
        self.allowsCredentials = allowsCredentials
        self.allowedMethods = allowedMethods
        self.allowedHeaders = allowedHeaders
        self.exposedHeaders = exposedHeaders
        self.maximumAge = maximumAge
    }
}
