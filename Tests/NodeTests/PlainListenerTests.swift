import Foundation
import Glibc
import Testing
import TestSupport

extension NodeTests {
    /// `--listen` with `--redirect off`: no pods, no eBPF, and the same routes.
    @Suite("Plain listener", .serialized)
    struct PlainListener {
        @Test("Connections to it count as dialled to the Service") func listen() async throws {
            let weir = try WeirBinary.path()
            let folder = try TemporaryFolder(prefix: "wn-listen")
            let echoPort = try Node.freePort()
            let port = try Node.freePort()
            let manifests = folder.path + "/manifests"
            try FileManager.default.createDirectory(atPath: manifests, withIntermediateDirectories: true)
            try """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec: {clusterIP: 10.96.1.1, ports: [{name: http, port: 80}, {name: other, port: 81}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web, namespace: shop, labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            ports: [{name: http, port: \(echoPort)}, {name: other, port: \(echoPort)}]
            endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: web, namespace: shop}
            spec:
              parentRefs: [{group: "", kind: Service, name: web, port: 80}]
              rules:
              - matches: [{path: {value: /shop}}]
                filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]
                backendRefs: [{name: web, port: 80}]
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: elsewhere, namespace: other}
            spec:
              parentRefs: [{group: "", kind: Service, name: web, namespace: shop, port: 80}]
              rules: [{backendRefs: [{name: web, namespace: shop, port: 81}]}]
            """.write(toFile: manifests + "/web.yaml", atomically: true, encoding: .utf8)
            let echo = try ChildProcess(["env", "POD_NAME=host", weir, "echo", "--port", "\(echoPort)"])
            let agent = try ChildProcess([
                weir, "agent", "--manifests", manifests, "--state", folder.path + "/state", "--redirect", "off",
                "--metrics-address", "off", "--workers", "1", "--listen", "127.0.0.1:\(port)=shop/web:80",
            ])
            defer { for process in [echo, agent] { process.signal(SIGKILL, group: true) } }
            try await ChildProcess.succeed([weir, "wait", "--timeout", "20s", "--state", folder.path + "/state"])
            func get(_ path: String) async throws -> String {
                try await ChildProcess.succeed([
                    "curl", "-sS", "-m", "10", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)",
                ])
            }
            let served = try await get("/shop/cart?a=1").split(separator: "\n")
            #expect(served.last == "200")
            let seen = try JSONDecoder().decode(Echo.self, from: Data((served.first ?? "").utf8))
            #expect(seen.path == "/cart?a=1")
            #expect(seen.pod == "host")
            // The consumer route of another namespace is not for a client of none.
            #expect(try await get("/other").hasSuffix("404"))
            agent.signal(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(10)).status == 0)
        }
    }
}
