import Compiler
import Resources
import Testing

/// XMesh (GEP-3949): created when absent, never edited, left alone when it is another's.
@Suite struct MeshDecisionTests {
    private func mesh(_ name: String = "weir", controller: String = "weir.dev/mesh", more: String = "") -> String {
        """
        apiVersion: gateway.networking.x-k8s.io/v1alpha1
        kind: XMesh
        metadata: {name: \(name), generation: 2, uid: u}
        spec: {controllerName: \(controller), description: d}
        \(more)
        """
    }

    @Test func isCreatedWhenAbsent() throws {
        var mesh = Mesh()
        let decision = mesh.apply(.batch([])).mesh
        #expect(
            decision.action
                == .create(XMesh(metadata: ObjectMeta(name: "weir"), spec: XMeshSpec(controllerName: "weir.dev/mesh"))))
        #expect(decision.problems.isEmpty)
        // Without the resource all is as with an empty one.
        #expect(decision.status?.conditions?.map(\.reason) == ["Accepted"])
        // Of another name it is nobody's business here.
        let other = try mesh.apply(self.mesh("other", controller: "example.org/other"))
        #expect(other.mesh == decision && other.problems.isEmpty)
    }

    @Test func onlyTheStatusIsWritten() throws {
        var mesh = Mesh()
        _ = mesh.apply(.batch([]), timestamp: "T1")
        let programmed = """
            status:
              conditions:
              - {type: Programmed, status: Unknown, reason: Pending, message: Waiting, lastTransitionTime: T0}
            """
        let decision = try mesh.apply(self.mesh(more: programmed), timestamp: "T2").mesh
        #expect(decision.action == .writeStatus)
        let status = try #require(decision.status)
        #expect(
            status.conditions?.map { "\($0.type) \($0.status) \($0.observedGeneration ?? 0) \($0.lastTransitionTime)" }
                == ["Accepted True 2 T1", "Programmed Unknown 0 T0"])
        // Once it is written there is nothing to do.
        guard case .upsert(.xMesh(var object)) = try events(self.mesh()).first else {
            Issue.record("no mesh")
            return
        }
        object.status = status
        let settled = mesh.apply(.upsert(.xMesh(object)), timestamp: "T3").mesh
        #expect(settled.action == .none)
        #expect(settled.status == status)
        // It goes: it is made again.
        let gone = mesh.apply(.delete(ObjectKey(kind: .xMesh, namespace: "", name: "weir"))).mesh
        guard case .create = gone.action else {
            Issue.record("\(gone.action)")
            return
        }
    }

    @Test func anothersIsLeftAlone() throws {
        var mesh = Mesh()
        let compilation = try mesh.apply(
            [self.mesh(controller: "example.org/other"), StatusTests.services, StatusTests.route()]
                .joined(separator: "\n---\n"))
        #expect(compilation.mesh.action == .leave(controllerName: "example.org/other"))
        #expect(compilation.mesh.status == nil)
        #expect(compilation.problems.map { "\($0.object) \($0.field ?? "")" } == ["XMesh weir spec.controllerName"])
        // Routes are served as without the resource.
        #expect(compilation.statuses.values.first?.first?.conditions?.first?.status == "True")
        let ours = try mesh.apply(self.mesh())
        #expect(ours.mesh.action == .writeStatus && ours.problems.isEmpty)
    }

    @Test func theNameIsChosenAtInstallation() throws {
        var mesh = Mesh()
        mesh.compiler = Compiler(meshName: "other")
        let compilation = try mesh.apply(
            [self.mesh("other"), StatusTests.services, PolicyTests.policy("p")].joined(separator: "\n---\n"))
        #expect(compilation.mesh.name == "other" && compilation.mesh.action == .writeStatus)
        #expect(compilation.policyStatuses.values.first?.first?.ancestorRef.name == "other")
    }

    @Test func supportedFeaturesAreSorted() {
        let names = Feature.supported.map(\.name)
        #expect(names == names.sorted() && Set(names).count == names.count && names.count <= 64)
        #expect(names.contains("Mesh"))
    }
}
