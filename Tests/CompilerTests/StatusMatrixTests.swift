import Compiler
import Resources
import Testing

@Suite struct StatusMatrixTests {
    @Test func nothingIsLeftOut() {
        for (subject, all) in StatusMatrix.all {
            let reached = Set(StatusMatrix.rows.filter { $0.subject == subject }.map(\.condition))
            let excused = Set(StatusMatrix.unreachable.filter { $0.subject == subject }.map(\.condition))
            #expect(reached.union(excused) == all, "\(subject)")
            #expect(reached.isDisjoint(with: excused), "\(subject)")
        }
    }

    @Test(arguments: StatusMatrix.rows.indices) func isWrittenAndCured(_ index: Int) throws {
        let row = StatusMatrix.rows[index]
        var mesh = Mesh()
        let type = row.condition.split(separator: " ")[0]
        func found(_ compilation: Compilation) -> Condition? {
            conditions(of: row.subject, compilation).first { $0.type == type }
        }
        func text(_ condition: Condition?) -> String? {
            condition.map { "\($0.type) \($0.status) \($0.reason)" }
        }
        let before = try mesh.apply(StatusTests.services + "---\n" + row.yaml, timestamp: "T1")
        let condition = found(before)
        #expect(text(condition) == row.condition)
        #expect(condition?.message.hasPrefix(row.message) == true, "\(condition?.message ?? "")")
        #expect(condition?.observedGeneration == 3 && condition?.lastTransitionTime == "T1")
        // No condition that this list says cannot be.
        let excused = Set(StatusMatrix.unreachable.filter { $0.subject == row.subject }.map(\.condition))
        #expect(excused.isDisjoint(with: conditions(of: row.subject, before).compactMap(text)))
        // What is not in force as written is said to the operator too; a parent's or rival's fault stands in the status.
        let isFault = row.condition.contains(" False ") || row.condition.hasPrefix("PartiallyInvalid")
        if isFault, !["NoMatchingParent", "Conflicted"].contains(condition?.reason) {
            #expect(before.problems.contains { $0.object.name.name == name(row.subject) && $0.field != nil })
        }
        guard let cure = row.cure else { return }
        let after = try mesh.apply(cure.yaml, timestamp: "T2")
        #expect(text(found(after)) == cure.condition)
        #expect(cure.condition == nil || found(after)?.lastTransitionTime == "T2")
    }

    private func name(_ subject: StatusMatrix.Subject) -> String {
        subject == .mesh ? "weir" : "subject"
    }

    private func conditions(of subject: StatusMatrix.Subject, _ compilation: Compilation) -> [Condition] {
        switch subject {
        case .route:
            compilation.statuses.first { $0.key.name.name == "subject" }?.value.flatMap { $0.conditions ?? [] } ?? []
        case .policy:
            compilation.policyStatuses.first { $0.key.name.name == "subject" }?.value.flatMap(\.conditions) ?? []
        case .mesh: compilation.mesh.status?.conditions ?? []
        }
    }
}
