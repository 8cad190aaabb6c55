import Reactor
import Testing

@Suite struct ByteQueueTests {
    /// Random appends, reservations and consumptions against an array.
    @Test func agreesWithAnArray() {
        var seed: UInt64 = 99
        func random(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        var pool = BufferPool()
        var queues = [ByteQueue](repeating: ByteQueue(), count: 4)
        var models = [[UInt8]](repeating: [], count: 4)
        for _ in 0..<20_000 {
            let which = random(4)
            switch random(5) {
            case 0, 1:
                let bytes = (0..<random(random(20) == 0 ? 70_000 : 900)).map { _ in UInt8(random(256)) }
                bytes.withUnsafeBytes { queues[which].append($0, &pool) }
                models[which] += bytes
            case 2:
                let room = queues[which].reserve(random(3000) + 1, &pool)
                let count = random(min(room.count, 3000) + 1)
                for index in 0..<count {
                    room[index] = UInt8(index & 255)
                    models[which].append(UInt8(index & 255))
                }
                queues[which].commit(count)
            case 3:
                let count = random(models[which].count + 1)
                queues[which].consume(count, &pool)
                models[which].removeFirst(count)
            default:
                if random(10) == 0 {
                    queues[which].clear(&pool)
                    models[which] = []
                }
            }
            #expect(queues[which].count == models[which].count)
            #expect(queues[which].isEmpty == models[which].isEmpty)
            #expect(queues[which].bytes.elementsEqual(models[which]))
        }
        for index in 0..<4 { queues[index].clear(&pool) }
        #expect(pool.bytesInUse == 0)
    }

    @Test func emptyHoldsNoMemory() {
        var pool = BufferPool()
        var queue = ByteQueue()
        [1, 2, 3].withUnsafeBytes { queue.append($0, &pool) }
        #expect(pool.bytesInUse == 512)
        queue.consume(24, &pool)
        #expect(pool.bytesInUse == 0)
    }
}
