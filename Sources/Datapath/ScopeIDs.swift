/// The numbers that stand for namespaces in the kernel tables. A namespace keeps its number for the agent's lifetime;
/// 0 stands for every client and is no namespace's.
package struct ScopeIDs: Sendable {
    package static let everyone: UInt32 = 0
    private var numbers: [String: UInt32] = [:]

    package init() {}

    package mutating func id(for namespace: String) -> UInt32 {
        if let number = numbers[namespace] { return number }
        let number = UInt32(numbers.count) + 1
        numbers[namespace] = number
        return number
    }
}
