"""Values that fit their field's type and yet not each other: quantities, access modes, disruption budgets, options."""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from kubernetes_stack import KubernetesObject, Stack, Workload, selects

QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>m|[kMGTP]|[KMGTP]i)?")
UNITS = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000)}
UNITS |= {unit: Decimal(1000) ** power for power, unit in enumerate("MGTP", 2)}
UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)}
SENSIBLE = {
    "cpu": (Decimal("0.01"), Decimal(256)),
    "memory": (Decimal(2) ** 24, Decimal(2) ** 42),
    "ephemeral-storage": (Decimal(2) ** 24, Decimal(2) ** 44),
    "storage": (Decimal(2) ** 27, Decimal(2) ** 50),
    "nvidia.com/gpu": (Decimal(1), Decimal(16)),
}
"""Least and most of each resource that is no slip of a unit: 16Mi, 4Ti, …"""
WRITERS = {"ReadWriteMany"}
ENVIRONMENT = re.compile(r"(?:OMP|NVIDIA|CUDA)_[A-Z_]+|PROTOCOL")
"""Variables of a server that are not of ``start.py``: of libraries, and of KServe."""


def quantity(text: object) -> Decimal | None:
    """Return a Kubernetes quantity as a number; None if it is not one."""
    match = QUANTITY.fullmatch(str(text))
    return Decimal(match["number"]) * UNITS[match["unit"] or ""] if match else None


def value_problems(stack: Stack, root: Path) -> Iterator[str]:
    """Yield what does not fit, with the name of the object."""
    for workload in stack.workloads():
        checks = [*_resources(workload), *_volumes(workload), *_claims(workload, stack), *_rollout(workload)]
        if workload.is_server:
            checks += [*_options(workload, root), *_environment(workload, root), *_ending(workload)]
        yield from (f"{workload.name}: {text}" for text in checks)
    for item in stack.items:
        check = {
            "PodDisruptionBudget": _budget,
            "HorizontalPodAutoscaler": _replicas,
            "ScaledObject": _replicas,
            "PersistentVolumeClaim": _storage,
        }.get(item.get("kind", ""))
        for text in check(item, stack) if check else ():
            yield f"{item['kind']}/{item['metadata']['name']}: {text}"


def _resources(workload: Workload) -> Iterator[str]:
    for container in workload.containers:
        resources = container.get("resources", {})
        for part in ("requests", "limits"):
            for name, text in resources.get(part, {}).items():
                yield from _sensible(f"{part}.{name} of {container['name']}", name, text)
        for name, text in resources.get("requests", {}).items():
            limit, request = quantity(resources.get("limits", {}).get(name, text)), quantity(text)
            if limit is not None and request is not None and limit < request:
                yield f"{container['name']} requests more {name} ({text}) than its limit ({resources['limits'][name]})"


def _sensible(where: str, name: str, text: object) -> Iterator[str]:
    value = quantity(text)
    least, most = SENSIBLE.get(name, (Decimal(0), Decimal("Infinity")))
    if value is None:
        yield f"{where}: {text!r} is no quantity such as 8, 500m, 16Gi"
    elif not least <= value <= most:
        yield f"{where}: {text!r} is hardly meant; from {least} to {most} would be"


def _volumes(workload: Workload) -> Iterator[str]:
    volumes = {
        volume["name"]: volume["emptyDir"] for volume in workload.spec.get("volumes", ()) if "emptyDir" in volume
    }
    for name, volume in volumes.items():
        if "sizeLimit" not in volume:
            yield f"volume {name} has no sizeLimit"
        elif quantity(volume["sizeLimit"]) is None:
            yield f"sizeLimit of {name}: {volume['sizeLimit']!r} is no quantity"
    sizes = {name: quantity(volume.get("sizeLimit", 0)) or Decimal(0) for name, volume in volumes.items()}
    on_disk = sum((size for name, size in sizes.items() if volumes[name].get("medium") != "Memory"), Decimal(0))
    limits = [container.get("resources", {}).get("limits", {}) for container in workload.spec["containers"]]
    storage = [quantity(limit["ephemeral-storage"]) or Decimal(0) for limit in limits if "ephemeral-storage" in limit]
    if len(storage) == len(limits) and sum(storage) < on_disk:
        yield f"volumes of {on_disk} bytes do not fit the limit of ephemeral-storage, {sum(storage)}"
    for container in workload.spec["containers"]:
        mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
        memory = sum((sizes[n] for n in mounted & sizes.keys() if volumes[n].get("medium") == "Memory"), Decimal(0))
        limit = quantity(container.get("resources", {}).get("limits", {}).get("memory", ""))
        if limit is not None and memory * 2 > limit:
            yield f"volumes in memory of {memory} bytes take more than half of the memory limit of {container['name']}"


def _pods(workload: Workload, stack: Stack) -> int:
    """Return how many pods may run at a time."""
    spec = workload.item["spec"]
    scalers = [item["spec"] for item in stack.everything("HorizontalPodAutoscaler", "ScaledObject")]
    scaled = [s.get("maxReplicas", s.get("maxReplicaCount", 1)) for s in scalers]
    match workload.item["kind"]:
        case "Pod":
            return 1
        case "Job":
            return int(spec.get("parallelism", 1))
        case "InferenceService":
            return int(workload.spec.get("maxReplicas", 1))
        case _:
            return int(max([2, spec.get("replicas", 2), *scaled]))  # without a number, `kubectl scale` sets it


def _claims(workload: Workload, stack: Stack) -> Iterator[str]:
    for volume in workload.spec.get("volumes", ()):
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        claim = stack.find("PersistentVolumeClaim", name) if name else None
        if claim is None:
            continue
        modes, pods = set(claim["spec"]["accessModes"]), _pods(workload, stack)
        reading = {"ReadOnlyMany"} if _only_reads(workload, volume) else set()
        if pods > 1 and not modes & (WRITERS | reading):
            yield f"{pods} pods mount {name}, whose access modes are {', '.join(sorted(modes))}: it needs ReadWriteMany"
        elif not _only_reads(workload, volume) and modes == {"ReadOnlyMany"}:
            yield f"writes to {name}, which can only be read"


def _only_reads(workload: Workload, volume: dict[str, Any]) -> bool:
    mounts = [m for c in workload.containers for m in c.get("volumeMounts", ()) if m["name"] == volume["name"]]
    return bool(volume["persistentVolumeClaim"].get("readOnly")) or all(mount.get("readOnly") for mount in mounts)


def _rollout(workload: Workload) -> Iterator[str]:
    update = workload.item["spec"].get("strategy", {}).get("rollingUpdate", {})
    if [str(update.get(name)).rstrip("%") for name in ("maxSurge", "maxUnavailable")] == ["0", "0"]:
        yield "maxSurge and maxUnavailable are both 0: no pod could be replaced"


def _ending(workload: Workload) -> Iterator[str]:
    for container in workload.spec["containers"]:
        drain = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        running = {entry["name"]: entry.get("value") for entry in container.get("env", ())}.get(
            "EXIT_TIMEOUT_SECS", "0"
        )
        given = workload.spec.get("terminationGracePeriodSeconds", 30)
        if given < drain + int(running):
            yield f"terminationGracePeriodSeconds {given} is less than preStop {drain} and EXIT_TIMEOUT_SECS {running}"
        probe = container.get("livenessProbe", {})
        if "exec" in probe and "terminationGracePeriodSeconds" not in probe:
            yield "livenessProbe has no terminationGracePeriodSeconds: a dead pod would wait for answers"


@cache
def _known_options() -> frozenset[str]:
    text = Path(__file__).with_name("tritonserver_options").read_text()
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def _options(workload: Workload, root: Path) -> Iterator[str]:
    del root
    for argument in workload.spec["containers"][0].get("args", ()):
        option, has_value, value = argument.partition("=")
        known = f"{option.removeprefix('--')} "
        found = next((line for line in _known_options() if line.startswith(known)), None)
        if not option.startswith("--") or found is None:
            yield f"tritonserver has no option {option}"
        elif not has_value:
            yield f"{option} has no value"
        elif found.endswith(" integer") and not value.isdecimal():
            yield f"{argument}: {value!r} is no whole number"


def _environment(workload: Workload, root: Path) -> Iterator[str]:
    known = set(re.findall(r"^- ``([A-Z_]+)``", (root / "deploy/docker/start.py").read_text(), re.MULTILINE))
    profiles = {path.stem for path in Path(__file__).parents[2].glob("model_repository/*/configs/*.pbtxt")}
    for entry in workload.spec["containers"][0].get("env", ()):
        if entry["name"] not in known and not ENVIRONMENT.fullmatch(entry["name"]):
            yield f"the image knows no variable {entry['name']}"
        if entry["name"] == "PROFILE" and entry.get("value") not in profiles:
            yield f"PROFILE is {entry.get('value')!r}, not one of {', '.join(sorted(profiles))}"


def _least_pods(labels: dict[str, Any], stack: Stack) -> int:
    """Return how many pods run at least of what a selector selects."""
    found = [workload for workload in stack.workloads(around=True) if selects(labels, workload.labels)]
    least = [item["spec"].get("minReplicas", item["spec"].get("minReplicaCount")) for item in
             stack.everything("HorizontalPodAutoscaler", "ScaledObject")]  # fmt: skip
    least += [workload.spec.get("minReplicas", workload.item["spec"].get("replicas")) for workload in found]
    return min([number for number in least if number is not None], default=2)


def _budget(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    pods = _least_pods(item["spec"]["selector"], stack)
    at_least, unavailable = item["spec"].get("minAvailable"), item["spec"].get("maxUnavailable")
    blocked = str(unavailable) in {"0", "0%"} or str(at_least) == "100%"
    if blocked or (isinstance(at_least, int) and at_least >= pods):
        shown = f"minAvailable {at_least}" if at_least is not None else f"maxUnavailable {unavailable}"
        yield f"{shown} of {pods} pods lets no node be drained"


def _replicas(item: KubernetesObject, stack: Stack) -> Iterator[str]:
    spec = item["spec"]
    least, most = (spec.get(name, spec.get(f"{name[:3]}ReplicaCount", 1)) for name in ("minReplicas", "maxReplicas"))
    if least > most:
        yield f"at least {least} and at most {most} pods"
    target = stack.find("Deployment", spec["scaleTargetRef"]["name"])
    if target is not None and "replicas" in target["spec"]:
        yield "the Deployment has `replicas`, to which each `kubectl apply` would set it back"


def _storage(item: KubernetesObject, _: Stack) -> Iterator[str]:
    yield from _sensible("storage", "storage", item["spec"]["resources"]["requests"]["storage"])
