/// The XMesh that stands for this mesh, as `weir status` shows it.
package struct MeshView: Codable, Sendable, Equatable {
    package var name: String
    /// What is to be done with the object: `create`, `write-status`, `none`, or `leave` to another controller.
    package var action: String
    /// The Accepted condition as it is or is to be; nil when the object is another controller's.
    package var accepted: String?
    package var reason: String?
    package var message: String
    /// Sorted.
    package var supportedFeatures: [String]

    package init(
        name: String, action: String, accepted: String?, reason: String?, message: String, supportedFeatures: [String]
    ) {
        self.name = name
        self.action = action
        self.accepted = accepted
        self.reason = reason
        self.message = message
        self.supportedFeatures = supportedFeatures
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(action, forKey: .action)
        try container.encode(accepted, forKey: .accepted)
        try container.encode(reason, forKey: .reason)
        try container.encode(message, forKey: .message)
        try container.encode(supportedFeatures, forKey: .supportedFeatures)
    }
}
