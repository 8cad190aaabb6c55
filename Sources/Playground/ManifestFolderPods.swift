import Manifests
import Resources

extension PlaygroundManifests {
    /// Reads a folder of manifests as the agent would. What is refused in it is noted, not fatal: the rest is made.
    package init(folder: String) throws(PlaygroundError) {
        let batch: Batch
        do {
            batch = try ManifestFolder(folder).readAll()
        } catch {
            throw PlaygroundError("\(folder): \(error)")
        }
        var inventory = Inventory()
        _ = inventory.apply(.batch(batch.events))
        try self.init(inventory, source: folder)
        for finding in batch.report.refusedFiles + batch.report.refusedObjects {
            let place = finding.line.map { "\(finding.file):\($0)" } ?? finding.file
            notes.append(
                "refused: "
                    + [place, finding.object, finding.field, finding.message].compactMap { $0 }.joined(separator: ": "))
        }
    }
}
