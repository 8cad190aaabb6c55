import Manifests
import Resources
import Testing

/// What a folder's files mean together.
@Suite struct SetTests {
    let temporary = TemporaryFolder()

    @Test func anAbsentNamespaceIsDefault() {
        let batch = ManifestText.read(["a.yaml": route("one")])
        guard case .upsert(let resource) = batch.events.first else {
            Issue.record("no object")
            return
        }
        #expect(resource.key == ObjectKey(kind: .httpRoute, namespace: "default", name: "one"))
        #expect(resource.metadata.namespace == "default")
    }

    @Test func defaultsAreFilledIn() throws {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata:
              name: one
            spec:
              parentRefs:
              - name: gateway
              rules:
              - backendRefs:
                - name: echo
                  port: 80
            ---
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata:
              name: two
            spec: {}
            """
        temporary.write("a.yaml", text)
        let follower = try Follower(temporary)
        let spec = try #require(follower.route("one")?.spec)
        #expect(spec.parentRefs == [ParentReference(name: "gateway")])
        #expect(spec.rules?[0].matches == [HTTPRouteMatch(path: HTTPPathMatch(type: "PathPrefix", value: "/"))])
        #expect(
            spec.rules?[0].backendRefs == [
                HTTPBackendRef(group: "", kind: "Service", name: "echo", port: 80, weight: 1)
            ])
        #expect(follower.route("two")?.spec.rules?[0].matches?[0].path?.value == "/")
    }

    @Test func generationRisesWithTheSpec() throws {
        temporary.write("a.yaml", route("one", path: "/1"))
        let follower = try Follower(temporary)
        func generation() -> Int64? { follower.route("one")?.metadata.generation }
        #expect(generation() == 1)
        temporary.write("a.yaml", route("one", path: "/2"))
        try follower.synchronize()
        #expect(generation() == 2)
        let labelled = route("one", path: "/2").replacing("name: one", with: "name: one\n  labels: {a: b}")
        temporary.write("a.yaml", labelled)
        try follower.synchronize()
        #expect(generation() == 2)
        #expect(follower.route("one")?.metadata.labels == ["a": "b"])
        temporary.write("a.yaml", route("one", path: "/3").replacing("name: one", with: "name: one\n  generation: 41"))
        try follower.synchronize()
        #expect(generation() == 41)
        temporary.write("a.yaml", route("one", path: "/4").replacing("name: one", with: "name: one\n  generation: 41"))
        try follower.synchronize()
        #expect(generation() == 41)
        temporary.write("a.yaml", route("one", path: "/5"))
        try follower.synchronize()
        #expect(generation() == 42)
        temporary.remove("a.yaml")
        try follower.synchronize()
        temporary.write("a.yaml", route("one", path: "/5"))
        try follower.synchronize()
        #expect(generation() == 1)
    }

    @Test(arguments: [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"), ("2026-01-31T12:00:00.5+02:00", "2026-01-31T10:00:00Z"),
        ("2026-03-01t00:30:00-00:00", "2026-03-01T00:30:00Z"), ("2024-02-29T23:00:00-02:00", "2024-03-01T01:00:00Z"),
    ])
    func timesAreBroughtIntoOneForm(_ text: String, _ normal: String) throws {
        temporary.write("a.yaml", route("one").replacing("name: one", with: "name: one\n  creationTimestamp: \(text)"))
        #expect(try Follower(temporary).route("one")?.metadata.creationTimestamp == normal)
    }

    /// kubectl's templates have it.
    @Test func aNullTimestampIsNone() throws {
        temporary.write("a.yaml", route("one").replacing("name: one", with: "name: one\n  creationTimestamp: null"))
        let follower = try Follower(temporary)
        #expect(follower.report.isClean)
        #expect(follower.route("one")?.metadata.creationTimestamp == nil)
    }

    @Test func aFileThatDoesNotParseKeepsItsObjects() throws {
        temporary.write("a.yaml", route("one", path: "/1") + "---\n" + service("echo"))
        let follower = try Follower(temporary)
        temporary.write("a.yaml", route("one", path: "/2") + "---\n" + "kind: [\n")
        try follower.synchronize()
        #expect(follower.route("one")?.spec.rules?[0].matches?[0].path?.value == "/1")
        #expect(follower.hasService("echo"))
        let finding = try #require(follower.report.refusedFiles.first)
        #expect(finding.file == "a.yaml")
        #expect(finding.line == 20)
        temporary.write("a.yaml", service("echo"))
        try follower.synchronize()
        #expect(follower.route("one") == nil)
        #expect(follower.report.isClean)
    }

    @Test func anObjectThatBreaksARuleKeepsItsGoodVersion() throws {
        temporary.write("a.yaml", route("one", path: "/1") + "---\n" + route("two", path: "/1"))
        let follower = try Follower(temporary)
        temporary.write("a.yaml", route("one", path: "wrong") + "---\n" + route("two", path: "/2"))
        try follower.synchronize()
        #expect(follower.route("one")?.spec.rules?[0].matches?[0].path?.value == "/1")
        #expect(follower.route("one")?.metadata.generation == 1)
        #expect(follower.route("two")?.spec.rules?[0].matches?[0].path?.value == "/2")
        let finding = try #require(follower.report.refusedObjects.first)
        #expect(finding.file == "a.yaml")
        #expect(finding.line == 12)
        #expect(finding.object == "HTTPRoute default/one")
        #expect(finding.field == "spec.rules[0].matches[0].path")
        temporary.write("a.yaml", route("two", path: "/2"))
        try follower.synchronize()
        #expect(follower.route("one") == nil)
    }

    @Test func anObjectThatWasNeverGoodIsNotThere() throws {
        temporary.write("a.yaml", route("one", path: "wrong"))
        let follower = try Follower(temporary)
        #expect(follower.route("one") == nil)
        #expect(follower.inventory.httpRoutes.isEmpty)
    }

    @Test func unknownFieldsAreReportedAndTheRestIsInForce() throws {
        let text = route("one") + "  colour: red\n" + "status: {parents: [], colour: blue}\n"
        temporary.write(
            "a.yaml",
            text.replacing("value: /", with: "value: /\n      weigth: 7").replacing(
                "name: one", with: "name: one\n  nmae: x"))
        let follower = try Follower(temporary)
        #expect(follower.route("one") != nil)
        #expect(follower.report.refusedObjects.isEmpty)
        #expect(
            follower.report.unknownFields.map { "\($0.line ?? 0) \($0.field ?? "")" } == [
                "5 metadata.nmae", "15 spec.rules[0].matches[0].weigth", "20 spec.colour", "21 status.colour",
            ])
    }

    @Test func theFirstFileWins() throws {
        temporary.write("b.yaml", route("one", path: "/b"))
        temporary.write("c.yaml", route("one", path: "/c") + "---\n" + route("one", path: "/c2"))
        let follower = try Follower(temporary)
        func path() -> String? { follower.route("one")?.spec.rules?[0].matches?[0].path?.value }
        #expect(path() == "/b")
        #expect(follower.report.duplicates.map { "\($0.file):\($0.line ?? 0)" } == ["c.yaml:1", "c.yaml:19"])
        #expect(follower.report.duplicates[0].message == "the object of b.yaml line 1 is in force instead")
        temporary.write("a.yaml", route("one", path: "/a"))
        try follower.synchronize()
        #expect(path() == "/a")
        #expect(follower.report.duplicates.map(\.file) == ["b.yaml", "c.yaml", "c.yaml"])
        temporary.remove("a.yaml")
        temporary.remove("b.yaml")
        try follower.synchronize()
        #expect(path() == "/c")
        #expect(follower.report.duplicates.count == 1)
        #expect(follower.deletions == 0)
    }

    /// The owner's last good version holds against another file's; but a file that never had one does not own.
    @Test func aRefusedDuplicate() throws {
        temporary.write("a.yaml", route("one", path: "wrong"))
        temporary.write("b.yaml", route("one", path: "/b"))
        let follower = try Follower(temporary)
        func path() -> String? { follower.route("one")?.spec.rules?[0].matches?[0].path?.value }
        #expect(path() == "/b")
        temporary.write("a.yaml", route("one", path: "/a"))
        try follower.synchronize()
        #expect(path() == "/a")
        temporary.write("a.yaml", route("one", path: "wrong"))
        try follower.synchronize()
        #expect(path() == "/a")
    }

    @Test func listsOfBothSorts() throws {
        let text = """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: v1
              kind: Service
              metadata: {name: one}
              spec: {ports: [{port: 80}]}
            - apiVersion: v1
              kind: ServiceList
              items:
              - metadata: {name: two}
                spec: {ports: [{port: 80}]}
            - apiVersion: v1
              kind: Service
              metadata: {name: three}
              spec: {ports: [{port: 99999}]}
            - 7
            """
        temporary.write("a.yaml", text)
        temporary.write("b.yaml", "apiVersion: v1\nkind: List\nitems: []\n---\napiVersion: v1\nkind: List\nitems:\n")
        let follower = try Follower(temporary)
        #expect(follower.hasService("one"))
        #expect(follower.hasService("two"))
        #expect(follower.report.refusedObjects.map(\.line) == [16])
        #expect(follower.report.notObjects.map(\.line) == [17])
    }

    @Test(arguments: [
        ("just text", "the document is no object but string"), ("- a\n- b", "the document is no object but array"),
        ("a: 1", "the document has no kind"), ("kind: Service", "the document has no apiVersion"),
        ("kind: 7\napiVersion: v1", "the document has no kind"),
        ("kind: List\napiVersion: v1\nitems: 7", "the items of a list must be an array"),
    ])
    func whatIsNoObject(_ text: String, _ message: String) {
        let batch = ManifestText.read(["a.yaml": service("echo") + "---\n" + text])
        #expect(batch.events.count == 1)
        #expect(batch.report.notObjects.map(\.message) == [message])
        #expect(batch.report.notObjects.map(\.line) == [9])
    }

    @Test func emptyDocumentsAreNothing() {
        let batch = ManifestText.read(["a.yaml": "---\n# remark\n---\n" + service("echo") + "---\n"])
        #expect(batch.events.count == 1)
        #expect(batch.report.isClean)
    }

    @Test func kindsThatAreNotRead() {
        let text = """
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: d, namespace: x}
            ---
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: HTTPRoute
            metadata: {name: r}
            ---
            apiVersion: example.com/v1
            kind: Service
            metadata: {name: s}
            """
        let report = ManifestText.read(["a.yaml": text]).report
        #expect(
            report.unknownKinds.map(\.message) == [
                "the kind Deployment of apps/v1 is not read",
                "gateway.networking.k8s.io/v1alpha2 of HTTPRoute is not read; versions that are: v1, v1beta1",
                "the kind Service of example.com/v1 is not read",
            ])
        #expect(report.unknownKinds.map(\.object) == ["Deployment x/d", "HTTPRoute r", "Service s"])
    }

    @Test func kindsThatAreNotServedYet() {
        let text = """
            apiVersion: gateway.networking.k8s.io/v1alpha2
            kind: TCPRoute
            metadata: {name: r}
            spec: {rules: [{backendRefs: [{name: e, port: 1}]}]}
            """
        let batch = ManifestText.read(["a.yaml": text])
        #expect(batch.events.count == 1)
        #expect(batch.report.notServed.map(\.message) == ["objects of kind TCPRoute are not served yet"])
        guard case .upsert(.tcpRoute(let route)) = batch.events.first else {
            Issue.record("no route")
            return
        }
        #expect(route.apiVersion == "gateway.networking.k8s.io/v1")
    }

    @Test(arguments: [
        (
            "Gateway",
            "{gatewayClassName: c, listeners: [{name: a, port: 443, protocol: TLS, tls: {mode: Passthrough}}]}"
        ),
        ("GatewayClass", "{controllerName: example.org/c}"),
        ("ListenerSet", "{parentRef: {name: g}, listeners: [{name: a, port: 80, protocol: HTTP}]}"),
    ])
    func kindsOfOtherControllers(_ kind: String, _ spec: String) {
        let text = "apiVersion: gateway.networking.k8s.io/v1\nkind: \(kind)\nmetadata: {name: g}\nspec: \(spec)\n"
        let report = ManifestText.read(["a.yaml": text]).report
        #expect(report.refusedObjects.isEmpty)
        #expect(report.notServed.map(\.object) == ["\(kind) \(kind == "GatewayClass" ? "" : "default/")g"])
        #expect(report.notServed.allSatisfy { $0.message.hasPrefix("a \(kind) is for another controller") })
    }

    /// Every field of a Pod's own API is known; a slip of the pen is not.
    @Test func aPodFromARealCluster() {
        let text = """
            apiVersion: v1
            kind: Pod
            metadata:
              name: web-7c5ddbdf54-abcde
              generateName: web-7c5ddbdf54-
              namespace: prod
              uid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427
              resourceVersion: "1234"
              creationTimestamp: "2026-01-31T12:00:00Z"
              labels: {app: web, pod-template-hash: 7c5ddbdf54}
              annotations: {"Example.com/Upper": x}
              ownerReferences:
              - {apiVersion: apps/v1, kind: ReplicaSet, name: web-7c5ddbdf54, uid: a, controller: true, blockOwnerDeletion: true}
              managedFields:
              - {manager: kubelet, operation: Update, apiVersion: v1, time: "2026-01-31T12:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:status": {}}}
            spec:
              containers:
              - name: web
                image: nginx:1.27
                imagePullPolicy: IfNotPresent
                ports: [{containerPort: 80, name: http, protocol: TCP}]
                env:
                - {name: A, value: b}
                - {name: A, valueFrom: {fieldRef: {fieldPath: metadata.name, apiVersion: v1}}}
                resources: {limits: {cpu: 0.5, memory: 128Mi}, requests: {cpu: 100m}}
                readinessProbe: {httpGet: {path: /, port: http, scheme: HTTP}, periodSeconds: 10, failureThreshold: 3}
                livenessProbe: {tcpSocket: {port: 80}}
                lifecycle: {preStop: {sleep: {seconds: 5}}}
                securityContext: {capabilities: {drop: [ALL]}, runAsNonRoot: true}
                volumeMounts: [{name: token, mountPath: /var/run/secrets, readOnly: true}]
                terminationMessagePath: /dev/termination-log
              initContainers: [{name: proxy, image: p, restartPolicy: Always}]
              volumes:
              - name: token
                projected: {defaultMode: 420, sources: [{serviceAccountToken: {expirationSeconds: 3607, path: token}}]}
              - {name: cache, emptyDir: {sizeLimit: 1Gi}}
              tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 300}]
              affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {app: web}}}}]}}
              topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
              serviceAccountName: web
              serviceAccount: web
              nodeName: node-1
              priority: 0
              enableServiceLinks: true
              dnsPolicy: ClusterFirst
              restartPolicy: Always
              schedulerName: default-scheduler
              securityContext: {fsGroup: 1000}
              terminationGracePeriodSeconds: 30
              hostAliases: null
            status:
              phase: Running
              podIP: 10.244.0.5
              podIPs: [{ip: 10.244.0.5}, {ip: "fd00::5"}]
              hostIP: 172.18.0.2
              hostIPs: [{ip: 172.18.0.2}]
              qosClass: Burstable
              startTime: "2026-01-31T12:00:00Z"
              conditions:
              - {type: Ready, status: "True", lastProbeTime: null, lastTransitionTime: "2026-01-31T12:00:01Z"}
              containerStatuses:
              - {name: web, ready: true, restartCount: 0, image: nginx, imageID: x, containerID: y, started: true, state: {running: {startedAt: "2026-01-31T12:00:01Z"}}, lastState: {}}
            """
        let batch = ManifestText.read(["a.yaml": text])
        #expect(batch.report.isClean, "\(batch.report)")
        let slip = ManifestText.read(["a.yaml": text.replacing("imagePullPolicy", with: "imagePolicy")])
        #expect(slip.report.unknownFields.map(\.field) == ["spec.containers[0].imagePolicy"])
    }
}
