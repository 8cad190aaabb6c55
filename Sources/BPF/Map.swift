package import CLibbpf
import Glibc

/// A map. Keys and values are plain structs of exactly the map's sizes.
package struct Map: ~Copyable, Sendable {
    package let descriptor: Descriptor
    package let name: String
    package let keySize: Int
    package let valueSize: Int
    package let capacity: Int

    init(descriptor: consuming Descriptor, name: String) throws(BPFError) {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        guard bpf_obj_get_info_by_fd(descriptor.number, &info, &size) == 0 else {
            throw BPFError("read info of map \(name)", code: errno)
        }
        self.descriptor = descriptor
        self.name = name
        keySize = Int(info.key_size)
        valueSize = Int(info.value_size)
        capacity = Int(info.max_entries)
    }

    /// The map pinned at `path`, or nil when there is none.
    package static func pinned(_ path: String) throws(BPFError) -> Map? {
        let opened = bpf_obj_get(path)
        if opened < 0 {
            guard errno == ENOENT else { throw BPFError("open pinned map \(path)", code: errno) }
            return nil
        }
        return try Map(descriptor: Descriptor(owning: opened), name: path)
    }

    /// A new map without BTF.
    package init(type: bpf_map_type, name: String, keySize: Int, valueSize: Int, capacity: Int) throws(BPFError) {
        let created = bpf_map_create(type, name, UInt32(keySize), UInt32(valueSize), UInt32(capacity), nil)
        guard created >= 0 else { throw BPFError("create map \(name)", code: errno) }
        descriptor = Descriptor(owning: created)
        self.name = name
        self.keySize = keySize
        self.valueSize = valueSize
        self.capacity = capacity
    }

    package func lookup<Key: BitwiseCopyable, Value: BitwiseCopyable>(_ key: Key, as: Value.Type = Value.self)
        throws(BPFError) -> Value?
    {
        check(Key.self, Value.self)
        var key = key
        return try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { value throws(BPFError) -> Value? in
            if bpf_map_lookup_elem(descriptor.number, &key, value.baseAddress) == 0 { return value[0] }
            guard errno == ENOENT else { throw BPFError("look up in map \(name)", code: errno) }
            return nil
        }
    }

    package func update<Key: BitwiseCopyable, Value: BitwiseCopyable>(_ key: Key, _ value: Value) throws(BPFError) {
        check(Key.self, Value.self)
        var (key, value) = (key, value)
        guard bpf_map_update_elem(descriptor.number, &key, &value, UInt64(BPF_ANY)) == 0 else {
            throw BPFError("update map \(name)", code: errno)
        }
    }

    /// Updates all of `keys`, in order, in one system call.
    package func update<Key: BitwiseCopyable, Value: BitwiseCopyable>(_ keys: [Key], _ values: [Value])
        throws(BPFError)
    {
        check(Key.self, Value.self)
        precondition(keys.count == values.count)
        guard !keys.isEmpty else { return }
        var count = UInt32(keys.count)
        guard bpf_map_update_batch(descriptor.number, keys, values, &count, nil) == 0 else {
            throw BPFError("update \(keys.count) entries of map \(name), of which \(count) done", code: errno)
        }
    }

    /// False when there was no such entry.
    @discardableResult
    package func remove<Key: BitwiseCopyable>(_ key: Key) throws(BPFError) -> Bool {
        precondition(MemoryLayout<Key>.size == keySize)
        var key = key
        if bpf_map_delete_elem(descriptor.number, &key) == 0 { return true }
        guard errno == ENOENT else {
            throw BPFError("delete from map \(name)", code: errno)
        }
        return false
    }

    /// All keys; an entry that comes or goes meanwhile may or may not be among them.
    package func keys<Key: BitwiseCopyable>(of: Key.Type = Key.self) throws(BPFError) -> [Key] {
        precondition(MemoryLayout<Key>.size == keySize)
        var found: [Key] = []
        return try withUnsafeTemporaryAllocation(of: Key.self, capacity: 2) { room throws(BPFError) -> [Key] in
            while bpf_map_get_next_key(descriptor.number, found.isEmpty ? nil : room.baseAddress, room.baseAddress! + 1)
                == 0
            {
                room[0] = room[1]
                found.append(room[0])
                // A kernel that restarts from the first key, because the last one vanished, must not hold us for ever.
                if found.count > 2 * capacity { break }
            }
            guard errno == ENOENT || found.count > 2 * capacity else {
                throw BPFError("walk map \(name)", code: errno)
            }
            return found
        }
    }

    /// The sum over all processors of the element `index` of a per-CPU array of 64-bit counters.
    package func sum(at index: UInt32) throws(BPFError) -> UInt64 {
        let processors = libbpf_num_possible_cpus()
        guard processors > 0 else { throw BPFError("count processors", code: -processors) }
        var key = index
        var values = [UInt64](repeating: 0, count: Int(processors))
        guard bpf_map_lookup_elem(descriptor.number, &key, &values) == 0 else {
            throw BPFError("look up in map \(name)", code: errno)
        }
        return values.reduce(0, &+)
    }

    private func check<Key, Value>(_: Key.Type, _: Value.Type) {
        precondition(MemoryLayout<Key>.size == keySize, "map \(name) has keys of \(keySize) bytes")
        precondition(MemoryLayout<Value>.size == valueSize, "map \(name) has values of \(valueSize) bytes")
    }
}
