/// A head in the making: what the fields of a block were written to so far.
///
/// Pseudo-fields come first, and in any order: until the first other field their values stay where they are, which is in a
/// table, in the block, or (when they had to be decoded) at the end of `text`; then `begin` writes the first lines.
struct HeadBuilder: ~Copyable {
    enum Section: UInt8, BitwiseCopyable {
        case request
        case response
        case trailers
    }

    /// Where the value of a pseudo-field is; `detail` is `FieldFacts.detail`.
    struct Value: BitwiseCopyable {
        var start: UnsafeRawPointer
        var count: UInt32 = 0
        var detail: UInt32 = 0
    }

    let section: Section
    /// Fields up to this kind are copied as they are.
    let plainest: FieldKind
    /// The bits of the pseudo-fields that may (still) come.
    private var awaited: UInt16
    var allowsExtendedConnect = false
    let text: UnsafeMutableRawPointer
    let fields: UnsafeMutablePointer<FieldRange>
    /// Lines may reach so far; steps of 16 bytes and the final CRLF, further.
    let end: Int
    let capacity: Int
    let targetLimit: Int
    /// Bytes and lines written.
    var length = 0
    var count = 0
    /// What lies from here on holds values of pseudo-fields.
    var tail: Int
    /// `FieldMeaning`: of the special fields only.
    var present: UInt64 = 0
    var repeated: UInt64 = 0
    /// The bits of the pseudo-fields seen, and of those whose values are in the dynamic table.
    private var seen: UInt16 = 0
    private(set) var pinned: UInt16 = 0
    /// A value is in the block or at the end of the text: it is read to its last byte and not beyond, and no step may write
    /// over it.
    var isExact = false
    /// By kind, from `method` on.
    private var values: InlineArray<8, Value>
    var status: UInt16 = 0
    /// Cookie lines that could not be joined while they came.
    var cookiesApart = false
    var acceptsTrailers = false
    var isExtendedConnect = false
    var isCONNECT = false
    /// Where the first line behind the request or status line starts.
    var firstLine = 0
    var target = ByteRange.empty
    var upgrade = ByteRange.empty
    /// Why the head was given up, if it was.
    var outcome = BlockOutcome.ok

    init(
        _ section: Section, text: UnsafeMutableRawBufferPointer, fields: UnsafeMutableBufferPointer<FieldRange>,
        limits: HeadLimits
    ) {
        self.section = section
        switch section {
        case .request:
            plainest = .acceptsTrailers
            awaited =
                FieldKind.method.bit | FieldKind.scheme.bit | FieldKind.authority.bit | FieldKind.path.bit
                | FieldKind.protocolName.bit
        case .response:
            plainest = .known
            awaited = FieldKind.status.bit
        case .trailers:
            plainest = .plain
            awaited = 0
        }
        // Without room nothing is ever written there.
        self.text = text.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 16)!
        self.fields = fields.baseAddress ?? UnsafeMutablePointer(bitPattern: 16)!
        end = min(max(0, text.count &- HeaderBlockDecoder.slack), limits.head &- (section == .trailers ? 0 : 2))
        capacity = min(limits.fields, fields.count)
        targetLimit = limits.target
        tail = max(0, text.count &- HeaderBlockDecoder.slack)
        values = InlineArray(repeating: Value(start: UnsafeRawPointer(self.text)))
    }

    /// Ends the head for `error`; returns false for the caller to return.
    @inline(never)
    mutating func refuse(_ error: HeadError) -> Bool {
        outcome = .malformed(error)
        return false
    }

    @inline(never)
    mutating func refuse(tooLarge error: HeadError) -> Bool {
        outcome = .tooLarge(error)
        return false
    }

    /// Says whether a line that ends at `next` has room.
    @inline(__always)
    mutating func hasRoom(_ next: Int) -> Bool {
        if next <= end, count < capacity { return true }
        return refuse(tooLarge: next <= end ? .tooManyFields : .headTooLarge)
    }

    /// The line at `length` becomes a field.
    @inline(__always)
    mutating func note(
        _ nameCount: Int, _ valueCount: Int, _ known: KnownField, hopByHop: Bool, neverIndexed: Bool
    ) {
        let start = UInt32(truncatingIfNeeded: length)
        let name = UInt32(truncatingIfNeeded: nameCount)
        fields[count] = FieldRange(
            name: ByteRange(start: start, count: name),
            value: ByteRange(start: start &+ name &+ 2, count: UInt32(truncatingIfNeeded: valueCount)),
            known: known, hopByHop: hopByHop, neverIndexed: neverIndexed)
        length &+= nameCount &+ valueCount &+ 4
        count &+= 1
    }

    /// The value of a pseudo-field.
    @inline(__always)
    subscript(_ kind: FieldKind) -> Value {
        get { values[Int(kind.rawValue &- FieldKind.method.rawValue) & 7] }
        set { values[Int(kind.rawValue &- FieldKind.method.rawValue) & 7] = newValue }
    }

    @inline(__always)
    func has(_ kind: FieldKind) -> Bool { seen & kind.bit != 0 }

    /// RFC 9113 section 8.3: takes a pseudo-field that is for this section, not repeated, and before all other fields. False
    /// for one that is not, and for what is no pseudo-field.
    @inline(__always)
    mutating func takePseudo(_ kind: FieldKind, _ value: Value, isPinned: Bool) -> Bool {
        let bit = kind.bit
        guard awaited & bit != 0, length == 0 else { return false }
        awaited ^= bit
        seen |= bit
        if isPinned { pinned |= bit }
        self[kind] = value
        return true
    }

    /// A field that is not copied as it is; `line` is its line, in a table or already at `length`. False when the head is
    /// given up.
    @inline(never)
    mutating func take(_ facts: FieldFacts, _ line: UnsafeRawPointer) -> Bool {
        switch facts.kind {
        case .malformed: return refuse(facts.error)
        case .special: return takeSpecial(facts, line)
        // Not for trailers; for responses, not at all.
        case .acceptsTrailers: return section == .trailers || refuse(.connectionField)
        case .plain, .known: return true
        default: return refuse(.pseudoField)
        }
    }

    /// Copies what lies in the dynamic table, which is about to change, to the end of the text.
    @inline(never)
    mutating func unpin() -> Bool {
        guard length == 0 else { return true }
        for raw in FieldKind.method.rawValue...FieldKind.status.rawValue {
            guard let kind = FieldKind(rawValue: raw), pinned & kind.bit != 0 else { continue }
            let value = self[kind]
            guard let place = reserve(Int(value.count)) else { return false }
            place.copyMemory(from: value.start, byteCount: Int(value.count))
            self[kind].start = UnsafeRawPointer(place)
        }
        pinned = 0
        return true
    }

    /// `count` bytes at the end of the text, or nil when the head is too large.
    mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer? {
        guard count <= tail else {
            outcome = .tooLarge(.headTooLarge)
            return nil
        }
        tail &-= count
        return text + tail
    }
}
