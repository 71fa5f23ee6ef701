"""Watches the memory of a server whose models are loaded again and again, as rollouts do.

python -m benchmarks.reloads [--count 20] --model-repository PATH

Prints, after each reload of every model, what tritonserver and all its processes hold together (PSS). The files of the
repository get new times, nothing else of it changes.
"""

import argparse
import sys
from pathlib import Path

import psutil
from rich.console import Console

from panecho_admin.model_control import ModelControl
from panecho_client import Connection
from panecho_client.triton import MODELS
from panecho_server import ServerSettings, TritonServer

LOAD_SECONDS = 600.0


def main() -> int:
    """Reload the models, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--model-repository", type=Path, default=ServerSettings.model_repository)
    arguments = parser.parse_args()
    console = Console()
    settings = ServerSettings(
        model_repository=arguments.model_repository, model_control=True, grpc_port=0, http_port=0, metrics_port=0
    )
    with (
        TritonServer(settings) as server,
        ModelControl(Connection(url=server.grpc_url, timeout=LOAD_SECONDS)) as control,
    ):
        for number in range(arguments.count + 1):
            main_process = psutil.Process(server.pid)
            processes = [main_process, *main_process.children(recursive=True)]
            console.print(
                f"{number} reloads: tritonserver {_size(main_process):.0f} MiB, "
                f"all processes {sum(map(_size, processes)):.0f} MiB"
            )
            if number < arguments.count:
                _reload(control, arguments.model_repository)
    return 0


def _reload(control: ModelControl, repository: Path) -> None:
    """Load every model again; Triton does nothing where files are no newer."""
    for model in MODELS:
        for path in (repository / model).rglob("*"):
            path.touch()
        control.load(model)


def _size(process: psutil.Process) -> float:
    """Return the proportional set size in MiB."""
    return float(process.memory_full_info().pss) / 2**20


if __name__ == "__main__":
    sys.exit(main())
