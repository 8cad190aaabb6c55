package import Resources

/// A rule of a schema, parsed: `self.all(l, l.port > 0)`.
package struct CELProgram: Sendable {
    package let text: String
    /// Compares with the value before, hence says something about updates only.
    package let isTransition: Bool
    private let expression: CELExpression

    package init(_ text: String) throws(CELSyntaxError) {
        self.text = text
        expression = try CELParser.parse(text)
        isTransition = text.split { !$0.isLetter }.contains("oldSelf")
    }

    /// The verdict on `value`. Throws where CEL has no value: a missing key, operands of the wrong type, an overflow.
    package func holds(_ value: JSONValue, old: JSONValue? = nil) throws(CELFailure) -> Bool {
        var evaluation = CELEvaluation(self: value, oldSelf: old)
        return try evaluation.holds(expression)
    }
}

/// Why a text is no expression that we can evaluate.
package struct CELSyntaxError: Error, Equatable, Sendable {
    package let message: String
    /// Of the token, in Unicode scalars.
    package let offset: Int
}

/// Why an expression has no value: the API server refuses the object then.
package struct CELFailure: Error, Equatable, Sendable {
    package let message: String

    static func mismatch(_ what: String) -> CELFailure {
        CELFailure(message: "no such overload: \(what)")
    }
}
