/// Why a head was refused.
package enum HeadError: UInt8, BitwiseCopyable, Error, Hashable, Sendable, CaseIterable {
    case emptyLines
    case method
    case targetByte
    case targetTooLong
    case targetForm
    case fragment
    case authority
    case versionMissing
    case versionSyntax
    case versionUnsupported
    case statusLine
    case bareCarriageReturn
    case bareLineFeed
    case fieldName
    case spaceBeforeColon
    case foldedLine
    case valueByte
    case headTooLarge
    case tooManyFields
    case hostMissing
    case hostRepeated
    case hostInvalid
    case lengthSyntax
    case lengthRepeated
    case lengthWithCoding
    case lengthForbidden
    case codingInOldVersion
    case codingSyntax
    case codingOrder
    case codingUnsupported
    case codingForbidden
    case tooManyConnectionOptions
    // HTTP/2 only.
    case uppercaseName
    case pseudoField
    case pseudoFieldMissing
    case scheme
    case hostDiffers
    case connectionField
    case endWithLength

    /// The status to answer a request with. For a response the proxy answers 502 whatever the cause.
    package var status: UInt16 {
        switch self {
        case .targetTooLong: 414
        case .headTooLarge, .tooManyFields: 431
        case .codingUnsupported: 501
        case .versionUnsupported: 505
        default: 400
        }
    }

    /// One line, without a line break, that says why.
    package var text: StaticString {
        switch self {
        case .emptyLines: "too many empty lines before the request line"
        case .method: "the method is not a token"
        case .targetByte: "the request target holds a byte that no URI may hold"
        case .targetTooLong: "the request target is too long"
        case .targetForm: "the request target has none of the four forms, or one that its method does not allow"
        case .fragment: "the request target holds a fragment"
        case .authority: "the request target's authority is not a host with an optional port"
        case .versionMissing: "the request line has no HTTP version"
        case .versionSyntax: "the HTTP version is malformed"
        case .versionUnsupported: "only HTTP/1.0 and HTTP/1.1 are spoken here"
        case .statusLine: "the status line is malformed"
        case .bareCarriageReturn: "a carriage return without a line feed"
        case .bareLineFeed: "a line feed without a carriage return"
        case .fieldName: "a field name is not a token"
        case .spaceBeforeColon: "white space between a field name and its colon"
        case .foldedLine: "a field line is folded, or starts with white space"
        case .valueByte: "a field value holds a control byte"
        case .headTooLarge: "the head is too large"
        case .tooManyFields: "too many field lines"
        case .hostMissing: "the Host field is missing"
        case .hostRepeated: "the Host field is repeated"
        case .hostInvalid: "the Host field is not a host with an optional port"
        case .lengthSyntax: "Content-Length is not a decimal number in range"
        case .lengthRepeated: "Content-Length is repeated"
        case .lengthWithCoding: "Content-Length together with Transfer-Encoding"
        case .lengthForbidden: "Content-Length in a response that has no content"
        case .codingInOldVersion: "Transfer-Encoding in HTTP/1.0"
        case .codingSyntax: "Transfer-Encoding is malformed"
        case .codingOrder: "chunked must be the last transfer coding, and applied once"
        case .codingUnsupported: "a transfer coding other than chunked"
        case .codingForbidden: "Transfer-Encoding in a response that has no content"
        case .tooManyConnectionOptions: "the Connection field has too many options"
        case .uppercaseName: "a field name has an uppercase letter"
        case .pseudoField: "a pseudo-field that is unknown, repeated, behind other fields, or not for this section"
        case .pseudoFieldMissing: "a pseudo-field is missing"
        case .scheme: "the scheme is neither http nor https"
        case .hostDiffers: "the Host field differs from :authority"
        case .connectionField: "a field that is for HTTP/1.1 connections only"
        case .endWithLength: "the message ends without the content that Content-Length tells"
        }
    }
}
