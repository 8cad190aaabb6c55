package import Resources

/// Something in the folder that is not in force as written, and where it stands.
package struct Finding: Codable, Hashable, Sendable, Comparable {
    /// Below the folder.
    package var file: String
    /// From 1; nil when the file could not be read at all.
    package var line: Int?
    /// `HTTPRoute default/name`, where an object is concerned.
    package var object: String?
    /// `spec.rules[0].matches[1].path.value`, where a field is concerned.
    package var field: String?
    package var message: String

    package init(
        file: String, line: Int? = nil, object: String? = nil, field: String? = nil, message: String
    ) {
        self.file = file
        self.line = line
        self.object = object
        self.field = field
        self.message = message
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.file, left.line ?? 0, left.field ?? "", left.message)
            < (right.file, right.line ?? 0, right.field ?? "", right.message)
    }
}

/// What there is to say about the folder as it was last read. Every list is sorted by file and line.
package struct Report: Codable, Hashable, Sendable {
    /// Files that were read, whatever became of them.
    package var files = 0
    /// Objects in force, by kind.
    package var objects: [String: Int] = [:]
    /// Files that do not parse or cannot be read; what they last held stays in force.
    package var refusedFiles: [Finding] = []
    /// Objects that break a rule of their schema; the version before, if any, stays in force. One entry for each rule.
    package var refusedObjects: [Finding] = []
    /// Fields that the schema does not have; the rest of the object is in force.
    package var unknownFields: [Finding] = []
    /// Objects that another file, or an earlier document of the file, gives too.
    package var duplicates: [Finding] = []
    /// Documents that are no API objects.
    package var notObjects: [Finding] = []
    /// Objects of kinds that are not read.
    package var unknownKinds: [Finding] = []
    /// Objects that are checked and kept, and that nothing acts on.
    package var notServed: [Finding] = []

    package init() {}

    /// Everything in the folder is in force as written.
    package var isClean: Bool {
        refusedFiles.isEmpty && refusedObjects.isEmpty && unknownFields.isEmpty && duplicates.isEmpty
            && notObjects.isEmpty && unknownKinds.isEmpty && notServed.isEmpty
    }
}

/// What changed in the folder since the batch before.
package struct Batch: Sendable {
    /// For `Inventory.apply`, as one event.
    package let events: [Event]
    package let report: Report
    /// Counts up by one with each batch that changes an object or the report.
    package let version: UInt64

    package init(events: [Event], report: Report, version: UInt64) {
        self.events = events
        self.report = report
        self.version = version
    }
}
