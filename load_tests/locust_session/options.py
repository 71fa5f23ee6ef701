"""Options of a load test, given on the command line, by environment variables, or in Locust's web page."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from load_tests.requests.connections import Address
from load_tests.requests.errors import LoadTestError
from load_tests.requests.payloads import CLIP_LENGTH, Sending
from load_tests.stages.plans import PlanSettings
from load_tests.stages.thresholds import DEFAULT_FILE, Thresholds

SHAPES = ("none", "ramp", "step", "spike", "soak", "overload")
ARRIVALS = ("closed", "constant", "poisson")

OPTIONS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("--load-shape", "LOAD_SHAPE", {"choices": SHAPES, "default": "none", "help": "none takes -u, -r and -t"}),
    (
        "--arrivals",
        "LOAD_ARRIVALS",
        {
            "choices": ARRIVALS,
            "default": "closed",
            "help": "closed: users wait for each answer; constant, poisson: requests are due at set times",
        },
    ),
    ("--rate", "LOAD_RATE", {"type": float, "default": 0.5, "help": "requests per second that a shape begins with"}),
    ("--max-rate", "LOAD_MAX_RATE", {"type": float, "default": 1000.0, "help": "a ramp goes no higher"}),
    ("--rate-per-user", "LOAD_RATE_PER_USER", {"type": float, "default": 0.1, "help": "of constant and poisson"}),
    ("--think-time", "LOAD_THINK_TIME", {"type": float, "default": 0.0, "help": "of closed users, mean seconds"}),
    ("--stage-seconds", "LOAD_STAGE_SECONDS", {"type": float, "default": 15.0, "help": "length of a stage"}),
    ("--spike-seconds", "LOAD_SPIKE_SECONDS", {"type": float, "default": 30.0, "help": "length of a spike"}),
    ("--stages", "LOAD_STAGES", {"type": int, "default": 10, "help": "number of stages of step and soak"}),
    ("--factor", "LOAD_FACTOR", {"type": float, "default": 3.0, "help": "of a spike, times the rate"}),
    ("--drain-seconds", "LOAD_DRAIN_SECONDS", {"type": float, "default": 30.0, "help": "to wait for late answers"}),
    ("--deadline", "LOAD_DEADLINE", {"type": float, "default": 60.0, "help": "seconds that a request may take"}),
    (
        "--max-in-progress",
        "LOAD_MAX_IN_PROGRESS",
        {"type": int, "default": 1000, "help": "per process; more are not sent"},
    ),
    ("--connections", "LOAD_CONNECTIONS", {"type": int, "default": 8, "help": "per process"}),
    ("--num-clips", "LOAD_NUM_CLIPS", {"type": int, "default": 1, "help": "clips of each video"}),
    ("--clip-length", "LOAD_CLIP_LENGTH", {"type": int, "default": CLIP_LENGTH, "help": "frames of each clip"}),
    ("--bad-ratio", "LOAD_BAD_RATIO", {"type": float, "default": 0.1, "help": "of Mixed"}),
    ("--data", "LOAD_DATA", {"default": "", "help": "folder of files to send, each folder in it a study"}),
    (
        "--compare-answers",
        "LOAD_COMPARE_ANSWERS",
        {"choices": ("yes", "no"), "default": "yes", "help": "with those given before the load"},
    ),
    ("--header", "LOAD_HEADER", {"default": "", "help": "NAME=VALUE sent with each request", "is_secret": True}),
    ("--root-certificates", "LOAD_ROOT_CERTIFICATES", {"default": "", "help": "PEM file, for grpcs:// and https://"}),
    ("--thresholds", "LOAD_THRESHOLDS", {"default": str(DEFAULT_FILE), "help": "TOML file"}),
    ("--report", "LOAD_REPORT", {"default": "", "help": "folder to write results.json and report.html into"}),
    ("--seed", "LOAD_SEED", {"type": int, "default": 0, "help": "of the order of requests and of random arrivals"}),
)

FROM_THE_START = (
    *("--load-shape", "--rate", "--max-rate", "--stage-seconds", "--spike-seconds", "--stages", "--factor"),
    "--thresholds",
)
"""Not in Locust's page, which comes too late for them."""


def add_options(parser: Any) -> None:  # noqa: ANN401 - Locust's parser, which has other options too
    """Add ours to Locust's."""
    for name, variable, settings in OPTIONS:
        parser.add_argument(name, env_var=variable, include_in_web_ui=name not in FROM_THE_START, **settings)


def shown_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that two runs must share to be compared, by name; secrets stay out."""
    shown = [name for name, _, settings in OPTIONS if not settings.get("is_secret")]
    names = [name.removeprefix("--").replace("-", "_") for name in shown]
    return {name: getattr(options, name) for name in names if name not in ("report", "thresholds")}


def address_of(host: str, options: argparse.Namespace) -> Address:
    """Return where the server is."""
    name, separator, value = options.header.partition("=")
    if options.header and not separator:
        raise LoadTestError("--header: give NAME=VALUE, such as authorization=Bearer TOKEN.")
    certificates = Path(options.root_certificates) if options.root_certificates else None
    if certificates is not None and not certificates.is_file():
        raise LoadTestError(f"--root-certificates {certificates}: no such file.")
    return Address(url=host, headers={name: value} if name else {}, root_certificates=certificates)


def sending_of(options: argparse.Namespace) -> Sending:
    """Return what is sent."""
    return Sending(
        data=Path(options.data) if options.data else None,
        num_clips=options.num_clips,
        clip_length=options.clip_length,
        bad_ratio=options.bad_ratio,
    )


def plan_settings(options: argparse.Namespace, thresholds: Thresholds) -> PlanSettings:
    """Return the numbers of a shape.

    Raises:
        LoadTestError: One makes no sense.
    """
    if options.load_shape in ("ramp", "overload") and options.arrivals == "closed":
        raise LoadTestError(f"--load-shape {options.load_shape} needs --arrivals constant or poisson.")
    for name in ("rate", "max_rate", "rate_per_user", "stage_seconds", "spike_seconds", "stages", "factor"):
        if getattr(options, name) <= 0:
            raise LoadTestError(f"--{name.replace('_', '-')} {getattr(options, name)}: give a number above 0.")
    return PlanSettings(
        rate=options.rate,
        max_rate=options.max_rate,
        stage_seconds=options.stage_seconds,
        spike_seconds=options.spike_seconds,
        stages=options.stages,
        factor=options.factor,
        drain_seconds=options.drain_seconds,
        sustained=thresholds.sustained,
    )
