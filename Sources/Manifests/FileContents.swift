import Resources

/// What a file gives: a claim for each object, and what there is to say about the rest.
struct FileContents: Sendable {
    /// In the file's order.
    var claims: [Claim] = []
    var refusedObjects: [Finding] = []
    var unknownFields: [Finding] = []
    var notObjects: [Finding] = []
    var unknownKinds: [Finding] = []
}

/// A file's word on one object.
struct Claim: Sendable {
    let key: ObjectKey
    let line: Int
    /// nil when the object breaks a rule: whatever the file said before stays in force.
    let object: AdmittedObject?
}

/// An object that keeps every rule of its schema.
struct AdmittedObject: Sendable {
    let resource: Resource
    /// With defaults; what later versions are compared with.
    let value: JSONValue

    /// What a change of raises the generation: everything but the names and the status.
    var spec: JSONValue {
        guard case .object(var object) = value else { return value }
        for name in ["apiVersion", "kind", "metadata", "status"] { object[name] = nil }
        return .object(object)
    }
}
