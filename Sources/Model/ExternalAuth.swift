/// HTTPExternalAuthFilter (GEP-1494): another service is asked before the request goes on.
package struct ExternalAuth: Sendable {
    package enum AuthProtocol: Hashable, Sendable {
        /// Envoy's ext_authz v3 `Authorization/Check`.
        case grpc
        /// 200 allows. `path` goes before the request's path; of the answer, `allowedResponseHeaders` (all but Host when
        /// empty) go to the backend. Names in lower case.
        case http(path: [UInt8], allowedResponseHeaders: [[UInt8]])
    }
    package let authProtocol: AuthProtocol
    /// As written in the route.
    package let service: ObjectName
    package let port: UInt16?
    package let target: WeightedBackend.Target
    /// Request headers that are sent besides the ones that always are. Lower case; empty with gRPC means all.
    package let allowedHeaders: [[UInt8]]
    /// Bytes of the request's body that are sent along; 0: none.
    package let maximumBody: Int

    package init(
        authProtocol: AuthProtocol, service: ObjectName, port: UInt16?, target: WeightedBackend.Target,
        allowedHeaders: [[UInt8]], maximumBody: Int
    ) {
        self.authProtocol = authProtocol
        self.service = service
        self.port = port
        self.target = target
        self.allowedHeaders = allowedHeaders
        self.maximumBody = maximumBody
    }
}

extension ExternalAuth {
    /// Why the service cannot be asked, so that every request is refused; nil when it can.
    package var failure: Reason? {
        switch target {
        case .invalid(let reason): reason
        case .backend(let backend): backend.endpoints.isEmpty ? .noReadyEndpoint : nil
        }
    }
}

extension [Filter] {
    /// The first authorization service among them that cannot be asked.
    package var unreachableAuth: ExternalAuth? {
        for case .externalAuth(let auth) in self where auth.failure != nil { return auth }
        return nil
    }
}
