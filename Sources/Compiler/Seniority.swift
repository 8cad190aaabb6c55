import Model

/// Order among objects that compete (GEP-713 and HTTPRouteRule): the oldest first, one without timestamp is youngest;
/// then by namespace and name.
struct Seniority: Comparable {
    /// RFC 3339 in UTC with whole seconds, so that text order is time order.
    let creationTimestamp: String?
    let name: ObjectName

    static func < (a: Self, b: Self) -> Bool {
        switch (a.creationTimestamp, b.creationTimestamp) {
        case (let own?, let others?) where own != others: own < others
        case (.some, nil): true
        case (nil, .some): false
        default: a.name < b.name
        }
    }
}
