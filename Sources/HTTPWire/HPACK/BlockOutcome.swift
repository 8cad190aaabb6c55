/// Whether a header block could be used.
package enum BlockOutcome: BitwiseCopyable, Hashable, Sendable {
    case ok
    /// RFC 9113 section 8.1.1: a stream error. The dynamic table is in step.
    case malformed(HeadError)
    /// Larger than the caller's limits or buffers: a stream error, or a 431. The dynamic table is in step.
    case tooLarge(HeadError)
    /// RFC 7541: the table is lost, and the connection with it (COMPRESSION_ERROR).
    case compression
}
