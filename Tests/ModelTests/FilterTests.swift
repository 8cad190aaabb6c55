import HTTPWire
import Model
import Testing

@Suite struct FilterTests {
    private func bytes(_ text: String?) -> [UInt8]? { text.map { Array($0.utf8) } }

    private func rewritten(_ target: String, _ rewrites: [URLRewrite]) -> String {
        let (head, ranges, _) = Request(target).parts()
        var out = Array("GET ".utf8)
        rewrites.appendTarget(to: &out, head.span, ranges)
        return String(decoding: out.dropFirst(4), as: UTF8.self)
    }

    private func prefix(_ match: String, _ replacement: String) -> URLRewrite {
        URLRewrite(
            hostname: nil, path: .replacePrefixMatch(match: Array(match.utf8), replacement: Array(replacement.utf8)))
    }

    private func full(_ path: String) -> URLRewrite {
        URLRewrite(hostname: nil, path: .replaceFullPath(Array(path.utf8)))
    }

    /// The table of HTTPPathModifier.replacePrefixMatch, and what follows from it.
    @Test(arguments: [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"), ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"), ("/foo/", "/foo", "/xyz", "/xyz/"), ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"), ("/foo", "/foo", "", "/"), ("/foo/", "/foo", "/", "/"), ("/foo", "/foo", "/", "/"),
        ("/bar", "/", "/xyz", "/xyz/bar"), ("/", "/", "/xyz", "/xyz/"), ("/foo/bar", "/foo", "xyz", "/xyz/bar"),
        ("/foo?a=/foo&b", "/foo", "/xyz", "/xyz?a=/foo&b"), ("/foo/?", "/foo", "/xyz", "/xyz/?"),
        ("/food", "/foo", "/xyz", "/food"), ("/fo", "/foo", "/xyz", "/fo"),
        ("/foo/%2e", "/foo", "/a%20b", "/a%20b/%2e"),
    ])
    func replacePrefixMatch(_ target: String, _ match: String, _ replacement: String, _ expected: String) {
        #expect(rewritten(target, [prefix(match, replacement)]) == expected)
    }

    @Test(arguments: [
        ("/a/b?c", "/one", "/one?c"), ("/", "/one/", "/one/"), ("/x", "one", "/one"), ("/x", "", "/"),
    ])
    func replaceFullPath(_ target: String, _ path: String, _ expected: String) {
        #expect(rewritten(target, [full(path)]) == expected)
    }

    @Test func rewritesFollowOneAnother() {
        #expect(rewritten("/foo/foo/x", [prefix("/foo", ""), prefix("/foo", "/bar")]) == "/bar/x")
        #expect(rewritten("/foo/x", [prefix("/foo", "/bar"), prefix("/foo", "/baz")]) == "/bar/x")
        #expect(rewritten("/foo/x?q", [prefix("/foo", "/bar"), full("/all")]) == "/all?q")
        #expect(rewritten("/foo?q", [URLRewrite(hostname: bytes("h"), path: nil)]) == "/foo?q")
        #expect(rewritten("*", []) == "*")
        let hosts = [URLRewrite(hostname: bytes("one"), path: nil), full("/x")]
        #expect(hosts.hostname == bytes("one"))
        #expect((hosts + [URLRewrite(hostname: bytes("two"), path: nil)]).hostname == bytes("two"))
    }

    struct RedirectCase {
        var scheme: String?
        var port: UInt16?
        var dialled: UInt16
        var expected: String

        init(_ dialled: UInt16, _ scheme: String?, _ port: UInt16?, _ expected: String) {
            self.dialled = dialled
            self.scheme = scheme
            self.port = port
            self.expected = expected
        }
    }

    private func location(
        _ redirect: Redirect, _ target: String = "/p?q", authority: String = "echo:1234", dialled: UInt16
    ) -> String {
        let (head, ranges, _) = Request(target, authority: authority).parts()
        var out: [UInt8] = []
        redirect.appendLocation(to: &out, head.span, ranges, dialled: dialled)
        return String(decoding: out, as: UTF8.self)
    }

    /// HTTPRouteRedirectPortAndScheme, with the Service's port for the listener's; requests come by http.
    @Test(arguments: [
        RedirectCase(80, nil, nil, "http://example.org/p?q"), RedirectCase(80, nil, 80, "http://example.org/p?q"),
        RedirectCase(80, nil, 8080, "http://example.org:8080/p?q"),
        RedirectCase(80, "https", nil, "https://example.org/p?q"),
        RedirectCase(80, "https", 443, "https://example.org/p?q"),
        RedirectCase(80, "https", 8443, "https://example.org:8443/p?q"),
        RedirectCase(8080, nil, nil, "http://example.org:8080/p?q"),
        RedirectCase(8080, nil, 80, "http://example.org/p?q"),
        RedirectCase(8080, "https", nil, "https://example.org/p?q"),
        RedirectCase(443, "http", nil, "http://example.org/p?q"),
        RedirectCase(443, "http", 8080, "http://example.org:8080/p?q"),
        RedirectCase(8080, "http", nil, "http://example.org/p?q"),
        RedirectCase(443, nil, nil, "http://example.org:443/p?q"),
        RedirectCase(80, "https", 80, "https://example.org:80/p?q"),
        RedirectCase(65535, nil, nil, "http://example.org:65535/p?q"),
        RedirectCase(7, nil, nil, "http://example.org:7/p?q"),
    ])
    func redirectPortAndScheme(_ example: RedirectCase) {
        let redirect = Redirect(
            scheme: bytes(example.scheme), hostname: bytes("example.org"), port: example.port, path: nil, status: 302)
        #expect(location(redirect, dialled: example.dialled) == example.expected)
    }

    @Test(arguments: [
        ("echo", "http://echo/p?q"), ("echo:8080", "http://echo/p?q"), ("[::1]:8080", "http://[::1]/p?q"),
        ("[::1]", "http://[::1]/p?q"), ("10.0.0.1:80", "http://10.0.0.1/p?q"), ("echo:", "http://echo/p?q"),
        ("10.0.0.1", "http://10.0.0.1/p?q"), ("", "/p?q"),
    ])
    func redirectTakesHostWithoutItsPort(_ authority: String, _ expected: String) {
        let redirect = Redirect(scheme: nil, hostname: nil, port: nil, path: nil, status: 302)
        #expect(location(redirect, authority: authority, dialled: 80) == expected)
    }

    @Test(arguments: [
        ("/original-prefix/lemon", "/replacement-prefix/lemon"), ("/original-prefix", "/replacement-prefix"),
        ("/original-prefix/?x=1", "/replacement-prefix/?x=1"), ("*", "/"), ("", "/"),
    ])
    func redirectPath(_ target: String, _ expected: String) {
        let redirect = Redirect(
            scheme: nil, hostname: nil, port: nil,
            path: .replacePrefixMatch(match: bytes("/original-prefix")!, replacement: bytes("/replacement-prefix")!),
            status: 302)
        #expect(location(redirect, target, dialled: 80) == "http://echo\(expected)")
        let full = Redirect(scheme: nil, hostname: nil, port: nil, path: .replaceFullPath(bytes("/full")!), status: 302)
        #expect(location(full, "/x?y", dialled: 80) == "http://echo/full?y")
    }

    /// What an edit makes of lines, in the words of HTTPHeaderFilter: values of one name joined by a comma.
    private func edited(_ lines: [(String, String)], _ modifiers: [HeaderModifier]) -> [String: String] {
        let edits = HeaderEdits(modifiers)
        var all = lines.filter { line in !edits.dropped.contains { $0.elementsEqual(line.0.lowercased().utf8) } }
        all += edits.added.map { (String(decoding: $0.name, as: UTF8.self), String(decoding: $0.value, as: UTF8.self)) }
        return Dictionary(grouping: all) { $0.0.lowercased() }.mapValues { $0.map(\.1).joined(separator: ",") }
    }

    private func modifier(
        set: [(String, String)] = [], add: [(String, String)] = [], remove: [String] = []
    ) -> HeaderModifier {
        func fields(_ all: [(String, String)]) -> [HeaderModifier.Field] {
            all.map { .init(name: Array($0.0.utf8), value: Array($0.1.utf8)) }
        }
        return HeaderModifier(set: fields(set), add: fields(add), remove: remove.map { Array($0.utf8) })
    }

    /// MeshHTTPRouteRequestHeaderModifier.
    @Test func headerModifiers() {
        let set = modifier(set: [("X-Header-Set", "set-overwrites-values")])
        #expect(
            edited([("Some-Other-Header", "val")], [set]) == [
                "some-other-header": "val", "x-header-set": "set-overwrites-values",
            ])
        #expect(
            edited([("x-header-set", "other"), ("X-Header-Set", "more")], [set]) == [
                "x-header-set": "set-overwrites-values"
            ])
        let add = modifier(add: [("X-Header-Add", "add-appends-values")])
        #expect(edited([], [add]) == ["x-header-add": "add-appends-values"])
        #expect(
            edited([("x-header-add", "some-other-value")], [add]) == [
                "x-header-add": "some-other-value,add-appends-values"
            ])
        #expect(
            edited([("X-Header-Remove", "val"), ("a", "b")], [modifier(remove: ["x-header-remove"])]) == ["a": "b"])
        let multiple = modifier(
            set: [("X-Header-Set-1", "header-set-1"), ("X-Header-Set-2", "header-set-2")],
            add: [("X-Header-Add-1", "header-add-1"), ("X-Header-Add-2", "header-add-2")],
            remove: ["X-Header-Remove-1", "X-Header-Remove-2"])
        #expect(
            edited(
                [
                    ("X-Header-Set-2", "set-val-2"), ("X-Header-Add-2", "add-val-2"), ("X-Header-Remove-2", "r"),
                    ("Another", "x"),
                ],
                [multiple]) == [
                    "x-header-set-1": "header-set-1", "x-header-set-2": "header-set-2",
                    "x-header-add-1": "header-add-1",
                    "x-header-add-2": "add-val-2,header-add-2", "another": "x",
                ])
    }

    @Test func theSecondModifierSeesTheFirstOnesResult() {
        let add = modifier(add: [("A", "1")])
        let set = modifier(set: [("a", "2")])
        let remove = modifier(remove: ["A"])
        let line = [("a", "0")]
        #expect(edited(line, [add, set]) == ["a": "2"])
        #expect(edited(line, [set, add]) == ["a": "2,1"])
        #expect(edited(line, [add, remove]) == [:])
        #expect(edited(line, [remove, add]) == ["a": "1"])
        #expect(edited(line, [set, set]) == ["a": "2"])
        #expect(edited(line, [add, add]) == ["a": "0,1,1"])
        #expect(edited(line, []) == ["a": "0"])
        let filters: [Filter] = [
            .requestHeaderModifier(add), .responseHeaderModifier(set), .requestHeaderModifier(set),
        ]
        #expect(filters.requestEdits == HeaderEdits([add, set]))
        #expect(filters.responseEdits == HeaderEdits([set]))
    }
}
