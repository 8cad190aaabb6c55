/// Asks that everything in the folder up to now be in force, and for how long to wait for that.
package struct WaitRequest: Codable, Sendable {
    package var milliseconds: Int

    package init(milliseconds: Int) {
        self.milliseconds = milliseconds
    }
}

/// Everything in the folder up to the question is in force.
package struct WaitReply: Codable, Sendable {
    package var generation: UInt64

    package init(generation: UInt64) {
        self.generation = generation
    }
}
