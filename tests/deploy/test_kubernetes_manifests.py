"""What the Kubernetes manifests say fits together, and fits image, models, rules and documentation."""

import copy
import itertools
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_objects import compose, name_of, problem, stack_problems
from kubernetes_stack import KubernetesObject

from panecho_client import Connection
from panecho_client._commands.console import SOME_FAILED, UNAVAILABLE, WRONG_USAGE
from panecho_server.settings import DEFAULT_GRPC_PORT, DEFAULT_HTTP_PORT, DEFAULT_METRICS_PORT
from support.manifests import rendered_objects

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy/kubernetes"
SERVERS = ("overlays/cpu", "overlays/gpu", "components/autoscale", "components/keda")
SERVER = {"app.kubernetes.io/name": "panecho", "app.kubernetes.io/component": "server"}
RECORDED = {
    "panecho_queue_seconds_per_request": "panecho:queue_seconds_per_request:rate2m",
    "panecho_waiting_requests": "panecho:waiting_requests:avg2m",
}
"""What autoscalers read, by the name that prometheus-adapter gives it."""
VERSION = tomllib.loads((ROOT / "client/pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[KubernetesObject]]:
    return rendered_objects()


def of_kind(items: list[KubernetesObject], kind: str) -> list[KubernetesObject]:
    return [item for item in items if item["kind"] == kind]


def pod_of(item: KubernetesObject) -> dict[str, Any]:
    """Return labels and specification of the pods that an object makes."""
    if item["kind"] == "Pod":
        return {"labels": item["metadata"]["labels"], "spec": item["spec"]}
    if item["kind"] == "InferenceService":
        return {"labels": item["spec"]["predictor"]["labels"], "spec": item["spec"]["predictor"]}
    template = item["spec"]["template"]
    return {"labels": template["metadata"]["labels"], "spec": template["spec"]}


def pods(rendered: dict[str, list[KubernetesObject]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder, items in rendered.items():
        for item in items:
            if item["kind"] in ("Deployment", "Job", "Pod", "InferenceService"):
                yield f"{folder}: {name_of(item)}", pod_of(item)


def servers(rendered: dict[str, list[KubernetesObject]]) -> Iterator[dict[str, Any]]:
    """Yield the pods of every overlay that serves."""
    for folder in SERVERS:
        (deployment,) = of_kind(rendered[folder], "Deployment")
        yield pod_of(deployment)
    (service,) = of_kind(rendered["overlays/kserve"], "InferenceService")
    yield pod_of(service)


def environment(container: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a container; None is a value from elsewhere."""
    return {entry["name"]: entry.get("value") for entry in container.get("env", ())}


def test_probes_ask_each_model(rendered: dict[str, list[KubernetesObject]]) -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    copied = re.search(r"^COPY --chmod=0755 (.*) (\S+)$", dockerfile.partition("AS server\n")[2], re.MULTILINE)
    assert copied
    scripts = {copied[2] + Path(source).name for source in copied[1].split()}
    for pod in servers(rendered):
        container = pod["spec"]["containers"][0]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            script, *arguments = container[probe]["exec"]["command"]
            assert script in scripts
            assert arguments == (["live"] if probe == "livenessProbe" else [])
            assert container[probe]["timeoutSeconds"] > 5  # the health check's own limit
        assert "command" not in container  # the image's entry point
        patience = {
            name: container[name]["periodSeconds"] * container[name]["failureThreshold"]
            for name in container
            if name.endswith("Probe")
        }
        assert patience == {"startupProbe": 600, "readinessProbe": 20, "livenessProbe": 30}


def test_a_dead_model_is_back_within_90_s(rendered: dict[str, list[KubernetesObject]]) -> None:
    for pod in servers(rendered):
        probe = pod["spec"]["containers"][0]["livenessProbe"]
        noticed = probe["periodSeconds"] * (probe["failureThreshold"] + 1)
        ended = probe["terminationGracePeriodSeconds"] + 2  # kubelet's least time between SIGTERM and SIGKILL
        assert noticed + ended <= 90 - 30  # loading and warm-up


def test_a_pod_has_time_to_end(rendered: dict[str, list[KubernetesObject]]) -> None:
    for pod in servers(rendered):
        (container,) = pod["spec"]["containers"]
        drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        running = int(environment(container)["EXIT_TIMEOUT_SECS"])
        assert pod["spec"]["terminationGracePeriodSeconds"] >= drain + running + 10
        # A request may wait 120 s at a model (the profiles), which shutting down must not cut.
        assert running >= 120
    assert "EXIT_TIMEOUT_SECS" in (ROOT / "deploy/docker/start.py").read_text()


def test_profile_of_each_overlay(rendered: dict[str, list[KubernetesObject]]) -> None:
    profiles = [environment(pod["spec"]["containers"][0])["PROFILE"] for pod in servers(rendered)]
    assert profiles == ["cpu", "gpu", "gpu", "gpu", "gpu"]
    for profile in set(profiles):
        assert (ROOT / f"model_repository/backbone/configs/{profile}.pbtxt").is_file()
    assert "PROFILE" in (ROOT / "deploy/docker/start.py").read_text()
    for pod in servers(rendered):
        gpus = pod["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        assert (gpus == "1") == (environment(pod["spec"]["containers"][0])["PROFILE"] == "gpu")
        assert environment(pod["spec"]["containers"][0])["OMP_WAIT_POLICY"] == "passive"


def test_kserve_runs_the_pod_of_the_gpu_overlay(rendered: dict[str, list[KubernetesObject]]) -> None:
    _, deployed, _, _, served = (copy.deepcopy(pod["spec"]) for pod in servers(rendered))
    assert served["containers"][0].pop("name") == "kserve-container"
    assert deployed["containers"][0].pop("name") == "triton"
    assert served["containers"][0]["env"].pop() == {"name": "PROTOCOL", "value": "v2"}
    assert served["timeout"] > 600  # the client's own
    del deployed["topologySpreadConstraints"]  # KServe adds its own
    assert {name: served[name] for name in deployed} == deployed


def test_pods_may_do_no_more_than_they_must(rendered: dict[str, list[KubernetesObject]]) -> None:
    found = list(pods({folder: items for folder, items in rendered.items() if folder != "base"}))
    assert len(found) > 10
    for where, pod in found:
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, where
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, where
        assert security["runAsUser"] == security["runAsGroup"] == 1000, where  # as in the images
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, where
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, where
            resources = container["resources"]
            assert "memory" in resources["limits"], where
            assert {"cpu", "memory"} <= resources["requests"].keys(), where
    (namespace,) = of_kind(rendered["storage"], "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_is_written_to_is_a_volume(rendered: dict[str, list[KubernetesObject]]) -> None:
    for pod in servers(rendered):
        (container,) = pod["spec"]["containers"]
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": "4Gi"}  # noqa: S108 - a mount
        memory = container["resources"]["limits"]["memory"]
        assert int(memory.removesuffix("Gi")) >= 2 * 4  # what is in /dev/shm counts as the container's
        assert "emptyDir" in volumes[mounts["/tmp"]["name"]]  # noqa: S108 - a mount
        assert mounts["/models"]["readOnly"] is True
    assert "MODEL_REPOSITORY=/models/repository" in (ROOT / "deploy/docker/Dockerfile").read_text()


def test_services_select_the_servers(rendered: dict[str, list[KubernetesObject]]) -> None:
    for folder in SERVERS:
        items = rendered[folder]
        (deployment,) = of_kind(items, "Deployment")
        pod = pod_of(deployment)
        ports = {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        assert ports == {"http": DEFAULT_HTTP_PORT, "grpc": DEFAULT_GRPC_PORT, "metrics": DEFAULT_METRICS_PORT}
        services = {service["metadata"]["name"]: service["spec"] for service in of_kind(items, "Service")}
        assert services.keys() == {"panecho", "panecho-headless"}
        assert services["panecho-headless"]["clusterIP"] == "None"
        for service in services.values():
            assert service["selector"].items() <= pod["labels"].items()
            assert all(port["port"] == ports[port["targetPort"]] for port in service["ports"])
        (budget,) = of_kind(items, "PodDisruptionBudget")
        spread = [constraint["labelSelector"] for constraint in pod["spec"]["topologySpreadConstraints"]]
        for selector in (deployment["spec"]["selector"], budget["spec"]["selector"], *spread):
            assert selector["matchLabels"].items() <= pod["labels"].items()
        assert all(item["metadata"]["namespace"] == "panecho" for item in items)


def test_network_policies_open_ports_that_are_listened_on(rendered: dict[str, list[KubernetesObject]]) -> None:
    policies = {item["metadata"]["name"]: item["spec"] for item in of_kind(rendered["network"], "NetworkPolicy")}
    denied = policies["panecho-default-deny"]
    assert denied == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "panecho"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    for where, pod in pods(rendered):
        assert denied["podSelector"]["matchLabels"].items() <= pod["labels"].items(), where
    opened = {
        name: [port["port"] for rule in spec.get("ingress", ()) for port in rule["ports"]]
        for name, spec in policies.items()
    }
    assert opened == {
        "panecho-default-deny": [],
        "panecho-dns": [],
        "panecho-from-clients": [DEFAULT_HTTP_PORT, DEFAULT_GRPC_PORT],
        "panecho-from-monitoring": [DEFAULT_METRICS_PORT],
    }
    for name in ("panecho-from-clients", "panecho-from-monitoring"):
        assert policies[name]["podSelector"] == {"matchLabels": SERVER}
        assert all(rule["from"] for rule in policies[name]["ingress"])
    assert [port["port"] for port in policies["panecho-dns"]["egress"][0]["ports"]] == [53, 53]
    outside = {
        item["metadata"]["name"]
        for items in rendered.values()
        for item in of_kind(items, "NetworkPolicy")
        if any("ipBlock" in peer for rule in item["spec"].get("egress", ()) for peer in rule["to"])
    }
    assert outside == {"panecho-to-object-store"}


def test_the_pods_of_the_archive_reach_the_servers(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["overlays/archive"]
    jobs = {job["metadata"]["name"]: job for job in of_kind(items, "Job")}
    (policy,) = of_kind(items, "NetworkPolicy")
    labels = {name: pod_of(job)["labels"] for name, job in jobs.items()}
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels["panecho-predict"].items()
    assert policy["spec"]["egress"][0]["to"] == [{"podSelector": {"matchLabels": SERVER}}]
    assert [name for name, found in labels.items() if found.get("panecho-client") == "true"] == ["panecho-predict"]
    for name, found in labels.items():
        assert found["step"] == jobs[name]["metadata"]["labels"]["step"] == name.removeprefix("panecho-")


def test_the_archive_is_shared_out_whole(rendered: dict[str, list[KubernetesObject]]) -> None:
    jobs = {job["metadata"]["name"]: job for job in of_kind(rendered["overlays/archive"], "Job")}
    spec = jobs["panecho-predict"]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert environment(container) == {"SHARDS": str(spec["completions"]), "URL": None}
    assert spec["completionMode"] == "Indexed"
    assert container["args"] == [
        "predict",
        "--index=/results/index.csv",
        "--shard=$(JOB_COMPLETION_INDEX)/$(SHARDS)",
        "--url=$(URL)",
        "--output=/results/shards/$(JOB_COMPLETION_INDEX)",
        "--resume",
    ]
    assert jobs["panecho-index"]["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "index",
        "/archive",
        "--output=/results/index.csv",
    ]
    assert jobs["panecho-merge"]["spec"]["template"]["spec"]["containers"][0]["args"] == [
        "merge",
        "/results/shards",
        "--output=/results/tables",
    ]
    actions = [
        (rule["action"], rule.get("onExitCodes", {}).get("values")) for rule in spec["podFailurePolicy"]["rules"]
    ]
    assert actions == [
        ("Ignore", None),
        ("Ignore", [UNAVAILABLE]),
        ("FailJob", [WRONG_USAGE]),
        ("FailIndex", [SOME_FAILED]),
    ]
    assert spec["podReplacementPolicy"] == "Failed"


def test_autoscalers_read_metrics_that_are_there(rendered: dict[str, list[KubernetesObject]]) -> None:
    (autoscaler,) = of_kind(rendered["components/autoscale"], "HorizontalPodAutoscaler")
    metrics = [metric["pods"] for metric in autoscaler["spec"]["metrics"]]
    assert [metric["metric"]["name"] for metric in metrics] == list(RECORDED)
    adapter = yaml.safe_load((KUBERNETES / "monitoring/prometheus-adapter-values.yaml").read_text())
    (monitored,) = of_kind(rendered["monitoring"], "PrometheusRule")
    recorded = {rule.get("record") for group in monitored["spec"]["groups"] for rule in group["rules"]}
    series = {rule["name"]["as"]: rule["seriesQuery"].partition("{")[0] for rule in adapter["rules"]["custom"]}
    assert series == RECORDED
    assert set(series.values()) <= recorded
    (scaled,) = of_kind(rendered["components/keda"], "ScaledObject")
    assert [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]] == [
        'sum(max by (pod) (panecho:queue_seconds_per_request:rate2m{namespace="panecho"}))',
        'sum(panecho:waiting_requests:avg2m{namespace="panecho"})',
    ]
    for trigger, metric in zip(scaled["spec"]["triggers"], metrics, strict=True):
        assert trigger["metricType"] == metric["target"]["type"] == "AverageValue"
        assert float(trigger["metadata"]["threshold"]) == float(metric["target"]["averageValue"])
    behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior == autoscaler["spec"]["behavior"]


def test_prometheus_finds_the_pods(rendered: dict[str, list[KubernetesObject]]) -> None:
    (monitor,) = of_kind(rendered["monitoring"], "PodMonitor")
    for pod in servers(rendered):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["labels"].items()
        ports = [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
        assert all(endpoint["port"] in ports for endpoint in monitor["spec"]["podMetricsEndpoints"])


def test_the_gateway_passes_only_what_predicts(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["components/gateway"]
    (route,) = of_kind(items, "GRPCRoute")
    (rule,) = route["spec"]["rules"]
    assert {match["method"]["method"] for match in rule["matches"]} == {
        "ModelConfig",
        "ModelInfer",
        "ModelMetadata",
        "ModelReady",
        "ServerLive",
        "ServerMetadata",
        "ServerReady",
    }
    assert {match["method"]["service"] for match in rule["matches"]} == {"inference.GRPCInferenceService"}
    (gateway,) = of_kind(items, "Gateway")
    (listener,) = gateway["spec"]["listeners"]
    assert route["spec"]["parentRefs"] == [{"name": gateway["metadata"]["name"], "sectionName": listener["name"]}]
    assert route["spec"]["hostnames"] == [listener["hostname"]]


def test_envoy_lets_a_prediction_end_and_asks_who_calls(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["components/gateway-envoy"]
    (traffic,), (security,) = of_kind(items, "BackendTrafficPolicy"), of_kind(items, "SecurityPolicy")
    for limit in ("requestTimeout", "streamIdleTimeout"):
        assert int(traffic["spec"]["timeout"]["http"][limit].removesuffix("s")) > Connection.timeout
    route = {"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "name": "panecho"}
    assert traffic["spec"]["targetRefs"] == security["spec"]["targetRefs"] == [route]
    assert security["spec"]["apiKeyAuth"]["credentialRefs"]


def test_nginx_lets_a_prediction_end_and_asks_who_calls(
    rendered: dict[str, list[KubernetesObject]], tmp_path: Path
) -> None:
    items = rendered["components/gateway-nginx"]
    (snippets,), (authentication,) = of_kind(items, "SnippetsFilter"), of_kind(items, "AuthenticationFilter")
    (snippet,) = snippets["spec"]["snippets"]
    seconds = re.findall(r"grpc_(?:read|send)_timeout (\d+)s;", snippet["value"])
    assert len(seconds) == 2
    assert all(int(number) > Connection.timeout for number in seconds)
    assert "client_max_body_size 512m;" in snippet["value"]
    (route,) = of_kind(items, "GRPCRoute")
    filters = [entry["extensionRef"] for entry in route["spec"]["rules"][0]["filters"]]
    assert [(found["kind"], found["name"]) for found in filters] == [
        (item["kind"], item["metadata"]["name"]) for item in (snippets, authentication)
    ]
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install --no-install-recommends nginx-light")
    location = f"location / {{ {snippet['value']} grpc_pass grpc://127.0.0.1:8001; }}"
    server = f"server {{ listen 127.0.0.1:8443; {location} }}"
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {server} }}")
    command = [nginx, "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_istio_asks_for_a_certificate_and_its_pods_are_not_ours(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["components/gateway-istio"]
    (gateway,) = of_kind(items, "Gateway")
    (listener,) = gateway["spec"]["listeners"]
    assert listener["tls"]["options"] == {"gateway.istio.io/tls-terminate-mode": "MUTUAL"}
    assert "app.kubernetes.io/part-of" not in gateway["spec"]["infrastructure"]["labels"]


def test_every_image_is_one_that_is_built_here(rendered: dict[str, list[KubernetesObject]]) -> None:
    built = {f"panecho-triton-{name}:{VERSION}" for name in ("server", "client")}
    found = {
        container["image"].partition("@")[0]
        for folder, items in rendered.items()
        if folder != "example"
        for item in items
        if item["kind"] in ("Deployment", "Job", "Pod", "InferenceService")
        for container in pod_of(item)["spec"]["containers"] + pod_of(item)["spec"].get("initContainers", [])
    }
    assert found == built | {"curlimages/curl:8.16.0", "nginxinc/nginx-unprivileged:1.30.4-alpine"}
    (deployment,) = of_kind(rendered["example"], "Deployment")
    images = [container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    assert images == [f"registry.example.org/panecho-triton-server:{VERSION}"]


def test_the_model_repository_comes_from_the_object_store_alone(rendered: dict[str, list[KubernetesObject]]) -> None:
    (deployment,) = of_kind(rendered["components/object-store"], "Deployment")
    volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert volumes["model-repository"].keys() == {"name", "emptyDir"}
    assert not of_kind(rendered["components/object-store"], "PersistentVolumeClaim")
    scripts = of_kind(rendered["components/object-store"], "ConfigMap")
    (script,) = (item for item in scripts if "fetch.sh" in item["data"])
    assert script["data"]["fetch.sh"] == (KUBERNETES / "components/object-store/fetch.sh").read_text()
    assert volumes["fetch"]["configMap"]["name"] == script["metadata"]["name"]


def test_everything_is_in_one_namespace(rendered: dict[str, list[KubernetesObject]]) -> None:
    for folder in rendered.keys() - {"monitoring", "example"}:  # which has that of the kustomization that includes it
        for item in rendered[folder]:
            if item["kind"] != "Namespace":
                assert item["metadata"].get("namespace") == "panecho", (folder, name_of(item))


def test_schemas_name_their_origin() -> None:
    for schema in (KUBERNETES / "schemas").glob("*.json"):
        assert "Apache-2.0" in json.loads(schema.read_text())["$comment"]


def test_the_proxy_is_the_only_way_in(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["components/auth-proxy"]
    (deployment,) = of_kind(items, "Deployment")
    triton, proxy = deployment["spec"]["template"]["spec"]["containers"]
    assert {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--metrics-address=0.0.0.0"} <= set(triton["args"])
    assert [port["containerPort"] for port in proxy["ports"]] == [8443]
    for service in of_kind(items, "Service"):
        assert [port["port"] for port in service["spec"]["ports"]] == [8443]
    (configured,) = (
        item for item in of_kind(items, "ConfigMap") if item["metadata"]["name"].startswith("panecho-nginx")
    )
    nginx = ROOT / "deploy/nginx"
    assert configured["data"] == {name: (nginx / name).read_text() for name in ("nginx.conf", "upstreams.conf")}
    assert re.findall(r"server ([^;]+):\d+;", configured["data"]["upstreams.conf"]) == ["127.0.0.1", "127.0.0.1"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["proxy"]
    assert (proxy["image"], proxy["command"]) == (compose["image"], compose["entrypoint"])  # which test_nginx.py runs


HARDWARE = ("cpu", "gpu")
FURTHER = ("autoscale", "keda", "object-store", "gateway", "auth-proxy", "storage", "archive", "kserve")
GATEWAYS = ("gateway-envoy", "gateway-istio", "gateway-nginx")
BEHIND_PROXY = ("storage", "cpu", "archive-behind-proxy", "auth-proxy")
EXCLUDED = {
    frozenset({"autoscale", "keda"}): "only-one-of-autoscale-keda-and-kserve",
    frozenset({"autoscale", "kserve"}): "only-one-of-autoscale-keda-and-kserve",
    frozenset({"keda", "kserve"}): "only-one-of-autoscale-keda-and-kserve",
    frozenset({"gateway", "auth-proxy"}): "only-one-of-auth-proxy-and-gateway",
    frozenset({"gateway", "kserve"}): "only-one-of-gateway-and-kserve",
    frozenset({"archive", "auth-proxy"}): "only-one-of-archive-and-auth-proxy",
}


@pytest.mark.long  # test_all_that_compose_do_so_together has them all, in fewer renderings
@pytest.mark.parametrize(
    ("one", "other"), [pair for pair in itertools.combinations(FURTHER, 2) if frozenset(pair) not in EXCLUDED]
)
def test_components_compose(one: str, other: str) -> None:
    assert stack_problems(compose([HARDWARE[len(one) % 2], one, other], ROOT), ROOT) == []


@pytest.mark.parametrize("excluded", EXCLUDED, ids=lambda pair: "-and-".join(sorted(pair)))
def test_components_are_refused_by_name(excluded: frozenset[str]) -> None:
    with pytest.raises(RuntimeError, match=EXCLUDED[excluded]):
        compose(["gpu", *sorted(excluded, key=FURTHER.index)], ROOT)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_each_gateway_composes_with_the_rest(gateway: str) -> None:
    store = ["object-store", "object-store-identity"]
    items = compose(["storage", "cpu", *store, "gateway", gateway, "archive", "keda", "../monitoring"], ROOT)
    assert [text for item in items if (text := problem(item, ROOT))] == []
    assert stack_problems(items, ROOT) == []


@pytest.mark.parametrize(
    ("component", "missing"),
    [*((gateway, "GRPCRoute.*panecho") for gateway in GATEWAYS), ("object-store-identity", "ConfigMap.*panecho-fetch")],
)
def test_a_component_is_refused_without_the_one_that_it_needs(component: str, missing: str) -> None:
    with pytest.raises(RuntimeError, match=f"nothing selected by {missing}"):
        compose(["gpu", component], ROOT)


@pytest.mark.parametrize(("one", "other"), [*itertools.combinations(GATEWAYS, 2)])
def test_one_kind_of_gateway(one: str, other: str) -> None:
    with pytest.raises(RuntimeError, match="only-one-of-gateway-envoy-istio-and-nginx"):
        compose(["gpu", "gateway", one, other], ROOT)


@pytest.mark.parametrize("components", [BEHIND_PROXY, BEHIND_PROXY[::-1]])
def test_an_archive_behind_the_proxy(components: tuple[str, ...]) -> None:
    items = compose(components, ROOT)
    assert [text for item in items if (text := problem(item, ROOT))] == []
    assert stack_problems(items, ROOT) == []


def test_an_archive_behind_no_proxy_is_refused_by_name() -> None:
    # In two kustomizations kubectl cannot know it; then an event of the pod names the key that is missing.
    found = stack_problems(compose(["gpu", "archive-behind-proxy"], ROOT), ROOT)
    assert "Job/panecho-predict: ConfigMap panecho-address has no key url-behind-proxy" in found
    with pytest.raises(RuntimeError, match="only-one-of-archive-and-archive-behind-proxy"):
        compose(["archive", "archive-behind-proxy"], ROOT)


def test_one_kind_of_hardware() -> None:
    with pytest.raises(RuntimeError, match="only-one-of-cpu-and-gpu"):
        compose(["cpu", "gpu"], ROOT)


def test_all_that_compose_do_so_together() -> None:
    for components in (
        ["storage", "gpu", "object-store", "auth-proxy", "keda", "../monitoring"],
        ["storage", "cpu", "object-store", "auth-proxy", "kserve"],
        [
            "storage",
            "gpu",
            "object-store",
            "object-store-in-cluster",
            "gateway",
            "archive",
            "autoscale",
            "../monitoring",
        ],
    ):
        items = compose(components, ROOT)
        assert [text for item in items if (text := problem(item, ROOT))] == []
        assert stack_problems(items, ROOT) == []


def runbooks(items: list[KubernetesObject]) -> list[str]:
    """Return where each alert says that its explanation is."""
    (rules,) = of_kind(items, "PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    return [alert["annotations"]["runbook_url"].partition("#")[0] for alert in alerts]


def test_the_address_of_the_runbooks_is_set_once(rendered: dict[str, list[KubernetesObject]]) -> None:
    published = runbooks(rendered["monitoring"])
    assert set(published) == {"https://panecho.example.org/operate/monitoring.html"}
    assert runbooks(rendered["example"]) == ["https://docs.example.org/operate/monitoring.html"] * len(published)


def test_namespace_and_storage_class_are_set_once(rendered: dict[str, list[KubernetesObject]]) -> None:
    items = rendered["example"]
    assert {item["metadata"].get("namespace", item["metadata"]["name"]) for item in items} == {"heart"}
    assert {claim["spec"]["storageClassName"] for claim in of_kind(items, "PersistentVolumeClaim")} == {"your-class"}
    (scaled,) = of_kind(items, "ScaledObject")
    assert all('{namespace="heart"}' in trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"])
