"""Objects that are deployed together, and the pods that they make."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

KubernetesObject: TypeAlias = dict[str, Any]
Labels: TypeAlias = dict[str, str]

WORKLOADS = ("Deployment", "InferenceService", "Job", "Pod")


@dataclass(frozen=True)
class Workload:
    """An object that makes pods.

    Attributes:
        name: Kind and name, for messages.
        item: The object.
        labels: Labels of its pods.
        spec: Specification of its pods.
    """

    name: str
    item: KubernetesObject
    labels: Labels
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers of a pod."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def is_server(self) -> bool:
        """Whether its pods run Triton."""
        return self.labels.get("app.kubernetes.io/component") == "server"

    def ports(self) -> dict[str | int, int]:
        """Ports that its containers listen on, by name and by number."""
        ports = [port for container in self.containers for port in container.get("ports", ())]
        found: dict[str | int, int] = {port["containerPort"]: port["containerPort"] for port in ports}
        return found | {port["name"]: port["containerPort"] for port in ports if "name" in port}


@dataclass(frozen=True)
class Stack:
    """Objects that are deployed together.

    Attributes:
        items: What is checked.
        around: What is deployed with it, such as the claim that servers mount.
    """

    items: list[KubernetesObject]
    around: list[KubernetesObject] = field(default_factory=list)

    def of_kind(self, *kinds: str) -> Iterator[KubernetesObject]:
        """Yield what is checked, of these kinds."""
        return (item for item in self.items if item.get("kind") in kinds)

    def everything(self, *kinds: str) -> Iterator[KubernetesObject]:
        """Yield all objects of these kinds, those around too."""
        return (item for item in [*self.items, *self.around] if item.get("kind") in kinds)

    def find(self, kind: str, name: str) -> KubernetesObject | None:
        """Return an object; None if nothing of this kind has the name."""
        return next((item for item in self.everything(kind) if item["metadata"]["name"] == name), None)

    def workloads(self, *, around: bool = False) -> list[Workload]:
        """Return what makes pods."""
        return [workload(item) for item in (self.everything if around else self.of_kind)(*WORKLOADS)]


def workload(item: KubernetesObject) -> Workload:
    """Return what an object makes pods of."""
    name = f"{item['kind']}/{item['metadata']['name']}"
    if item["kind"] == "Pod":
        return Workload(name, item, item["metadata"].get("labels", {}), item["spec"])
    if item["kind"] == "InferenceService":
        predictor = item["spec"]["predictor"]
        return Workload(name, item, predictor.get("labels", {}), predictor)
    template = item["spec"]["template"]
    return Workload(name, item, template["metadata"].get("labels", {}), template["spec"])


def selects(selector: dict[str, Any] | None, labels: Labels) -> bool:
    """Tell whether a label selector matches; an empty one matches everything."""
    if selector is None:
        return False
    if not all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", ()))


def _holds(expression: dict[str, Any], labels: Labels) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None
