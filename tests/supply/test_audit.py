"""``make audit`` with pip-audit itself, asking a server on this machine that answers as OSV does."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AUDIT = ROOT / "scripts/audit.py"
HASH = "0" * 64
NOBODY = "http://127.0.0.1:9/v1/query"
TODAY = datetime.now(UTC).date()


def record(package: str, names: tuple[str, ...], fixed: str) -> dict[str, Any]:
    """A vulnerability as OSV gives it: https://ossf.github.io/osv-schema/."""
    events = [{"introduced": "0"}, {"fixed": fixed}]
    affected = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"schema_version": "1.7.0", "id": names[0], "aliases": list(names[1:]), "affected": [affected]}


KNOWN = {
    ("jinja2", "2.10"): record("jinja2", ("PYSEC-2019-217", "CVE-2019-10906", "GHSA-462w-v97r-4m45"), "2.10.1"),
    ("pillow", "9.0.0"): record("pillow", ("PYSEC-2022-168", "CVE-2022-24303"), "9.0.1"),
}


class Osv:
    """A server that answers as https://api.osv.dev/v1/query does."""

    def __init__(self) -> None:
        self.known: Mapping[tuple[str, str], dict[str, Any]] = KNOWN
        self.broken: str | None = None
        osv = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = query["package"]["name"]
                found = osv.known.get((name, query["version"]))
                content = json.dumps({"vulns": [found]} if found else {}).encode()
                self.send_response(503 if name == osv.broken else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/query"


@pytest.fixture
def osv() -> Iterator[Osv]:
    service = Osv()
    with service.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield service
        server.shutdown()


def audit(
    folder: Path, url: str, packages: tuple[str, ...], exceptions: str = ""
) -> "subprocess.CompletedProcess[str]":
    lock = folder / "requirements.lock"
    lock.write_text("".join(f"{package} \\\n    --hash=sha256:{HASH}\n" for package in packages))
    (folder / "audit.toml").write_text(exceptions)
    options = ["--service", "osv", "--exceptions", str(folder / "audit.toml"), str(lock)]
    return subprocess.run(
        [sys.executable, str(AUDIT), *options],
        env={**os.environ, "PIP_AUDIT_OSV_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def excepted(expires: str, name: str = "CVE-2022-24303", package: str = "pillow") -> str:
    entry = f'id = "{name}"\npackage = "{package}"\nreason = "Only our own pictures."\nexpires = {expires}\n'
    return f"[[exceptions]]\n{entry}"


def test_nothing_known(osv: Osv, tmp_path: Path) -> None:
    done = audit(tmp_path, osv.url, ("idna==3.20", "pillow==13.0.0", "pywin32==312 ; sys_platform == 'win32'"))

    assert (done.returncode, done.stdout) == (0, "requirements.lock: packages checked: 2; vulnerabilities: 0\n")
    assert done.stderr == "audit: asking osv about requirements.lock …\n"


def test_a_known_vulnerability_fails_and_names_the_version_without_it(osv: Osv, tmp_path: Path) -> None:
    done = audit(tmp_path, osv.url, ("idna==3.20", "pillow==9.0.0"))

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "requirements.lock: pillow 9.0.0: PYSEC-2022-168, CVE-2022-24303; fixed in 9.0.1",
        "requirements.lock: packages checked: 2; vulnerabilities: 1",
    ]


def test_an_exception_passes_until_its_day(osv: Osv, tmp_path: Path) -> None:
    done = audit(tmp_path, osv.url, ("pillow==9.0.0",), excepted(f"{TODAY}"))

    assert done.returncode == 0
    passes = f"(passes until {TODAY}: Only our own pictures.)"
    assert done.stdout.splitlines() == [
        f"requirements.lock: pillow 9.0.0: PYSEC-2022-168, CVE-2022-24303; fixed in 9.0.1 {passes}",
        "requirements.lock: packages checked: 1; vulnerabilities: 0",
    ]


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        (excepted(f"{TODAY - timedelta(days=1)}"), "audit.toml: CVE-2022-24303 of pillow has expired on"),
        (excepted(f"{TODAY}", name="CVE-2022-24304"), ""),
        (excepted(f"{TODAY}", package="idna"), ""),
    ],
)
def test_an_exception_that_has_expired_or_is_for_another_does_not_count(
    osv: Osv, tmp_path: Path, exception: str, said: str
) -> None:
    done = audit(tmp_path, osv.url, ("pillow==9.0.0",), exception)

    assert done.returncode == 1
    assert said in done.stderr


def test_without_the_service_it_says_that_nothing_was_checked(osv: Osv, tmp_path: Path) -> None:
    osv.server.server_close()

    done = audit(tmp_path, osv.url, ("pillow==9.0.0",))

    assert (done.returncode, done.stdout) == (0, "")
    assert "audit: osv cannot be asked: pip-audit: requests.exceptions.ConnectionError" in done.stderr
    assert "audit: NOTHING WAS CHECKED" in done.stderr


def test_a_service_that_knows_nothing_is_no_service(osv: Osv, tmp_path: Path) -> None:
    osv.known = {}

    done = audit(tmp_path, osv.url, ("pillow==9.0.0",))

    assert (done.returncode, done.stdout) == (0, "")
    assert "audit: osv cannot be asked: it knows no vulnerability of jinja2==2.10, which has several" in done.stderr
    assert "audit: NOTHING WAS CHECKED" in done.stderr


def test_a_service_that_stops_answering_is_an_error(osv: Osv, tmp_path: Path) -> None:
    osv.broken = "pillow"

    done = audit(tmp_path, osv.url, ("idna==3.20", "pillow==9.0.0"))

    assert (done.returncode, done.stdout) == (2, "")
    assert "NOTHING" not in done.stderr


NEEDS = "needs id, package and reason, texts, and expires, a day such as 2027-01-31"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[exceptions]]\nid = "CVE-2022-24303"\n', f"{{'id': 'CVE-2022-24303'}}: {NEEDS}"),
        (excepted('"soon"'), NEEDS),
        (excepted("2027-01-31", name=""), NEEDS),
        (excepted("2027-01-31") + "severity = 1\n", NEEDS),
        ("[[exceptions", "Expected ']]' at the end of an array declaration"),
    ],
)
def test_wrong_exceptions_are_refused_offline_too(tmp_path: Path, text: str, said: str) -> None:
    done = audit(tmp_path, NOBODY, ("pillow==9.0.0",), text)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"{tmp_path}/audit.toml: " in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_every_lock_file_of_this_repository_is_audited(osv: Osv) -> None:
    done = subprocess.run(
        [sys.executable, str(AUDIT), "--service", "osv"],
        env={**os.environ, "PIP_AUDIT_OSV_URL": osv.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr.count("has expired")) == (0, 0), done.stderr
    lines = [
        re.fullmatch(r"(\S+): packages checked: (\d+); vulnerabilities: 0", line) for line in done.stdout.splitlines()
    ]
    checked = {line[1]: int(line[2]) for line in lines if line}
    assert set(checked) == {"requirements.lock", "build.lock", "client.lock", "export.lock", "server.lock"}
    assert checked["requirements.lock"] > 150
    assert checked["server.lock"] == 4
