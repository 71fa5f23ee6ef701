#!/usr/bin/env python3
"""Health check of the server image: asks every model that is served whether it is ready.

A server can say that it is ready while the process of a Python model is dead, so the models are asked, not the server.
Usage: ``healthcheck.py [http://127.0.0.1:8000]``. Exit status: 0 every model is ready, 1 one is not.
"""

import os
import sys
from pathlib import Path

from panecho_server import RepositoryError
from panecho_server.http_api import HttpApi
from panecho_server.repository import models_to_load

ANSWER_SECONDS = 2.0
SERVER = "http://127.0.0.1:8000"


def main() -> None:
    """Print what is ready, or what is not, for `docker inspect`."""
    server = HttpApi(sys.argv[1] if len(sys.argv) > 1 else SERVER, ANSWER_SECONDS)
    try:
        models = models_to_load(Path(os.environ["MODEL_REPOSITORY"]), tuple(os.environ.get("LOAD_MODELS", "").split()))
    except RepositoryError as error:
        sys.exit(f"not healthy: {error}")
    waiting = [model for model in models if not server.is_ready(model)]
    if waiting:
        sys.exit(f"not ready: {', '.join(waiting)}")
    sys.stdout.write(f"ready: {', '.join(models)}\n")


if __name__ == "__main__":
    main()
