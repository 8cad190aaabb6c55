import Resources

/// Takes documents in as the API server would: schema, defaults, names, lists.
struct Admission {
    /// The value of an object in force, for rules that compare with it.
    private let current: (ObjectKey) -> JSONValue?

    init(current: @escaping (ObjectKey) -> JSONValue?) {
        self.current = current
    }

    func contents(of documents: [SourceDocument], file: String) -> FileContents {
        var contents = FileContents()
        for document in documents { admit(document, file, assumed: nil, &contents) }
        return contents
    }

    /// The type that the elements of a typed list have when they give none.
    private struct AssumedType {
        let apiVersion: String
        let kind: String
    }

    private func admit(
        _ document: SourceDocument, _ file: String, assumed: AssumedType?, _ contents: inout FileContents
    ) {
        let line = document.lines.line
        func notObject(_ message: String) {
            contents.notObjects.append(Finding(file: file, line: line, message: message))
        }
        if document.value == .null { return }
        guard case .object(var object) = document.value else {
            return notObject("the document is no object but \(document.value.typeName)")
        }
        if let assumed {
            object["apiVersion"] = object["apiVersion"] ?? .string(assumed.apiVersion)
            object["kind"] = object["kind"] ?? .string(assumed.kind)
        }
        guard let kind = object["kind"]?.text, !kind.isEmpty else { return notObject("the document has no kind") }
        guard let apiVersion = object["apiVersion"]?.text, !apiVersion.isEmpty else {
            return notObject("the document has no apiVersion")
        }
        if kind.hasSuffix("List"), let items = document.member("items") {
            let assumed: AssumedType? =
                kind == "List" ? nil : AssumedType(apiVersion: apiVersion, kind: String(kind.dropLast(4)))
            guard case .array = items.value else {
                if items.value != .null { notObject("the items of a list must be an array") }
                return
            }
            for item in items.elements { admit(item, file, assumed: assumed, &contents) }
            return
        }
        admit(object, document, file, apiVersion: apiVersion, kind: kind, &contents)
    }

    private func admit(
        _ object: JSONObject, _ document: SourceDocument, _ file: String, apiVersion: String, kind: String,
        _ contents: inout FileContents
    ) {
        let group = apiVersion.contains("/") ? String(apiVersion.prefix { $0 != "/" }) : ""
        let name = object["metadata"]?["name"]?.text
        let namespace = object["metadata"]?["namespace"]?.text
        func finding(_ path: FieldPath?, _ message: String) -> Finding {
            let scoped = [namespace, name ?? "(no name)"].compactMap { $0 }.joined(separator: "/")
            return Finding(
                file: file, line: document.line(of: path ?? FieldPath()), object: "\(kind) \(scoped)",
                field: path.map { "\($0)" }, message: message)
        }
        guard let known = ResourceKind(group: group, kind: kind) else {
            contents.unknownKinds.append(finding(nil, "the kind \(kind) of \(apiVersion) is not read"))
            return
        }
        let schema: KindSchema
        do throws(SchemaError) {
            guard let found = try SchemaLibrary.schema(apiVersion: apiVersion, kind: kind) else {
                let versions = SchemaLibrary.versions(group: group, kind: kind).joined(separator: ", ")
                contents.unknownKinds.append(
                    finding(nil, "\(apiVersion) of \(kind) is not read; versions that are: \(versions)"))
                return
            }
            schema = found
        } catch {
            contents.refusedObjects.append(finding(nil, error.message))
            return
        }
        let key = name.map {
            ObjectKey(kind: known, namespace: schema.isNamespaced ? namespace ?? "default" : "", name: $0)
        }
        func shown(_ path: FieldPath?, _ message: String) -> Finding {
            var result = finding(path, message)
            if let key { result.object = "\(key)" }
            return result
        }
        let validation = Validation(.object(object), against: schema, old: key.flatMap(current))
        contents.unknownFields += validation.unknownFields.map { shown($0, "the schema has no such field") }
        var violations = validation.violations
        var value = validation.value
        violations += Metadata.settle(&value, isNamespaced: schema.isNamespaced)
        value = value.setting("apiVersion", .string(known.apiVersion))
        var admitted: AdmittedObject?
        if violations.isEmpty {
            do {
                admitted = AdmittedObject(resource: try value.decodeResource(known), value: value)
            } catch let error as DecodingError {
                violations.append(Violation(error))
            } catch {
                violations.append(Violation(path: FieldPath(), message: "\(error)"))
            }
        }
        contents.refusedObjects += violations.map { shown($0.path, $0.message) }
        if let key { contents.claims.append(Claim(key: key, line: document.lines.line, object: admitted)) }
    }
}

extension Violation {
    fileprivate init(_ error: DecodingError) {
        let context: DecodingError.Context
        switch error {
        case .keyNotFound(let key, let found):
            let path = found.codingPath + [key]
            self.init(path: FieldPath(path), message: "is required")
            return
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found): context = found
        @unknown default:
            self.init(path: FieldPath(), message: "\(error)")
            return
        }
        self.init(path: FieldPath(context.codingPath), message: context.debugDescription)
    }
}

extension FieldPath {
    fileprivate init(_ keys: [any CodingKey]) {
        self.init(keys.map { key in key.intValue.map { .index($0) } ?? .field(key.stringValue) })
    }
}

extension JSONValue {
    /// The object with one member replaced; other values are left as they are.
    func setting(_ name: String, _ value: JSONValue?) -> JSONValue {
        guard case .object(var object) = self else { return self }
        object[name] = value
        return .object(object)
    }
}
