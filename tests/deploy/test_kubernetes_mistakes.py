"""Mistakes that a cluster shows only when it runs: each is injected, and `scripts/validate/kubernetes` names it."""

import shutil
from pathlib import Path

import pytest
from kubernetes_objects import folder_problems

ROOT = Path(__file__).parents[2]

GPU = "overlays/gpu"
MISTAKES: dict[str, tuple[str, str, str, str, str]] = {
    # What: the file, what is right, what is wrong, the kustomization that shows it, and what is said.
    "a Service selects nothing": (
        "base/services.yaml",
        "component: server\n  ports",
        "component: sever\n  ports",
        GPU,
        "which no pod is",
    ),
    "a Service sends to no port": (
        "base/services.yaml",
        "targetPort: http",
        "targetPort: htp",
        GPU,
        "sends to port htp",
    ),
    "a claim that is not there": (
        "base/deployment.yaml",
        "claimName: panecho-model-repository",
        "claimName: panecho-models",
        GPU,
        "there is no PersistentVolumeClaim panecho-models",
    ),
    "a ConfigMap that is not there": (
        "components/object-store/deployment.yaml",
        "name: panecho-fetch",
        "name: panecho-fetsh",
        "components/object-store",
        "there is no ConfigMap panecho-fetsh",
    ),
    "a key that a ConfigMap lacks": (
        "components/auth-proxy/kustomization.yaml",
        "subPath: nginx.conf",
        "subPath: proxy.conf",
        "components/auth-proxy",
        "has no key proxy.conf",
    ),
    "a Secret that nobody makes": (
        "components/object-store/deployment.yaml",
        "secretName: panecho-object-store",
        "secretName: panecho-store",
        "components/object-store",
        "there is no Secret panecho-store",
    ),
    "a route to a Service that is not there": (
        "components/gateway/grpc-route.yaml",
        "- name: panecho\n          port",
        "- name: panecho-grpc\n          port",
        "components/gateway",
        "there is no Service panecho-grpc",
    ),
    "a route to a port that is not there": (
        "components/gateway/grpc-route.yaml",
        "port: 8001",
        "port: 8081",
        "components/gateway",
        "has no port 8081",
    ),
    "a route to a listener that is not there": (
        "components/gateway/grpc-route.yaml",
        "sectionName: grpc",
        "sectionName: https",
        "components/gateway",
        "has no listener https",
    ),
    "a route of another host name": (
        "components/gateway/grpc-route.yaml",
        "hostnames: [panecho.example.org]",
        "hostnames: [echo.example.org]",
        "components/gateway",
        "has the host name echo.example.org",
    ),
    "a filter that is not there": (
        "components/gateway-nginx/kustomization.yaml",
        "kind: SnippetsFilter, name: panecho",
        "kind: SnippetsFilter, name: triton",
        "components/gateway-nginx",
        "there is no SnippetsFilter triton",
    ),
    "passwords that nobody makes": (
        "components/gateway-nginx/filters.yaml",
        "name: panecho-callers",
        "name: panecho-passwords",
        "components/gateway-nginx",
        "there is no Secret panecho-passwords",
    ),
    "another gateway is let in": (
        "components/gateway-istio/kustomization.yaml",
        "gateway-name: panecho",
        "gateway-name: other",
        "components/gateway-istio",
        "the gateway in this namespace does not reach a server",
    ),
    "a certificate that nobody makes": (
        "components/gateway/gateway.yaml",
        "name: panecho-tls",
        "name: panecho-cert",
        "components/gateway",
        "there is no Secret panecho-cert",
    ),
    "a service account that is not there": (
        "base/deployment.yaml",
        "enableServiceLinks: false",
        "enableServiceLinks: false\n      serviceAccountName: triton",
        GPU,
        "there is no ServiceAccount triton",
    ),
    "an identity that nobody makes": (
        "components/object-store-identity/deployment.yaml",
        "serviceAccountName: panecho-models",
        "serviceAccountName: panecho-model",
        "components/object-store-identity",
        "there is no ServiceAccount panecho-model",
    ),
    "an autoscaler of nothing": (
        "components/autoscale/horizontal-pod-autoscaler.yaml",
        "kind: Deployment\n    name: panecho",
        "kind: Deployment\n    name: triton",
        "components/autoscale",
        "there is no Deployment triton",
    ),
    "a metric that nobody makes": (
        "components/autoscale/horizontal-pod-autoscaler.yaml",
        "panecho_waiting_requests",
        "panecho_waiting_request",
        "components/autoscale",
        "makes no metric panecho_waiting_request",
    ),
    "at least more pods than at most": (
        "components/keda/scaled-object.yaml",
        "maxReplicaCount: 8",
        "maxReplicaCount: 1",
        "components/keda",
        "at least 2 and at most 1",
    ),
    "replicas that undo the autoscaler": (
        "base/deployment.yaml",
        "  revisionHistoryLimit: 5",
        "  replicas: 2\n  revisionHistoryLimit: 5",
        "components/autoscale",
        "would set it back",
    ),
    "a PodMonitor of a port that is not there": (
        "monitoring/podmonitor.yaml",
        "port: metrics",
        "port: metric",
        "monitoring",
        "reads port metric",
    ),
    "a PodMonitor that selects nothing": (
        "monitoring/podmonitor.yaml",
        "component: server",
        "component: triton",
        "monitoring",
        "which no pod is",
    ),
    "a disruption budget that blocks every drain": (
        "base/pod-disruption-budget.yaml",
        "maxUnavailable: 1",
        "minAvailable: 2",
        GPU,
        "lets no node be drained",
    ),
    "clients are let in at a port without listener": (
        "network/network-policies.yaml",
        "port: 8001",
        "port: 8010",
        GPU,
        "opens port 8010",
    ),
    "clients are let in from everywhere": (
        "network/network-policies.yaml",
        (
            '        - namespaceSelector:\n            matchLabels:\n              panecho-client: "true"\n'
            "          podSelector"
        ),
        "        - namespaceSelector: {}\n          podSelector",
        GPU,
        "a client in a namespace without label reaches a server at port 8001",
    ),
    "a rule that lets everybody in": (
        "network/network-policies.yaml",
        (
            "          podSelector:\n            matchLabels:\n"
            "              app.kubernetes.io/name: prometheus\n      ports"
        ),
        "      ports",
        GPU,
        "a pod of monitoring that is not Prometheus reaches a server at port 8002",
    ),
    "Prometheus is shut out": (
        "network/network-policies.yaml",
        "metadata.name: monitoring",
        "metadata.name: observability",
        GPU,
        "Prometheus does not reach a server at port 8002",
    ),
    "anybody may call the archive's pods": (
        "network/network-policies.yaml",
        "policyTypes: [Ingress, Egress]",
        "policyTypes: [Egress]",
        "overlays/archive",
        "a pod without label here reaches panecho-predict",
    ),
    "servers may reach the internet": (
        "network/network-policies.yaml",
        "  egress:\n",
        "  egress:\n    - {}\n",
        GPU,
        "a server reaches the cloud's metadata at port 80",
    ),
    "servers find no address": (
        "network/network-policies.yaml",
        "k8s-app: kube-dns",
        "k8s-app: coredns",
        GPU,
        "a server does not reach DNS",
    ),
    "the archive does not reach the servers": (
        "components/archive/jobs/network-policy.yaml",
        "port: 8001",
        "port: 8000",
        "overlays/archive",
        "panecho-predict does not reach a server at port 8001",
    ),
    "the gateway is in another namespace": (
        "components/gateway/network-policy.yaml",
        "envoy-gateway-system",
        "envoy-gateway",
        "components/gateway",
        "the gateway does not reach a server",
    ),
    "the object store's rule opens the cluster": (
        "components/object-store/network-policy.yaml",
        "[10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16]",
        "[172.16.0.0/12]",
        "components/object-store",
        "a server reaches the cloud's metadata at port 443",
    ),
    "one pod alone may mount the models": (
        "storage/model-repository.yaml",
        "ReadWriteMany",
        "ReadWriteOnce",
        GPU,
        "it needs ReadWriteMany",
    ),
    "one pod alone may write results": (
        "components/archive/jobs/results.yaml",
        "ReadWriteMany",
        "ReadWriteOnce",
        "overlays/archive",
        "it needs ReadWriteMany",
    ),
    "a limit below the request": (
        "components/gpu/deployment.yaml",
        "limits: { memory: 16Gi",
        "limits: { memory: 8Gi",
        GPU,
        "requests more memory",
    ),
    "a quantity that is none": (
        "components/gpu/deployment.yaml",
        "memory: 16Gi",
        "memory: 16GB",
        GPU,
        "is no quantity",
    ),
    "a quantity of another unit": (
        "components/cpu/deployment.yaml",
        'limits: { cpu: "8", memory: 8Gi',
        'limits: { cpu: "8", memory: 8000m',
        "overlays/cpu",
        "is hardly meant",
    ),
    "shared memory beyond the memory limit": (
        "base/deployment.yaml",
        "sizeLimit: 4Gi",
        "sizeLimit: 40Gi",
        GPU,
        "more than half of the memory limit",
    ),
    "fetched models that do not fit the disk": (
        "components/object-store/deployment.yaml",
        "limits: { ephemeral-storage: 6Gi }",
        "limits: { ephemeral-storage: 2Gi }",
        "components/object-store",
        "do not fit the limit of ephemeral-storage",
    ),
    "an option that Triton lacks": (
        "base/deployment.yaml",
        "--grpc-max-connection-age=",
        "--grpc-max-link-age=",
        GPU,
        "tritonserver has no option --grpc-max-link-age",
    ),
    "an option of another type": ("base/deployment.yaml", "age=300000", "age=5m", GPU, "'5m' is no whole number"),
    "an option that our command lacks": (
        "components/archive/jobs/predict.yaml",
        "- --resume",
        "- --resum",
        "overlays/archive",
        "has no option --resum",
    ),
    "a Service that a Job calls is not there": (
        "base/address.yaml",
        "panecho-headless:8001",
        "panecho-grpc:8001",
        "overlays/archive",
        "there is no Service panecho-grpc",
    ),
    "a Job that calls past the proxy": (
        "components/archive-behind-proxy/kustomization.yaml",
        "key: url-behind-proxy",
        "key: url-without-proxy",
        "components/archive-behind-proxy",
        "ConfigMap panecho-address has no key url-without-proxy",
    ),
    "a variable that the image lacks": (
        "components/gpu/deployment.yaml",
        "name: PROFILE",
        "name: PROFILES",
        GPU,
        "knows no variable PROFILES",
    ),
    "a profile that models lack": (
        "components/gpu/deployment.yaml",
        "value: gpu",
        "value: cuda",
        GPU,
        "PROFILE is 'cuda'",
    ),
    "a mount of no volume": (
        "base/deployment.yaml",
        "- name: shm\n              mountPath",
        "- name: shmem\n              mountPath",
        GPU,
        "mounts shmem, which is no volume",
    ),
    "a health check that is not in the image": (
        "base/deployment.yaml",
        "/opt/panecho/healthcheck.py]",
        "/opt/panecho/health.py]",
        GPU,
        "not in the image",
    ),
    "a Deployment that does not select its pods": (
        "base/deployment.yaml",
        "  selector:\n    matchLabels:\n      app.kubernetes.io/name: panecho",
        "  selector:\n    matchLabels:\n      app.kubernetes.io/name: triton",
        GPU,
        "which its pods are not",
    ),
    "no time to end": (
        "base/deployment.yaml",
        "terminationGracePeriodSeconds: 150",
        "terminationGracePeriodSeconds: 60",
        GPU,
        "terminationGracePeriodSeconds 60 is less",
    ),
    "a dead pod that waits for answers": (
        "base/deployment.yaml",
        "            terminationGracePeriodSeconds: 15",
        "            successThreshold: 1",
        GPU,
        "has no terminationGracePeriodSeconds",
    ),
    "no pod could be replaced": (
        "components/gpu/deployment.yaml",
        "maxUnavailable: 1",
        "maxUnavailable: 0",
        GPU,
        "no pod could be replaced",
    ),
    "a thread for each core of the node": (
        "components/cpu/deployment.yaml",
        'limits: { cpu: "8", ',
        "limits: { ",
        "overlays/cpu",
        "the node's is taken",
    ),
    "a failure policy of another container": (
        "components/archive/jobs/predict.yaml",
        "containerName: panecho,",
        "containerName: client,",
        "overlays/archive",
        "podFailurePolicy names the container client",
    ),
    "pods may run as root": ("base/deployment.yaml", "        runAsNonRoot: true\n", "", GPU, "may run as root"),
    "an image of another version": (
        "base/deployment.yaml",
        "panecho-triton-server:0.1.0",
        "panecho-triton-server:0.0.9",
        GPU,
        "but this is version",
    ),
    "an unknown field": ("base/deployment.yaml", "readOnlyRootFilesystem", "readonlyRootFilesystem", GPU, "unexpected"),
    "a wrong type": ("base/services.yaml", "port: 8000", 'port: "8000"', GPU, "is not of type"),
}


BY_DEFAULT = {
    "a Service selects nothing",
    "clients are let in from everywhere",
    "one pod alone may mount the models",
    "an option that Triton lacks",
    "pods may run as root",
}
"""One for each file of checks; each takes half a second, so the rest runs with `make test-long`."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for folder in ("kubernetes", "grafana", "docker", "nginx"):
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / "deploy" / folder)
    return tmp_path


@pytest.mark.parametrize(
    "mistake", [pytest.param(name, marks=() if name in BY_DEFAULT else pytest.mark.long) for name in MISTAKES]
)
def test_a_mistake_is_named(mistake: str, copied: Path) -> None:
    file, right, wrong, folder, said = MISTAKES[mistake]
    broken = copied / "deploy/kubernetes" / file
    text = broken.read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong))
    _, found = folder_problems(copied / "deploy/kubernetes" / folder, copied)
    assert any(said in problem for problem in found), found
