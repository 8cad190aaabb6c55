/// Carries a worker to its thread.
final class WorkerBox: @unchecked Sendable {
    private var worker: Worker?

    init(_ worker: consuming Worker) { self.worker = consume worker }

    func run() {
        guard var worker = worker.take() else { return }
        worker.run()
    }
}
