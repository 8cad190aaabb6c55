package import Resources

/// One document of a file, with the lines that its values stand on.
package struct SourceDocument: Sendable {
    package let value: JSONValue
    package let lines: SourceLines

    package init(value: JSONValue, lines: SourceLines) {
        self.value = value
        self.lines = lines
    }

    /// The line of the value at `path`, or of the nearest value around it.
    package func line(of path: FieldPath) -> Int {
        var value = value
        var lines = lines
        for step in path.steps {
            let position: Int?
            switch (step, value) {
            case (.field(let name), .object(let object)), (.key(let name), .object(let object)):
                position = object.keys.firstIndex(of: name)
                value = object[name] ?? .null
            case (.index(let index), .array(let array)):
                position = array.indices.contains(index) ? index : nil
                if let position { value = array[position] }
            default: position = nil
            }
            guard let position, lines.children.indices.contains(position) else { break }
            lines = lines.children[position]
        }
        return lines.line
    }

    /// The member `key`, where this is an object that has one.
    package func member(_ key: String) -> SourceDocument? {
        guard case .object(let object) = value, let position = object.keys.firstIndex(of: key),
            let value = object[key], lines.children.indices.contains(position)
        else { return nil }
        return SourceDocument(value: value, lines: lines.children[position])
    }

    /// The elements, where this is an array.
    package var elements: [SourceDocument] {
        guard case .array(let array) = value else { return [] }
        return zip(array, lines.children).map { SourceDocument(value: $0, lines: $1) }
    }
}

/// The lines, from 1, of a value and of those inside it: an array's elements, an object's members in their order.
package struct SourceLines: Sendable {
    package let line: Int
    package let children: [SourceLines]

    package init(line: Int, children: [SourceLines] = []) {
        self.line = line
        self.children = children
    }
}

/// Why a text is no YAML or JSON that an API server would take.
package struct SourceError: Error, Equatable, Sendable {
    /// From 1.
    package let line: Int
    package let message: String

    package init(line: Int, message: String) {
        self.line = line
        self.message = message
    }
}

package enum SourceText {
    /// Bytes in one file.
    package static let maximumSize = 4 << 20
    /// Values inside values.
    package static let maximumDepth = 100

    /// The documents of a file. `path` tells JSON from YAML by its ending; a YAML file may hold JSON.
    package static func documents(_ bytes: [UInt8], path: String) throws(SourceError) -> [SourceDocument] {
        guard bytes.count <= maximumSize else {
            throw SourceError(line: 1, message: "is larger than \(maximumSize >> 20) MiB")
        }
        if path.hasSuffix(".json") { return try JSONText.documents(bytes) }
        if bytes.first(where: { !JSONText.isSpace($0) }) == UInt8(ascii: "{"),
            let documents = try? JSONText.documents(bytes)
        {
            return documents
        }
        return try YAMLText.documents(bytes)
    }
}
