"""What kustomize renders of ``deploy/kubernetes``: once for all tests of a process, which must not change it."""

from functools import cache
from pathlib import Path

from kubernetes_objects import kustomizations, render
from kubernetes_stack import KubernetesObject

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"


@cache
def rendered_objects() -> dict[str, list[KubernetesObject]]:
    """Return the objects of each kustomization, by its folder below ``deploy/kubernetes``."""
    return {str(folder.relative_to(KUBERNETES)): render(folder, ROOT) for folder in kustomizations(ROOT)}
