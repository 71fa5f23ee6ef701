"""Looks for known vulnerabilities in every locked package: ``python scripts/audit.py`` (``make audit``).

pip-audit asks PyPI (https://docs.pypi.org/api/json/#known-vulnerabilities), and where that does not answer OSV
(https://google.github.io/osv.dev/post-v1-query/), about each package that a lock file has for the running Python.
Vulnerabilities listed in ``scripts/audit.toml`` pass until they expire.

Exit status: 0 where none is known, or where no service could be asked, which is said; 1 where one is known; 2 where a
file cannot be used or a service stops answering.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = (ROOT / "requirements.lock", *sorted((ROOT / "deploy/docker").glob("*.lock")))
EXCEPTIONS = ROOT / "scripts/audit.toml"
SERVICES = ("pypi", "osv")
VULNERABLE = "jinja2==2.10"
"""A release with known vulnerabilities, CVE-2019-10906 among them: a service that knows none of it was not reached."""


class AuditError(Exception):
    """Something that has to be mended before the audit can be believed; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A vulnerability that may pass.

    Attributes:
        id: Any of its names.
        package: Normalised name of the package.
        reason: Why it does no harm here.
        expires: The last day on which it passes.
    """

    id: str
    package: str
    reason: str
    expires: date


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A vulnerability of a locked package.

    Attributes:
        package: Name and version, such as ``jinja2 2.10``.
        names: Its names, the service's own first.
        fixes: Versions that are free of it.
    """

    package: str
    names: tuple[str, ...]
    fixes: tuple[str, ...]

    def __str__(self) -> str:
        """Say what and how to get rid of it."""
        fixed = f"fixed in {', '.join(self.fixes)}" if self.fixes else "no version is free of it"
        return f"{self.package}: {', '.join(self.names)}; {fixed}"


def main() -> int:
    """Audit the lock files; return the exit status."""
    parser = argparse.ArgumentParser(description="Look for known vulnerabilities in every locked package.")
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS, help="lock files (default: all here)")
    parser.add_argument("--exceptions", type=Path, default=EXCEPTIONS, help="vulnerabilities that may pass, as TOML")
    parser.add_argument("--service", choices=SERVICES, help="whom to ask (default: PyPI, else OSV)")
    options = parser.parse_args()
    try:
        accepted = read_exceptions(options.exceptions)
        service = answering([options.service] if options.service else SERVICES)
        if service is None:
            _say("NOTHING WAS CHECKED: no service that knows vulnerabilities could be asked. Try again online.")
            return 0
        found = [audit(lock, service, accepted) for lock in options.locks]
    except AuditError as error:
        _say(str(error))
        return 2
    return int(any(found))


def read_exceptions(path: Path) -> list[Accepted]:
    """Return the vulnerabilities that may pass, without those that have expired, which are said.

    Raises:
        AuditError: The file cannot be read, or an entry is not of the form that its first lines show.
    """
    try:
        entries = tomllib.loads(path.read_text()).get("exceptions", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise AuditError(f"{path}: {error}") from error
    accepted = [_accepted(entry, path) for entry in entries]
    today = datetime.now(UTC).date()
    for entry in accepted:
        if entry.expires < today:
            _say(f"{path.name}: {entry.id} of {entry.package} has expired on {entry.expires}")
    return [entry for entry in accepted if entry.expires >= today]


def answering(services: Sequence[str]) -> str | None:
    """Return the first service that knows what is wrong with ``VULNERABLE``; say why others were passed over."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{VULNERABLE}\n")
        for service in services:
            try:
                (package,) = pip_audit(requirements, service)
                if package.get("vulns"):
                    return service
                reason = package.get("skip_reason") or f"it knows no vulnerability of {VULNERABLE}, which has several"
            except AuditError as error:
                reason = str(error)
            _say(f"{service} cannot be asked: {reason}")
    return None


def audit(lock: Path, service: str, accepted: Sequence[Accepted]) -> bool:
    """Print what is known of the packages of ``lock``; return whether any of it counts."""
    _say(f"asking {service} about {lock.name} …")
    packages = pip_audit(lock, service)
    unknown = [package for package in packages if "skip_reason" in package]
    counted = 0
    for finding in findings(packages):
        excuse = next((entry for entry in accepted if _covers(entry, finding)), None)
        counted += excuse is None
        _tell(lock, f"{finding} (passes until {excuse.expires}: {excuse.reason})" if excuse else str(finding))
    for package in unknown:
        _tell(lock, f"{package['name']} was not checked: {package['skip_reason']}")
    _tell(lock, f"packages checked: {len(packages) - len(unknown)}; vulnerabilities: {counted}")
    return bool(counted)


def pip_audit(requirements: Path, service: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package that ``requirements`` pins.

    Raises:
        AuditError: It could not find out, or cannot read the file; the message is the last line that it wrote.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--disable-pip", "--no-deps"]
    options = ["--vulnerability-service", service, "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except json.JSONDecodeError as error:
        last = (done.stderr.strip() or "it wrote nothing").splitlines()[-1]
        raise AuditError(f"pip-audit: {last}") from error
    return packages


def findings(packages: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    """Yield the vulnerabilities in pip-audit's answer."""
    for package in packages:
        for entry in package.get("vulns", []):
            yield Finding(
                package=f"{package['name']} {package['version']}",
                names=(entry["id"], *sorted(entry["aliases"])),
                fixes=tuple(entry["fix_versions"]),
            )


def _accepted(entry: dict[str, Any], path: Path) -> Accepted:
    texts = [entry.get(key) for key in ("id", "package", "reason")]
    known = entry.keys() == {"id", "package", "reason", "expires"}
    if not known or not all(isinstance(text, str) and text for text in texts) or type(entry["expires"]) is not date:
        raise AuditError(f"{path}: {entry}: needs id, package and reason, texts, and expires, a day such as 2027-01-31")
    return Accepted(**entry)


def _covers(entry: Accepted, finding: Finding) -> bool:
    return entry.id in finding.names and finding.package.split()[0] == entry.package


def _tell(lock: Path, message: str) -> None:
    sys.stdout.write(f"{lock.name}: {message}\n")


def _say(message: str) -> None:
    sys.stderr.write(f"audit: {message}\n")


if __name__ == "__main__":
    raise SystemExit(main())
