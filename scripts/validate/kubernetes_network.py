"""Who reaches whom under the NetworkPolicies of a stack, compared with who should.

Addresses of the cloud's metadata (169.254.169.254) and of the cluster stand for what a captured server would look for.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubernetes_stack import KubernetesObject, Labels, Stack, selects

HTTP, GRPC, METRICS, PROXY, DNS, HTTPS, MINIO = 8000, 8001, 8002, 8443, 53, 443, 9000
OURS = "panecho"
"""Stands for the stack's own namespace."""


@dataclass(frozen=True)
class Peer:
    """A pod, or an address outside.

    Attributes:
        name: For messages.
        labels: Of the pod.
        namespace: Its namespace's name.
        namespace_labels: Further labels of that namespace.
        address: Of what is no pod.
    """

    name: str
    labels: Labels = field(default_factory=dict)
    namespace: str = OURS
    namespace_labels: Labels = field(default_factory=dict)
    address: str | None = None


SERVER = Peer("a server", {"app.kubernetes.io/name": "panecho", "app.kubernetes.io/component": "server",
                           "app.kubernetes.io/part-of": "panecho"})  # fmt: skip
ARCHIVE = {"app.kubernetes.io/name": "panecho", "app.kubernetes.io/component": "archive",
           "app.kubernetes.io/part-of": "panecho"}  # fmt: skip
PREDICT = Peer("panecho-predict", ARCHIVE | {"panecho-client": "true", "step": "predict"})
INDEX = Peer("panecho-index", ARCHIVE | {"step": "index"})
CALLER = {"panecho-client": "true"}
CLIENT = Peer("a client here", CALLER)
FAR_CLIENT = Peer("a client in a labelled namespace", CALLER, "research", CALLER)
PROMETHEUS = Peer("Prometheus", {"app.kubernetes.io/name": "prometheus"}, "monitoring")
GATEWAY = Peer("the gateway", {}, "envoy-gateway-system")
GATEWAY_HERE = Peer("the gateway in this namespace", {"gateway.networking.k8s.io/gateway-name": "panecho"})
"""Where Istio and NGINX Gateway Fabric run the pods of a Gateway."""
RESOLVER = Peer("DNS", {"k8s-app": "kube-dns"}, "kube-system")
STORE = Peer("an object store outside", address="93.184.216.34")
PRIVATE_STORE = Peer("MinIO in the cluster", {"app": "minio"}, "minio")
STRANGERS = (
    Peer("a pod without label here", {"app": "other"}),
    Peer("a client in a namespace without label", CALLER, "other"),
    Peer("a pod in a labelled namespace", {"app": "other"}, "research", CALLER),
    Peer("a pod of monitoring that is not Prometheus", {"app": "other"}, "monitoring"),
    Peer("somebody who calls himself Prometheus", {"app.kubernetes.io/name": "prometheus"}, "other"),
    Peer("an address outside", address="93.184.216.34"),
)
TARGETS = (
    Peer("the cloud's metadata", address="169.254.169.254"),
    Peer("the API server", address="10.96.0.1"),
    Peer("a pod here", {"app": "other"}),
    Peer("a pod elsewhere", {"app": "other"}, "other"),
    SERVER,
)


def network_problems(stack: Stack) -> Iterator[str]:
    """Yield connections that are open and should not be, or closed and should be open."""
    policies = list(stack.everything("NetworkPolicy"))
    expected = _expected(stack)
    for source, target, port in _questions():
        opened, should = _passes(policies, source, target, port), (source.name, target.name, port) in expected
        if opened != should:
            said = "reaches" if opened else "does not reach"
            yield f"NetworkPolicies: {source.name} {said} {target.name} at port {port}"


def _expected(stack: Stack) -> set[tuple[str, str, int]]:
    """Return what must be open; anything else must not."""
    proxied = any("proxy" in workload.ports() for workload in stack.workloads(around=True) if workload.is_server)
    calls = (PROXY,) if proxied else (HTTP, GRPC)
    names = {item["metadata"]["name"] for item in stack.everything("NetworkPolicy")}
    expected = {(client.name, SERVER.name, port) for client in (CLIENT, FAR_CLIENT) for port in calls}
    expected |= {(source.name, RESOLVER.name, DNS) for source in (SERVER, PREDICT, INDEX)}
    expected.add((PROMETHEUS.name, SERVER.name, METRICS))
    if "panecho-archive-to-servers" in names:
        expected.add((PREDICT.name, SERVER.name, calls[-1]))
    if "panecho-from-gateway" in names:
        here = any(item["spec"]["gatewayClassName"] in ("istio", "nginx") for item in stack.of_kind("Gateway"))
        expected.add(((GATEWAY_HERE if here else GATEWAY).name, SERVER.name, GRPC))
    if "panecho-to-object-store" in names:
        expected.add((SERVER.name, STORE.name, HTTPS))
    if "panecho-to-object-store-in-cluster" in names:
        expected.add((SERVER.name, PRIVATE_STORE.name, MINIO))
    return expected


def _questions() -> Iterator[tuple[Peer, Peer, int]]:
    for port in (HTTP, GRPC, METRICS, PROXY):
        for source in (CLIENT, FAR_CLIENT, PREDICT, INDEX, PROMETHEUS, GATEWAY, GATEWAY_HERE, *STRANGERS):
            yield source, SERVER, port
    for source in (CLIENT, *STRANGERS):
        yield from ((source, target, HTTP) for target in (PREDICT, INDEX))
    for source in (SERVER, PREDICT, INDEX):
        yield source, RESOLVER, DNS
        yield source, STORE, HTTPS
        yield source, PRIVATE_STORE, MINIO
        for target in TARGETS:
            if source == SERVER or target != SERVER:
                yield from ((source, target, port) for port in (80, HTTPS))


def _passes(policies: list[KubernetesObject], source: Peer, target: Peer, port: int) -> bool:
    return _lets(policies, "Egress", source, target, port) and _lets(policies, "Ingress", target, source, port)


def _lets(policies: list[KubernetesObject], direction: str, pod: Peer, other: Peer, port: int) -> bool:
    """Tell whether the policies of a pod let a connection leave it, or arrive; those of other namespaces let all."""
    if pod.namespace != OURS or pod.address is not None:
        return True
    mine = [policy["spec"] for policy in policies if selects(policy["spec"]["podSelector"], pod.labels)]
    mine = [spec for spec in mine if direction in spec.get("policyTypes", ["Ingress"])]
    rules = [rule for spec in mine for rule in spec.get(direction.lower(), ())]
    return not mine or any(_rule_lets(rule, direction, other, port) for rule in rules)


def _rule_lets(rule: dict[str, Any], direction: str, other: Peer, port: int) -> bool:
    peers = rule.get("from" if direction == "Ingress" else "to")
    ports = rule.get("ports")
    open_port = not ports or any(known.get("port") in {port, None} for known in ports)
    return open_port and (not peers or any(_is_peer(peer, other) for peer in peers))


def _is_peer(peer: dict[str, Any], other: Peer) -> bool:
    if "ipBlock" in peer:
        return other.address is not None and _in_block(peer["ipBlock"], other.address)
    if other.address is not None:
        return False
    namespace = {"kubernetes.io/metadata.name": other.namespace} | other.namespace_labels
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], namespace):
            return False
    elif other.namespace != OURS:
        return False
    return "podSelector" not in peer or selects(peer["podSelector"], other.labels)


def _in_block(block: dict[str, Any], address: str) -> bool:
    inside = ipaddress.ip_address(address) in ipaddress.ip_network(block["cidr"])
    return inside and not any(ipaddress.ip_address(address) in ipaddress.ip_network(n) for n in block.get("except", ()))
