#!/usr/bin/env python3
"""Writes schemas.jsonl, the schemas that Manifests holds objects to.

    generate.py CRDS DEFINITIONS > schemas.jsonl

CRDS is config/crd/experimental of kubernetes-sigs/gateway-api (v1.6.1). DEFINITIONS is a JSON Schema rendering of the
Kubernetes OpenAPI definitions, such as v1.37.0-local/_definitions.json of the PyPI package kubernetes-validate.

Each line is `APIVERSION KIND`, a tab, and one JSON object: `schema`, `definitions` that its `$ref`s name, `scope`, and
`nullIsAbsent` for kinds that the API server decodes into its own types. Descriptions are stripped and equal parts are
written once. What the OpenAPI definitions leave to the API server's code is added from CORE below. Fields that other
releases of the Gateway API write otherwise are added too, so that a manifest for either is read: `sessionPersistence`
as v1.7.0 has it (cookie, header) and as v1.5 had it (idleTimeout).
Needs PyYAML.
"""
import glob
import json
import os
import sys

import yaml

KEEP = (
    "type", "properties", "required", "items", "additionalProperties", "enum", "pattern", "format", "default",
    "nullable", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties",
    "maxProperties", "oneOf", "anyOf", "allOf", "not", "$ref", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
    "x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
)
LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
QUALIFIED = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
PORT = {"minimum": 1, "maximum": 65535}
PROTOCOL = {"enum": ["TCP", "UDP", "SCTP"], "default": "TCP"}
PORT_NAME = {"maxLength": 63, "pattern": LABEL}
SERVICE_NAME = {
    "maxLength": 15,
    "x-kubernetes-validations": [
        {"rule": "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.matches('[a-z]') && !self.contains('--')",
         "message": "must hold lower case letters, digits and single hyphens, and at least one letter"}],
}
IP = {"format": "ip"}


def rule(expression, message):
    return {"rule": expression, "message": message}


CORE = {
    "io.k8s.api.core.v1.Namespace": {"metadata": {"name": {"maxLength": 63, "pattern": LABEL}}},
    "io.k8s.api.core.v1.Service": {
        "metadata": {"name": {"maxLength": 63, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"}}, "required": ["spec"]},
    "io.k8s.api.core.v1.ServiceSpec": {
        "properties": {
            "type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"], "default": "ClusterIP"},
            "clusterIP": {"x-kubernetes-validations": [
                rule("self in ['', 'None'] || isIP(self)", "must be empty, None or an IP address")]},
            "clusterIPs": {"maxItems": 2, "items": {"type": "string", "x-kubernetes-validations": [
                rule("self in ['', 'None'] || isIP(self)", "must be empty, None or an IP address")]}},
            "externalIPs": {"items": {"type": "string", "format": "ip"}},
            "ipFamilies": {"maxItems": 2, "items": {"type": "string", "enum": ["IPv4", "IPv6"]}},
            "ipFamilyPolicy": {"enum": ["SingleStack", "PreferDualStack", "RequireDualStack"]},
            "sessionAffinity": {"enum": ["None", "ClientIP"]},
            "internalTrafficPolicy": {"enum": ["Cluster", "Local"]},
            "externalTrafficPolicy": {"enum": ["Cluster", "Local"]},
            "ports": {"x-kubernetes-validations": [
                rule("self.size() < 2 || self.all(p, has(p.name) && p.name != '')",
                     "every port must have a name when there are several"),
                rule("self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))",
                     "names of ports must be unique"),
                rule("self.all(p, self.exists_one(q, q.port == p.port && q.protocol == p.protocol))",
                     "port and protocol together must be unique")]},
        },
        "x-kubernetes-validations": [
            rule("self.type != 'ExternalName' || (has(self.externalName) && self.externalName != '')",
                 "an ExternalName Service needs externalName"),
            rule("self.type != 'ExternalName' || !has(self.clusterIP) || self.clusterIP == ''",
                 "an ExternalName Service has no clusterIP"),
            rule("self.type == 'ExternalName' || (has(self.clusterIP) && self.clusterIP == 'None') || "
                 "(has(self.ports) && self.ports.size() > 0)", "ports are required"),
            rule("self.type == 'ClusterIP' || !has(self.clusterIP) || self.clusterIP != 'None'",
                 "clusterIP may be None for type ClusterIP only"),
            rule("!has(self.clusterIP) || !has(self.clusterIPs) || self.clusterIPs.size() == 0 || "
                 "self.clusterIP == self.clusterIPs[0]", "clusterIP must be the first of clusterIPs"),
        ],
    },
    "io.k8s.api.core.v1.ServicePort": {
        "properties": {
            "port": PORT, "name": PORT_NAME, "protocol": PROTOCOL, "nodePort": {"minimum": 0, "maximum": 65535},
            "appProtocol": {"pattern": QUALIFIED},
            "targetPort": {"x-kubernetes-validations": [
                rule("type(self) != int || (self >= 0 && self <= 65535)", "must be from 1 to 65535"),
                rule("type(self) != string || self == '' || (self.size() <= 15 && "
                     "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.matches('[a-z]') && "
                     "!self.contains('--'))", "must be a port number or the name of a container port")]},
        },
        "required": ["port"],
    },
    "io.k8s.api.discovery.v1.EndpointSlice": {
        "properties": {
            "addressType": {"enum": ["IPv4", "IPv6", "FQDN"]},
            "endpoints": {"maxItems": 1000},
            "ports": {"maxItems": 100, "x-kubernetes-validations": [
                rule("self.all(p, self.exists_one(q, (has(p.name) ? p.name : '') == (has(q.name) ? q.name : '')))",
                     "names of ports must be unique")]},
        },
        "required": ["addressType"],
        "x-kubernetes-validations": [
            rule("self.addressType != 'IPv4' || !has(self.endpoints) || "
                 "self.endpoints.all(e, e.addresses.all(a, isIP(a) && ip(a).family() == 4))",
                 "addresses must be IPv4 addresses"),
            rule("self.addressType != 'IPv6' || !has(self.endpoints) || "
                 "self.endpoints.all(e, e.addresses.all(a, isIP(a) && ip(a).family() == 6))",
                 "addresses must be IPv6 addresses"),
        ],
    },
    "io.k8s.api.discovery.v1.Endpoint": {
        "properties": {"addresses": {"minItems": 1, "maxItems": 100}}, "required": ["addresses"]},
    "io.k8s.api.discovery.v1.EndpointPort": {
        "properties": {
            "port": PORT, "protocol": PROTOCOL, "appProtocol": {"pattern": QUALIFIED},
            "name": {"maxLength": 63, "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$"}}},
    "io.k8s.api.core.v1.Pod": {
        "metadata": {"name": {"maxLength": 253, "pattern": SUBDOMAIN}}, "required": ["spec"]},
    "io.k8s.api.core.v1.PodSpec": {
        "properties": {
            "containers": {"minItems": 1, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            "hostname": {"maxLength": 63, "pattern": LABEL}, "subdomain": {"maxLength": 63, "pattern": LABEL}},
        "required": ["containers"],
    },
    "io.k8s.api.core.v1.EnvVar": {"required": ["name"]},
    "io.k8s.api.core.v1.Container": {
        "required": ["name"],
        "properties": {
            "name": PORT_NAME,
            "ports": {"x-kubernetes-validations": [
                rule("self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))",
                     "names of ports must be unique")]}},
    },
    "io.k8s.api.core.v1.ContainerPort": {
        "properties": {"containerPort": PORT, "hostPort": {"minimum": 0, "maximum": 65535}, "protocol": PROTOCOL,
                       "name": SERVICE_NAME}, "required": ["containerPort"]},
    "io.k8s.api.core.v1.PodStatus": {
        "properties": {"podIP": IP, "hostIP": IP,
                       "phase": {"enum": ["Pending", "Running", "Succeeded", "Failed", "Unknown"]}}},
    "io.k8s.api.core.v1.PodIP": {"properties": {"ip": IP}, "required": ["ip"]},
    "io.k8s.api.core.v1.PodCondition": {
        "properties": {"status": {"enum": ["True", "False", "Unknown"]}}, "required": ["type", "status"]},
}
TOKEN = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$"}
SESSION_PERSISTENCE = {
    "idleTimeout": {"type": "string", "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$"},
    "cookie": {
        "type": "object",
        "properties": {
            "name": TOKEN,
            "lifetimeType": {"type": "string", "default": "Session", "enum": ["Permanent", "Session"]},
            "path": {"type": "string", "default": "/", "maxLength": 1024}}},
    "header": {"type": "object", "properties": {"name": TOKEN}, "required": ["name"]},
}
SESSION_PERSISTENCE_RULES = [
    rule("!has(self.cookie) || !has(self.cookie.lifetimeType) || self.cookie.lifetimeType != 'Permanent' || "
         "has(self.absoluteTimeout)", "AbsoluteTimeout must be specified when cookie lifetimeType is Permanent"),
    rule("!has(self.cookie) || self.type == 'Cookie'", "cookie must be nil if type is not Cookie"),
    rule("!has(self.header) || self.type == 'Header'", "header must be nil if type is not Header"),
    rule("!(has(self.cookie) || has(self.header)) || !(has(self.sessionName) || has(self.cookieConfig))",
         "cookie and header exclude sessionName and cookieConfig, which are their older forms"),
]
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
KINDS = [
    ("v1", "Namespace", "io.k8s.api.core.v1.Namespace", "Cluster"),
    ("v1", "Service", "io.k8s.api.core.v1.Service", "Namespaced"),
    ("v1", "Pod", "io.k8s.api.core.v1.Pod", "Namespaced"),
    ("discovery.k8s.io/v1", "EndpointSlice", "io.k8s.api.discovery.v1.EndpointSlice", "Namespaced"),
]


def strip(node):
    """The parts of a schema that are rules."""
    out = {}
    for key in KEEP:
        if key not in node:
            continue
        value = node[key]
        if key == "properties":
            value = {name: strip(child) for name, child in value.items()}
        elif key in ("items", "not") or key == "additionalProperties" and isinstance(value, dict):
            value = strip(value)
        elif key in ("oneOf", "anyOf", "allOf"):
            value = [strip(child) for child in value]
        elif key == "x-kubernetes-validations":
            value = [{"rule": entry["rule"], "message": entry.get("message", "")} for entry in value]
        elif key == "$ref":
            value = value.split("/")[-1]
        elif key == "x-kubernetes-list-type" and value == "atomic":
            continue
        out[key] = value
    return out


def without_null(node):
    """JSON Schema writes what may be absent as a union with null."""
    if isinstance(node, list):
        return [without_null(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: without_null(value) for key, value in node.items()}
    if isinstance(node.get("type"), list):
        node["type"] = next(name for name in node["type"] if name != "null")
    return node


def loosen(node):
    """The API server does not hold its own types to these: it decodes what is absent as zero."""
    for key in ("required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-validations"):
        node.pop(key, None)
    if node.get("type") == "object" and not {"properties", "additionalProperties"} & set(node):
        node["x-kubernetes-preserve-unknown-fields"] = True
    for child in node.get("properties", {}).values():
        loosen(child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            loosen(node[key])


def add(node, extra):
    for key, value in extra.items():
        if key == "properties":
            for name, child in value.items():
                add(node["properties"][name], child)
        elif key == "required":
            node["required"] = sorted(set(node.get("required", [])) | set(value))
        elif key != "metadata":
            node[key] = value


def add_releases(node):
    """Adds the fields of `sessionPersistence` that other releases have."""
    for name, child in node.get("properties", {}).items():
        if name == "sessionPersistence":
            child["properties"] = {**child["properties"], **SESSION_PERSISTENCE}
            child["x-kubernetes-validations"] = child["x-kubernetes-validations"] + SESSION_PERSISTENCE_RULES
        add_releases(child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            add_releases(node[key])


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def intern(schema, definitions):
    """Moves parts that occur more than once into `definitions`."""
    counts = {}

    def count(node):
        text = json.dumps(node, sort_keys=True)
        counts[text] = counts.get(text, 0) + 1
        if counts[text] == 1:
            for child in children(node):
                count(child)

    def children(node):
        yield from node.get("properties", {}).values()
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                yield node[key]

    names = {}

    def place(node, root=False):
        text = json.dumps(node, sort_keys=True)
        if not root and counts[text] > 1 and len(text) > 60:
            if text not in names:
                names[text] = f"d{len(names)}"
                definitions[names[text]] = rebuild(node)
            return {"$ref": names[text]}
        return rebuild(node)

    def rebuild(node):
        node = dict(node)
        if "properties" in node:
            node["properties"] = {name: place(child) for name, child in node["properties"].items()}
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                node[key] = place(node[key])
        return node

    count(schema)
    return place(schema, root=True)


def write(version, kind, entry):
    print(f"{version} {kind}\t{json.dumps(entry, separators=(',', ':'), ensure_ascii=True)}")


def main(crds, definitions_path):
    with open(definitions_path) as file:
        everything = json.load(file)["$defs"]
    core = {}
    for name, node in everything.items():
        if name.endswith(".Quantity"):
            core[name] = {}
        elif name.endswith(".IntOrString"):
            core[name] = {"x-kubernetes-int-or-string": True}
        else:
            core[name] = strip(without_null(node))
            loosen(core[name])
    core[META]["required"] = ["name"]
    for name, extra in CORE.items():
        node = core[name]
        for field, child in extra.get("properties", {}).items():
            if "$ref" in node["properties"][field]:
                node["properties"][field] = dict(core[node["properties"][field]["$ref"]])
        add(node, extra)

    def reachable(root):
        found, queue = {}, list(references(root))
        while queue:
            name = queue.pop()
            if name not in found:
                found[name] = core[name]
                queue += references(core[name])
        return dict(sorted(found.items()))

    for version, kind, name, scope in KINDS:
        schema = dict(core[name])
        definitions = reachable(schema)
        for field, child in CORE[name].get("metadata", {}).items():
            add(definitions.setdefault(META, dict(core[META])), {})
            meta = json.loads(json.dumps(definitions[META]))
            add(meta["properties"][field], child)
            definitions[META] = meta
        schema["required"] = sorted(set(schema.get("required", [])) | {"metadata"})
        write(version, kind, {"scope": scope, "nullIsAbsent": True, "schema": schema, "definitions": definitions})

    meta = {META: core[META]}
    meta.update(reachable(core[META]))
    meta = json.loads(json.dumps(meta))
    add(meta[META]["properties"]["name"], {"maxLength": 253, "pattern": SUBDOMAIN})
    for path in sorted(glob.glob(os.path.join(crds, "*.yaml"))):
        with open(path) as file:
            documents = list(yaml.load_all(file, yaml.CSafeLoader))
        for crd in documents:
            if crd.get("kind") != "CustomResourceDefinition":
                continue
            spec = crd["spec"]
            for version in spec["versions"]:
                if not version["served"]:
                    continue
                schema = strip(version["schema"]["openAPIV3Schema"])
                add_releases(schema)
                definitions = {}
                schema = intern(schema, definitions)
                schema["properties"]["metadata"] = {"$ref": META}
                schema["required"] = sorted(set(schema.get("required", [])) | {"metadata"})
                write(f"{spec['group']}/{version['name']}", spec["names"]["kind"],
                      {"scope": spec["scope"], "schema": schema, "definitions": {**definitions, **meta}})


main(sys.argv[1], sys.argv[2])
