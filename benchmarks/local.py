"""Compares the pipeline in one process (`panecho_local`) with a server on the same machine, from files to a study.

python -m benchmarks.local [--rounds 5] [--files 6]

In every round, in turn: the same study by a client of a server, and by `open_local`; both in the precision that suits
the machine. Writes a table into benchmarks/results.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from load_tests.embedded.serving import serving
from load_tests.requests.payloads import lengthened
from rich.console import Console

from benchmarks.cines import describe_clips
from benchmarks.machine import describe_machine
from benchmarks.timing import describe_ratio, in_turn
from panecho_client import ClipOptions, PanEcho
from panecho_local import open_local

DATA = Path(__file__).parents[1] / "tests/data"
CINE = DATA / "sonosite_turbo_a4c_30f_jpegbaseline_ybr422.dcm"
RESULTS = Path(__file__).parent / "results/local.md"


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=6, help="cines of the study, four clips of each")
    arguments = parser.parse_args()
    with ExitStack() as opened:
        server = opened.enter_context(serving(None, Console(stderr=True)))
        folder = Path(opened.enter_context(TemporaryDirectory()))
        for number in range(arguments.files):
            (folder / f"{number}.dcm").write_bytes(lengthened(CINE.read_bytes(), 1, first=number))
        served = opened.enter_context(PanEcho(server.grpc_url))
        local = opened.enter_context(open_local(stand_in=0))
        times = in_turn(
            {"server": lambda: served.predict_study(folder), "local": lambda: local.predict_study(folder)},
            arguments.rounds,
        )
    clips = 4 * arguments.files
    lines = [
        f"{describe_machine()} {describe_clips(ClipOptions())}",
        "",
        "| pipeline | clips/s | ms per study |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {clips / time.median:.2f} | {time.spread()} |" for name, time in times.items()]
    lines += ["", f"Server to local, round by round: {describe_ratio(times['server'].ratios(times['local']))}."]
    RESULTS.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))  # noqa: T201 - the table


if __name__ == "__main__":
    main()
