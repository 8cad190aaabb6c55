/// A filter of an HTTPRoute: `type` says which of the other fields is set.
package struct HTTPRouteFilter: Codable, Hashable, Sendable {
    package var type: String
    package var requestHeaderModifier: HeaderModifier?
    package var responseHeaderModifier: HeaderModifier?
    package var requestMirror: RequestMirror?
    package var requestRedirect: HTTPRequestRedirect?
    package var urlRewrite: HTTPURLRewrite?
    package var cors: HTTPCORS?
    package var externalAuth: HTTPExternalAuth?
    package var extensionRef: LocalObjectReference?

    package init(
        type: String, requestHeaderModifier: HeaderModifier? = nil, responseHeaderModifier: HeaderModifier? = nil,
        requestMirror: RequestMirror? = nil, requestRedirect: HTTPRequestRedirect? = nil,
        urlRewrite: HTTPURLRewrite? = nil, cors: HTTPCORS? = nil, externalAuth: HTTPExternalAuth? = nil,
        extensionRef: LocalObjectReference? = nil
    ) {
        self.type = type
        self.requestHeaderModifier = requestHeaderModifier
        self.responseHeaderModifier = responseHeaderModifier
        self.requestMirror = requestMirror
        self.requestRedirect = requestRedirect
        self.urlRewrite = urlRewrite
        self.cors = cors
        self.externalAuth = externalAuth
        self.extensionRef = extensionRef
    }
}

/// A filter of a GRPCRoute.
package struct GRPCRouteFilter: Codable, Hashable, Sendable {
    package var type: String
    package var requestHeaderModifier: HeaderModifier?
    package var responseHeaderModifier: HeaderModifier?
    package var requestMirror: RequestMirror?
    package var extensionRef: LocalObjectReference?

    package init(
        type: String, requestHeaderModifier: HeaderModifier? = nil, responseHeaderModifier: HeaderModifier? = nil,
        requestMirror: RequestMirror? = nil, extensionRef: LocalObjectReference? = nil
    ) {
        self.type = type
        self.requestHeaderModifier = requestHeaderModifier
        self.responseHeaderModifier = responseHeaderModifier
        self.requestMirror = requestMirror
        self.extensionRef = extensionRef
    }
}

/// Absent fields keep what the request has.
package struct HTTPRequestRedirect: Codable, Hashable, Sendable {
    package var scheme: String?
    package var hostname: String?
    package var path: HTTPPathModifier?
    package var port: Int?
    /// 301, 302, 303, 307 or 308.
    package var statusCode: Int

    package init(
        scheme: String? = nil, hostname: String? = nil, path: HTTPPathModifier? = nil, port: Int? = nil,
        statusCode: Int = 302
    ) {
        self.scheme = scheme
        self.hostname = hostname
        self.path = path
        self.port = port
        self.statusCode = statusCode
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        scheme = try fields.decodeIfPresent(String.self, forKey: .scheme)
        hostname = try fields.decodeIfPresent(String.self, forKey: .hostname)
        path = try fields.decodeIfPresent(HTTPPathModifier.self, forKey: .path)
        port = try fields.decodeIfPresent(Int.self, forKey: .port)
        statusCode = try fields.decodeIfPresent(Int.self, forKey: .statusCode) ?? 302
    }
}

package struct HTTPPathModifier: Codable, Hashable, Sendable {
    /// ReplaceFullPath or ReplacePrefixMatch.
    package var type: String
    package var replaceFullPath: String?
    package var replacePrefixMatch: String?

    package init(type: String, replaceFullPath: String? = nil, replacePrefixMatch: String? = nil) {
        self.type = type
        self.replaceFullPath = replaceFullPath
        self.replacePrefixMatch = replacePrefixMatch
    }
}

package struct HTTPURLRewrite: Codable, Hashable, Sendable {
    package var hostname: String?
    package var path: HTTPPathModifier?

    package init(hostname: String? = nil, path: HTTPPathModifier? = nil) {
        self.hostname = hostname
        self.path = path
    }
}

package struct HTTPCORS: Codable, Hashable, Sendable {
    package var allowOrigins: [String]?
    package var allowCredentials: Bool?
    package var allowMethods: [String]?
    package var allowHeaders: [String]?
    package var exposeHeaders: [String]?
    /// Seconds, at least 1.
    package var maxAge: Int

    package init(
        allowOrigins: [String]? = nil, allowCredentials: Bool? = nil, allowMethods: [String]? = nil,
        allowHeaders: [String]? = nil, exposeHeaders: [String]? = nil, maxAge: Int = 5
    ) {
        self.allowOrigins = allowOrigins
        self.allowCredentials = allowCredentials
        self.allowMethods = allowMethods
        self.allowHeaders = allowHeaders
        self.exposeHeaders = exposeHeaders
        self.maxAge = maxAge
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        allowOrigins = try fields.decodeIfPresent([String].self, forKey: .allowOrigins)
        allowCredentials = try fields.decodeIfPresent(Bool.self, forKey: .allowCredentials)
        allowMethods = try fields.decodeIfPresent([String].self, forKey: .allowMethods)
        allowHeaders = try fields.decodeIfPresent([String].self, forKey: .allowHeaders)
        exposeHeaders = try fields.decodeIfPresent([String].self, forKey: .exposeHeaders)
        maxAge = try fields.decodeIfPresent(Int.self, forKey: .maxAge) ?? 5
    }
}

/// GEP-1494, experimental.
package struct HTTPExternalAuth: Codable, Hashable, Sendable {
    /// HTTP or GRPC.
    package var `protocol`: String
    package var backendRef: BackendObjectReference
    package var grpc: GRPCAuthConfig?
    package var http: HTTPAuthConfig?
    package var forwardBody: ForwardBodyConfig?

    package init(
        `protocol`: String, backendRef: BackendObjectReference, grpc: GRPCAuthConfig? = nil,
        http: HTTPAuthConfig? = nil, forwardBody: ForwardBodyConfig? = nil
    ) {
        self.protocol = `protocol`
        self.backendRef = backendRef
        self.grpc = grpc
        self.http = http
        self.forwardBody = forwardBody
    }
}

package struct GRPCAuthConfig: Codable, Hashable, Sendable {
    package var allowedHeaders: [String]?

    package init(allowedHeaders: [String]? = nil) {
        self.allowedHeaders = allowedHeaders
    }
}

package struct HTTPAuthConfig: Codable, Hashable, Sendable {
    package var path: String?
    package var allowedHeaders: [String]?
    package var allowedResponseHeaders: [String]?

    package init(path: String? = nil, allowedHeaders: [String]? = nil, allowedResponseHeaders: [String]? = nil) {
        self.path = path
        self.allowedHeaders = allowedHeaders
        self.allowedResponseHeaders = allowedResponseHeaders
    }
}

package struct ForwardBodyConfig: Codable, Hashable, Sendable {
    /// Bytes; 0 or absent: the body is not sent.
    package var maxSize: Int?

    package init(maxSize: Int? = nil) {
        self.maxSize = maxSize
    }
}
