"""Starts an embedded server, loads it, says where the knee is, and writes the report.

python -m load_tests.run [--model-repository PATH] [--http] [SCENARIO …] [options of load_tests and Locust …]

Without options: single videos at constant arrivals, ramping to the knee, report in build/load-test. `make load-test` is
this. What it does not know it gives to Locust: `python -m load_tests.run Mixed --load-shape soak --rate 1`.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from load_tests.embedded.serving import FOLDER, serving

ROOT = Path(__file__).parents[1]
DEFAULTS = {"LOAD_SHAPE": "ramp", "LOAD_ARRIVALS": "constant", "LOAD_REPORT": str(FOLDER)}


def main() -> int:
    """Run it; return Locust's exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-repository", type=Path, help="exported already; made when left out")
    parser.add_argument("--http", action="store_true", help="over HTTP instead of gRPC")
    arguments, others = parser.parse_known_args()
    console = Console(stderr=True, highlight=False)
    with serving(arguments.model_repository, console) as server:
        host = f"http://{server.http_url}" if arguments.http else f"grpc://{server.grpc_url}"
        return run_locust(host, others or ["SingleVideo"])


def run_locust(
    host: str, arguments: Sequence[str], defaults: Mapping[str, str] = DEFAULTS, *, quiet: bool = False
) -> int:
    """Run Locust without its page, in a separate process; return its exit status.

    Args:
        host: Address of the server.
        arguments: Options of Locust and of these load tests, and scenarios.
        defaults: Environment variables for options that are not given.
        quiet: Whether the result is not printed.
    """
    # A proxy of the environment must not come between, and the modules next to it must be found.
    environment = {**defaults, **os.environ, "PYTHONPATH": str(ROOT)}
    folder = environment["LOAD_REPORT"]
    command = [
        *(sys.executable, "-m", "locust", "-f", str(ROOT / "load_tests/locustfile.py"), "--host", host, "--headless"),
        *("--only-summary", "--loglevel", "WARNING"),
        *("--csv", f"{folder}/locust", "--html", f"{folder}/locust.html", "--json-file", f"{folder}/locust"),
        *arguments,
    ]
    stdout = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, check=False, env=environment, stdout=stdout).returncode  # noqa: S603 - our own


if __name__ == "__main__":
    sys.exit(main())
