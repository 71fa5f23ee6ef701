#!/usr/bin/env python3
"""Entry point of the server image: becomes ``tritonserver`` on a mounted PanEcho model repository.

Arguments are further options of ``tritonserver``; they come last, so one that is set here is overridden. Environment:

- ``MODEL_REPOSITORY``: folder that ``panecho export`` has made servable.
- ``LOAD_MODELS``: models to load in addition to those of a study, such as ``image_encoder``; separated by blanks.
- ``PROFILE``: serving settings for a kind of machine, ``cpu`` or ``gpu``; without it, those that suit any.
- ``ADMIN_KEY_FILE``: file with the key that opens the closed APIs (header ``admin-key`` over HTTP,
  ``triton-grpc-protocol-admin-key`` over gRPC). Without it nobody can open them.
- ``HTTP_MAX_INPUT_SIZE``: bytes that the body of an HTTP request may have; Triton before 25.06 knows no such limit.
- ``EXIT_TIMEOUT_SECS``: seconds that running requests are given when the server is stopped.
- ``ALLOW_OLD_TRITON``: 1 starts a Triton before 25.08 too, which whoever may predict can end.
"""

import os
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

from panecho_server import RepositoryError, ServerSettings
from panecho_server.precision import precision_warning
from panecho_server.repository import models_to_load, profile_options
from panecho_server.security import CLOSED_APIS, closed_apis
from panecho_server.shared_memory import SharedMemory

KEY = re.compile(r"[A-Za-z0-9_-]{16,}")

FIXED = (25, 8)
"""The release since which Triton survives a request for the classification of a text (server #8267)."""


def main() -> None:
    """Replace this process with ``tritonserver``, so that signals reach it."""
    try:
        require_fixed(os.environ.get("NVIDIA_TRITON_SERVER_VERSION", ""))
        command = ["tritonserver", *options(), *sys.argv[1:]]
    except (RepositoryError, ValueError) as error:
        sys.exit(f"panecho-triton: {error}")
    # A pod's shared memory outlives its containers: what one that was killed has left there would count as this one's.
    SharedMemory(socket.gethostname()).remove()
    if warning := precision_warning(Path(os.environ["MODEL_REPOSITORY"])):
        sys.stderr.write(f"panecho-triton: {warning}\n")
        sys.stderr.flush()  # before this process becomes another
    os.execvp(command[0], command)  # noqa: S606 - our own command


def require_fixed(release: str) -> None:
    """Refuse a Triton that a request can end: nothing in front of it here reads the bodies of requests.

    Args:
        release: As NVIDIA's images name it, such as 26.11; empty where they do not.

    Raises:
        ValueError: It is too old.
    """
    found = re.match(r"(\d+)\.(\d+)", release)
    if found and (int(found[1]), int(found[2])) < FIXED and os.environ.get("ALLOW_OLD_TRITON") != "1":
        raise ValueError(
            f"Triton {release} ends when it is asked for the classification of a text output "
            "(docs/operate/security.md); use nvcr.io/nvidia/tritonserver:25.08-py3 or newer, or set ALLOW_OLD_TRITON=1 "
            "where every caller is trusted."
        )


def options() -> list[str]:
    """Return the options that this environment asks for.

    Raises:
        RepositoryError: There is no servable repository, or it lacks a model.
        ValueError: A variable, or the file that it names, holds what it should not; the text names it.
    """
    repository = Path(os.environ["MODEL_REPOSITORY"])
    models = models_to_load(repository, tuple(os.environ.get("LOAD_MODELS", "").split()))
    given: dict[str, object] = {
        "model-repository": repository,
        "model-control-mode": "explicit",
        "exit-timeout-secs": number("EXIT_TIMEOUT_SECS", ServerSettings.exit_timeout),
        **restrictions(),
        **profile_options(repository, os.environ.get("PROFILE") or None),
    }
    if "HTTP_MAX_INPUT_SIZE" in os.environ:
        given["http-max-input-size"] = number("HTTP_MAX_INPUT_SIZE")
    note_for_health_check(models)
    load = [f"--load-model={model}" for model in models]
    memory = SharedMemory(socket.gethostname()).options(backends=["python"])
    return ["--disable-auto-complete-config", *load, *memory, *(f"--{name}={value}" for name, value in given.items())]


def note_for_health_check(models: list[str]) -> None:
    """Write which models are served, so that the health check need not look at the repository."""
    with suppress(OSError):  # nothing may be writable; then the health check asks the models of a study
        Path(os.environ.get("HOME", "/tmp"), "panecho-models").write_text(" ".join(models), encoding="utf-8")  # noqa: S108 - the image's home


def restrictions() -> dict[str, str]:
    """Return options that close APIs to who lacks the key of ``ADMIN_KEY_FILE``, or to everybody without one."""
    path = os.environ.get("ADMIN_KEY_FILE")
    if path is None:
        return closed_apis(ServerSettings())
    try:
        key = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"ADMIN_KEY_FILE={path} cannot be read by user {os.getuid()}: {error.strerror}.") from error
    if not KEY.fullmatch(key):
        raise ValueError(
            f"ADMIN_KEY_FILE={path} must hold at least 16 letters, digits, - or _; make one: openssl rand -hex 32"
        )
    closed = f"{','.join(CLOSED_APIS)}:admin-key={key}"
    return {"http-restricted-api": closed, "grpc-restricted-protocol": closed}


def number(variable: str, default: int = 0) -> int:
    """Return a variable's value, a whole number of at least 1, or ``default``."""
    value = os.environ.get(variable, str(default))
    if not value.isascii() or not value.isdecimal() or int(value) < 1:
        raise ValueError(f"{variable}={value} must be a whole number of at least 1.")
    return int(value)


if __name__ == "__main__":
    main()
