"""How the embedded server is started."""

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
        model_repository: Repository that `panecho export` made servable.
        load: Model to load at start in addition to the usual ones, such as image_encoder; may be repeated. A
            repository that holds the image encoder alone loads it without being asked.
        profile: Serving settings for a kind of machine, cpu or gpu (docs/operate/serving.md). Default: settings that
            suit any machine.
        model_control: Let callers over gRPC load and unload models while the server runs, with Triton's model
            repository API. They can bring new models, and so code to run: for machines of one user, reached from this
            machine only.
        shared_memory: Let callers over gRPC send tensors through this machine's shared memory. They can have the
            server read and write memory that is not theirs: for machines of one user, reached from this machine only.
        tls_certificate: PEM file of the server's certificate, with those between it and its authority. It encrypts
            gRPC. Triton's HTTP has no TLS, so HTTP then listens on this machine only, for a proxy to reach.
        tls_key: PEM file of the certificate's private key.
        tls_client_ca: PEM file of the authority whose certificates callers over gRPC must have (mTLS). Default:
            callers need none.
        host: Address to listen on; 0.0.0.0 is every network. The default is this machine only, because studies carry
            patients' data.
        http_port: Port of HTTP; 0 picks a free one. Default: 8000, or the next free one.
        grpc_port: Port of gRPC; 0 picks a free one. Default: 8001, or the next free one.
        metrics_port: Port of the metrics; 0 picks a free one. Default: 8002, or the next free one.
        log_file: Log of the server and its models; replaced at each start.
        ready_timeout: Seconds within which every model must be ready.
        exit_timeout: Seconds that running requests get to finish when the server stops.
        options: Further options of tritonserver by their names, such as {"grpc-infer-thread-count": "8"} or
            --options.grpc-infer-thread-count 8. They come last and override those above. Addresses and
            ports are not among them: tritonserver listens on Unix sockets, and the front door on the ports.
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
    options: dict[str, str] = field(default_factory=dict)
