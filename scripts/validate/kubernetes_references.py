"""Names by which objects refer to each other: each must be there."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from kubernetes_stack import KubernetesObject, Stack, Workload, selects

BY_HAND = {
    ("Secret", "panecho-object-store"): {"curl.conf"},
    ("Secret", "panecho-proxy"): {"tls.crt", "tls.key", "tokens.map"},
    ("Secret", "panecho-tls"): {"tls.crt", "tls.key", "ca.crt"},
    ("Secret", "panecho-callers"): {"auth"},
    ("Secret", "panecho-archive-caller"): {"token", "ca.crt"},
    ("PersistentVolumeClaim", "panecho-archive"): set(),
    ("ServiceAccount", "default"): set(),
}
"""What docs/operate/kubernetes.md says how to make, with its keys."""


def reference_problems(stack: Stack, root: Path) -> Iterator[str]:
    """Yield what refers to nothing, with the name of the object that does."""
    for workload in stack.workloads():
        for text in [*_of_pod(workload, stack), *_of_scripts(workload, root), *_of_arguments(workload, stack)]:
            yield f"{workload.name}: {text}"
    for item in stack.items:
        check = CHECKS.get(item.get("kind", ""))
        for text in check(item, stack) if check else ():
            yield f"{item['kind']}/{item['metadata']['name']}: {text}"
    yield from _metrics(stack, root)


def _has(stack: Stack, kind: str, name: str, key: str | None = None) -> bool:
    if (kind, name) in BY_HAND:
        return key is None or key in BY_HAND[kind, name]
    item = stack.find(kind, name)
    return item is not None and (key is None or key in item.get("data", {}))


def _missing(stack: Stack, kind: str, name: str, keys: Iterable[str] = ()) -> Iterator[str]:
    if not _has(stack, kind, name):
        yield f"there is no {kind} {name}"
        return
    yield from (f"{kind} {name} has no key {key}" for key in keys if not _has(stack, kind, name, key))


def _of_pod(workload: Workload, stack: Stack) -> Iterator[str]:
    spec = workload.spec
    yield from _missing(stack, "ServiceAccount", spec.get("serviceAccountName", "default"))
    volumes = {volume["name"]: volume for volume in spec.get("volumes", ())}
    for volume in volumes.values():
        yield from _of_volume(volume, stack)
    for container in workload.containers:
        for mount in container.get("volumeMounts", ()):
            if mount["name"] not in volumes:
                yield f"container {container['name']} mounts {mount['name']}, which is no volume of the pod"
            elif "subPath" in mount and "configMap" in volumes[mount["name"]]:
                yield from _missing(stack, "ConfigMap", volumes[mount["name"]]["configMap"]["name"], [mount["subPath"]])
        yield from _of_environment(container, workload, stack)
        yield from _of_probes(container)
    names = {container["name"] for container in workload.containers}
    for rule in workload.item["spec"].get("podFailurePolicy", {}).get("rules", ()):
        name = rule.get("onExitCodes", {}).get("containerName")
        if name is not None and name not in names:
            yield f"podFailurePolicy names the container {name}; there is {', '.join(sorted(names))}"
    selectors = [constraint["labelSelector"] for constraint in spec.get("topologySpreadConstraints", ())]
    if workload.item["kind"] == "Deployment":
        selectors.append(workload.item["spec"]["selector"])
    yield from (
        f"selects {wrong}, which its pods are not" for wrong in selectors if not selects(wrong, workload.labels)
    )


def _of_volume(volume: dict[str, Any], stack: Stack) -> Iterator[str]:
    if claim := volume.get("persistentVolumeClaim"):
        yield from _missing(stack, "PersistentVolumeClaim", claim["claimName"])
    for kind, source, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
        if source in volume:
            keys = [item["key"] for item in volume[source].get("items", ())]
            yield from _missing(stack, kind, volume[source][name], keys)


def _of_environment(container: dict[str, Any], workload: Workload, stack: Stack) -> Iterator[str]:
    for entry in container.get("env", ()):
        given = entry.get("valueFrom", {})
        for kind, source in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if source in given:
                yield from _missing(stack, kind, given[source]["name"], [given[source]["key"]])
        if reference := given.get("resourceFieldRef"):
            named = reference.get("containerName", container["name"])
            found = next((other for other in workload.containers if other["name"] == named), None)
            part, _, resource = reference["resource"].partition(".")
            if found is None:
                yield f"{entry['name']} reads the resources of the container {named}, which there is not"
            elif resource not in found.get("resources", {}).get(part, {}):
                yield f"{entry['name']} reads {reference['resource']} of {named}, which is not set: the node's is taken"


def _of_probes(container: dict[str, Any]) -> Iterator[str]:
    names = {port.get("name"): port["containerPort"] for port in container.get("ports", ())}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for how in ("httpGet", "tcpSocket", "grpc"):
            port = container.get(probe, {}).get(how, {}).get("port")
            if port is not None and port not in names and port not in names.values():
                yield f"{probe} of {container['name']} asks port {port}, on which it does not listen"


def _of_scripts(workload: Workload, root: Path) -> Iterator[str]:
    if not workload.is_server:
        return
    there = {f"/opt/panecho/{path.name}" for path in (root / "deploy/docker").glob("*.py")}
    for container in workload.spec["containers"]:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            command = container.get(probe, {}).get("exec", {}).get("command", [None])[0]
            if command is not None and command not in there:
                yield f"{probe} runs {command}, which is not in the image"


def _of_arguments(workload: Workload, stack: Stack) -> Iterator[str]:
    for container in workload.containers:
        for argument in container.get("args", ()):
            if not argument.startswith("--url="):
                continue
            url = _filled(argument.removeprefix("--url="), container, stack)
            host, _, port = url.removeprefix("dns:///").partition(":")
            service = stack.find("Service", host.split(".")[0])
            if service is None:
                yield f"{argument}: there is no Service {host}"
            elif int(port) not in [known["port"] for known in service["spec"]["ports"]]:
                yield f"{argument}: the Service {host} has no port {port}"


def _filled(text: str, container: dict[str, Any], stack: Stack) -> str:
    """Return an argument with its variables' values, of those that come from ConfigMaps."""
    for entry in container.get("env", ()):
        reference = entry.get("valueFrom", {}).get("configMapKeyRef")
        if reference and (item := stack.find("ConfigMap", reference["name"])):
            text = text.replace(f"$({entry['name']})", item["data"].get(reference["key"], ""))
    return text


def _service(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    pods = _selected({"matchLabels": item["spec"]["selector"]}, stack)
    if not pods:
        yield f"selects {item['spec']['selector']}, which no pod is"
    for port in item["spec"]["ports"]:
        target = port.get("targetPort", port["port"])
        yield from (f"sends to port {target}, which {pod.name} has not" for pod in pods if target not in pod.ports())


def _selected(selector: dict[str, Any], stack: Stack) -> list[Workload]:
    return [workload for workload in stack.workloads(around=True) if selects(selector, workload.labels)]


def _budget(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    if not _selected(item["spec"]["selector"], stack):
        yield f"selects {item['spec']['selector']}, which no pod is"


def _policy(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    pods = _selected(item["spec"]["podSelector"], stack)
    if not pods:
        yield f"selects {item['spec']['podSelector']}, which no pod is"
    if item["metadata"].get("namespace") is None:
        yield "has no namespace"
    listened = {port for pod in pods for port in pod.ports().values()}
    for rule in item["spec"].get("ingress", ()):
        for port in rule.get("ports", ()):
            if port["port"] not in listened:
                yield f"opens port {port['port']}, on which no pod that it selects listens"


def _monitor(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    pods = _selected(item["spec"]["selector"], stack)
    if not pods:
        yield f"selects {item['spec']['selector']}, which no pod is"
    for endpoint in item["spec"]["podMetricsEndpoints"]:
        for pod in pods:
            if endpoint["port"] not in pod.ports():
                yield f"reads port {endpoint['port']}, which {pod.name} has not"


def _scaler(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    target = item["spec"]["scaleTargetRef"]
    yield from _missing(stack, target.get("kind", "Deployment"), target["name"])


def _route(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    for parent in item["spec"]["parentRefs"]:
        gateway = stack.find("Gateway", parent["name"])
        listeners = {
            listener["name"]: listener for listener in (gateway or {"spec": {"listeners": ()}})["spec"]["listeners"]
        }
        if gateway is None:
            yield f"there is no Gateway {parent['name']}"
        elif "sectionName" in parent and parent["sectionName"] not in listeners:
            yield f"Gateway {parent['name']} has no listener {parent['sectionName']}"
        elif not set(item["spec"]["hostnames"]) <= {listener.get("hostname") for listener in listeners.values()}:
            yield f"no listener of Gateway {parent['name']} has the host name {', '.join(item['spec']['hostnames'])}"
    for rule in item["spec"]["rules"]:
        for reference in (entry["extensionRef"] for entry in rule.get("filters", ()) if "extensionRef" in entry):
            yield from _missing(stack, reference["kind"], reference["name"])
        for backend in rule["backendRefs"]:
            service = stack.find("Service", backend["name"])
            if service is None:
                yield f"there is no Service {backend['name']}"
            elif backend["port"] not in [port["port"] for port in service["spec"]["ports"]]:
                yield f"Service {backend['name']} has no port {backend['port']}"


def _gateway(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    for listener in item["spec"]["listeners"]:
        for reference in listener.get("tls", {}).get("certificateRefs", ()):
            yield from _missing(stack, reference.get("kind", "Secret"), reference["name"])


def _gateway_policy(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    for target in item["spec"]["targetRefs"]:
        yield from _missing(stack, target["kind"], target["name"])
    authentication = item["spec"].get("apiKeyAuth", {})
    for reference in authentication.get("credentialRefs", ()):
        yield from _missing(stack, "Secret", reference["name"])


def _authentication(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    yield from _missing(stack, "Secret", item["spec"]["basic"]["secretRef"]["name"], ["auth"])


CHECKS = {
    "AuthenticationFilter": _authentication,
    "BackendTrafficPolicy": _gateway_policy,
    "ClientTrafficPolicy": _gateway_policy,
    "GRPCRoute": _route,
    "Gateway": _gateway,
    "HorizontalPodAutoscaler": _scaler,
    "NetworkPolicy": _policy,
    "PodDisruptionBudget": _budget,
    "PodMonitor": _monitor,
    "ScaledObject": _scaler,
    "SecurityPolicy": _gateway_policy,
    "Service": _service,
}


def _metrics(stack: Stack, root: Path) -> Iterator[str]:
    """Check that prometheus-adapter makes what an autoscaler reads."""
    values = yaml.safe_load((root / "deploy/kubernetes/monitoring/prometheus-adapter-values.yaml").read_text())
    made = {rule["name"]["as"] for rule in values["rules"]["custom"]}
    for item in stack.of_kind("HorizontalPodAutoscaler"):
        for metric in item["spec"]["metrics"]:
            name = metric.get("pods", {}).get("metric", {}).get("name")
            if name is not None and name not in made:
                yield f"HorizontalPodAutoscaler/{item['metadata']['name']}: prometheus-adapter makes no metric {name}"
