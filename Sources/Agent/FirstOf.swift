import Synchronization

/// The outcome of whichever ends first. The other is cancelled and not waited for.
func firstOf<Value: Sendable>(
    _ one: @escaping @Sendable () async throws -> Value, _ other: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let race = Race<Value>()
    var tasks: [Task<Void, Never>] = []
    defer { for task in tasks { task.cancel() } }
    return try await withCheckedThrowingContinuation { continuation in
        race.continuation.withLock { $0 = continuation }
        for body in [one, other] {
            tasks.append(
                Task {
                    let outcome: Result<Value, any Error>
                    do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
                    let waiting = race.continuation.withLock { $0.take() }
                    waiting?.resume(with: outcome)
                })
        }
    }
}

private final class Race<Value: Sendable>: Sendable {
    let continuation = Mutex<CheckedContinuation<Value, any Error>?>(nil)

    init() {}
}
