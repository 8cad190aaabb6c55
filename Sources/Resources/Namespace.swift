package struct Namespace: APIObject, Hashable {
    package var apiVersion: String
    package var kind: String
    package var metadata: ObjectMeta

    package init(apiVersion: String = "v1", kind: String = "Namespace", metadata: ObjectMeta) {
        self.apiVersion = apiVersion
        self.kind = kind
        self.metadata = metadata
    }
}
