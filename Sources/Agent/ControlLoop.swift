import CLinux
import Glibc
import Reactor
import Synchronization

/// For the signal handler, which can hold nothing of its own.
private let endingDescriptor = Atomic<Int32>(-1)

/// The one thread on which the agent decides: it waits for the manifests, for signals, for the clock and for questions,
/// and hands each to the `Pipeline`. Nothing else touches that, so it needs no lock.
final class ControlLoop: Sendable {
    typealias Work = @Sendable (Pipeline) -> Void

    private let inbox: Inbox<Work>
    /// Readable once SIGTERM or SIGINT came.
    private let ending: Int32
    private let isOver = Atomic(false)

    /// SIGTERM and SIGINT end the loop from now on, whichever thread the kernel gives them to. SIGPIPE is ignored: a peer
    /// that is gone is an error value.
    init() throws(StartFailure) {
        do {
            inbox = try Inbox()
        } catch {
            throw StartFailure("\(error)")
        }
        ending = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard ending >= 0 else { throw StartFailure("eventfd", errno: errno) }
        endingDescriptor.store(ending, ordering: .relaxed)
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in eventfd_write(endingDescriptor.load(ordering: .relaxed), 1) }
        }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Has `work` done on the loop's thread, after what was posted before.
    func post(_ work: @escaping Work) {
        inbox.post(work)
    }

    /// The answer of `work`, done on the loop's thread.
    func ask<Answer: Sendable>(_ work: @escaping @Sendable (Pipeline) -> Answer) async -> Answer {
        await withCheckedContinuation { continuation in
            post { continuation.resume(returning: work($0)) }
        }
    }

    /// Makes the pipeline on a thread of its own and serves it until SIGTERM or SIGINT. Returns nil then, or why the
    /// pipeline could not be made. From then on questions are answered until `end`; nothing is decided any more.
    func serve(_ make: @escaping @Sendable () throws -> Pipeline) async -> StartFailure? {
        await withCheckedContinuation { continuation in
            do {
                let thread = try Thread.start("weir-control") {
                    do {
                        let pipeline = try make()
                        self.run(pipeline, period: 100)
                        pipeline.drain()
                        continuation.resume(returning: nil)
                        self.answer(pipeline)
                    } catch {
                        continuation.resume(returning: error as? StartFailure ?? StartFailure("\(error)"))
                    }
                }
                pthread_detach(thread)
            } catch {
                continuation.resume(returning: StartFailure("\(error)"))
            }
        }
    }

    /// Questions are not answered any more.
    func end() {
        isOver.store(true, ordering: .releasing)
        post { _ in }
    }

    private func answer(_ pipeline: Pipeline) {
        while !isOver.load(ordering: .acquiring) {
            var source = pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&source, 1, -1) > 0 { for work in inbox.take() { work(pipeline) } }
        }
    }

    /// `period` is the time between ticks in milliseconds.
    private func run(_ pipeline: Pipeline, period: UInt64) {
        var due = Clock.now()
        while true {
            var sources = [
                pollfd(fd: inbox.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: ending, events: Int16(POLLIN), revents: 0),
            ]
            sources += pipeline.descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let now = Clock.now()
            // Rounded up, or the last millisecond would be a busy loop.
            let wait = now < due ? (due - now + 999_999) / 1_000_000 : 0
            let ready = poll(&sources, nfds_t(sources.count), Int32(wait))
            if ready > 0 {
                if sources[1].revents != 0 { return }
                if sources[0].revents != 0 { for work in inbox.take() { work(pipeline) } }
                for source in sources[2...] where source.revents != 0 { pipeline.readable(source.fd) }
            }
            if Clock.now() >= due {
                pipeline.tick()
                due = Clock.now() + period * 1_000_000
            }
        }
    }
}

/// Why an agent could not start: one line for the operator.
package struct StartFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    init(_ what: String, errno code: Int32) {
        description = "\(what): \(String(cString: strerror(code)))"
    }
}
