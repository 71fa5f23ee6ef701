"""Questions to a running ``tritonserver`` over HTTP: for the embedded server, its checks and the container's health."""

import json
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any


@dataclass(frozen=True)
class HttpApi:
    """One server's HTTP endpoint, asked without any proxy of the environment.

    Attributes:
        url: Such as ``http://127.0.0.1:8000``.
        seconds: Time limit of an answer.
    """

    url: str
    seconds: float = 5.0

    def get(self, path: str) -> bytes | None:
        """Return the body of a page; None if nothing answers in time or the status is an error."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.url}/{path}", timeout=self.seconds) as answer:
                return bytes(answer.read())
        except (OSError, HTTPException, ValueError):  # ValueError: what answers is not HTTP
            return None

    def is_ready(self, model: str) -> bool:
        """Tell whether a model says that it is ready."""
        return self.get(f"v2/models/{model}/ready") is not None

    def model_config(self, model: str) -> dict[str, Any] | None:
        """Return the configuration with which a model is loaded; None if it is not loaded or nothing answers."""
        return self._json(f"v2/models/{model}/config")

    def metadata(self) -> dict[str, Any] | None:
        """Return what the server says about itself, such as its ``name``; None if no Triton server answers."""
        return self._json("v2")

    def _json(self, path: str) -> dict[str, Any] | None:
        try:
            found = json.loads(self.get(path) or b"null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None
