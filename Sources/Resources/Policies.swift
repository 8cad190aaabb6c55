/// ReferenceGrant v1: entries of `from` may refer to entries of `to` in this object's namespace.
package struct ReferenceGrant: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: ReferenceGrantSpec

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "ReferenceGrant", metadata: ObjectMeta,
        spec: ReferenceGrantSpec
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
    }
}

package struct ReferenceGrantSpec: Codable, Hashable, Sendable {
    package var from: [ReferenceGrantFrom]
    package var to: [ReferenceGrantTo]

    package init(from: [ReferenceGrantFrom], to: [ReferenceGrantTo]) {
        self.from = from
        self.to = to
    }
}

package struct ReferenceGrantFrom: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var namespace: String

    package init(group: String, kind: String, namespace: String) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
    }
}

package struct ReferenceGrantTo: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    /// Absent means every object of the kind.
    package var name: String?

    package init(group: String, kind: String, name: String? = nil) {
        self.group = group
        self.kind = kind
        self.name = name
    }
}

/// BackendTLSPolicy v1: every field of the schema.
package struct BackendTLSPolicy: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: BackendTLSPolicySpec
    package var status: PolicyStatus?

    package init(
        apiVersion: String = "gateway.networking.k8s.io/v1", kind: String = "BackendTLSPolicy", metadata: ObjectMeta,
        spec: BackendTLSPolicySpec, status: PolicyStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct BackendTLSPolicySpec: Codable, Hashable, Sendable {
    package var targetRefs: [PolicyTargetReference]
    package var validation: BackendTLSPolicyValidation
    package var options: [String: String]?

    package init(
        targetRefs: [PolicyTargetReference], validation: BackendTLSPolicyValidation, options: [String: String]? = nil
    ) {
        self.targetRefs = targetRefs
        self.validation = validation
        self.options = options
    }
}

/// An object in the policy's namespace, or a section of it.
package struct PolicyTargetReference: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String
    package var sectionName: String?

    package init(group: String, kind: String, name: String, sectionName: String? = nil) {
        self.group = group
        self.kind = kind
        self.name = name
        self.sectionName = sectionName
    }
}

package struct BackendTLSPolicyValidation: Codable, Hashable, Sendable {
    package var caCertificateRefs: [LocalObjectReference]?
    package var wellKnownCACertificates: String?
    package var hostname: String
    package var subjectAltNames: [SubjectAltName]?

    package init(
        caCertificateRefs: [LocalObjectReference]? = nil, wellKnownCACertificates: String? = nil, hostname: String,
        subjectAltNames: [SubjectAltName]? = nil
    ) {
        self.caCertificateRefs = caCertificateRefs
        self.wellKnownCACertificates = wellKnownCACertificates
        self.hostname = hostname
        self.subjectAltNames = subjectAltNames
    }
}

package struct SubjectAltName: Codable, Hashable, Sendable {
    /// Hostname or URI.
    package var type: String
    package var hostname: String?
    package var uri: String?

    package init(type: String, hostname: String? = nil, uri: String? = nil) {
        self.type = type
        self.hostname = hostname
        self.uri = uri
    }
}

/// XBackendTrafficPolicy v1alpha1 (GEP-3388): every field of the schema.
package struct XBackendTrafficPolicy: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: XBackendTrafficPolicySpec
    package var status: PolicyStatus?

    package init(
        apiVersion: String = "gateway.networking.x-k8s.io/v1alpha1", kind: String = "XBackendTrafficPolicy",
        metadata: ObjectMeta, spec: XBackendTrafficPolicySpec, status: PolicyStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct XBackendTrafficPolicySpec: Codable, Hashable, Sendable {
    package var targetRefs: [LocalObjectReference]
    package var retryConstraint: RetryConstraint?
    package var sessionPersistence: SessionPersistence?

    package init(
        targetRefs: [LocalObjectReference], retryConstraint: RetryConstraint? = nil,
        sessionPersistence: SessionPersistence? = nil
    ) {
        self.targetRefs = targetRefs
        self.retryConstraint = retryConstraint
        self.sessionPersistence = sessionPersistence
    }
}

package struct RetryConstraint: Codable, Hashable, Sendable {
    package var budget: RetryBudget?
    package var minRetryRate: RequestRate?

    package init(budget: RetryBudget? = nil, minRetryRate: RequestRate? = nil) {
        self.budget = budget
        self.minRetryRate = minRetryRate
    }
}

package struct RetryBudget: Codable, Hashable, Sendable {
    /// 0...100.
    package var percent: Int
    package var interval: String

    package init(percent: Int = 20, interval: String = "10s") {
        self.percent = percent
        self.interval = interval
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        percent = try fields.decodeIfPresent(Int.self, forKey: .percent) ?? 20
        interval = try fields.decodeIfPresent(String.self, forKey: .interval) ?? "10s"
    }
}

package struct RequestRate: Codable, Hashable, Sendable {
    package var count: Int?
    package var interval: String?

    package init(count: Int? = nil, interval: String? = nil) {
        self.count = count
        self.interval = interval
    }
}

/// XMesh v1alpha1 (GEP-3949): every field of the schema.
package struct XMesh: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta
    package var spec: XMeshSpec
    package var status: XMeshStatus?

    package init(
        apiVersion: String = "gateway.networking.x-k8s.io/v1alpha1", kind: String = "XMesh", metadata: ObjectMeta,
        spec: XMeshSpec, status: XMeshStatus? = nil
    ) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

package struct XMeshSpec: Codable, Hashable, Sendable {
    package var controllerName: String
    package var description: String?
    package var parametersRef: ParametersReference?

    package init(controllerName: String, description: String? = nil, parametersRef: ParametersReference? = nil) {
        self.controllerName = controllerName
        self.description = description
        self.parametersRef = parametersRef
    }
}

package struct ParametersReference: Codable, Hashable, Sendable {
    package var group: String
    package var kind: String
    package var name: String
    package var namespace: String?

    package init(group: String, kind: String, name: String, namespace: String? = nil) {
        self.group = group
        self.kind = kind
        self.name = name
        self.namespace = namespace
    }
}

package struct XMeshStatus: Codable, Hashable, Sendable {
    package var conditions: [Condition]?
    package var supportedFeatures: [SupportedFeature]?

    package init(conditions: [Condition]? = nil, supportedFeatures: [SupportedFeature]? = nil) {
        self.conditions = conditions
        self.supportedFeatures = supportedFeatures
    }
}

package struct SupportedFeature: Codable, Hashable, Sendable {
    package var name: String

    package init(name: String) {
        self.name = name
    }
}
