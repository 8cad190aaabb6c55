package import Resources

/// What is to become of the XMesh that stands for this mesh (GEP-3949), by what the cluster holds under its name.
package struct MeshDecision: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        /// None is there. The object to create has a name and a controllerName and nothing else; its status follows.
        case create(XMesh)
        /// It is ours, and its status is not `status`.
        case writeStatus
        /// It is ours, and its status is as it should be.
        case none
        /// It is another controller's: not to be touched. Weir serves as it would with an empty spec.
        case leave(controllerName: String)
    }

    package let name: String
    package let action: Action
    /// The status that the object is to have; nil when it is another controller's. Conditions of other types are kept.
    package let status: XMeshStatus?
    package let problems: [Problem]

    /// `previous` is the decision before, for the times of its conditions.
    init(_ mesh: XMesh?, named name: String, timestamp: String, previous: MeshDecision?) {
        self.name = name
        let key = ObjectKey(kind: .xMesh, namespace: "", name: name)
        if let mesh, mesh.spec.controllerName != Compiler.controllerName {
            action = .leave(controllerName: mesh.spec.controllerName)
            status = nil
            let message =
                "the mesh belongs to \(mesh.spec.controllerName), not to \(Compiler.controllerName): it is left alone, and no "
                + "mesh resource stands for Weir"
            problems = [Problem(object: key, field: "spec.controllerName", message: message)]
            return
        }
        var accepted = true
        var verdict = Verdict(.accepted, "Weir serves this mesh, as \(Compiler.controllerName)")
        if let reference = mesh?.spec.parametersRef {
            let kind = reference.group.isEmpty ? reference.kind : "\(reference.kind).\(reference.group)"
            let target = [reference.namespace, reference.name].compactMap { $0 }.joined(separator: "/")
            accepted = false
            verdict = Verdict(
                .invalidParameters, "spec.parametersRef: Weir has no parameters that a \(kind) could hold: \(target)")
        }
        let written = mesh?.status?.conditions ?? []
        let condition = Condition(
            "Accepted", accepted, verdict, generation: mesh?.metadata.generation ?? 1, timestamp: timestamp,
            previous: previous?.status?.conditions ?? written)
        let status = XMeshStatus(
            conditions: [condition] + written.filter { $0.type != condition.type }, supportedFeatures: Feature.supported
        )
        self.status = status
        problems =
            accepted ? [] : [Problem(object: key, field: "spec.parametersRef", message: "the mesh has no parameters")]
        if let mesh {
            action = mesh.status == status ? .none : .writeStatus
        } else {
            action = .create(
                XMesh(metadata: ObjectMeta(name: name), spec: XMeshSpec(controllerName: Compiler.controllerName)))
        }
    }
}
