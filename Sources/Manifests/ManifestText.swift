package import Resources

/// Manifests that are in memory, taken as a folder's files would be.
package enum ManifestText {
    /// `files` by path below the folder that they stand for.
    package static func read(
        _ files: [String: String], served: Set<ResourceKind> = ManifestFolder.servedKinds
    ) -> Batch {
        var set = ManifestSet(served: served)
        for (path, text) in files.sorted(by: { $0.key < $1.key }) { set.read(Array(text.utf8), path: path) }
        return Batch(events: set.settle(), report: set.report, version: 1)
    }
}
