"""How the embedded server is started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_HTTP_PORT = 8000
DEFAULT_GRPC_PORT = 8001
DEFAULT_METRICS_PORT = 8002

MODELS = ("preprocessing", "backbone", "postprocessing", "panecho")
"""Loaded at start. Each is waited for: a server can be ready while the process of a Python model is dead."""

IMAGE_ENCODER = "image_encoder"
"""Loaded at start where the repository holds it alone."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where the server finds its models and where it listens.

    Attributes:
        model_repository: Folder that ``panecho export`` has made servable.
        load: Models of the repository to load at start besides ``MODELS``, such as ``image_encoder``. A
            repository of the image encoder alone loads that alone.
        profile: Serving settings for a kind of machine, ``cpu`` or ``gpu`` (docs/operate/serving.md); None takes those
            of each model's config.pbtxt, which suit any machine.
        model_control: Whether callers over gRPC may load and unload models while the server runs, with Triton's model
            repository API. It also takes new models, and so code to run: for machines of one user, and of ``host``
            only this machine.
        shared_memory: Whether callers over gRPC may hand over tensors in this machine's shared memory. Who may can have
            the server read and write regions that are not theirs: for machines of one user, as above.
        tls_certificate: PEM file of the server's certificate, and those between it and its authority. With it, gRPC
            is encrypted and nothing else answers at its port. Triton's HTTP has no TLS: it listens on this machine
            alone then, for a proxy to reach.
        tls_key: PEM file of its private key.
        tls_client_ca: PEM file of the authority whose certificates callers over gRPC must have (mTLS); None lets
            everybody in.
        host: Address to listen on. The default is this machine alone: studies carry patients' data.
        http_port: 0 picks a free one; None is 8000, or the next free one.
        grpc_port: As above, from 8001.
        metrics_port: As above, from 8002.
        log_file: Where the log of ``tritonserver`` and of the models goes; replaced at each start.
        ready_timeout: Seconds until every model must be ready.
        exit_timeout: Seconds that running requests are given when the server is stopped.
        options: Further options of ``tritonserver`` by their names without dashes, such as
            ``{"grpc-infer-thread-count": "8"}``. They come last, so one that is set above is overridden. HTTP must
            stay on at ``http_port``: the models are asked there whether they are ready.
    """

    model_repository: Path = Path("build/model_repository")
    load: tuple[str, ...] = ()
    profile: str | None = None
    model_control: bool = False
    shared_memory: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    host: str = "127.0.0.1"
    http_port: int | None = None
    grpc_port: int | None = None
    metrics_port: int | None = None
    log_file: Path = Path("build/tritonserver.log")
    ready_timeout: float = 300
    exit_timeout: int = 30
    options: Mapping[str, str] = field(default_factory=dict)
