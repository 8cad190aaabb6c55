/// What `weir status` shows.
package struct AgentStatus: Codable, Sendable, Equatable {
    package struct Worker: Codable, Sendable, Equatable {
        package var index: Int
        /// The generation that this worker serves.
        package var acknowledgedGeneration: UInt64

        package init(index: Int, acknowledgedGeneration: UInt64) {
            self.index = index
            self.acknowledgedGeneration = acknowledgedGeneration
        }
    }

    package struct Counts: Codable, Sendable, Equatable {
        package var services = 0
        package var routes = 0
        /// XBackendTrafficPolicies that target a Service.
        package var policies = 0
        package var podsEnrolled = 0
        package var podsNotEnrolled = 0

        package init() {}
    }

    package var version: String
    package var pid: Int32
    /// True once everything read from the folder at the start is in force.
    package var ready: Bool
    /// True from SIGTERM on: requests in flight are finished, nothing new is taken.
    package var draining: Bool
    package var startedAt: String
    package var manifests: String
    /// `on`, or `off` when no eBPF is loaded.
    package var redirect: String
    package var serviceLB: Bool
    package var cgroup: String?
    package var pins: String?
    package var listeners: [String]
    /// The snapshot in force.
    package var generation: UInt64
    package var compiledAt: String?
    package var compileMilliseconds: Double
    package var workers: [Worker]
    package var counts: Counts
    /// nil before the first compile.
    package var mesh: MeshView?
    /// Files that could not be read or parsed, and objects that break their schema: their last good version is in force.
    package var refused: [Finding]
    /// Fields that no schema knows: the rest of the object is in force.
    package var unknownFields: [Finding]
    /// Objects that a file earlier in path order defines already.
    package var duplicates: [Finding]
    /// Documents that are no objects, kinds that Weir does not know or does not serve yet, parents and fields of routes
    /// that are for other controllers.
    package var ignored: [Finding]
    /// What the compiler, the enrolment and the kernel tables have to say about objects in force.
    package var problems: [Finding]

    package init(
        version: String, pid: Int32, ready: Bool, draining: Bool, startedAt: String, manifests: String,
        redirect: String, serviceLB: Bool, cgroup: String?, pins: String?, listeners: [String], generation: UInt64,
        compiledAt: String?,
        compileMilliseconds: Double, workers: [Worker], counts: Counts, mesh: MeshView?, refused: [Finding],
        unknownFields: [Finding], duplicates: [Finding], ignored: [Finding], problems: [Finding]
    ) {
        self.version = version
        self.pid = pid
        self.ready = ready
        self.draining = draining
        self.startedAt = startedAt
        self.manifests = manifests
        self.redirect = redirect
        self.serviceLB = serviceLB
        self.cgroup = cgroup
        self.pins = pins
        self.listeners = listeners
        self.generation = generation
        self.compiledAt = compiledAt
        self.compileMilliseconds = compileMilliseconds
        self.workers = workers
        self.counts = counts
        self.mesh = mesh
        self.refused = refused
        self.unknownFields = unknownFields
        self.duplicates = duplicates
        self.ignored = ignored
        self.problems = problems
    }
}

/// One thing that an operator should know, with where it is.
package struct Finding: Codable, Sendable, Hashable {
    package var file: String?
    /// 1-based.
    package var line: Int?
    /// `HTTPRoute namespace/name`.
    package var object: String?
    /// Path from the object's root: `spec.rules[0].matches[1].path.value`.
    package var field: String?
    package var message: String

    package init(
        file: String? = nil, line: Int? = nil, object: String? = nil, field: String? = nil, message: String
    ) {
        self.file = file
        self.line = line
        self.object = object
        self.field = field
        self.message = message
    }
}

extension Finding {
    /// `file:line: object: field: message`, without what is not known.
    package var text: String {
        let place = file.map { file in line.map { "\(file):\($0)" } ?? file }
        return [place, object, field, message].compactMap { $0 }.joined(separator: ": ")
    }
}
