/// The place of a value in an object: `spec.rules[0].matches[1].path.value`.
package struct FieldPath: Hashable, Sendable, CustomStringConvertible {
    package enum Step: Hashable, Sendable {
        /// A field of the schema.
        case field(String)
        /// A key of a map, such as a label's.
        case key(String)
        case index(Int)
    }

    package private(set) var steps: [Step]

    package init(_ steps: [Step] = []) {
        self.steps = steps
    }

    package var isRoot: Bool { steps.isEmpty }

    package func field(_ name: String) -> FieldPath { FieldPath(steps + [.field(name)]) }
    package func key(_ name: String) -> FieldPath { FieldPath(steps + [.key(name)]) }
    package func index(_ position: Int) -> FieldPath { FieldPath(steps + [.index(position)]) }

    package var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .field(let name): text += text.isEmpty ? name : ".\(name)"
            case .key(let name): text += "[\(name)]"
            case .index(let position): text += "[\(position)]"
            }
        }
        return text
    }
}
