#!/usr/bin/env python3
"""Health check of the server image: asks every model that is served whether it is ready.

A server can say that it is ready while the process of a Python model is dead, so the models are asked, not the server.
Usage: ``healthcheck.py [http://127.0.0.1:8000]``. Exit status: 0 every model is ready, 1 one is not.
"""

import os
import sys
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from panecho_server import RepositoryError
from panecho_server.repository import models_to_load

ANSWER_SECONDS = 2.0
SERVER = "http://127.0.0.1:8000"


def main() -> None:
    """Print what is ready, or what is not, for `docker inspect`."""
    server = sys.argv[1] if len(sys.argv) > 1 else SERVER
    try:
        models = models_to_load(Path(os.environ["MODEL_REPOSITORY"]), tuple(os.environ.get("LOAD_MODELS", "").split()))
    except RepositoryError as error:
        sys.exit(f"not healthy: {error}")
    waiting = [model for model in models if not is_ready(server, model)]
    if waiting:
        sys.exit(f"not ready: {', '.join(waiting)}")
    sys.stdout.write(f"ready: {', '.join(models)}\n")


def is_ready(server: str, model: str) -> bool:
    """Tell whether ``model`` says that it is ready; a proxy of the environment is not asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{server}/v2/models/{model}/ready", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False


if __name__ == "__main__":
    main()
