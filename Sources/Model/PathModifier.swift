package import HTTPWire

/// HTTPPathModifier. A struct rather than an enum, so that using one costs no copy of its payload.
package struct PathModifier: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case replaceFullPath
        case replacePrefixMatch
    }

    package let kind: Kind
    /// The prefix that is replaced, without its trailing slash; empty for `/` and for `replaceFullPath`.
    package let match: [UInt8]
    /// Begins with a slash; for a prefix without its trailing slash, and empty for `/`.
    package let replacement: [UInt8]

    package static func replaceFullPath(_ path: [UInt8]) -> PathModifier {
        PathModifier(kind: .replaceFullPath, match: [], replacement: path.first == 0x2f ? path : [0x2f] + path)
    }

    /// `match` is the rule's one PathPrefix value.
    package static func replacePrefixMatch(match: [UInt8], replacement: [UInt8]) -> PathModifier {
        let stem = withoutTrailingSlash(replacement)
        return PathModifier(
            kind: .replacePrefixMatch, match: withoutTrailingSlash(match),
            replacement: stem.isEmpty || stem.first == 0x2f ? stem : [0x2f] + stem)
    }

    /// Changes the path that is in `out` from `start` to its end. A path that does not begin with the prefix, by path
    /// elements, stays: rewrites may follow one another. Allocates only to grow `out`.
    package func apply(to out: inout [UInt8], from start: Int) {
        switch kind {
        case .replaceFullPath:
            out.removeLast(out.count - start)
            out.append(contentsOf: replacement)
        case .replacePrefixMatch:
            guard out.count >= start + match.count else { return }
            for index in match.indices where out[start + index] != match[index] { return }
            let end = start + match.count
            guard end == out.count || out[end] == 0x2f else { return }
            out.replaceSubrange(start..<end, with: replacement)
            if out.count == start { out.append(0x2f) }
        }
    }
}

package struct URLRewrite: Hashable, Sendable {
    package let hostname: [UInt8]?
    package let path: PathModifier?

    package init(hostname: [UInt8]?, path: PathModifier?) {
        self.hostname = hostname
        self.path = path
    }
}

extension [URLRewrite] {
    /// The hostname that the last of them gives, or nil.
    package var hostname: [UInt8]? {
        last { $0.hostname != nil }?.hostname
    }

    /// Appends the request's path and query as these rewrites, one after the other, make it. The query stays.
    package func appendTarget(to out: inout [UInt8], _ head: Span<UInt8>, _ request: RequestRanges) {
        let start = out.count
        out.append(head, request.path)
        for index in indices {
            self[index].path?.apply(to: &out, from: start)
        }
        out.appendQuery(head, request)
    }
}

extension [UInt8] {
    mutating func append(_ head: Span<UInt8>, _ range: ByteRange) {
        for position in range.bounds { append(head[position]) }
    }

    mutating func appendQuery(_ head: Span<UInt8>, _ request: RequestRanges) {
        guard request.hasQuery else { return }
        append(0x3f)
        append(head, request.query)
    }
}
