/// Session persistence of a route's rule or an XBackendTrafficPolicy (GEP-1619, experimental), in the shapes of all
/// releases: up to 1.6 `sessionName` and `cookieConfig` (and `idleTimeout` up to 1.5), from 1.7 on `cookie` or `header`.
package struct SessionPersistence: Codable, Hashable, Sendable {
    package var sessionName: String?
    package var absoluteTimeout: String?
    package var idleTimeout: String?
    /// Cookie or Header.
    package var type: String
    package var cookieConfig: CookieConfig?
    package var cookie: SessionCookie?
    package var header: SessionHeader?

    package init(
        sessionName: String? = nil, absoluteTimeout: String? = nil, idleTimeout: String? = nil, type: String = "Cookie",
        cookieConfig: CookieConfig? = nil, cookie: SessionCookie? = nil, header: SessionHeader? = nil
    ) {
        self.sessionName = sessionName
        self.absoluteTimeout = absoluteTimeout
        self.idleTimeout = idleTimeout
        self.type = type
        self.cookieConfig = cookieConfig
        self.cookie = cookie
        self.header = header
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        sessionName = try fields.decodeIfPresent(String.self, forKey: .sessionName)
        absoluteTimeout = try fields.decodeIfPresent(String.self, forKey: .absoluteTimeout)
        idleTimeout = try fields.decodeIfPresent(String.self, forKey: .idleTimeout)
        type = try fields.decodeIfPresent(String.self, forKey: .type) ?? "Cookie"
        cookieConfig = try fields.decodeIfPresent(CookieConfig.self, forKey: .cookieConfig)
        cookie = try fields.decodeIfPresent(SessionCookie.self, forKey: .cookie)
        header = try fields.decodeIfPresent(SessionHeader.self, forKey: .header)
    }
}

package struct CookieConfig: Codable, Hashable, Sendable {
    /// Permanent or Session.
    package var lifetimeType: String

    package init(lifetimeType: String = "Session") {
        self.lifetimeType = lifetimeType
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        lifetimeType = try fields.decodeIfPresent(String.self, forKey: .lifetimeType) ?? "Session"
    }
}

package struct SessionCookie: Codable, Hashable, Sendable {
    /// Absent means one that the implementation makes.
    package var name: String?
    /// Permanent or Session.
    package var lifetimeType: String
    /// The cookie's Path attribute.
    package var path: String

    package init(name: String? = nil, lifetimeType: String = "Session", path: String = "/") {
        self.name = name
        self.lifetimeType = lifetimeType
        self.path = path
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        name = try fields.decodeIfPresent(String.self, forKey: .name)
        lifetimeType = try fields.decodeIfPresent(String.self, forKey: .lifetimeType) ?? "Session"
        path = try fields.decodeIfPresent(String.self, forKey: .path) ?? "/"
    }
}

package struct SessionHeader: Codable, Hashable, Sendable {
    package var name: String

    package init(name: String) {
        self.name = name
    }
}
