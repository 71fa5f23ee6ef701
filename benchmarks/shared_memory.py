"""Measures what shared memory saves of a request: files of several sizes, through a socket and through memory, in turn.

python -m benchmarks.shared_memory [--rounds 7] [--model-repository PATH]

One request is one uncompressed cine and one clip, as a client on the server's machine sends it. Writes a table into
benchmarks/results.
"""

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from load_tests.embedded.serving import FOLDER, served_repository
from load_tests.requests.payloads import lengthened
from rich.console import Console

from benchmarks.machine import describe_machine
from benchmarks.mixed_study import CINE, recompressed
from benchmarks.timing import describe_ratio, in_turn
from panecho_client import ClipOptions, Connection, PanEcho
from panecho_server import ServerSettings, TritonServer

RESULTS = Path(__file__).parent / "results/shared_memory.md"
OPTIONS = ClipOptions(num_clips=1)
REPEATS = (1, 4, 16)


def main() -> int:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model-repository", type=Path, help="exported with --stand-in 0; made when left out")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    settings = ServerSettings(
        model_repository=served_repository(arguments.model_repository, console),
        shared_memory=True,
        http_port=0,
        grpc_port=0,
        metrics_port=0,
        log_file=FOLDER / "tritonserver.log",
    )
    rows = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        server = opened.enter_context(TritonServer(settings).start())
        ways = {
            name: opened.enter_context(PanEcho(Connection(url=server.grpc_url, shared_memory=shared)))
            for name, shared in (("socket", False), ("shared memory", True))
        }
        for repeats in REPEATS:
            file = folder / f"{repeats}.dcm"
            file.write_bytes(recompressed(lengthened(CINE.read_bytes(), repeats), compress=False))
            calls = {name: partial(way.predict_study, file, clip_options=OPTIONS) for name, way in ways.items()}
            times = in_turn(calls, arguments.rounds)
            ratio = describe_ratio(times["socket"].ratios(times["shared memory"]))
            size = file.stat().st_size / 1e6
            rows.append(f"| {size:.1f} | {times['socket'].spread()} | {times['shared memory'].spread()} | {ratio} |")
    lines = [
        "# Shared memory",
        "",
        "    python -m benchmarks.shared_memory",
        "",
        "; ".join(f"{name}: {value}" for name, value in describe_machine().items()) + ".",
        f"{arguments.rounds} interleaved rounds: median and range.",
        "",
        "| MB of the file | socket, ms per request | shared memory, ms per request | times as fast |",
        "|---|---|---|---|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    RESULTS.write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
