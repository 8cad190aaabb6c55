import Model

/// The snapshot's services, in order of name. A change of a few costs no sorting of all.
struct ServiceList {
    private(set) var sorted: [Model.Service] = []

    /// Past this many changes at once, sorting all is cheaper than moving the tail for each.
    private static let fewChanges = 32

    /// nil removes.
    mutating func apply(_ changes: [ObjectName: Model.Service?]) {
        if changes.count > Self.fewChanges {
            sorted.removeAll { changes[$0.name] != nil }
            sorted += changes.values.compactMap { $0 }
            sorted.sort { $0.name < $1.name }
            return
        }
        for (name, service) in changes {
            let index = sorted.firstIndex(ofServiceNamed: name)
            let isThere = index < sorted.count && sorted[index].name == name
            switch (isThere, service) {
            case (true, let service?): sorted[index] = service
            case (true, nil): sorted.remove(at: index)
            case (false, let service?): sorted.insert(service, at: index)
            case (false, nil): break
            }
        }
    }
}
