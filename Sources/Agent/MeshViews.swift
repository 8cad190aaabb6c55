import Compiler
import Inspection
import Resources

extension MeshView {
    init(_ mesh: MeshDecision) {
        let condition = mesh.status?.conditions?.first { $0.type == "Accepted" }
        let action: String
        var message = condition?.message ?? ""
        switch mesh.action {
        case .create: action = "create"
        case .writeStatus: action = "write-status"
        case .none: action = "none"
        case .leave(let controllerName):
            action = "leave"
            message = "belongs to \(controllerName) and is left alone"
        }
        self.init(
            name: mesh.name, action: action, accepted: condition?.status, reason: condition?.reason, message: message,
            supportedFeatures: (mesh.status?.supportedFeatures ?? []).map(\.name))
    }
}

extension Problem {
    var inspected: Inspection.Finding {
        Inspection.Finding(object: "\(object)", field: field, message: message)
    }
}
