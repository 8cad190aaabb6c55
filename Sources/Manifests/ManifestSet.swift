import Resources

/// The files of a folder as one cluster: which object each file claims, and whose claim is in force.
///
/// An object is in force from the first file, by path, that has a good version of it. Pure: files come in as text
/// already read, events come out.
struct ManifestSet {
    private struct File {
        var contents = FileContents()
        /// Why the newest text is refused; the claims are then those of the text before.
        var failure: Finding?
        /// Gone from the folder; its claims still hold, after those of all other files.
        var isVanished = false
    }

    private struct InForce {
        var resource: Resource
        var value: JSONValue
        var spec: JSONValue
        var generation: Int64
        var file: String
        var line: Int
    }

    private let served: Set<ResourceKind>
    private var files: [String: File] = [:]
    private var claimants: [ObjectKey: Set<String>] = [:]
    private var inForce: [ObjectKey: InForce] = [:]
    private var duplicates: [ObjectKey: [Finding]] = [:]
    private var touched: Set<ObjectKey> = []

    init(served: Set<ResourceKind>) {
        self.served = served
    }

    var paths: [String] { Array(files.keys) }

    func has(_ path: String) -> Bool { files[path] != nil }

    /// The file is there and its newest text was taken in.
    func isCurrent(_ path: String) -> Bool {
        files[path].map { $0.failure == nil && !$0.isVanished } ?? false
    }

    /// Takes the text of a file in. Text that does not parse leaves the file's claims as they were.
    mutating func read(_ bytes: [UInt8], path: String) {
        do throws(SourceError) {
            let documents = try SourceText.documents(bytes, path: path)
            let inForce = inForce
            let admission = Admission { inForce[$0]?.value }
            let contents = admission.contents(of: documents, file: path)
            replace(path, by: File(contents: contents))
        } catch {
            refuse(path, line: error.line, error.message)
        }
    }

    /// The file cannot be read or does not parse.
    mutating func refuse(_ path: String, line: Int?, _ message: String) {
        files[path, default: File()].failure = Finding(file: path, line: line, message: message)
        revive(path)
    }

    /// The file is gone, and may come back at once under the same name.
    mutating func vanish(_ path: String) {
        guard let file = files[path], !file.isVanished else { return }
        files[path]?.isVanished = true
        touched.formUnion(file.contents.claims.map { $0.key })
    }

    /// The file is gone for good.
    mutating func remove(_ path: String) {
        guard files[path] != nil else { return }
        replace(path, by: nil)
    }

    private mutating func revive(_ path: String) {
        guard let file = files[path], file.isVanished else { return }
        files[path]?.isVanished = false
        touched.formUnion(file.contents.claims.map { $0.key })
    }

    private mutating func replace(_ path: String, by file: File?) {
        for claim in files[path]?.contents.claims ?? [] {
            touched.insert(claim.key)
            claimants[claim.key]?.remove(path)
            if claimants[claim.key]?.isEmpty == true { claimants[claim.key] = nil }
        }
        files[path] = file
        for claim in file?.contents.claims ?? [] {
            touched.insert(claim.key)
            claimants[claim.key, default: []].insert(path)
        }
    }

    /// Decides every object that a change touched, and says what changed: deletions first, then by kind and name.
    mutating func settle() -> [Event] {
        var deletions: [Event] = []
        var upserts: [Event] = []
        for key in touched.sorted() {
            let before = inForce[key]?.resource
            decide(key)
            let after = inForce[key]?.resource
            guard before != after else { continue }
            if let after { upserts.append(.upsert(after)) } else { deletions.append(.delete(key)) }
        }
        touched = []
        return deletions + upserts
    }

    private mutating func decide(_ key: ObjectKey) {
        duplicates[key] = nil
        let paths = (claimants[key] ?? []).sorted {
            let (left, right) = (files[$0]?.isVanished == true, files[$1]?.isVanished == true)
            return left == right ? $0 < $1 : right
        }
        var claims: [(path: String, claim: Claim)] = []
        for path in paths {
            for claim in files[path]?.contents.claims ?? [] where claim.key == key { claims.append((path, claim)) }
        }
        let origin = inForce[key]?.file
        var keepsCurrent = false
        var winner: Int?
        for (index, (path, claim)) in claims.enumerated() {
            if claim.object != nil {
                winner = index
                break
            }
            if path == origin {
                keepsCurrent = true
                winner = index
                break
            }
        }
        if winner == nil, !claims.isEmpty, inForce[key] != nil { keepsCurrent = true }
        if let winner, !keepsCurrent, let object = claims[winner].claim.object {
            putInForce(object, key, claims[winner].path, claims[winner].claim.line)
        } else if !keepsCurrent {
            inForce[key] = nil
        }
        guard let winner else { return }
        for (path, claim) in claims[(winner + 1)...] where files[path]?.isVanished == false {
            let (first, line) = (claims[winner].path, claims[winner].claim.line)
            duplicates[key, default: []].append(
                Finding(
                    file: path, line: claim.line, object: "\(key)",
                    message: "the object of \(first) line \(line) is in force instead"))
        }
    }

    private mutating func putInForce(_ object: AdmittedObject, _ key: ObjectKey, _ path: String, _ line: Int) {
        let spec = object.spec
        let old = inForce[key]
        var resource = object.resource
        let generation =
            resource.metadata.generation ?? old.map { $0.spec == spec ? $0.generation : $0.generation + 1 } ?? 1
        resource.metadata.generation = generation
        inForce[key] = InForce(
            resource: resource, value: object.value, spec: spec, generation: generation, file: path, line: line)
    }

    private static func notServed(_ kind: ResourceKind) -> String {
        switch kind {
        case .gateway, .gatewayClass, .listenerSet:
            "a \(kind.rawValue) is for another controller: Weir serves Services as parents, and has no listeners of its own"
        default: "objects of kind \(kind.rawValue) are not served yet"
        }
    }

    var report: Report {
        var report = Report()
        for (_, file) in files where !file.isVanished {
            report.files += 1
            if let failure = file.failure { report.refusedFiles.append(failure) }
            report.refusedObjects += file.contents.refusedObjects
            report.unknownFields += file.contents.unknownFields
            report.notObjects += file.contents.notObjects
            report.unknownKinds += file.contents.unknownKinds
        }
        report.duplicates = duplicates.values.flatMap { $0 }
        for (key, object) in inForce {
            report.objects[key.kind.rawValue, default: 0] += 1
            if !served.contains(key.kind) {
                report.notServed.append(
                    Finding(
                        file: object.file, line: object.line, object: "\(key)",
                        message: Self.notServed(key.kind)))
            }
        }
        report.refusedFiles.sort()
        report.refusedObjects.sort()
        report.unknownFields.sort()
        report.duplicates.sort()
        report.notObjects.sort()
        report.unknownKinds.sort()
        report.notServed.sort()
        return report
    }
}
