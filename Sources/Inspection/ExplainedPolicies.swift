extension Explained {
    /// How requests of one session are kept on one endpoint.
    package struct SessionPersistence: Codable, Sendable, Equatable {
        /// Cookie or Header.
        package var type: String
        package var name: String
        /// The cookie's Path attribute; nil for a header.
        package var path: String?
        /// Whether the cookie outlives the browser.
        package var isPermanent: Bool
        /// nil: no limit.
        package var absoluteTimeoutMilliseconds: Double?
        package var idleTimeoutMilliseconds: Double?

        package init(
            type: String, name: String, path: String?, isPermanent: Bool, absoluteTimeoutMilliseconds: Double?,
            idleTimeoutMilliseconds: Double?
        ) {
            self.type = type
            self.name = name
            self.path = path
            self.isPermanent = isPermanent
            self.absoluteTimeoutMilliseconds = absoluteTimeoutMilliseconds
            self.idleTimeoutMilliseconds = idleTimeoutMilliseconds
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(type, forKey: .type)
            try container.encode(name, forKey: .name)
            try container.encode(path, forKey: .path)
            try container.encode(isPermanent, forKey: .isPermanent)
            try container.encode(absoluteTimeoutMilliseconds, forKey: .absoluteTimeoutMilliseconds)
            try container.encode(idleTimeoutMilliseconds, forKey: .idleTimeoutMilliseconds)
        }
    }

    /// How many of a Service's requests may be retries.
    package struct RetryBudget: Codable, Sendable, Equatable {
        package var percent: Int
        package var intervalMilliseconds: Double
        /// So many are allowed in each `minimumIntervalMilliseconds` whatever the share.
        package var minimumCount: Int
        package var minimumIntervalMilliseconds: Double

        package init(
            percent: Int, intervalMilliseconds: Double, minimumCount: Int, minimumIntervalMilliseconds: Double
        ) {
            self.percent = percent
            self.intervalMilliseconds = intervalMilliseconds
            self.minimumCount = minimumCount
            self.minimumIntervalMilliseconds = minimumIntervalMilliseconds
        }
    }
}
