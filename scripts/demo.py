"""Serves an exported repository on free ports, predicts one study through it, and stops.

python scripts/demo.py FOLDER FILE…   # FOLDER holds model_repository/; the log goes there too
"""

import subprocess
import sys
from pathlib import Path

from rich.console import Console

from panecho_server import ServerSettings, TritonServer


def main() -> int:
    """Run the demo; return the exit status of ``panecho predict``."""
    folder, files = Path(sys.argv[1]), sys.argv[2:]
    settings = ServerSettings(
        model_repository=folder / "model_repository",
        grpc_port=0,
        http_port=0,
        metrics_port=0,
        log_file=folder / "tritonserver.log",
    )
    console = Console(stderr=True, highlight=False)
    with console.status("Starting Triton Inference Server"):
        server = TritonServer(settings).start()
    with server:
        console.print(f"Triton is ready at {server.grpc_url}; its log is {settings.log_file}")
        panecho = str(Path(sys.executable).with_name("panecho"))
        command = [panecho, "predict", "--url", server.grpc_url, *files]
        return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command


if __name__ == "__main__":
    sys.exit(main())
