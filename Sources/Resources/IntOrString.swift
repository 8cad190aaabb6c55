/// A port by number or by name.
package enum IntOrString: Hashable, Sendable, Codable {
    case int(Int)
    case string(String)

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let number = try? value.decode(Int.self) {
            self = .int(number)
        } else {
            self = .string(try value.decode(String.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .int(let number): try value.encode(number)
        case .string(let text): try value.encode(text)
        }
    }
}
