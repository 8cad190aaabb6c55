import HTTPWire
import Model
import Proxy
import Testing

/// XBackendTrafficPolicy's retryConstraint (GEP-3388), in the worker.
@Suite struct RetryBudgetTests {
    private static func budget(percent: Int, minimum: Int, seconds: UInt64 = 60) -> RetryBudget {
        RetryBudget(
            percent: percent, interval: seconds * 1_000_000_000, minimumCount: minimum,
            minimumInterval: seconds * 1_000_000_000)
    }

    private static func rules(_ server: FlakyServer, _ version: HTTPVersion, _ budget: RetryBudget) -> [RouteTableEntry]
    {
        policy(
            governed("echo", [server.port], version, budget: budget), retry: retry([500], attempts: 3))
    }

    @Test(arguments: Pair.all) func overTheMinimumRate(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { _, _ in .reply(Reply(status: 500)) }
        let mesh = try Mesh(rules: Self.rules(server, pair.server, Self.budget(percent: 0, minimum: 4)))
        let client = try VersionedClient(pair.client, mesh)
        // Three retries, and the backend's own answer.
        #expect(try client.ask().response.status == 500)
        for number in 0..<3 {
            let response = try client.ask().response
            #expect(response.status == 503)
            #expect(response["x-weir-reason"] == "retry-budget-exhausted")
            #expect(server.requests.count == 4 + 2 + number)
        }
        #expect(mesh.counters().retries == 4)
    }

    @Test(arguments: Pair.all) func overTheShare(_ pair: Pair) throws {
        let server = try FlakyServer(pair.server) { _, request in
            .reply(Reply(status: request.start.contains("bad") ? 500 : 200))
        }
        let mesh = try Mesh(rules: Self.rules(server, pair.server, Self.budget(percent: 20, minimum: 0)))
        let client = try VersionedClient(pair.client, mesh)
        for _ in 0..<19 { #expect(try client.ask().response.status == 200) }
        // 20 requests allow 5 retries, which are requests themselves.
        #expect(try client.ask("GET", "/bad").response.status == 500)
        #expect(mesh.counters().retries == 3)
        #expect(try client.ask("GET", "/bad").response.status == 503)
        #expect(mesh.counters().retries == 5)
        #expect(try client.ask("GET", "/bad").response.status == 503)
        #expect(mesh.counters().retries == 5)
        #expect(try client.ask().response.status == 200, "what succeeds needs no budget")
    }

    @Test func connectionErrorsAreCharged() throws {
        let server = try FlakyServer(.http11) { _, _ in .reset }
        let mesh = try Mesh(rules: Self.rules(server, .http11, Self.budget(percent: 0, minimum: 1)))
        let response = try mesh.connect().get()
        #expect(response.status == 503)
        #expect(response["x-weir-reason"] == "retry-budget-exhausted")
        #expect(server.requests.count == 2)
    }

    /// What was spent is spent under the next plan, too.
    @Test func budgetOutlivesThePlan() throws {
        let server = try FlakyServer(.http11) { _, _ in .reply(Reply(status: 500)) }
        let budget = Self.budget(percent: 0, minimum: 3)
        let mesh = try Mesh(rules: Self.rules(server, .http11, budget))
        let client = try mesh.connect()
        #expect(try client.get().status == 500)
        mesh.publish(2, rules: Self.rules(server, .http11, budget))
        #expect(try client.get().status == 503)
        mesh.publish(3, rules: Self.rules(server, .http11, Self.budget(percent: 100, minimum: 0)))
        #expect(try client.get().status == 500)
    }

    /// A spent budget leaves the endpoint's connection as it is.
    @Test func connectionOutlivesTheBudget() throws {
        let server = try FlakyServer(.http11) { _, _ in .reply(Reply(status: 500, "failure")) }
        let mesh = try Mesh(rules: Self.rules(server, .http11, Self.budget(percent: 0, minimum: 0)))
        let client = try mesh.connect()
        for _ in 0..<3 {
            #expect(try client.get().status == 503)
            // The response may end after the answer has gone.
            mesh.expect { $0.upstreamsIdle == 1 }
        }
        #expect(server.connections == 1)
    }
}
