/// The fields that the codec or the proxy acts on; every other name is `other`.
package enum KnownField: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case other
    case host
    case connection
    case keepAlive
    case proxyConnection
    case te
    case trailer
    case transferEncoding
    case upgrade
    case contentLength
    case expect
    case http2Settings
    case date
    case server
    case cookie
    case setCookie
    case authorization
    case proxyAuthorization
    case proxyAuthenticate
    case wwwAuthenticate
    case contentType
    case contentEncoding
    case contentRange
    case cacheControl
    case maxForwards
    case range
    case age
    case expires
    case location
    case retryAfter
    case vary
    case pragma
    case ifMatch
    case ifNoneMatch
    case ifModifiedSince
    case ifUnmodifiedSince
    case ifRange
}

extension KnownField {
    /// Meant for the next hop only, whether or not Connection names it (RFC 9110 section 7.6.1; HTTP2-Settings is RFC 7540
    /// section 3.2.1).
    package var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .upgrade, .http2Settings: true
        default: false
        }
    }

    /// A sender must not put it in a trailer section: it frames or routes the message, or must be known before the content
    /// (RFC 9110 section 6.5.1).
    package var isForbiddenInTrailers: Bool { self != .other && self != .server }

    /// The field whose name is the `count` bytes at `name`, compared without case. The names are told apart by whole
    /// words: a set bit 5 makes letters lowercase and leaves `-` and digits as they are, and no other token byte becomes
    /// one of those.
    @inline(__always)
    package static func recognise(_ name: UnsafeRawPointer, count: Int) -> KnownField {
        switch count {
        case 2:
            let word = UInt64(name.loadUnaligned(as: UInt16.self)) | 0x2020
            if word == 0x6574 { return .te }
        case 3:
            let word =
                UInt64(name.loadUnaligned(as: UInt16.self)) | UInt64(name.load(fromByteOffset: 2, as: UInt8.self)) << 16
                | 0x20_2020
            if word == 0x656761 { return .age }
        case 4:
            let word = UInt64(lowercased32(name, 0))
            if word == 0x74736f68 { return .host }
            if word == 0x65746164 { return .date }
            if word == 0x79726176 { return .vary }
        case 5:
            let word = UInt64(lowercased32(name, 0)) | UInt64(lowercased32(name, 1)) << 32
            if word == 0x6567_6e61_676e_6172 { return .range }
        case 6:
            let word = UInt64(lowercased32(name, 0)) | UInt64(lowercased32(name, 2)) << 32
            if word == 0x7463_6570_6570_7865 { return .expect }
            if word == 0x7265_7672_7672_6573 { return .server }
            if word == 0x6569_6b6f_6b6f_6f63 { return .cookie }
            if word == 0x616d_6761_6761_7270 { return .pragma }
        case 7:
            let word = UInt64(lowercased32(name, 0)) | UInt64(lowercased32(name, 3)) << 32
            if word == 0x7265_6c69_6961_7274 { return .trailer }
            if word == 0x6564_6172_7267_7075 { return .upgrade }
            if word == 0x7365_7269_6970_7865 { return .expires }
        case 8:
            let first = lowercased64(name, 0)
            if first == 0x6e6f_6974_6163_6f6c { return .location }
            if first == 0x6863_7461_6d2d_6669 { return .ifMatch }
            if first == 0x6567_6e61_722d_6669 { return .ifRange }
        case 10:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 2)
            if first == 0x6974_6365_6e6e_6f63 && last == 0x6e6f_6974_6365_6e6e { return .connection }
            if first == 0x696c_612d_7065_656b && last == 0x6576_696c_612d_7065 { return .keepAlive }
            if first == 0x6b6f_6f63_2d74_6573 && last == 0x6569_6b6f_6f63_2d74 { return .setCookie }
        case 11:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 3)
            if first == 0x6661_2d79_7274_6572 && last == 0x7265_7466_612d_7972 { return .retryAfter }
        case 12:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 4)
            if first == 0x2d74_6e65_746e_6f63 && last == 0x6570_7974_2d74_6e65 { return .contentType }
            if first == 0x7772_6f66_2d78_616d && last == 0x7364_7261_7772_6f66 { return .maxForwards }
        case 13:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 5)
            if first == 0x7a69_726f_6874_7561 && last == 0x6e6f_6974_617a_6972 { return .authorization }
            if first == 0x2d74_6e65_746e_6f63 && last == 0x6567_6e61_722d_746e { return .contentRange }
            if first == 0x6f63_2d65_6863_6163 && last == 0x6c6f_7274_6e6f_632d { return .cacheControl }
            if first == 0x2d65_6e6f_6e2d_6669 && last == 0x6863_7461_6d2d_656e { return .ifNoneMatch }
        case 14:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 6)
            if first == 0x2d74_6e65_746e_6f63 && last == 0x6874_676e_656c_2d74 { return .contentLength }
            if first == 0x6573_2d32_7074_7468 && last == 0x7367_6e69_7474_6573 { return .http2Settings }
        case 16:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 8)
            if first == 0x6f63_2d79_786f_7270 && last == 0x6e6f_6974_6365_6e6e { return .proxyConnection }
            if first == 0x6874_7561_2d77_7777 && last == 0x6574_6163_6974_6e65 { return .wwwAuthenticate }
            if first == 0x2d74_6e65_746e_6f63 && last == 0x676e_6964_6f63_6e65 { return .contentEncoding }
        case 17:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 9)
            if first == 0x7265_6673_6e61_7274 && last == 0x676e_6964_6f63_6e65
                && lowercased64(name, 8) == 0x6e69_646f_636e_652d
            {
                return .transferEncoding
            }
            if first == 0x6669_646f_6d2d_6669 && last == 0x6563_6e69_732d_6465
                && lowercased64(name, 8) == 0x636e_6973_2d64_6569
            {
                return .ifModifiedSince
            }
        case 18:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 10)
            if first == 0x7561_2d79_786f_7270 && last == 0x6574_6163_6974_6e65
                && lowercased64(name, 8) == 0x6163_6974_6e65_6874
            {
                return .proxyAuthenticate
            }
        case 19:
            let first = lowercased64(name, 0)
            let last = lowercased64(name, 11)
            if first == 0x7561_2d79_786f_7270 && last == 0x6e6f_6974_617a_6972
                && lowercased64(name, 8) == 0x7461_7a69_726f_6874
            {
                return .proxyAuthorization
            }
            if first == 0x646f_6d6e_752d_6669 && last == 0x6563_6e69_732d_6465
                && lowercased64(name, 8) == 0x6973_2d64_6569_6669
            {
                return .ifUnmodifiedSince
            }
        default: break
        }
        return .other
    }

    @inline(__always)
    private static func lowercased32(_ name: UnsafeRawPointer, _ offset: Int) -> UInt32 {
        name.loadUnaligned(fromByteOffset: offset, as: UInt32.self) | 0x2020_2020
    }

    @inline(__always)
    private static func lowercased64(_ name: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        name.loadUnaligned(fromByteOffset: offset, as: UInt64.self) | 0x2020_2020_2020_2020
    }
}
