import Model
import Resources

/// The session persistence of a rule or a policy, made sense of.
enum TranslatedPersistence {
    case persistence(Model.SessionPersistence)
    /// The route or policy as a whole is refused; `field` is below `sessionPersistence`, with its dot, or empty.
    case refused(field: String, message: String)

    /// Of a rule of an HTTPRoute or GRPCRoute. A session without a name of its own bears one that is made of the route's
    /// kind and name and the rule's name, or the rule's position when it has none.
    init(_ persistence: Resources.SessionPersistence, ofRule index: Int, named name: String?, of route: RouteReference)
    {
        // A `#` is no part of a rule's name.
        self.init(persistence, owner: "\(route.kind.rawValue)/\(route.name)/\(name ?? "#\(index)")")
    }

    /// Of an XBackendTrafficPolicy for one of its Services.
    init(_ persistence: Resources.SessionPersistence, ofPolicy policy: ObjectName, for service: ObjectName) {
        self.init(persistence, owner: "XBackendTrafficPolicy/\(policy)/\(service)")
    }

    /// `owner` stands for this session and no other, in every compile.
    private init(_ persistence: Resources.SessionPersistence, owner: String) {
        do throws(Refusal) {
            self = .persistence(try Self.translate(persistence, owner))
        } catch {
            self = .refused(field: error.field, message: error.message)
        }
    }

    private struct Refusal: Error {
        let field: String
        let message: String
    }

    private static func translate(
        _ persistence: Resources.SessionPersistence, _ owner: String
    ) throws(Refusal) -> Model.SessionPersistence {
        let isOld = persistence.sessionName != nil || persistence.cookieConfig != nil
        let isNew = persistence.cookie != nil || persistence.header != nil
        if isOld, isNew {
            throw Refusal(
                field: "",
                message: "cookie and header exclude sessionName and cookieConfig, which are their older forms")
        }
        let absolute = try duration(persistence.absoluteTimeout, ".absoluteTimeout")
        let carrier: Model.SessionPersistence.Carrier
        switch persistence.type {
        case "Cookie":
            if persistence.header != nil { throw Refusal(field: ".header", message: "the type is Cookie") }
            carrier = try cookie(persistence, owner, lifetime: absolute)
        case "Header":
            if persistence.cookieConfig != nil { throw Refusal(field: ".cookieConfig", message: "the type is Header") }
            if persistence.cookie != nil { throw Refusal(field: ".cookie", message: "the type is Header") }
            carrier = try header(persistence, owner)
        case let other: throw Refusal(field: ".type", message: "'\(other)' is not served")
        }
        return Model.SessionPersistence(
            carrier: carrier, absoluteTimeout: absolute,
            idleTimeout: try duration(persistence.idleTimeout, ".idleTimeout"))
    }

    /// Nanoseconds; nil for none and for zero, which is no limit as in a rule's timeouts.
    private static func duration(_ text: String?, _ field: String) throws(Refusal) -> UInt64? {
        guard let text else { return nil }
        guard let duration = GatewayDuration(text) else {
            throw Refusal(field: field, message: "'\(text)' is not a duration (GEP-2257)")
        }
        return duration.nanoseconds == 0 ? nil : duration.nanoseconds
    }

    private static func cookie(
        _ persistence: Resources.SessionPersistence, _ owner: String, lifetime: UInt64?
    ) throws(Refusal) -> Model.SessionPersistence.Carrier {
        let given = persistence.cookie?.name ?? persistence.sessionName
        let field = persistence.cookie == nil ? ".sessionName" : ".cookie.name"
        let name = Array((given ?? "weir-session-\(stable(owner))").utf8)
        // RFC 6265 section 4.1.1: a cookie's name is a token.
        guard !name.isEmpty, name.allSatisfy(TranslatedFilter.isTokenByte) else {
            throw Refusal(field: field, message: "'\(given ?? "")' is no cookie name")
        }
        let text = persistence.cookie?.path ?? "/"
        let path = Array(text.utf8)
        // RFC 6265 sections 4.1.1 and 5.2.4: other paths are cut short, or replaced by the browser's own.
        guard path.first == UInt8(ascii: "/"),
            path.allSatisfy({ (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ";") })
        else { throw Refusal(field: ".cookie.path", message: "'\(text)' is no path of a cookie") }
        let isPermanent: Bool
        switch persistence.cookie?.lifetimeType ?? persistence.cookieConfig?.lifetimeType ?? "Session" {
        case "Session": isPermanent = false
        case "Permanent": isPermanent = true
        case let other:
            throw Refusal(
                field: persistence.cookie == nil ? ".cookieConfig.lifetimeType" : ".cookie.lifetimeType",
                message: "'\(other)' is not served")
        }
        // Max-Age counts whole seconds.
        guard !isPermanent || (lifetime ?? 0) >= 1_000_000_000 else {
            throw Refusal(field: ".absoluteTimeout", message: "a Permanent cookie needs one of at least 1s")
        }
        return .cookie(name: name, path: path, isPermanent: isPermanent)
    }

    private static func header(
        _ persistence: Resources.SessionPersistence, _ owner: String
    ) throws(Refusal) -> Model.SessionPersistence.Carrier {
        let given = persistence.header?.name ?? persistence.sessionName
        let field = persistence.header == nil ? ".sessionName" : ".header.name"
        let text = given?.lowercased() ?? "x-weir-session-\(stable(owner))"
        let name = Array(text.utf8)
        guard !name.isEmpty, name.allSatisfy(TranslatedFilter.isTokenByte) else {
            throw Refusal(field: field, message: "'\(given ?? "")' is no field name")
        }
        guard !TranslatedFilter.protected.contains(text), text != "cookie", text != "set-cookie" else {
            throw Refusal(field: field, message: "the field \(given ?? text) has a meaning of its own")
        }
        return .header(name: name)
    }

    /// 64-bit FNV-1a in hexadecimal: the same on every node and after every start, unlike `Hasher`, and without the
    /// names that it is made of, which are nobody's business outside.
    private static func stable(_ text: String) -> String {
        let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
