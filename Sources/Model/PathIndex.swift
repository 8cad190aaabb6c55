import HTTPWire

/// Finds the rows of one form whose text a request's path, or its service or method, can match: one pass over the bytes,
/// whatever the number of rows. A hash table of the distinct texts; each prefix knows the next shorter one that it begins
/// with.
struct PathIndex: Sendable {
    private struct Bucket: BitwiseCopyable {
        var path: ByteRange
        /// In `order`.
        var first: UInt32
        var count: UInt32
        /// The longest other prefix that this one begins with, by path elements; -1 for none.
        var parent: Int32
        var hash: UInt64
    }

    private static let seed: UInt64 = 0xcbf2_9ce4_8422_2325

    private var buckets: [Bucket] = []
    /// Indices of rows, by bucket, in order of precedence.
    private var order: [UInt32] = []
    /// Bucket + 1 by hash, open addressing, a power of two long and at most half full; 0 is free.
    private var slots: [UInt32]
    private var longestPath = 0
    /// The bucket of the empty path, which is PathPrefix `/`; -1 for none.
    private var root = -1

    init(_ rows: [MatchTable.Row], of form: MatchTable.PathForm, _ bytes: [UInt8]) {
        var members: [[UInt8]: [UInt32]] = [:]
        for (index, row) in rows.enumerated() where row.path == form {
            members[Array(bytes[row.pathText.bounds]), default: []].append(UInt32(index))
        }
        var capacity = 4
        while capacity < members.count * 2 { capacity *= 2 }
        slots = [UInt32](repeating: 0, count: capacity)
        // Shorter paths first, so that a prefix's parent is there before it.
        for (path, indices) in members.sorted(by: { $0.key.count < $1.key.count }) {
            var hash = Self.seed
            for byte in path { Self.add(byte, to: &hash) }
            let text = rows[Int(indices[0])].pathText
            let parent = form == .prefix ? longest(path.span, ByteRange(path.indices), bytes) : -1
            insert(
                Bucket(
                    path: text, first: UInt32(order.count), count: UInt32(indices.count), parent: Int32(parent),
                    hash: hash))
            order += indices
            longestPath = max(longestPath, path.count)
            if path.isEmpty { root = buckets.count - 1 }
        }
    }

    private mutating func insert(_ bucket: Bucket) {
        buckets.append(bucket)
        var slot = Self.slot(bucket.hash, slots.count)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(buckets.count)
    }

    @inline(__always)
    private static func add(_ byte: UInt8, to hash: inout UInt64) {
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }

    @inline(__always)
    private static func slot(_ hash: UInt64, _ capacity: Int) -> Int {
        Int(truncatingIfNeeded: hash ^ hash >> 32) & (capacity - 1)
    }

    func rows(of bucket: Int) -> Range<Int> {
        Int(buckets[bucket].first)..<Int(buckets[bucket].first + buckets[bucket].count)
    }

    func row(at position: Int) -> Int { Int(order[position]) }

    func parent(of bucket: Int) -> Int { Int(buckets[bucket].parent) }

    /// The bucket whose path is `path`; -1 for none.
    func whole(_ head: Span<UInt8>, _ path: ByteRange, _ bytes: [UInt8]) -> Int {
        guard !buckets.isEmpty, path.count <= longestPath else { return -1 }
        var hash = Self.seed
        for position in path.bounds { Self.add(head[position], to: &hash) }
        return find(hash, head, path, bytes)
    }

    /// The bucket of the longest prefix of `path`, by path elements; -1 for none.
    func longest(_ head: Span<UInt8>, _ path: ByteRange, _ bytes: [UInt8]) -> Int {
        var best = root
        guard longestPath > 0 else { return best }
        var hash = Self.seed
        let count = Int(path.count)
        let start = Int(path.start)
        for offset in 0..<min(count, longestPath) {
            Self.add(head[start + offset], to: &hash)
            let end = offset + 1
            guard end == count || head[start + end] == 0x2f else { continue }
            let bucket = find(hash, head, ByteRange(start: path.start, count: UInt32(end)), bytes)
            if bucket >= 0 { best = bucket }
        }
        return best
    }

    private func find(_ hash: UInt64, _ head: Span<UInt8>, _ path: ByteRange, _ bytes: [UInt8]) -> Int {
        var slot = Self.slot(hash, slots.count)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            if buckets[index].hash == hash, buckets[index].path.count == path.count {
                let own = Int(buckets[index].path.start)
                var offset = 0
                while offset < Int(path.count), bytes[own + offset] == head[Int(path.start) + offset] { offset += 1 }
                if offset == Int(path.count) { return index }
            }
            slot = (slot + 1) & (slots.count - 1)
        }
        return -1
    }
}
