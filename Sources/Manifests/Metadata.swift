import Resources

/// The rules of `metadata` that no schema states, and what the API server fills in there.
enum Metadata {
    /// Fills in the namespace, brings times into one form, and says what is wrong.
    static func settle(_ object: inout JSONValue, isNamespaced: Bool) -> [Violation] {
        guard case .object(var metadata) = object["metadata"] else { return [] }
        let path = FieldPath().field("metadata")
        var violations: [Violation] = []
        if isNamespaced {
            let namespace = metadata["namespace"]?.text ?? ""
            metadata["namespace"] = .string(namespace.isEmpty ? "default" : namespace)
            if !namespace.isEmpty, !DNSName.isLabel(namespace) {
                violations.append(
                    Violation(path: path.field("namespace"), message: "must be a DNS label, is \"\(namespace)\""))
            }
        } else if let namespace = metadata["namespace"]?.text {
            if !namespace.isEmpty {
                violations.append(
                    Violation(path: path.field("namespace"), message: "the kind has no namespaces"))
            }
            metadata["namespace"] = nil
        }
        for name in ["creationTimestamp", "deletionTimestamp"] {
            guard let text = metadata[name]?.text, let normalised = Timestamp.normalised(text) else { continue }
            metadata[name] = .string(normalised)
        }
        if case .int(let generation) = metadata["generation"], generation < 1 {
            if generation < 0 {
                violations.append(Violation(path: path.field("generation"), message: "must not be negative"))
            }
            metadata["generation"] = nil
        }
        violations += keys(metadata["labels"], path.field("labels"), areLabels: true)
        violations += keys(metadata["annotations"], path.field("annotations"), areLabels: false)
        object = object.setting("metadata", .object(metadata))
        return violations
    }

    private static func keys(_ map: JSONValue?, _ path: FieldPath, areLabels: Bool) -> [Violation] {
        guard case .object(let map) = map else { return [] }
        var violations: [Violation] = []
        for key in map.keys {
            if !LabelSyntax.isKey(areLabels ? key : key.lowercased()) {
                violations.append(
                    Violation(path: path.key(key), message: "the key must be a name with an optional DNS prefix"))
            }
            if areLabels, let value = map[key]?.text, !LabelSyntax.isValue(value) {
                violations.append(
                    Violation(
                        path: path.key(key),
                        message: "must be at most 63 letters, digits, - _ or . between letters or digits, is "
                            + JSONValue.string(value).shown))
            }
        }
        return violations
    }
}
