"""What pods may do and what they run: Pod Security's level "restricted", image tags, options of our own command."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from kubernetes_stack import Stack, Workload

OURS = re.compile(r"(?:.*/)?panecho-triton-\w+:(.*)")


def pod_problems(stack: Stack) -> Iterator[str]:
    """Yield what a pod may do and should not, or runs and cannot, with the name of the object."""
    for workload in stack.workloads():
        for text in [*_security(workload), *_images(workload), *_command(workload)]:
            yield f"{workload.name}: {text}"
    yield from _namespaces(stack)


def _security(workload: Workload) -> Iterator[str]:
    pod = workload.spec.get("securityContext", {})
    if pod.get("runAsNonRoot") is not True or pod.get("runAsUser") == 0:
        yield "may run as root"
    if pod.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccompProfile"
    if workload.spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of the cluster's API, which it does not use"
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if workload.spec.get(name):
            yield f"{name} is not allowed"
    for volume in workload.spec.get("volumes", ()):
        if "hostPath" in volume:
            yield f"volume {volume['name']} is a folder of the node"
    for container in workload.containers:
        yield from (f"container {container['name']} {text}" for text in _rights(container.get("securityContext", {})))


def _rights(security: dict[str, Any]) -> Iterator[str]:
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "may become privileged"
    if security.get("capabilities", {}).get("drop") != ["ALL"] or security["capabilities"].get("add"):
        yield "has capabilities"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write to its root"


def _images(workload: Workload) -> Iterator[str]:
    for container in workload.containers:
        image = container["image"]
        ours = OURS.fullmatch(image)
        if ours and ours[1] != _version():
            yield f"runs {image}, but this is version {_version()}"
        elif ":" not in image.rpartition("/")[2] or image.endswith(":latest"):
            yield f"runs {image}, whose version may change"


@cache
def _version() -> str:
    text = (Path(__file__).parents[2] / "client/pyproject.toml").read_text()
    return str(tomllib.loads(text)["project"]["version"])


def _command(workload: Workload) -> Iterator[str]:
    """Check the options of ``panecho`` in the client's image."""
    for container in workload.containers:
        if "panecho-triton-client" not in container["image"] or "args" not in container:
            continue
        command, *arguments = container["args"]
        for argument in arguments:
            option = argument.partition("=")[0]
            if option.startswith("--") and option not in _options(command):
                yield f"panecho {command} has no option {option}"


@cache
def _options(command: str) -> frozenset[str]:
    panecho = Path(sys.executable).with_name("panecho")
    shown = subprocess.run([panecho, command, "--help"], capture_output=True, text=True, check=False).stdout  # noqa: S603 - our own command
    return frozenset(re.findall(r"--[a-z][a-z-]*", shown))


def _namespaces(stack: Stack) -> Iterator[str]:
    found = {item["metadata"].get("namespace", "default") for item in stack.items if item["kind"] != "Namespace"}
    if len(found) > 1:
        yield f"objects are in several namespaces: {', '.join(sorted(found))}"
    for item in stack.of_kind("Namespace"):
        if found and item["metadata"]["name"] not in found:
            yield f"Namespace/{item['metadata']['name']}: no object is in it; they are in {', '.join(sorted(found))}"
