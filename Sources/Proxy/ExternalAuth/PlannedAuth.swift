import HTTPWire
import Model

/// An ExternalAuth filter laid out for the workers; see `Worker+Check`.
struct PlannedAuth: BitwiseCopyable {
    /// Bytes of a request's content that are kept for a service at most, whatever the filter allows: they are held in memory.
    static let largestBody = 16 << 20

    /// The service cannot be asked: every request is refused.
    let failure: Reason?
    /// What is asked. Its edits and filters are empty.
    let reference: UnsafePointer<PlannedReference>
    let isGRPC: Bool
    /// For gRPC: `name.namespace` of the service.
    let authority: PlannedText
    /// Goes before the request's path.
    let path: PlannedText
    /// Names in lower case.
    let allowedHeaders: UnsafeBufferPointer<PlannedText>
    let allowedResponseHeaders: UnsafeBufferPointer<PlannedText>
    /// At most `largestBody`; 0: no content is sent along.
    let maximumBody: Int

    init(_ auth: ExternalAuth, _ reference: PlannedReference, _ memory: Arena) {
        failure = auth.failure
        self.reference = memory.copy(reference)
        authority = memory.text("\(auth.service.name).\(auth.service.namespace)")
        switch auth.authProtocol {
        case .grpc:
            isGRPC = true
            path = .nothing
            allowedResponseHeaders = UnsafeBufferPointer(start: nil, count: 0)
        case .http(let prefix, let names):
            isGRPC = false
            path = memory.text(prefix)
            allowedResponseHeaders = memory.copy(names.map { memory.text($0) })
        }
        allowedHeaders = memory.copy(auth.allowedHeaders.map { memory.text($0) })
        maximumBody = min(auth.maximumBody, Self.largestBody)
    }
}

extension [Filter] {
    var externalAuths: [ExternalAuth] {
        compactMap { if case .externalAuth(let auth) = $0 { auth } else { nil } }
    }
}

extension ExternalAuth {
    /// What is asked; one without endpoints for a service that is none.
    var backend: Backend {
        switch target {
        case .backend(let backend): backend
        case .invalid: Backend(service: service, port: port ?? 0, appProtocol: nil, endpoints: [])
        }
    }

    var version: PlannedVersion {
        if case .grpc = authProtocol { return .http2 }
        if case .http2 = backend.httpVersion { return .http2 }
        return .http1
    }
}
