"""docker-compose.yml: what the schema does not see."""

import re
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from panecho_server import ServerSettings
from panecho_server.settings import MODELS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
DOCUMENTATION = (ROOT / "docs/operate/compose.md").read_text()
VALIDATE = ROOT / "scripts/validate/compose"
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load(path: Path) -> Any:  # noqa: ANN401 - a YAML document
    return YAML(typ="safe", pure=True).load(path)


COMPOSE = YAML(typ="safe", pure=True).load(VARIABLE.sub(lambda variable: variable[2] or "", TEXT))
"""With every variable at its default."""

SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}


def test_the_file_is_valid() -> None:
    done = subprocess.run([VALIDATE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "field"),
    [
        ("shm_size: ${SHM_SIZE:-4gb}", "shm_size: [4gb]", "shm_size"),
        pytest.param("    retries: 3\n", "    retires: 3\n", "healthcheck", marks=pytest.mark.long),
        pytest.param("cap_drop: [ALL]", "cap_drop: ALL", "cap_drop", marks=pytest.mark.long),
        pytest.param(
            "secrets:\n  admin-key: {", "secrets:\n  admin-key: { fiel: x, ", "secrets", marks=pytest.mark.long
        ),
    ],
)
def test_a_broken_field_is_named_with_its_file(tmp_path: Path, right: str, wrong: str, field: str) -> None:
    assert right in TEXT
    (tmp_path / "docker-compose.yml").write_text(TEXT.replace(right, wrong))

    done = subprocess.run([VALIDATE, tmp_path], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert f"{tmp_path}/docker-compose.yml" in done.stdout
    assert field in done.stdout


def mounts() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, service in SERVICES.items():
        for mount in service.get("volumes", ()):
            yield name, mount


def test_every_file_and_folder_that_is_mounted_exists_and_cannot_be_written() -> None:
    bound = [(name, mount) for name, mount in mounts() if mount["type"] == "bind"]

    assert {mount["source"] for _, mount in bound} >= {"./deploy/prometheus", "./deploy/compose/no-checkpoint"}
    for name, mount in bound:
        assert mount["bind"] == {"create_host_path": False}, name
        if mount["target"] in ("/reports", "/proxy/secrets"):  # made by who runs a load test, or a proxy
            continue
        assert (ROOT / mount["source"]).exists(), (name, mount["source"])
        assert mount["read_only"], name


def test_every_volume_is_declared_and_used() -> None:
    used = {mount["source"] for _, mount in mounts() if mount["type"] == "volume"}

    assert used == set(COMPOSE["volumes"]) == {"models", "prometheus", "grafana", "orthanc", "watch"}


def test_the_servers_cannot_write_to_the_models() -> None:
    writers = {name for name, mount in mounts() if mount["source"] == "models" and not mount.get("read_only")}

    assert writers == {"export"}


def test_the_secrets_are_those_that_the_script_makes(tmp_path: Path) -> None:
    folder = tmp_path / "deploy/compose"
    shutil.copytree(ROOT / "deploy/compose", folder, ignore=shutil.ignore_patterns("admin-key", "grafana-*"))
    used = {name for service in SERVICES.values() for name in service.get("secrets", ())}

    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    made = {
        path: path.read_text()
        for path in (folder / "secrets").iterdir()
        if path.is_file() and path.name != ".gitignore"
    }
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)

    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == {
        f"./{path.relative_to(tmp_path)}" for path in made
    }
    assert used >= {path.name for path in made}
    assert len(set(made.values())) == len(made)
    for path, secret in made.items():
        assert re.fullmatch("[0-9a-f]{64}", secret)
        assert path.read_text() == secret  # kept the second time
        assert stat.filemode(path.stat().st_mode) == "-rw-r--r--"  # containers read them as users of their own
    assert stat.filemode((folder / "secrets").stat().st_mode) == "drwx------"


def test_secrets_are_not_committed() -> None:
    command = [
        "git",
        "check-ignore",
        "deploy/compose/secrets/admin-key",
        "deploy/compose/secrets/grafana-admin-password",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == command[2:]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "/var/run/docker.sock" not in str(service)


def test_ports_are_open_to_this_machine_alone() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert ports["triton"] == ["127.0.0.1:8000:8000", "127.0.0.1:8001:8001", "127.0.0.1:8002:8002"]
    assert all(port.startswith("127.0.0.1:") for opened in ports.values() for port in opened)


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?", service["image"]), name


def test_our_images_are_what_the_dockerfile_calls_them() -> None:
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    named = dict(re.findall(r"--target (\w+) -t (\S+) \.", dockerfile))

    built = {service["build"]["target"]: service["image"] for service in OURS.values()}

    assert built == named
    for service in OURS.values():
        assert service["build"] | {"target": ""} == {
            "context": ".",
            "dockerfile": "deploy/docker/Dockerfile",
            "target": "",
        }


def test_the_version_is_this_one() -> None:
    with (ROOT / "client/pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]

    assert {service["image"].partition(":")[2] for service in OURS.values()} == {version}


def test_every_lasting_service_has_a_health_check() -> None:
    assert {"triton", "triton-cpu", "prometheus", "grafana"} <= set(LASTING)
    assert all(service["healthcheck"]["test"][0] == "CMD" for service in LASTING.values())


def test_the_health_check_of_the_servers_is_the_one_of_the_image_that_asks_every_model() -> None:
    """tests/deploy/test_container.py shows that it asks MODELS."""
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    test = ["CMD", "/opt/panecho/healthcheck.py"]

    assert 'CMD ["/opt/panecho/healthcheck.py"]' in dockerfile
    assert [SERVICES[name]["healthcheck"]["test"] for name in ("triton", "triton-cpu")] == [test, test]


def test_prometheus_asks_every_model_and_only_services_that_are_there() -> None:
    jobs = load(ROOT / "deploy/prometheus/prometheus.yml")["scrape_configs"]
    targets = [target for job in jobs for group in job["static_configs"] for target in group["targets"]]
    asked = [
        match[1] for target in targets if (match := re.fullmatch(r"http://triton:8000/v2/models/(\w+)/ready", target))
    ]

    assert tuple(asked) == MODELS
    assert {re.sub(r"^http://", "", target).partition(":")[0] for target in targets} == {"triton"}
    assert "blackbox:9115" in (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    assert "blackbox" in SERVICES
    assert SERVICES["triton-cpu"]["networks"] == {"default": {"aliases": ["triton"]}}


def test_the_proxy_passes_on_to_the_server_under_the_names_that_its_configuration_uses() -> None:
    ours = (ROOT / "deploy/compose/upstreams.conf").read_text()
    theirs = (ROOT / "deploy/nginx/upstreams.conf").read_text()
    names = r"upstream (\w+) {"

    assert re.findall(names, ours) == re.findall(names, theirs)
    assert re.findall(r"server (\S+);", ours) == ["triton:8001", "triton:8000"]
    assert "listen 8443 ssl" in (ROOT / "deploy/nginx/nginx.conf").read_text()


def test_grafana_finds_prometheus_and_its_dashboards_where_they_are_mounted() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (dashboards,) = (provisioning / "dashboards").glob("*.y*ml")
    (datasources,) = (provisioning / "datasources").glob("*.y*ml")
    targets = {mount["target"] for name, mount in mounts() if name == "grafana"}

    assert {provider["options"]["path"] for provider in load(dashboards)["providers"]} == {
        "/var/lib/grafana/dashboards"
    }
    assert "/var/lib/grafana/dashboards" in targets
    assert [source["url"] for source in load(datasources)["datasources"]] == ["http://prometheus:9090"]


def test_the_server_waits_for_the_export_and_the_others_for_the_server() -> None:
    for name in ("triton", "triton-cpu"):
        assert SERVICES[name]["depends_on"] == {"export": {"condition": "service_completed_successfully"}}
    for name in ("prometheus", "client", "load-test"):
        assert SERVICES[name]["depends_on"] == {
            "triton": {"condition": "service_healthy", "required": False},
            "triton-cpu": {"condition": "service_healthy", "required": False},
        }
    assert SERVICES["proxy"]["depends_on"] == {
        "triton": {"condition": "service_healthy", "required": False, "restart": True},
        "triton-cpu": {"condition": "service_healthy", "required": False, "restart": True},
    }
    assert SERVICES["grafana"]["depends_on"] == {"prometheus": {"condition": "service_healthy"}}


def test_the_pacs_brings_what_watches_it_and_nothing_else() -> None:
    names = {name for name, service in SERVICES.items() if "pacs" in service["profiles"]}
    watch, orthanc = SERVICES["watch"], SERVICES["orthanc"]

    assert names == {"orthanc", "watch"}
    assert watch["depends_on"]["orthanc"] == {"condition": "service_healthy"}
    assert {"triton", "triton-cpu"} < set(watch["depends_on"])
    assert "http://orthanc:8042" in watch["command"]
    assert orthanc["ports"] == ["127.0.0.1:4242:4242", "127.0.0.1:8042:8042"]
    (port,) = re.findall(r"127\.0\.0\.1:(\d+)/metrics", str(watch["healthcheck"]["test"]))
    assert watch["command"][watch["command"].index("--metrics-port") + 1] == port
    assert "/watch" in (ROOT / "deploy/docker/Dockerfile").read_text()  # a folder of user 1000 there


def test_a_profile_brings_one_server_and_all_that_it_needs() -> None:
    for profile, server in (("gpu", "triton"), ("cpu", "triton-cpu")):
        names = {name for name, service in SERVICES.items() if profile in service["profiles"]}
        assert names == {server, "export", "prometheus", "blackbox", "grafana"}


def test_only_the_gpu_profile_asks_for_a_gpu() -> None:
    with_devices = {name for name, service in SERVICES.items() if "deploy" in service}

    assert with_devices == {"triton"}
    assert SERVICES["triton-cpu"]["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    for name, profile in (("triton", "gpu"), ("triton-cpu", "cpu")):
        assert SERVICES[name]["environment"]["PROFILE"] == profile
        assert SERVICES[name]["environment"]["ADMIN_KEY_FILE"] == "/run/secrets/admin-key"


def test_running_requests_can_be_finished_before_the_server_is_killed() -> None:
    for name in ("triton", "triton-cpu"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > ServerSettings.exit_timeout + 10


def test_every_variable_is_documented_with_its_default() -> None:
    variables = dict(VARIABLE.findall(TEXT))

    assert {"CHECKPOINT", "GRPC_PORT", "SHM_SIZE"} <= set(variables)
    for variable, default in variables.items():
        assert re.search(rf"^\| `{variable}` \| (`{re.escape(default)}`|\S.*) \|", DOCUMENTATION, re.MULTILINE), (
            variable
        )


def test_every_service_and_profile_that_the_documentation_names_exists() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service["profiles"]}
    named = set(re.findall(r"--profile ([a-z-]+)", DOCUMENTATION))
    run = set(re.findall(r"compose --profile \S+ run --rm ([a-z-]+)", DOCUMENTATION))

    assert named == profiles - {"load-test"}
    assert run == {"client", "load-test"}
