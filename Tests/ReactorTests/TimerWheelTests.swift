import Reactor
import Testing

@Suite struct TimerWheelTests {
    private static let tick: UInt64 = 1 << 20

    @Test func firesAfterTheDeadlineAndOnce() {
        var wheel = TimerWheel(now: 1000)
        let timer = wheel.create(token: 7)
        wheel.set(timer, 1000 + 50_000_000)
        #expect(value(wheel.expired(now: 1000 + 49_999_999) == nil))
        #expect(value(wheel.expired(now: 1000 + 50_000_000 + 2 * Self.tick) == 7))
        #expect(value(wheel.expired(now: 1000 + 900_000_000) == nil))
        #expect(value(wheel.timeout(now: 1000 + 900_000_000) == -1))
    }

    @Test func movesBothWays() {
        var wheel = TimerWheel(now: 0)
        let timer = wheel.create(token: 1)
        wheel.set(timer, 100_000_000)
        wheel.set(timer, 10_000_000_000)
        #expect(value(wheel.expired(now: 5_000_000_000) == nil))
        wheel.set(timer, 6_000_000_000)
        #expect(value(wheel.expired(now: 5_990_000_000) == nil))
        #expect(value(wheel.expired(now: 6_010_000_000) == 1))
    }

    @Test func stoppedAndDestroyedTimersAreSilent() {
        var wheel = TimerWheel(now: 0)
        let stopped = wheel.create(token: 1)
        let destroyed = wheel.create(token: 2)
        wheel.set(stopped, 5_000_000)
        wheel.set(destroyed, 5_000_000)
        wheel.set(stopped, TimerWheel.never)
        wheel.destroy(destroyed)
        #expect(value(wheel.expired(now: 1_000_000_000) == nil))
        let again = wheel.create(token: 3)
        wheel.set(again, 1_500_000_000)
        #expect(value(wheel.expired(now: 2_000_000_000) == 3))
    }

    @Test func aDeadlineOfThePastFiresSoon() {
        var wheel = TimerWheel(now: 10_000_000_000)
        let timer = wheel.create(token: 1)
        #expect(value(wheel.expired(now: 20_000_000_000) == nil))
        wheel.set(timer, 5)
        #expect(value(wheel.expired(now: 20_000_000_000 + 3 * Self.tick) == 1))
    }

    /// Thousands of random operations against a plain table: nothing fires early, nothing later than two ticks, nothing
    /// twice, and `timeout` never sleeps past a deadline.
    @Test func agreesWithAPlainTable() {
        var seed: UInt64 = 12345
        func random(_ bound: UInt64) -> UInt64 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (seed >> 33) % bound
        }
        var now: UInt64 = 77_000_000_123
        var wheel = TimerWheel(now: now)
        var timers: [UInt64: (id: UInt32, deadline: UInt64?)] = [:]
        var nextToken: UInt64 = 0
        for _ in 0..<60_000 {
            switch random(10) {
            case 0, 1:
                timers[nextToken] = (wheel.create(token: nextToken), nil)
                nextToken += 1
            case 2:
                if let token = timers.keys.randomElement() { wheel.destroy(timers.removeValue(forKey: token)!.id) }
            case 3...6:
                guard let token = timers.keys.randomElement() else { continue }
                let spans: [UInt64] = [2_000_000, 100_000_000, 10_000_000_000, 600_000_000_000, 90_000_000_000_000]
                let deadline = now + random(spans[Int(random(5))])
                wheel.set(timers[token]!.id, deadline)
                timers[token]!.deadline = deadline
            case 7:
                guard let token = timers.keys.randomElement() else { continue }
                wheel.set(timers[token]!.id, TimerWheel.never)
                timers[token]!.deadline = nil
            default:
                let sleep = wheel.timeout(now: now)
                let jump = random(4) == 0 ? random(30_000_000_000) : random(5_000_000)
                if sleep >= 0, let first = timers.values.compactMap(\.deadline).min() {
                    #expect(now + UInt64(sleep) * 1_000_000 <= max(first, now) + 3 * Self.tick)
                }
                now += jump
                while let token = wheel.expired(now: now) {
                    guard let deadline = timers[token]?.deadline else {
                        Issue.record("\(token) fired without a deadline")
                        return
                    }
                    #expect(deadline <= now)
                    timers[token]!.deadline = nil
                }
                for (token, timer) in timers {
                    if let deadline = timer.deadline, deadline + 2 * Self.tick <= now {
                        Issue.record("\(token) did not fire: \(deadline) at \(now)")
                        return
                    }
                }
            }
        }
    }
}
