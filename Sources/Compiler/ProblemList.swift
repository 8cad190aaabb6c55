import Resources

/// What there is to say about objects, kept by object so that a change of one costs no walk over the others.
struct ProblemList {
    /// Without those that have none.
    private var byObject: [ObjectKey: [Problem]] = [:]
    private var sorted: [Problem] = []
    private var isStale = false

    /// Replaces what was said about the object.
    mutating func report(_ new: [Problem], of key: ObjectKey) {
        guard byObject[key] ?? [] != new else { return }
        byObject[key] = new.isEmpty ? nil : new
        isStale = true
    }

    /// In order of object and field.
    mutating func all() -> [Problem] {
        if isStale {
            sorted = byObject.values.joined().sorted { ($0.object, $0.field ?? "") < ($1.object, $1.field ?? "") }
            isStale = false
        }
        return sorted
    }
}
