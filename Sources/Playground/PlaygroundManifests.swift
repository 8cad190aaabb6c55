/// What a playground is made from.
package struct PlaygroundManifests: Equatable, Sendable {
    /// The folder they came from, for messages.
    package var source: String
    package var pods: [PodPlan]
    package var services: [ServicePlan]
    /// What was left out and why, one line each.
    package var notes: [String]

    package init(source: String, pods: [PodPlan], services: [ServicePlan], notes: [String] = []) {
        self.source = source
        self.pods = pods
        self.services = services
        self.notes = notes
    }
}
