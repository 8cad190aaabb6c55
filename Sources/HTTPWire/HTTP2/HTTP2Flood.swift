/// Ways to make us work for little: each has a budget in `HTTP2Limits`, and overdrawing it ends the connection with
/// ENHANCE_YOUR_CALM.
package enum HTTP2Flood: UInt8, BitwiseCopyable, Hashable, Sendable, CaseIterable {
    /// Requests that the client resets as soon as they are there (CVE-2023-44487).
    case rapidReset
    /// Streams that the peer makes us reset (CVE-2025-8671).
    case resetByUs
    /// A header block of too many frames or too many bytes (CVE-2024-27316).
    case continuation
    /// CVE-2019-9515.
    case settings
    /// CVE-2019-9512.
    case ping
    /// DATA without content that ends nothing (CVE-2019-9518).
    case emptyData
    /// Windows opened by so little that each DATA frame of ours carries next to nothing (CVE-2019-9511, CVE-2019-9517).
    case tinyWindow
    /// Fields of empty names (CVE-2019-9516).
    case emptyField
    /// Small header blocks that decode to large heads.
    case headerBomb
    case windowUpdate
    /// CVE-2019-9513.
    case priority

    /// One line, without a line break, for people.
    package var text: StaticString {
        switch self {
        case .rapidReset: "too many requests were reset at once"
        case .resetByUs: "too many streams had to be reset"
        case .continuation: "a header block has too many frames or bytes"
        case .settings: "too many SETTINGS"
        case .ping: "too many PINGs"
        case .emptyData: "too many empty DATA frames"
        case .tinyWindow: "the windows are opened by too little"
        case .emptyField: "too many fields without a name"
        case .headerBomb: "too many header blocks decode to too large heads"
        case .windowUpdate: "too many WINDOW_UPDATEs"
        case .priority: "too many PRIORITY frames"
        }
    }
}
