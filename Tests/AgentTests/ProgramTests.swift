import Agent
import Foundation
import Glibc
import Inspection
import TestSupport
import Testing

/// The program as an operator starts it, without eBPF: what it says, its exit status, what it leaves.
@Suite(.timeLimit(.minutes(2))) struct ProgramTests {
    let folder: TemporaryFolder
    let weir: String
    var manifests: String { folder.path + "/manifests" }
    var state: String { folder.path + "/state" }

    init() throws {
        folder = try TemporaryFolder(prefix: "agent")
        weir = try WeirBinary.path()
        try FileManager.default.createDirectory(atPath: folder.path + "/manifests", withIntermediateDirectories: true)
    }

    private func agent(_ more: String..., metrics: String = "off") -> [String] {
        [
            weir, "agent", "--manifests", manifests, "--state", state, "--redirect", "off", "--workers", "1",
            "--metrics-address", metrics,
        ] + more
    }

    private func run(_ command: String...) async throws -> ChildProcess.Output {
        try await ChildProcess.run([weir] + command, timeout: .seconds(20))
    }

    private func withAgent(_ more: String..., body: (ChildProcess) async throws -> Void) async throws {
        let process = try ChildProcess(agent() + more)
        defer { process.signal(SIGKILL) }
        try await ChildProcess.succeed([weir, "wait", "--state", state, "--timeout", "20s"])
        try await body(process)
    }

    @Test func aMissingFolderIsTheOneThingSaid() async throws {
        rmdir(manifests)
        let output = try await ChildProcess.run(agent())
        #expect(output.status == 1)
        #expect(output.error == "weir agent: --manifests \(manifests): No such file or directory\n")
    }

    @Test func anAddressInUseEndsTheStart() async throws {
        let holder = try PortHolder()
        let output = try await ChildProcess.run(agent(metrics: "127.0.0.1:\(holder.port)"))
        #expect(output.status == 1)
        #expect(
            output.error == "weir agent: --metrics-address 127.0.0.1:\(holder.port): Address already in use\n")
        #expect(access(state + "/weir.sock", F_OK) != 0)
    }

    @Test func aStatePathThatNoSocketFitsIsSaid() async throws {
        let long = folder.path + "/" + String(repeating: "x", count: 100)
        let output = try await ChildProcess.run(
            [weir, "agent", "--manifests", manifests, "--state", long, "--redirect", "off"])
        #expect(output.status == 1)
        #expect(output.error.contains("the path of its socket is longer than 107 bytes"))
    }

    @Test func onlyTheOwnUserReachesTheSocket() async throws {
        try await withAgent { _ in
            var status = stat()
            #expect(stat(state + "/weir.sock", &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
        }
    }

    @Test func aSecondAgentIsTurnedAway() async throws {
        try await withAgent { _ in
            let output = try await ChildProcess.run(agent())
            #expect(output.status == 1)
            #expect(output.error == "weir agent: another weir agent uses the state folder \(state)\n")
            #expect(try await run("status", "--state", state).status == 0)
        }
    }

    @Test(arguments: ["status", "pods", "services", "routes", "endpoints"], ["table", "wide", "json", "yaml"])
    func everyCommandSaysThatThereIsNoAgent(command: String, format: String) async throws {
        let output = try await run(command, "--state", state, "-o", format)
        #expect(output.status == 3 && output.output.isEmpty)
        #expect(output.error == "weir: no agent answers at \(state)/weir.sock: No such file or directory\n")
    }

    @Test func anAgentThatHangsIsNotWaitedForForEver() async throws {
        try await withAgent { process in
            process.signal(SIGSTOP)
            defer { process.signal(SIGCONT) }
            let start = ContinuousClock.now
            let output = try await run("wait", "--state", state, "--timeout", "500ms")
            #expect(output.status == 3)
            #expect(output.error.contains("does not answer within 0.5 seconds"))
            #expect(ContinuousClock.now - start < .seconds(8))
        }
    }

    @Test func waitingForAnAgentEndsAtItsTimeout() async throws {
        let output = try await run("wait", "--state", state, "--timeout", "1s")
        #expect(output.status == 3)
        #expect(output.error.contains("no agent answers"))
    }

    @Test func theEndIsCleanAndAsksForNoSocketFile() async throws {
        try await withAgent { process in
            process.signal(SIGTERM)
            let output = try await process.wait(timeout: .seconds(20))
            #expect(output.status == 0)
            #expect(access(state + "/weir.sock", F_OK) != 0)
            #expect(
                output.error.split(separator: "\n").map { $0.split(separator: " ")[1...] }.map {
                    $0.joined(separator: " ")
                } == ["info ready generation=0 pods=0", "info draining seconds=30.0", "info stopped"])
        }
    }

    @Test func questionsAreAnsweredWhileItDrains() async throws {
        let backend = try PortHolder()
        let (front, health) = (try PortHolder.free(), try PortHolder.free())
        try folder.write("manifests/web.yaml", Self.cluster.replacing("{PORT}", with: "\(backend.port)"))
        try await withAgent(
            "--listen", "127.0.0.1:\(front)=shop/web:80", "--metrics-address", "127.0.0.1:\(health)",
            "--drain", "4s"
        ) { process in
            let page = "http://127.0.0.1:\(health)/readyz"
            #expect(try await ChildProcess.succeed(["curl", "-sS", page]) == "ok\n")
            // The backend takes the connection and never answers.
            let request = try ChildProcess(["curl", "-sS", "-m", "60", "http://127.0.0.1:\(front)/"])
            defer { request.signal(SIGKILL) }
            try await backend.connected()
            process.signal(SIGTERM)
            #expect(
                try await eventually(within: .seconds(10)) {
                    try await ChildProcess.succeed(["curl", "-sS", page]) == "draining\n"
                })
            let status = try await run("status", "--state", state)
            #expect(status.status == 1 && status.output.contains("no: it is ending"))
            #expect(try await run("wait", "--state", state, "--timeout", "200ms").status == 1)
            let output = try await process.wait(timeout: .seconds(20))
            #expect(output.status == 0)
            #expect(output.error.contains("some requests were cut off at the end of the drain"))
        }
    }

    @Test func explanationsAreOfTheRequestThatWouldBeSent() async throws {
        try folder.write("manifests/web.yaml", Self.cluster.replacing("{PORT}", with: "8080"))
        try await withAgent("--max-fields", "3") { _ in
            func explain(_ more: String...) async throws -> [String: Any] {
                let command = [weir, "explain", "--state", state, "--from", "shop/client", "-o", "json"] + more
                let text = try await ChildProcess.succeed(command)
                return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            }
            let found = try await explain("http://WEB.Shop.svc.Cluster.local/x")
            #expect(
                Set(found.keys) == [
                    "outcome", "status", "reason", "message", "service", "generation", "group", "route", "precedence",
                    "tried", "filters", "backends", "timeouts", "retry", "sessionPersistence", "location",
                ])
            #expect(found["outcome"] as? String == "forward")
            let route = try #require(found["route"] as? [String: Any])
            #expect(
                Set(route.keys) == ["kind", "namespace", "name", "rule", "ruleName"] && route["ruleName"] is NSNull)
            let backend = try #require((found["backends"] as? [[String: Any]])?.first)
            #expect(
                Set(backend.keys) == [
                    "namespace", "name", "port", "weight", "reason", "endpoints", "filters", "sessionPersistence",
                    "retryBudget",
                ])
            let tried = try #require((found["tried"] as? [[String: Any]])?.first)
            #expect(Set(tried.keys) == ["route", "match", "conditions", "matched", "failed", "wanted", "seen"])
            #expect(try await explain("-X", "CONNECT", "http://web/")["status"] as? Int == 405)
            #expect(try await explain("-H", "Host: a", "-H", "Host: b", "http://web/")["status"] as? Int == 400)
            // With Host they are the three that are allowed, then one more.
            #expect(try await explain("-H", "a: 1", "-H", "b: 2", "http://web/")["status"] is NSNull)
            let many = try await explain("-H", "a: 1", "-H", "b: 2", "-H", "c: 3", "http://web/")
            #expect(many["status"] as? Int == 431)
            #expect(try await explain("http://elsewhere.shop/")["outcome"] as? String == "pass")
            let smuggled = try await run(
                "explain", "--state", state, "--from", "shop/client", "-H", "a: b\r\nc: d", "http://web/")
            #expect(smuggled.status == 1 && smuggled.error.contains("one line each"))
        }
    }

    @Test func explanationsTellOfGRPCAndOfFilters() async throws {
        try folder.write("manifests/web.yaml", Self.cluster.replacing("{PORT}", with: "8080"))
        try folder.write("manifests/filters.yaml", Self.filters)
        try await withAgent { _ in
            func explain(_ more: String...) async throws -> String {
                try await ChildProcess.succeed(
                    [weir, "explain", "--state", state, "--from", "shop/client", "-X", "POST"] + more)
            }
            let called = try await explain("-H", "content-type: application/grpc", "http://calls/shop.Cart/Add")
            for line in [
                "route       GRPCRoute shop/calls rule 0 (cart)", "won by      more characters in the service",
                "filter      RequestMirror 1 of 4 requests to shop/none:80: nothing is mirrored (backend-not-found)",
                "[gRPC service = shop.Cart]: matched", "[gRPC any method]: matched",
            ] {
                #expect(called.contains(line), "\(called)")
            }
            let other = try await explain("http://calls/shop.Cart/Add")
            #expect(other.contains("error 404 (no-route-matched): GRPCRoutes have port 80 of Service shop/calls"))
            #expect(other.contains("header content-type: wanted = application/grpc, seen nothing"), "\(other)")
            let open = try await explain("http://guarded/open")
            for line in [
                "outcome     forward", "retry       2 more after 502, 503, waiting 10.0 ms",
                "filter      CORS origins https://*.example.org, methods PUT, credentials",
                "filter      ExternalAuth asks shop/web:80 by HTTP below /check, with a body of up to 9 bytes\n",
            ] {
                #expect(open.contains(line), "\(open)")
            }
            let shut = try await explain("http://guarded/shut")
            for line in [
                "outcome     error 403 (external-auth-failed): shop/none:80 cannot be asked",
                "asks shop/none:80 by gRPC: every request is refused (backend-not-found)",
            ] {
                #expect(shut.contains(line), "\(shut)")
            }
            let part = try await explain("http://guarded/part")
            #expect(part.contains("outcome     error 403 (external-auth-failed)"), "\(part)")
            let routes = try await ChildProcess.succeed([weir, "routes", "--state", state])
            #expect(routes.contains("in force on port 80 of Service shop/calls"), "\(routes)")
        }
    }

    /// A GRPCRoute with a mirror to nowhere; an HTTPRoute with all that a rule can ask for, and authorization by nobody,
    /// for a rule and for a backend.
    private static let filters = """
        apiVersion: v1
        kind: Service
        metadata: {name: calls, namespace: shop}
        spec: {clusterIP: 10.96.0.11, ports: [{port: 80}]}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: guarded, namespace: shop}
        spec: {clusterIP: 10.96.0.12, ports: [{port: 80}]}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {name: calls, namespace: shop}
        spec:
          parentRefs: [{group: "", kind: Service, name: calls}]
          rules:
          - name: cart
            matches: [{method: {service: shop.Cart}}]
            filters:
            - type: RequestMirror
              requestMirror: {backendRef: {name: none, port: 80}, fraction: {numerator: 1, denominator: 4}}
            backendRefs: [{name: web, port: 80}]
          - backendRefs: [{name: web, port: 80}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: guarded, namespace: shop}
        spec:
          parentRefs: [{group: "", kind: Service, name: guarded}]
          rules:
          - matches: [{path: {value: /open}}]
            filters:
            - type: CORS
              cors: {allowOrigins: ["https://*.example.org"], allowMethods: [PUT], allowCredentials: true}
            - type: ExternalAuth
              externalAuth:
                protocol: HTTP
                backendRef: {name: web, port: 80}
                http: {path: /check}
                forwardBody: {maxSize: 9}
            retry: {codes: [503, 502], attempts: 2, backoff: 10ms}
            backendRefs: [{name: web, port: 80}]
          - matches: [{path: {value: /shut}}]
            filters:
            - type: ExternalAuth
              externalAuth: {protocol: GRPC, backendRef: {name: none, port: 80}, grpc: {}}
            backendRefs: [{name: web, port: 80}]
          - matches: [{path: {value: /part}}]
            backendRefs:
            - name: web
              port: 80
              filters:
              - type: ExternalAuth
                externalAuth: {protocol: HTTP, backendRef: {name: none, port: 80}, http: {}}

        """

    @Test func policiesSessionsAndTheMeshAreShown() async throws {
        let own = "sessionPersistence: {sessionName: own, absoluteTimeout: 1h, cookieConfig: {lifetimeType: Permanent}}"
        let policies = """
            ---
            apiVersion: gateway.networking.x-k8s.io/v1alpha1
            kind: XBackendTrafficPolicy
            metadata: {name: web, namespace: shop}
            spec:
              targetRefs: [{group: "", kind: Service, name: web}, {group: "", kind: Service, name: none}]
              retryConstraint: {budget: {percent: 7}}
              sessionPersistence: {type: Header, header: {name: X-Shop}}
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: own, namespace: shop}
            spec:
              parentRefs: [{group: "", kind: Service, name: web}, {kind: ListenerSet, name: l}]
              rules: [{matches: [{path: {value: /own}}], backendRefs: [{name: web, port: 80}], \(own)}]
            """
        try folder.write(
            "manifests/web.yaml", Self.cluster.replacing("{PORT}", with: "8080") + "\n" + policies)
        try await withAgent { _ in
            func output(_ command: String...) async throws -> String {
                let words = [weir] + command + ["--state", state]
                return try await ChildProcess.succeed(words).split(separator: " ").joined(separator: " ")
            }
            let theirs = try await output("explain", "--from", "shop/client", "http://web/")
            #expect(theirs.contains("session Header x-shop, the Service's policy"))
            #expect(theirs.contains("retries at most 7 % in 10s, or 10 in 1s"))
            let own = try await output("explain", "--from", "shop/client", "http://web/own")
            #expect(own.contains("session Cookie own path /, permanent, at most 1h, the rule's"))
            #expect(!own.contains("x-shop") && own.contains("retries at most 7 %"))

            let routes = try await output("routes", "-o", "wide")
            #expect(routes.contains("HTTPRoute shop own shop/web True True 1 1 0 Cookie - in force"))
            #expect(routes.contains("XBackendTrafficPolicy shop web shop/web,shop/none True - - 1 Header 7 % in 10s "))
            #expect(routes.contains("not for others: Service shop/none does not exist"))

            let status = try await output("status", "-o", "wide")
            #expect(status.contains("\npolicies 1\n"))
            #expect(status.contains("\nmesh weir: True (Accepted), "))
            #expect(status.contains("no XMesh of that name is there\n"))
            #expect(status.contains("\nfeatures ") && status.contains(" HTTPRoute HTTPRoute303RedirectStatusCode "))
            #expect(status.contains("HTTPRoute shop/own: spec.parentRefs[1]: a ListenerSet is for another controller"))
            #expect(status.contains("XBackendTrafficPolicy shop/web: spec.targetRefs[1]: Service shop/none does not"))
        }
    }

    @Test func anotherControllersMeshIsSaid() async throws {
        try folder.write(
            "manifests/mesh.yaml",
            """
            apiVersion: gateway.networking.x-k8s.io/v1alpha1
            kind: XMesh
            metadata: {name: ours}
            spec: {controllerName: example.org/other}
            """)
        try await withAgent("--mesh-name", "ours") { _ in
            let status = try await run("status", "--state", state)
            #expect(status.output.contains("ours: belongs to example.org/other and is left alone\n"))
            #expect(status.output.contains("XMesh ours: spec.controllerName: the mesh belongs to example.org/other"))
        }
    }

    /// A Service with a route and one endpoint, which is the test's; one that only names another host.
    private static let cluster = """
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: shop}
        spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{name: "", port: {PORT}}]
        endpoints: [{addresses: ["127.0.0.1"]}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: web, namespace: shop}
        spec:
          parentRefs: [{group: "", kind: Service, name: web}]
          rules: [{backendRefs: [{name: web, port: 80}]}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: elsewhere, namespace: shop}
        spec: {type: ExternalName, externalName: example.com}
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: client
          namespace: shop
          labels: {weir.dev/mesh: enabled}
          annotations: {weir.dev/netns: /run/netns/none}
        spec: {containers: [{name: c, image: c}]}
        """

    @Test func versionNamesTheAgentOrNull() async throws {
        let alone = try await run("version", "--state", state, "-o", "json")
        let view = try JSONSerialization.jsonObject(with: Data(alone.output.utf8)) as? [String: Any]
        #expect(view?["agent"] is NSNull)
    }

    @Test func optionsThatMakeNoSenseShowTheirOwnUsage() async throws {
        for wrong in [
            ["--listen", "foo"], ["--workers", "0"], ["--metrics-address", "x"], ["--max-head", "1"],
        ] {
            let output = try await ChildProcess.run(agent() + wrong)
            #expect(output.status == 64)
            #expect(output.error.contains(wrong[0].replacing("--max-head", with: "limits")))
            #expect(output.error.contains("Usage: weir agent"), "\(output.error)")
        }
    }
}

/// A TCP port of 127.0.0.1 that is taken.
private final class PortHolder {
    let port: UInt16
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = descriptor
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, size) == 0 && listen(number, 1) == 0 && getsockname(number, $0, &size) == 0
            }
        }
        guard bound else { throw ChildProcess.Failure("bind: \(String(cString: strerror(errno)))") }
        port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(descriptor) }

    /// A port that nobody listens on any more.
    static func free() throws -> UInt16 { try PortHolder().port }

    /// Returns once somebody has connected.
    func connected() async throws {
        let number = descriptor
        let came = await eventually(within: .seconds(20)) {
            var source = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
            return poll(&source, 1, 0) > 0
        }
        if !came { throw ChildProcess.Failure("nobody connected to port \(port)") }
    }
}
