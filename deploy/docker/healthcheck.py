#!/usr/bin/env -S python3 -I -S
"""Health check of the server image: asks models whether they are ready, all at once, over HTTP.

A server can say that it is ready while the process of a Python model is dead, so the models are asked, not the server.
Usage: ``healthcheck.py [live] [http://127.0.0.1:8000]``. It asks every served model; with ``live`` only those that run
in separate processes, which can die while the server lives. Exit status: 0 each is ready, 1 one is not.

It runs every few seconds: it opens no file of the model repository, whose storage may stall while Triton serves from
memory, and imports little, as most of its time is Python's start.
"""

import os
import socket
import sys
import time

ANSWER_SECONDS = 5.0
"""For all models together."""
SERVER = "http://127.0.0.1:8000"
MODELS = ("preprocessing", "backbone", "postprocessing", "panecho")
"""Served if ``start.py`` could not write which are."""
PROCESSES = ("preprocessing", "postprocessing")


def main() -> None:
    """Print what is ready, or what is not, for `docker inspect`."""
    arguments = sys.argv[1:]
    live = arguments[:1] == ["live"]
    address = (arguments[live:] or [SERVER])[0]
    models = [model for model in served() if not live or model in PROCESSES]
    waiting = not_ready(models or served(), address)
    if waiting:
        sys.exit(f"not ready: {', '.join(waiting)}")
    sys.stdout.write(f"ready: {', '.join(models)}\n")


def served() -> list[str]:
    """Return the models that ``start.py`` has made Triton load."""
    try:
        with open(f"{os.environ.get('HOME', '/tmp')}/panecho-models", encoding="utf-8") as file:  # noqa: PTH123, S108 - pathlib takes 20 ms
            return file.read().split()
    except OSError:
        return [*MODELS, *os.environ.get("LOAD_MODELS", "").split()]


def not_ready(models: list[str], address: str) -> list[str]:
    """Return the models that do not say in time that they are ready."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    end = time.monotonic() + ANSWER_SECONDS
    asked = {model: ask(model, host, int(port)) for model in models}
    return [model for model, connection in asked.items() if not says_ready(connection, end)]


def ask(model: str, host: str, port: int) -> socket.socket | None:
    """Send the question; return the connection on which the answer comes, None if nothing listens."""
    try:
        connection = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
        connection.sendall(
            f"GET /v2/models/{model}/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
    except OSError:
        return None
    return connection


def says_ready(connection: socket.socket | None, end: float) -> bool:
    """Tell whether the answer, read until ``end`` at the latest, has status 200."""
    status = b""
    try:
        while connection is not None and len(status) < len(b"HTTP/1.1 200"):
            connection.settimeout(max(end - time.monotonic(), 0.01))
            received = connection.recv(64)
            if not received:
                break
            status += received
    except OSError:
        return False
    return status[8:12] == b" 200"


if __name__ == "__main__":
    main()
